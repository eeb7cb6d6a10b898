/*
 * key_facts.h - what a snapshot knows of one key, and a spool that puts the facts of any number of
 * keys in order of slot, database and name with bounded memory.
 *
 * Feed a spool from a live scan or from an archive, in any order; what comes out
 * is in the order of a snapshot's keys file, each key once (of several the one added last). So two
 * sides, whatever they are, can be compared by walking both. One thread per spool.
 */
#ifndef CORE_VALUE_KEY_FACTS_H
#define CORE_VALUE_KEY_FACTS_H

#include "core/value/key_digest.h"

struct key_facts {
    struct str key;
    uint32_t db;
    uint16_t slot; /* of the name; also outside cluster mode */
    enum record_type type;
    struct str type_name; /* the server's TYPE word */
    struct digest128 content;
    int64_t deadline; /* RECORD_NO_TIME: none */
    uint64_t bytes;   /* of the name and the value's data */
    bool hyperloglog;
    bool fuzzy; /* changed while it was read: the digest is of no single moment */
};

/* By slot, then database, then name: the order of keys files and spools. */
int key_facts_compare(const struct key_facts *a, const struct key_facts *b);

struct key_spool;

/* dir and memory as in core/base/sorter.h. */
struct key_spool *key_spool_new(const char *dir, size_t memory);
void key_spool_free(struct key_spool *s); /* NULL is fine */
bool key_spool_add(struct key_spool *s, const struct key_facts *k, struct error *err) MUST_CHECK;
uint64_t key_spool_count(const struct key_spool *s); /* as added: repeated keys included */
/* keep: memory to hold on to until it is read, see sorter_sort. */
bool key_spool_sort(struct key_spool *s, size_t keep, struct error *err) MUST_CHECK;
/* The next key; true with *end at the end; false with err. Its strings live until the
 * next call. */
bool key_spool_next(struct key_spool *s, struct key_facts *out, bool *end,
                    struct error *err) MUST_CHECK;

#endif
