#include "core/diff/diff.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/base/escape.h"
#include "core/diff/diff_facts.h"
#include "core/diff/diff_private.h"

static const char *const names[DIFF_VERDICTS] = {
    [DIFF_SAME] = "same",       [DIFF_DIFFERS] = "differs", [DIFF_TTL] = "ttl",
    [DIFF_REMOVED] = "removed", [DIFF_ADDED] = "added",     [DIFF_EXPIRED] = "expired",
    [DIFF_UNSURE] = "unsure",
};

const char *diff_verdict_name(enum diff_verdict v)
{
    return names[v];
}

/* ---- what has to be known before the numbers --------------------------------------------------
 */

static void note(struct diff_report *r, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void note(struct diff_report *r, const char *fmt, ...)
{
    char text[500];
    char shown[520];
    va_list ap;

    if (r->note_count == DIFF_NOTES)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    r->notes[r->note_count++] = mem_copy_text(escape_text(shown, sizeof(shown), str_from(text)));
}

static void note_left_out(struct diff_report *r, const char *letter, uint64_t unreadable,
                          uint64_t fuzzy)
{
    if (unreadable > 0)
        note(r, "%s left out %llu keys that could not be read: they look as if they were not there",
             letter, (unsigned long long)unreadable);
    if (fuzzy > 0)
        note(r, "%s holds %llu large keys that changed while they were read", letter,
             (unsigned long long)fuzzy);
}

static void note_backup(struct diff_report *r, const char *letter, const struct manifest *m)
{
    if (m->format_version > 0 && !m->complete)
        note(r,
             "%s is incomplete (%s): keys that only the other side has may just not have been "
             "read",
             letter, m->reason[0] != '\0' ? m->reason : "no reason given");
    if (m->format_version == 0)
        note(r, "%s is an older tool's backup: whether it is complete is not known", letter);
    if (m->filtered)
        note(r, "%s holds only part of the keys: only these are compared", letter);
    note_left_out(r, letter, m->totals.unreadable + m->totals.too_large, m->totals.fuzzy);
}

static void note_snapshot(struct diff_report *r, const char *letter, const struct snapshot *s)
{
    if (!s->complete)
        note(r, "%s is incomplete (%s): only slots that it read to the end are compared", letter,
             s->reason[0] != '\0' ? s->reason : "no reason given");
    if (s->filtered)
        note(r, "%s holds only part of the keys: only these are compared", letter);
    note_left_out(r, letter, s->unreadable + s->too_large, s->total.fuzzy);
}

static void note_slots(struct diff_run *run)
{
    struct buf text;
    struct error ignored = {0};
    struct slot_set left = {0};

    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++)
        if (!slot_set_has(&run->side[SIDE_A]->read, slot) ||
            !slot_set_has(&run->side[SIDE_B]->read, slot))
            slot_set_add(&left, slot);
    if (slot_set_count(&left) == 0)
        return;
    buf_init(&text, 4096);
    if (slot_set_format(&left, 8, &text, &ignored))
        note(run->r, "%u slots were not read by both and are not compared: %s",
             (unsigned)slot_set_count(&left), text.data);
    buf_release(&text);
}

static void note_all(struct diff_run *run)
{
    static const char *const letters[SIDES] = {"A", "B"};

    for (int side = SIDE_A; side < SIDES; side++) {
        const struct diff_side *s = run->side[side];

        if (s->source != NULL)
            note_backup(run->r, letters[side], source_manifest(s->source));
        else
            note_snapshot(run->r, letters[side], s->snapshot);
    }
    if (run->side[SIDE_A]->end_ms > 0 && run->side[SIDE_B]->end_ms > 0 &&
        run->side[SIDE_A]->end_ms > run->side[SIDE_B]->end_ms)
        note(run->r, "A is newer than B: what was added since B counts as removed");
    note_slots(run);
}

/* How far down the comparison went, and what that leaves open. */
static void note_level(struct diff_run *run)
{
    const struct diff_report *r = run->r;
    uint64_t keys = r->total.a > r->total.b ? r->total.a : r->total.b;

    if (r->level == DIFF_BY_KEY)
        return;
    note(run->r,
         "%s list of keys (snapshot --keys): slots are compared by sums, and a key that expired "
         "in between makes its slot differ",
         !diff_side_has_keys(run->side[SIDE_A]) && !diff_side_has_keys(run->side[SIDE_B])
             ? "neither side has a"
         : diff_side_has_keys(run->side[SIDE_A]) ? "B has no"
                                                 : "A has no");
    if (r->level == DIFF_BY_SLOT)
        note(run->r, "there is no sample of keys on both sides (snapshot --sample): which keys "
                     "differ is not known");
    else
        note(run->r, "only a sample was compared key by key: %llu of about %llu keys",
             (unsigned long long)r->sampled, (unsigned long long)keys);
}

/* ---- the run --------------------------------------------------------------------------------- */

static void set_slots(struct diff_run *run)
{
    const struct filter *f = &run->o->filter;

    for (size_t i = 0; i < COUNT_OF(run->slots.bits); i++) {
        run->slots.bits[i] = run->side[SIDE_A]->read.bits[i] & run->side[SIDE_B]->read.bits[i];
        if (f->by_slot)
            run->slots.bits[i] &= f->slots.bits[i];
    }
    run->r->slots_compared = slot_set_count(&run->slots);
}

static void begin(struct diff_run *run)
{
    diff_names_init(&run->prefixes, DIFF_PREFIXES);
    diff_names_init(&run->shards, DIFF_SHARDS);
    run->by_slot = mem_zero(SLOT_COUNT, sizeof(*run->by_slot));
    for (int side = SIDE_A; side < SIDES; side++) {
        const struct diff_side *s = run->side[side];

        run->sums[side] = slot_sums_new();
        run->shard_row[side] = mem_zero(s->shard_count + 1, sizeof(uint32_t));
        for (size_t i = 0; i < s->shard_count; i++)
            run->shard_row[side][i] = (uint32_t)diff_names_of(&run->shards, str_from(s->shards[i]));
    }
    set_slots(run);
    note_all(run);
}

static void take_rows(struct diff_names *from, struct diff_row **rows, size_t *count)
{
    size_t first = from->rows[0].counts.a + from->rows[0].counts.b > 0 ? 0 : 1;

    *count = from->count - first;
    *rows = mem_zero(*count + 1, sizeof(**rows));
    for (size_t i = 0; i < *count; i++) {
        (*rows)[i] = from->rows[first + i];
        from->rows[first + i].name = NULL;
    }
}

static void fill_same(struct diff_counts *c)
{
    c->verdicts[DIFF_SAME] = c->a > c->changed_a ? c->a - c->changed_a : 0;
}

static bool has_findings(const struct diff_counts *c)
{
    return c->verdicts[DIFF_DIFFERS] + c->verdicts[DIFF_TTL] + c->verdicts[DIFF_REMOVED] +
               c->verdicts[DIFF_ADDED] + c->verdicts[DIFF_UNSURE] >
           0;
}

void diff_report_slot(struct diff_report *r, uint16_t slot, const struct diff_counts *counts,
                      bool deadlines_only)
{
    if (r->slots == NULL)
        r->slots = mem_zero(DIFF_SLOT_ROWS, sizeof(*r->slots));
    slot_set_add(&r->slots_differing, slot);
    r->slots_deadlines += deadlines_only;
    if (r->slot_count < DIFF_SLOT_ROWS)
        r->slots[r->slot_count++] = (struct diff_slot_row){slot, deadlines_only, *counts};
}

static void report_slots(struct diff_run *run)
{
    struct diff_report *r = run->r;

    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        const struct diff_counts *c = &run->by_slot[slot];

        if (slot_set_has(&run->slots, slot) && has_findings(c))
            diff_report_slot(r, slot, c,
                             c->verdicts[DIFF_DIFFERS] + c->verdicts[DIFF_REMOVED] +
                                     c->verdicts[DIFF_ADDED] + c->verdicts[DIFF_UNSURE] ==
                                 0);
    }
}

static void report(struct diff_run *run)
{
    struct diff_report *r = run->r;

    take_rows(&run->prefixes, &r->prefixes, &r->prefix_count);
    take_rows(&run->shards, &r->shards, &r->shard_count);
    if (r->level == DIFF_BY_KEY) {
        fill_same(&r->total);
        for (size_t i = 0; i < RECORD_TYPES; i++)
            fill_same(&r->by_type[i]);
        for (size_t i = 0; i < r->prefix_count; i++)
            fill_same(&r->prefixes[i].counts);
        for (size_t i = 0; i < r->shard_count; i++)
            fill_same(&r->shards[i].counts);
        report_slots(run);
    }
    r->slots_same = r->slots_compared - slot_set_count(&r->slots_differing);
}

static void end(struct diff_run *run)
{
    for (int v = 0; v < DIFF_VERDICTS; v++) {
        for (size_t i = 0; i < run->draws[v].count; i++)
            free(run->draws[v].items[i].name);
        free(run->draws[v].items);
    }
    for (int side = SIDE_A; side < SIDES; side++) {
        slot_sums_free(run->sums[side]);
        free(run->shard_row[side]);
    }
    diff_table_free(run->table);
    diff_names_release(&run->prefixes);
    diff_names_release(&run->shards);
    free(run->by_slot);
}

static bool compare(struct diff_run *run, struct error *err)
{
    if (run->r->slots_compared == 0)
        return error_set(err, ERROR_USAGE, 0,
                         "there is no slot that both A and B have read: nothing can be compared");
    return diff_side_has_keys(run->side[SIDE_A]) && diff_side_has_keys(run->side[SIDE_B])
               ? diff_compare_keys(run, err)
               : diff_compare_slots(run, err);
}

static bool is_part(const struct diff_side *s)
{
    return s->filter.match_count + s->filter.type_count > 0 && s->keys > 0;
}

/* Two parts of the keys with nothing in common are not equal. */
static bool have_common_keys(const struct diff_run *run, struct error *err)
{
    if (run->r->total.a + run->r->total.b > 0 || !filter_is_open(&run->o->filter) ||
        !is_part(run->side[SIDE_A]) || !is_part(run->side[SIDE_B]))
        return true;
    return error_set(err, ERROR_USAGE, 0,
                     "A and B hold different parts of the keys (--match, --type) with no key in "
                     "common: nothing can be compared");
}

bool diff_run(struct diff_side *a, struct diff_side *b, const struct diff_options *options,
              struct task *task, struct diff_report *out, struct error *err)
{
    int64_t started = clock_mono_ms();
    struct diff_run run = {.side = {a, b}, .o = options, .task = task, .r = out};
    bool ok;

    *out = (struct diff_report){.level = DIFF_BY_KEY};
    begin(&run);
    ok = compare(&run, err) && have_common_keys(&run, err) && diff_name_keys(&run, err);
    note_level(&run);
    report(&run);
    out->facts = diff_facts_of_sides(a, b);
    out->facts_counted =
        diff_facts_findings(out->facts, a->snapshot != NULL && b->snapshot != NULL);
    out->elapsed_ms = clock_mono_ms() - started;
    end(&run);
    return ok;
}

uint64_t diff_report_findings(const struct diff_report *r)
{
    uint64_t count = r->facts_counted;

    if (r->level == DIFF_BY_KEY) {
        const uint64_t *v = r->total.verdicts;

        return count + v[DIFF_DIFFERS] + v[DIFF_TTL] + v[DIFF_REMOVED] + v[DIFF_ADDED] +
               v[DIFF_UNSURE];
    }
    return count + r->slots_compared - r->slots_same;
}

static void release_rows(struct diff_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(rows[i].name);
    free(rows);
}

void diff_report_release(struct diff_report *r)
{
    release_rows(r->prefixes, r->prefix_count);
    release_rows(r->shards, r->shard_count);
    for (size_t i = 0; i < r->finding_count; i++)
        free(r->findings[i].key);
    free(r->findings);
    free(r->slots);
    for (size_t i = 0; i < r->note_count; i++)
        free(r->notes[i]);
    json_decref(r->facts);
    *r = (struct diff_report){0};
}
