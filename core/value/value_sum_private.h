/*
 * value_sum_private.h - the parts of a value_sum. Private to core/value/value_*.
 *
 * Elements of hashes, sets and sorted sets, and of streams the consumers and the times of pending
 * entries, are items: first in a table, then, above the limit, only as sums by range of their name.
 */
#ifndef CORE_VALUE_VALUE_SUM_PRIVATE_H
#define CORE_VALUE_VALUE_SUM_PRIVATE_H

#include <xxhash.h>

#include "core/value/value_sum.h"

#define VALUE_RANGES 65536
#define VALUE_RANGE_WORDS (VALUE_RANGES / 64)

struct value_item {
    XXH128_hash_t name;
    XXH128_hash_t content; /* of the whole pair */
    int64_t deadline;      /* or time of delivery; RECORD_NO_TIME: none */
    uint64_t order;        /* of arrival: the later one wins */
};

struct value_range {
    XXH128_hash_t sum; /* of items, whatever their order, modulo 2^128 */
    uint64_t count;
};

struct value_group {
    XXH128_hash_t name;
    XXH128_hash_t content; /* position and pending entries, without times */
    bool placed;           /* its position is in content */
    bool has_read;
    uint64_t entries_read;
};

struct value_sum {
    bool filled;
    bool held; /* items may still get a deadline: none is folded away */
    enum record_type type;
    struct value_item *items;
    size_t count, cap, limit;
    struct value_range *ranges; /* VALUE_RANGES of them, or NULL: all items are in the table */
    const struct value_focus *focus;
    XXH3_state_t *stream;  /* lists, strings, entries, dumps: hashed in order */
    uint64_t length;       /* elements; bytes of a string */
    uint64_t untimed;      /* items without deadline */
    int64_t last_deadline; /* of all items */
    struct value_group *groups;
    size_t group_count, group_cap;
    bool has_state;
    struct stream_state state;
};

struct value_tally {
    uint64_t saved; /* items of the saved side, repeated ones once */
    uint64_t changed, only_saved, only_live, deadlines, expired;
};

static inline size_t value_range_of(XXH128_hash_t name)
{
    return (size_t)(name.high64 >> 48);
}

static inline void value_hash_add(XXH128_hash_t *sum, XXH128_hash_t more)
{
    sum->low64 += more.low64;
    sum->high64 += more.high64 + (sum->low64 < more.low64 ? 1 : 0);
}

/* What an item adds to a sum. */
XXH128_hash_t value_item_print(const struct value_item *item);
/* Turn the table into sums of ranges. */
void value_sum_fold(struct value_sum *s);
/* value_focus.c: is this range looked at now? */
bool value_focus_has(const struct value_focus *f, size_t range);
/* value_compare.c: are two values right when their sums are equal? Not where fields have deadlines
 * that a restore has left out, or moved by more than the tolerance: equal ones are wrong then. */
bool value_sums_tell(const struct value_sum *saved, const struct value_rule *rule);
/* value_compare.c: sorts both, then counts. */
struct value_tally value_tally_items(struct value_sum *saved, struct value_sum *live,
                                     const struct value_rule *rule);
struct value_difference value_tally_said(const struct value_tally *t, enum record_type type);

#endif
