#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/value/value_sum_private.h"

struct value_focus {
    enum record_type type;
    uint64_t open[VALUE_RANGE_WORDS]; /* ranges that differ and were not looked at yet */
    uint64_t now[VALUE_RANGE_WORDS];  /* those of this pass */
    uint64_t weights[VALUE_RANGES];   /* items on both sides */
    struct value_tally tally;
};

static bool bit_has(const uint64_t *bits, size_t i)
{
    return (bits[i / 64] >> (i % 64) & 1) != 0;
}

bool value_focus_has(const struct value_focus *f, size_t range)
{
    return bit_has(f->now, range);
}

struct value_focus *value_focus_new(const struct value_sum *saved, const struct value_sum *live,
                                    const struct value_rule *rule)
{
    struct value_focus *f = mem_zero(1, sizeof(*f));
    bool sums_tell = value_sums_tell(saved, rule);

    f->type = saved->type;
    for (size_t i = 0; i < VALUE_RANGES; i++) {
        const struct value_range *a = &saved->ranges[i];
        const struct value_range *b = &live->ranges[i];

        if (sums_tell && a->count == b->count && XXH128_isEqual(a->sum, b->sum)) {
            f->tally.saved += a->count;
            continue;
        }
        f->open[i / 64] |= UINT64_C(1) << (i % 64);
        f->weights[i] = a->count + b->count;
    }
    return f;
}

void value_focus_free(struct value_focus *f)
{
    free(f);
}

bool value_focus_next(struct value_focus *f, size_t max_items)
{
    uint64_t items = 0;
    bool any = false;

    memset(f->now, 0, sizeof(f->now));
    for (size_t i = 0; i < VALUE_RANGES; i++) {
        if (!bit_has(f->open, i) || (any && items + f->weights[i] > max_items))
            continue;
        f->open[i / 64] &= ~(UINT64_C(1) << (i % 64));
        f->now[i / 64] |= UINT64_C(1) << (i % 64);
        items += f->weights[i];
        any = true;
    }
    return any;
}

void value_focus_take(struct value_focus *f, struct value_sum *saved, struct value_sum *live,
                      const struct value_rule *rule)
{
    struct value_tally t = value_tally_items(saved, live, rule);

    f->tally.saved += t.saved;
    f->tally.changed += t.changed;
    f->tally.only_saved += t.only_saved;
    f->tally.only_live += t.only_live;
    f->tally.deadlines += t.deadlines;
    f->tally.expired += t.expired;
}

struct value_difference value_focus_result(const struct value_focus *f)
{
    return value_tally_said(&f->tally, f->type);
}
