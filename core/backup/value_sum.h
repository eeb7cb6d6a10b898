/*
 * value_sum.h - the content of one key, boiled down so that two of them can be compared however
 * large they are: from the archive on one side, from a server on the other.
 *
 * Lines of a record are added in order; elements become 128-bit hashes (32 bytes for each element
 * of a hash, set or sorted set; lists and strings are hashed as they pass). Order matters for lists
 * and streams only; a repeated member counts once, the later value wins. Scores compare as doubles
 * with -0 equal to 0; HyperLogLogs without their cached count; streams without delivery times. One
 * thread.
 */
#ifndef CORE_BACKUP_VALUE_SUM_H
#define CORE_BACKUP_VALUE_SUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/backup/record.h"

struct value_sum;

struct value_sum *value_sum_new(void);
void value_sum_free(struct value_sum *s); /* NULL is fine */
void value_sum_clear(struct value_sum *s);
/* keep_groups false: a stream's groups are left out, as after a restore without them. */
void value_sum_add(struct value_sum *s, const struct record *r, bool keep_groups);

/* The same from a server's replies, in pieces: the type first, then any number of the others. */
void value_sum_start(struct value_sum *s, enum record_type type);
void value_sum_bytes(struct value_sum *s, struct str piece, bool hyperloglog);
void value_sum_element(struct value_sum *s, struct str element);              /* list, set */
void value_sum_pair(struct value_sum *s, struct str field, struct str value); /* hash */
void value_sum_pair_until(struct value_sum *s, struct str field, struct str value, int64_t at);
void value_sum_member(struct value_sum *s, struct str member, double score);
void value_sum_entry(struct value_sum *s, struct stream_id id, const struct str *fields,
                     size_t count);
void value_sum_group(struct value_sum *s, const struct stream_group *group);
void value_sum_dump(struct value_sum *s, struct str payload);
void value_sum_state(struct value_sum *s, const struct stream_state *state);

struct value_difference {
    bool same;
    char what[120];     /* "2 of 5 fields differ", "3 elements against 4" */
    uint64_t deadlines; /* fields whose deadline is outside the tolerance */
};

/* Field deadlines of `live` may lie between those of `saved` and latest_shift_ms later, give or
 * take tolerance_ms. Both sums are sorted on the way. */
struct value_difference value_sum_compare(struct value_sum *saved, struct value_sum *live,
                                          int64_t latest_shift_ms, int64_t tolerance_ms);

#endif
