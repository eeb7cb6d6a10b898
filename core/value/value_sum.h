/*
 * value_sum.h - the content of one key, boiled down so that two of them can be compared however
 * large they are: from the archive on one side, from a server on the other.
 *
 * Lines of a record are added in order; elements become 128-bit hashes. Order matters for lists and
 * streams only; a repeated member counts once, the later value wins. Scores compare as doubles with
 * -0 equal to 0; HyperLogLogs without their cached count. Above value_sum_limit elements only the
 * sums of 65,536 ranges of hashes are kept (1.5 MiB): equal sums are equal values, and where they
 * differ a value_focus looks at those ranges once more. One thread.
 */
#ifndef CORE_VALUE_VALUE_SUM_H
#define CORE_VALUE_VALUE_SUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/record/record.h"

struct value_sum;

struct value_sum *value_sum_new(void);
void value_sum_free(struct value_sum *s); /* NULL is fine */
void value_sum_clear(struct value_sum *s);
/* Elements that are kept one by one (48 bytes each). A new sum keeps them all. */
void value_sum_limit(struct value_sum *s, size_t items);
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

/* A number that tells two states of a live key apart, for "has it changed since". */
uint64_t value_sum_print(const struct value_sum *s);

/* What may be otherwise on the live side without being wrong. Times in ms. */
struct value_rule {
    int64_t now_ms; /* the server's clock: fields that have died by then may be gone. 0: none may */
    int64_t earliest_shift_ms; /* deadlines of fields may have moved by this much … */
    int64_t latest_shift_ms;   /* … to this much */
    int64_t tolerance_ms;
    bool no_deadlines;  /* a restore has left the deadlines of fields out */
    bool pending_times; /* compare when pending entries were delivered */
};

struct value_difference {
    bool same;
    bool unsure;        /* sums of ranges differ: see value_focus; `same` is false meanwhile */
    bool partly;        /* a stream whose counters one side does not have: they were left out */
    char what[120];     /* "2 of 5 fields differ", "3 elements against 4" */
    uint64_t deadlines; /* fields whose deadline is outside the tolerance */
    uint64_t expired;   /* fields that are gone, as their deadline says */
};

/* Both sums are sorted on the way. */
struct value_difference value_sum_compare_by(struct value_sum *saved, struct value_sum *live,
                                             const struct value_rule *rule);
/* Field deadlines of `live` may lie between those of `saved` and latest_shift_ms later, give or
 * take tolerance_ms; nothing may have expired; delivery times are not compared. */
struct value_difference value_sum_compare(struct value_sum *saved, struct value_sum *live,
                                          int64_t latest_shift_ms, int64_t tolerance_ms);
/* A hash none of whose fields need be alive any more: it may be gone although it had no expiry. */
bool value_sum_may_be_gone(const struct value_sum *saved, const struct value_rule *rule);

/* When the last field of a hash dies, and the hash with it; RECORD_NO_TIME: one never does. */
int64_t value_sum_last_death(const struct value_sum *s);

/* ---- a second look, range by range ------------------------------------------------------------
 */
struct value_focus;

/* After a comparison that was unsure: the ranges in which the two differ. */
struct value_focus *value_focus_new(const struct value_sum *saved, const struct value_sum *live,
                                    const struct value_rule *rule);
void value_focus_free(struct value_focus *f); /* NULL is fine */
/* Choose the next ranges, of about max_items elements on both sides; false when none are left. */
bool value_focus_next(struct value_focus *f, size_t max_items);
/* Empty the sum; from now on it keeps elements of the chosen ranges only, all of them. NULL: as
 * before. f outlives that. */
void value_sum_focus(struct value_sum *s, const struct value_focus *f);
/* Both sums were filled once more: count what differs. */
void value_focus_take(struct value_focus *f, struct value_sum *saved, struct value_sum *live,
                      const struct value_rule *rule);
struct value_difference value_focus_result(const struct value_focus *f);

#endif
