#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/diff/diff_private.h"

/*
 * A side without keys: a snapshot's sums, slot by slot, against the other side's, and key by key
 * only what is in the samples. Both snapshots of a cluster draw the same keys, so the sample with
 * the smaller bound says which keys both would have named.
 */

/* ---- may these sums be compared? ------------------------------------------------------------- */

static bool same_words(const char *const *a, size_t a_count, const char *const *b, size_t b_count)
{
    for (size_t i = 0; i < a_count; i++) {
        size_t k = 0;

        while (k < b_count && strcmp(a[i], b[k]) != 0)
            k++;
        if (k == b_count)
            return false;
    }
    return a_count == b_count;
}

static bool same_keys_chosen(const struct filter *a, const struct filter *b)
{
    return same_words(a->match, a->match_count, b->match, b->match_count) &&
           same_words(a->types, a->type_count, b->types, b->type_count);
}

static bool may_compare(const struct diff_run *run, struct error *err)
{
    const struct diff_side *a = run->side[SIDE_A];
    const struct diff_side *b = run->side[SIDE_B];
    const char *lacks = diff_side_has_keys(a) ? "B" : "A";
    const struct diff_side *backup = a->source != NULL ? a : b;
    const struct diff_side *other = backup == a ? b : a;

    if (run->o->filter.match_count + run->o->filter.type_count > 0)
        return error_set(err, ERROR_USAGE, 0,
                         "--match and --type need the keys of both sides, and %s has none "
                         "(snapshot --keys)",
                         lacks);
    /* A snapshot's filter can be put on a backup that holds everything, not the other way round. */
    if (same_keys_chosen(&a->filter, &b->filter) ||
        (backup->source != NULL && backup->filter.match_count + backup->filter.type_count == 0 &&
         other->source == NULL))
        return true;
    return error_set(err, ERROR_USAGE, 0,
                     "they hold different parts of the keys (--match, --type), and %s has only "
                     "sums of its part (snapshot --keys)",
                     lacks);
}

/* ---- counts and sums of a side ----------------------------------------------------------------
 */

static void add_counts(struct diff_counts *c, int side, uint64_t keys)
{
    if (side == SIDE_A)
        c->a += keys;
    else
        c->b += keys;
}

static void take_slot(struct diff_run *run, int side, uint16_t slot)
{
    const struct diff_side *s = run->side[side];
    const struct slot_sum *sum = slot_sums_at(s->snapshot->sums, slot);
    uint32_t shard = s->shard_of_slot[slot];

    if (sum->keys == 0)
        return;
    slot_sums_take(run->sums[side], s->snapshot->sums, slot);
    add_counts(&run->r->total, side, sum->keys);
    for (size_t t = 0; t < RECORD_TYPES; t++)
        add_counts(&run->r->by_type[t], side, sum->types[t]);
    add_counts(&run->shards.rows[shard == DIFF_NO_SHARD ? 0 : run->shard_row[side][shard]].counts,
               side, sum->keys);
}

/* A table by prefix is of all slots, and may leave rare prefixes out: it can be put beside another
 * one only when it is of what is compared and whole. */
static bool has_prefixes(const struct diff_run *run, int side)
{
    const struct snapshot *s = run->side[side]->snapshot;

    if (s == NULL)
        return true;
    for (size_t i = 0; i < s->by_prefix_count; i++)
        if (s->by_prefix[i].at_least)
            return false;
    return s->other.keys == 0 && slot_set_equal(&run->slots, &s->covered);
}

static void take_prefixes(struct diff_run *run, int side)
{
    const struct snapshot *s = run->side[side]->snapshot;

    for (size_t i = 0; i < s->by_prefix_count; i++) {
        size_t row = diff_names_of(&run->prefixes, str_from(s->by_prefix[i].name));

        add_counts(&run->prefixes.rows[row].counts, side, s->by_prefix[i].keys);
    }
}

static bool take_side(struct diff_run *run, int side, struct error *err)
{
    struct diff_want want = {.slots = run->slots, .modulus = 1, .below = UINT64_MAX};

    if (run->side[side]->source != NULL)
        return diff_count_side(run, side, &want, err);
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++)
        if (slot_set_has(&run->slots, slot))
            take_slot(run, side, slot);
    take_prefixes(run, side);
    return true;
}

/* ---- the sample ------------------------------------------------------------------------------ */

/* Every key of a smaller rank is known to this side by name. */
static uint64_t known_below(const struct diff_side *s)
{
    if (diff_side_has_keys(s))
        return UINT64_MAX;
    return s->snapshot->sample.taken ? s->snapshot->sample.below : 0;
}

static bool compare_sample(struct diff_run *run, struct error *err)
{
    uint64_t a = known_below(run->side[SIDE_A]);
    uint64_t b = known_below(run->side[SIDE_B]);
    struct diff_want want = {.slots = run->slots, .modulus = 1, .below = a < b ? a : b};

    if (want.below == 0)
        return true;
    run->r->level = DIFF_BY_SAMPLE;
    task_stage(run->task, "sample");
    if (!diff_compare_want(run, &want, err))
        return false;
    run->r->sampled = diff_table_count(run->table);
    return true;
}

/* ---- slot by slot ---------------------------------------------------------------------------- */

static void compare_sums(struct diff_run *run)
{
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        const struct slot_sum *a = slot_sums_at(run->sums[SIDE_A], slot);
        const struct slot_sum *b = slot_sums_at(run->sums[SIDE_B], slot);
        struct diff_counts counts = {.a = a->keys, .b = b->keys};
        bool same = slot_sum_same_content(a, b);

        if (slot_set_has(&run->slots, slot) && !(same && slot_sum_same_deadlines(a, b)))
            diff_report_slot(run->r, slot, &counts, same);
    }
}

bool diff_compare_slots(struct diff_run *run, struct error *err)
{
    run->r->level = DIFF_BY_SLOT;
    run->table = diff_table_new(diff_table_keys(run->o->max_memory / 2));
    task_stage(run->task, "read");
    if (!may_compare(run, err) || !take_side(run, SIDE_A, err) || !take_side(run, SIDE_B, err))
        return false;
    if (!has_prefixes(run, SIDE_A) || !has_prefixes(run, SIDE_B)) {
        diff_names_release(&run->prefixes);
        diff_names_init(&run->prefixes, DIFF_PREFIXES);
    }
    compare_sums(run);
    return compare_sample(run, err);
}
