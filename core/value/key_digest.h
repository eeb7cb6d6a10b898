/*
 * key_digest.h - `rbc-digest-1`: one key's type, name and content as 128 bits, the same whether it
 * is read from a server's replies, in windows, or from an archive, and on every flavour.
 *
 * Start, add the content in pieces in any order that its type allows, end. Fields and members may
 * come in any order and more than once (the later one wins); elements and entries come in order; a
 * stream's groups before or after its entries, in several pieces. Memory is bounded: what does not
 * fit is sorted on disk. One thread per object.
 * Source: docs/format, "Digests".
 */
#ifndef CORE_VALUE_KEY_DIGEST_H
#define CORE_VALUE_KEY_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/record/record.h"

#define KEY_DIGEST_NAME "rbc-digest-1"
#define KEY_DIGEST_TEXT 33 /* 32 lower hex digits and a NUL */

struct digest128 {
    uint64_t high;
    uint64_t low;
};

bool digest128_equal(struct digest128 a, struct digest128 b);
/* Both modulo 2^128. */
struct digest128 digest128_add(struct digest128 a, struct digest128 b);
struct digest128 digest128_subtract(struct digest128 a, struct digest128 b);
char *digest128_format(char out[KEY_DIGEST_TEXT], struct digest128 d); /* high first */
bool digest128_parse(struct str text, struct digest128 *out) MUST_CHECK;

struct key_digest;

/* dir: for temporary files, when one key's members take more than `memory` bytes; copied. */
struct key_digest *key_digest_new(const char *dir, size_t memory);
void key_digest_free(struct key_digest *d); /* NULL is fine */

/* A new key: whatever was added before is forgotten. Only key, type, type_name and db of the head
 * matter. The head's strings must live until key_digest_end. */
void key_digest_start(struct key_digest *d, const struct record_head *head);
/* False: ERROR_STORAGE or ERROR_LIMIT of the sorting on disk. */
bool key_digest_bytes(struct key_digest *d, struct str piece, struct error *err) MUST_CHECK;
bool key_digest_element(struct key_digest *d, struct str element, /* list, set */
                        struct error *err) MUST_CHECK;
/* deadline: RECORD_NO_TIME when the field has none. */
bool key_digest_field(struct key_digest *d, struct str field, struct str value, int64_t deadline,
                      struct error *err) MUST_CHECK;
bool key_digest_member(struct key_digest *d, struct str member, double score,
                       struct error *err) MUST_CHECK;
void key_digest_entry(struct key_digest *d, struct stream_id id, const struct str *fields,
                      size_t count);
/* The same group again: its consumers and pending entries are added to it. */
void key_digest_group(struct key_digest *d, const struct stream_group *group);
void key_digest_state(struct key_digest *d, const struct stream_state *state);
void key_digest_dump(struct key_digest *d, struct str payload);
/* All of that from one line of an archive, of whatever type; key_digest_start came before the
 * first line of the key. */
bool key_digest_record(struct key_digest *d, const struct record *r, struct error *err) MUST_CHECK;

/* *bytes: data bytes of the value (fields, values, members, elements, names; 8 for a score, 16 for
 * an id), for size tables; repeated fields count once. */
bool key_digest_end(struct key_digest *d, struct digest128 *out, uint64_t *bytes,
                    struct error *err) MUST_CHECK;

/* After the end: the string was a HyperLogLog, so its cached count was left out. */
bool key_digest_is_hyperloglog(const struct key_digest *d);

/* What a key with a deadline adds to its slot's second sum. */
struct digest128 key_digest_deadline(struct str key, uint32_t db, int64_t deadline_ms);
/* Of plain bytes, without a name: for the code of function libraries. */
struct digest128 key_digest_of(struct str bytes);
/* Where a key stands in samples: those with the smallest ranks are taken. */
uint64_t key_digest_rank(struct str key, uint32_t db);

#endif
