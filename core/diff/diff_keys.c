#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/diff/diff_private.h"
#include "core/value/prefixes.h"

/*
 * The two sides put together. When all keys of A are likely to fit into the table, one walk over
 * each side does everything. Otherwise both are walked once for the sums of their slots, and then
 * again for as many of the slots that differ as fit, until all are done. What was counted too high,
 * because a backup holds a key twice, is put right on the way.
 */

#define SPLIT_MAX ((uint32_t)1 << 20)
#define AGAIN_MAX 15

static size_t prefix_row_of(struct diff_run *run, struct str key)
{
    char prefix[PREFIX_BYTES];

    return diff_names_of(&run->prefixes, prefix_of(key, prefix));
}

/* ---- counting a side ------------------------------------------------------------------------- */

enum { COUNT_ALL, COUNT_TYPE, COUNT_PREFIX, COUNT_SHARD, COUNT_WAYS };

/* The rows that a key is counted in. */
static void rows_of(struct diff_run *run, uint8_t type, size_t prefix, size_t shard,
                    struct diff_counts *rows[COUNT_WAYS])
{
    rows[COUNT_ALL] = &run->r->total;
    rows[COUNT_TYPE] = &run->r->by_type[type];
    rows[COUNT_PREFIX] = &run->prefixes.rows[prefix].counts;
    rows[COUNT_SHARD] = &run->shards.rows[shard].counts;
}

static size_t shard_row(const struct diff_run *run, int side, uint32_t shard)
{
    return shard == DIFF_NO_SHARD ? 0 : run->shard_row[side][shard];
}

static void count_key(struct diff_run *run, int side, uint8_t type, size_t prefix, size_t shard,
                      int64_t more)
{
    struct diff_counts *rows[COUNT_WAYS];

    rows_of(run, type, prefix, shard, rows);
    for (size_t i = 0; i < COUNT_WAYS; i++) {
        uint64_t *count = side == SIDE_A ? &rows[i]->a : &rows[i]->b;

        *count += (uint64_t)more;
    }
}

static void count_visit(struct diff_run *run, int side, const struct diff_key *k)
{
    count_key(run, side, (uint8_t)k->facts.type, prefix_row_of(run, k->facts.key),
              shard_row(run, side, k->shard), 1);
    slot_sums_add(run->sums[side], &k->facts);
}

/* ---- into the table -------------------------------------------------------------------------- */

static bool same_deadline(const struct diff_run *run, int64_t a, int64_t b)
{
    if (a == RECORD_NO_TIME || b == RECORD_NO_TIME)
        return a == b;
    return (a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a) <=
           (uint64_t)run->o->tolerance_ms;
}

static void set_place(struct diff_entry *e, int side, const struct diff_key *k)
{
    e->part[side] = k->at.part;
    e->offset[side] = k->at.offset;
    e->type[side] = (uint8_t)k->facts.type;
    e->slot = k->facts.slot;
    if (k->facts.fuzzy)
        e->flags |= DIFF_FUZZY;
}

static void set_content(struct diff_entry *e, const struct diff_key *k)
{
    e->content = k->facts.content;
    e->deadline_ms = k->facts.deadline;
}

/* The same key once more on the same side: the later one counts. */
static void note_again(struct diff_entry *e, int side)
{
    unsigned shift = side == SIDE_A ? 0 : 4;

    if (((e->again >> shift) & AGAIN_MAX) < AGAIN_MAX)
        e->again = (uint8_t)(e->again + (1u << shift));
}

static struct diff_entry *take(struct diff_run *run, const struct diff_key *k)
{
    struct diff_entry *e = diff_table_add(run->table, k->print);

    if (e == NULL) {
        run->full = true;
        return NULL;
    }
    if ((e->flags & (DIFF_IN_A | DIFF_IN_B)) == 0)
        e->prefix = (uint16_t)prefix_row_of(run, k->facts.key);
    return e;
}

static bool visit_a(void *ctx, const struct diff_key *k, struct error *err UNUSED)
{
    struct diff_run *run = ctx;
    struct diff_entry *e;

    if (run->counting)
        count_visit(run, SIDE_A, k);
    if (run->table == NULL || run->full || (e = take(run, k)) == NULL)
        return true;
    if ((e->flags & DIFF_IN_A) != 0)
        note_again(e, SIDE_A);
    e->flags |= DIFF_IN_A;
    set_place(e, SIDE_A, k);
    set_content(e, k);
    return true;
}

static bool visit_b(void *ctx, const struct diff_key *k, struct error *err UNUSED)
{
    struct diff_run *run = ctx;
    struct diff_entry *e;

    if (run->counting)
        count_visit(run, SIDE_B, k);
    if (run->table == NULL || run->full || (e = take(run, k)) == NULL)
        return true;
    if ((e->flags & DIFF_IN_B) != 0)
        note_again(e, SIDE_B);
    e->flags |= DIFF_IN_B;
    set_place(e, SIDE_B, k);
    if ((e->flags & DIFF_IN_A) == 0) {
        set_content(e, k);
        return true;
    }
    e->flags &= (uint8_t) ~(DIFF_SAME_VALUE | DIFF_SAME_TTL);
    if (e->type[SIDE_A] == e->type[SIDE_B] && digest128_equal(e->content, k->facts.content))
        e->flags |= DIFF_SAME_VALUE;
    if (same_deadline(run, e->deadline_ms, k->facts.deadline))
        e->flags |= DIFF_SAME_TTL;
    return true;
}

/* ---- verdicts -------------------------------------------------------------------------------- */

static enum diff_verdict verdict_of(const struct diff_run *run, const struct diff_entry *e)
{
    bool in_a = (e->flags & DIFF_IN_A) != 0;
    const struct diff_side *has = run->side[in_a ? SIDE_A : SIDE_B];
    const struct diff_side *lacks = run->side[in_a ? SIDE_B : SIDE_A];

    if (in_a && (e->flags & DIFF_IN_B) != 0) {
        if ((e->flags & DIFF_SAME_VALUE) == 0)
            return DIFF_DIFFERS;
        return (e->flags & DIFF_SAME_TTL) != 0 ? DIFF_SAME : DIFF_TTL;
    }
    if (e->deadline_ms != RECORD_NO_TIME && lacks->end_ms >= has->end_ms &&
        e->deadline_ms <= lacks->end_ms)
        return DIFF_EXPIRED;
    if (lacks->partial)
        return DIFF_UNSURE;
    return in_a ? DIFF_REMOVED : DIFF_ADDED;
}

static size_t row_of_entry(const struct diff_run *run, const struct diff_entry *e, int side)
{
    const struct diff_side *s = run->side[side];
    uint32_t shard;

    if (s->source != NULL)
        shard = s->group_of[e->part[side]];
    else
        shard = s->shard_of_slot[e->slot];
    return shard_row(run, side, shard);
}

static void count_verdict(struct diff_run *run, const struct diff_entry *e,
                          enum diff_verdict verdict)
{
    int side = (e->flags & DIFF_IN_A) != 0 ? SIDE_A : SIDE_B;
    struct diff_counts *rows[COUNT_WAYS];

    rows_of(run, e->type[side], e->prefix, row_of_entry(run, e, side), rows);
    for (size_t i = 0; i < COUNT_WAYS; i++) {
        rows[i]->verdicts[verdict]++;
        if (side == SIDE_A && verdict != DIFF_SAME)
            rows[i]->changed_a++;
    }
}

static void settle_entry(struct diff_run *run, const struct diff_entry *e)
{
    struct diff_counts *slot = &run->by_slot[e->slot];
    enum diff_verdict verdict = verdict_of(run, e);

    for (int side = SIDE_A; side < SIDES; side++) {
        unsigned again = (unsigned)(e->again >> (side == SIDE_A ? 0 : 4)) & AGAIN_MAX;

        if (again > 0)
            count_key(run, side, e->type[side], e->prefix, row_of_entry(run, e, side),
                      -(int64_t)again);
    }
    slot->a += (e->flags & DIFF_IN_A) != 0;
    slot->b += (e->flags & DIFF_IN_B) != 0;
    slot->verdicts[verdict]++;
    if (verdict != DIFF_SAME || run->r->level == DIFF_BY_SAMPLE)
        count_verdict(run, e, verdict);
    if (verdict == DIFF_SAME)
        return;
    diff_draw_offer(&run->draws[verdict], run->o->limit, e, verdict);
}

static void settle_table(struct diff_run *run)
{
    size_t at = 0;
    const struct diff_entry *e;

    while ((e = diff_table_next(run->table, &at)) != NULL)
        settle_entry(run, e);
}

/* ---- in as many passes as it takes ------------------------------------------------------------
 */

static bool walk_both(struct diff_run *run, const struct diff_want *want, struct error *err)
{
    run->full = false;
    if (run->table != NULL)
        diff_table_clear(run->table);
    run->r->passes++;
    if (!diff_side_walk(run, SIDE_A, want, visit_a, run, err))
        return false;
    if (run->full && !run->counting)
        return true;
    return diff_side_walk(run, SIDE_B, want, visit_b, run, err);
}

/* Keys of these slots, of whichever side has more of them. */
static uint64_t weight(const struct diff_run *run, uint16_t slot)
{
    uint64_t a = slot_sums_at(run->sums[SIDE_A], slot)->keys;
    uint64_t b = slot_sums_at(run->sums[SIDE_B], slot)->keys;

    return a > b ? a : b;
}

static bool compare_slots(struct diff_run *run, const struct diff_want *want, struct error *err);

/* Half of the slots first, then the others; of a single slot, half of its keys. */
static bool compare_halves(struct diff_run *run, const struct diff_want *want, struct error *err)
{
    struct diff_want halves[2] = {*want, *want};
    uint32_t count = slot_set_count(&want->slots);

    if (count <= 1) {
        if (want->modulus >= SPLIT_MAX)
            return error_set(err, ERROR_LIMIT, 0, "a slot has too many keys for the memory");
        for (uint32_t i = 0; i < 2; i++) {
            halves[i].modulus = want->modulus * 2;
            halves[i].remainder = want->remainder + i * want->modulus;
        }
    } else {
        uint32_t seen = 0;

        for (uint16_t slot = 0; slot < SLOT_COUNT; slot++)
            if (slot_set_has(&want->slots, slot))
                slot_set_remove(&halves[seen++ < count / 2 ? 1 : 0].slots, slot);
    }
    return compare_slots(run, &halves[0], err) && compare_slots(run, &halves[1], err);
}

static bool compare_slots(struct diff_run *run, const struct diff_want *want, struct error *err)
{
    if (!walk_both(run, want, err))
        return false;
    if (run->full)
        return compare_halves(run, want, err);
    settle_table(run);
    return true;
}

static bool differs(const struct diff_run *run, uint16_t slot)
{
    const struct slot_sum *a = slot_sums_at(run->sums[SIDE_A], slot);
    const struct slot_sum *b = slot_sums_at(run->sums[SIDE_B], slot);

    return slot_set_has(&run->slots, slot) &&
           !(slot_sum_same_content(a, b) && slot_sum_same_deadlines(a, b));
}

/* Only the slots whose sums differ, as many at a time as fit. */
static bool compare_differing(struct diff_run *run, struct error *err)
{
    size_t capacity = diff_table_capacity(run->table);
    struct diff_want want = {.modulus = 1, .below = UINT64_MAX};
    uint64_t keys = 0;

    run->counting = false;
    task_stage(run->task, "compare");
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        if (!differs(run, slot))
            continue;
        if (keys > 0 && keys + weight(run, slot) > capacity - capacity / 8) {
            if (!compare_slots(run, &want, err))
                return false;
            want.slots = (struct slot_set){0};
            keys = 0;
        }
        slot_set_add(&want.slots, slot);
        keys += weight(run, slot);
    }
    return slot_set_count(&want.slots) == 0 || compare_slots(run, &want, err);
}

static void forget_counts(struct diff_run *run)
{
    for (int side = SIDE_A; side < SIDES; side++) {
        slot_sums_free(run->sums[side]);
        run->sums[side] = slot_sums_new();
    }
    run->r->total = (struct diff_counts){0};
    memset(run->r->by_type, 0, sizeof(run->r->by_type));
    for (size_t i = 0; i < run->prefixes.count; i++)
        run->prefixes.rows[i].counts = (struct diff_counts){0};
    for (size_t i = 0; i < run->shards.count; i++)
        run->shards.rows[i].counts = (struct diff_counts){0};
}

/* Everything in one walk over each side; *done false: the table was too small. */
static bool compare_at_once(struct diff_run *run, const struct diff_want *want, bool *done,
                            struct error *err)
{
    *done = false;
    if (run->side[SIDE_A]->keys == 0 || run->side[SIDE_B]->keys == 0 ||
        run->side[SIDE_A]->keys > diff_table_capacity(run->table) ||
        run->side[SIDE_B]->keys > diff_table_capacity(run->table))
        return true;
    if (!walk_both(run, want, err))
        return false;
    if (run->full) {
        forget_counts(run);
        return true;
    }
    settle_table(run);
    *done = true;
    return true;
}

/* Room for all keys of both, where they are fewer than the memory could hold. */
static size_t table_keys(const struct diff_run *run)
{
    size_t most = diff_table_keys(run->o->max_memory / 2);
    uint64_t a = run->side[SIDE_A]->keys;
    uint64_t b = run->side[SIDE_B]->keys;

    return a > 0 && b > 0 && a < most && b < most - a ? (size_t)(a + b) : most;
}

bool diff_compare_keys(struct diff_run *run, struct error *err)
{
    struct diff_want all = {.slots = run->slots, .modulus = 1, .below = UINT64_MAX};
    struct diff_table *table;
    bool done;

    run->table = diff_table_new(table_keys(run));
    run->counting = true;
    task_stage(run->task, "read");
    if (!compare_at_once(run, &all, &done, err))
        return false;
    if (done)
        return true;
    table = run->table;
    run->table = NULL;
    if (!walk_both(run, &all, err)) {
        run->table = table;
        return false;
    }
    run->table = table;
    return compare_differing(run, err);
}

bool diff_compare_want(struct diff_run *run, const struct diff_want *want, struct error *err)
{
    run->counting = false;
    return compare_slots(run, want, err);
}

/* ---- a side by itself -------------------------------------------------------------------------
 */

struct counting {
    struct diff_run *run;
    int side;
};

/* What the earlier one of two readings added to the sums is taken out again. */
static void forget_key(struct diff_run *run, int side, const struct diff_entry *e,
                       const struct diff_key *k)
{
    struct slot_sum sum = *slot_sums_at(run->sums[side], e->slot);

    sum.keys--;
    sum.types[e->type[side]]--;
    sum.content = digest128_subtract(sum.content, e->content);
    if (e->deadline_ms != RECORD_NO_TIME) {
        sum.with_ttl--;
        sum.deadlines = digest128_subtract(
            sum.deadlines, key_digest_deadline(k->facts.key, k->facts.db, e->deadline_ms));
    }
    slot_sums_set(run->sums[side], e->slot, &sum);
    count_key(run, side, e->type[side], e->prefix, row_of_entry(run, e, side), -1);
}

static bool visit_count(void *ctx, const struct diff_key *k, struct error *err UNUSED)
{
    struct counting *c = ctx;
    struct diff_entry *e = c->run->full ? NULL : take(c->run, k);
    uint8_t flag = c->side == SIDE_A ? DIFF_IN_A : DIFF_IN_B;

    if (e != NULL && (e->flags & flag) != 0)
        forget_key(c->run, c->side, e, k);
    if (e != NULL) {
        e->flags |= flag;
        set_place(e, c->side, k);
        set_content(e, k);
    }
    count_visit(c->run, c->side, k);
    return true;
}

bool diff_count_side(struct diff_run *run, int side, const struct diff_want *want,
                     struct error *err)
{
    struct counting c = {run, side};
    bool ok;

    run->full = false;
    diff_table_clear(run->table);
    ok = diff_side_walk(run, side, want, visit_count, &c, err);
    run->r->passes++;
    return ok;
}
