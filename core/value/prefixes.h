/*
 * prefixes.h - how many keys begin with what: a table by prefix, kept slot by slot so that a slot
 * that is read again can be taken out, and bounded however many prefixes there are.
 *
 * A prefix is the name up to and with its first ':', '/', '|' or '.' (of its first 64 bytes), every
 * run of digits in it written as '#': "user:", "cache/", "order#:". Names without a separator have
 * the empty prefix. When more than PREFIXES_MAX are known, the smaller half is counted as "other";
 * one that comes back later counts from then on (at_least). One thread while it is filled.
 */
#ifndef CORE_VALUE_PREFIXES_H
#define CORE_VALUE_PREFIXES_H

#include "core/value/key_facts.h"

#define PREFIXES_MAX 256
#define PREFIX_BYTES 64

struct prefix_count {
    uint64_t keys;
    uint64_t with_ttl;
    uint64_t bytes;
};

struct prefix_row {
    struct str name; /* lives as long as the table */
    struct prefix_count count;
    bool at_least;
};

struct prefixes;

/* The prefix of a name, into out. */
struct str prefix_of(struct str key, char out[PREFIX_BYTES]);

struct prefixes *prefixes_new(void);
void prefixes_free(struct prefixes *p); /* NULL is fine */
void prefixes_add(struct prefixes *p, const struct key_facts *k);
/* In `into`, what `from` has of this slot comes on top of what is there. */
void prefixes_take(struct prefixes *into, const struct prefixes *from, uint16_t slot);
/* The `limit` largest rows, largest first (ties by name), into out[limit]; all the rest goes into
 * *other. Returns how many rows there are. */
size_t prefixes_list(const struct prefixes *p, struct prefix_row *out, size_t limit,
                     struct prefix_count *other);

#endif
