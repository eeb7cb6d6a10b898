#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/json.h"
#include "core/diff/diff_private.h"
#include "core/value/key_sample.h"

#define CHECK_EVERY 512 /* keys between two looks at the job */
#define LARGE_MEMORY ((size_t)32 << 20)

/* ---- what a side is -------------------------------------------------------------------------- */

/* Lists of the manifest or report, which outlive the side. */
static void set_filter(struct diff_side *s, const char **match, size_t matches, const char **types,
                       size_t type_count)
{
    s->filter = (struct filter){
        .match = match, .match_count = matches, .types = types, .type_count = type_count};
}

static void number_parts(struct diff_side *s, size_t parts)
{
    s->group_of = mem_zero(parts + 1, sizeof(*s->group_of));
    s->place_of = mem_zero(parts + 1, sizeof(*s->place_of));
    s->shards = mem_zero(s->group_count + 1, sizeof(*s->shards));
    s->shard_count = s->group_count;
    for (size_t g = 0; g < s->group_count; g++) {
        s->shards[g] = s->groups[g].shard;
        for (size_t i = 0; i < s->groups[g].count; i++) {
            s->group_of[s->groups[g].parts[i]] = (uint32_t)g;
            s->place_of[s->groups[g].parts[i]] = (uint32_t)i;
        }
    }
}

/* Slots without an owner when the backup was made are in no list. */
static void set_read(struct diff_side *s, const struct manifest *m)
{
    struct slot_set asked = {0};
    struct error ignored = {0};

    if (m->slot_count == 0)
        slot_set_fill(&s->read);
    for (size_t i = 0; i < m->slot_count; i++)
        slot_set_add_range(&s->read, m->slots[i].first, m->slots[i].last);
    if (m->options.slots == NULL || m->options.slots[0] == '\0' ||
        !slot_set_parse(&asked, str_from(m->options.slots), &ignored))
        return;
    for (size_t i = 0; i < COUNT_OF(asked.bits); i++)
        s->read.bits[i] &= asked.bits[i];
}

/* Times that were written down in whole seconds were cut: the end lay anywhere in that second. */
static int64_t last_moment(int64_t ms)
{
    return ms > 0 && ms % 1000 == 0 ? ms + 999 : ms;
}

struct diff_side *diff_side_backup(struct source *source, const char *name)
{
    const struct manifest *m = source_manifest(source);
    struct diff_side *s = mem_zero(1, sizeof(*s));

    s->name = mem_copy_text(name);
    s->source = source;
    s->groups = part_groups(m, &s->group_count);
    number_parts(s, m->part_count);
    set_filter(s, m->options.match, m->options.match_count, m->options.types,
               m->options.type_count);
    set_read(s, m);
    s->partial = !m->complete && m->format_version > 0;
    s->start_ms = m->started_ms;
    s->end_ms = last_moment(m->finished_ms);
    s->keys = m->totals.keys;
    return s;
}

static uint32_t node_of(const struct snapshot *snapshot, const char *id)
{
    for (size_t i = 0; i < snapshot->node_count; i++)
        if (strcmp(snapshot->nodes[i].id, id) == 0)
            return (uint32_t)i;
    return DIFF_NO_SHARD;
}

/* The nodes that were read are the shards; a slot's keys are its owner's. */
static void set_owners(struct diff_side *s)
{
    const struct snapshot *snapshot = s->snapshot;
    const json_t *ranges = json_object_get(json_object_get(snapshot->doc, "topology"), "slots");
    size_t i;
    const json_t *one;

    s->shard_count = snapshot->node_count;
    s->shards = mem_zero(s->shard_count + 1, sizeof(*s->shards));
    for (size_t n = 0; n < s->shard_count; n++)
        s->shards[n] = snapshot->nodes[n].addr;
    s->shard_of_slot = mem_zero(SLOT_COUNT, sizeof(*s->shard_of_slot));
    for (size_t slot = 0; slot < SLOT_COUNT; slot++)
        s->shard_of_slot[slot] = s->shard_count == 1 ? 0 : DIFF_NO_SHARD;
    json_array_foreach(ranges, i, one)
    {
        struct slot_set set = {0};
        struct error ignored = {0};
        uint32_t node = node_of(snapshot, json_text(one, "owner", ""));

        if (!slot_set_parse(&set, str_from(json_text(one, "range", "")), &ignored))
            continue;
        for (uint16_t slot = 0; slot < SLOT_COUNT; slot++)
            if (slot_set_has(&set, slot))
                s->shard_of_slot[slot] = node;
    }
}

struct diff_side *diff_side_snapshot(struct snapshot *snapshot, const char *keys_path,
                                     const char *name)
{
    struct diff_side *s = mem_zero(1, sizeof(*s));

    s->name = mem_copy_text(name);
    s->snapshot = snapshot;
    s->keys_path = mem_copy_text(keys_path);
    set_owners(s);
    set_filter(s, snapshot->match, snapshot->match_count, snapshot->types, snapshot->type_count);
    s->read = snapshot->covered;
    s->start_ms = snapshot->started_ms;
    s->end_ms = last_moment(snapshot->finished_ms);
    s->keys = snapshot->total.keys;
    return s;
}

void diff_side_free(struct diff_side *s)
{
    if (s == NULL)
        return;
    part_groups_free(s->groups, s->group_count);
    free(s->group_of);
    free(s->place_of);
    free(s->shard_of_slot);
    free((void *)(uintptr_t)s->shards); /* NOLINT(performance-no-int-to-ptr) */
    free(s->keys_path);
    free(s->name);
    free(s);
}

bool diff_side_has_keys(const struct diff_side *s)
{
    return s->source != NULL || s->keys_path != NULL;
}

/* ---- walking over it ------------------------------------------------------------------------- */

struct walk {
    struct diff_run *run;
    int which;
    const struct diff_side *side;
    const struct diff_want *want;
    diff_visit visit;
    void *ctx;
    struct key_digest *digest;
    uint64_t seen;
};

static bool takes(const struct diff_run *run, struct str key, uint16_t slot, struct str type)
{
    const struct filter *all[] = {&run->o->filter, &run->side[SIDE_A]->filter,
                                  &run->side[SIDE_B]->filter};

    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (!filter_takes_key(all[i], key, slot) || !filter_takes_type(all[i], type))
            return false;
    return true;
}

/* Is it one of the keys that every sample with this bound names? Very long names are in none. */
static bool is_sampled(uint64_t below, const struct key_facts *k)
{
    return below == UINT64_MAX ||
           (k->key.len <= KEY_SAMPLE_NAME_MAX && key_digest_rank(k->key, k->db) < below);
}

static bool is_wanted(const struct walk *w, const struct diff_key *k)
{
    const struct diff_want *want = w->want;

    return slot_set_has(&want->slots, k->facts.slot) &&
           (want->modulus <= 1 || k->print.high % want->modulus == want->remainder) &&
           is_sampled(want->below, &k->facts) &&
           takes(w->run, k->facts.key, k->facts.slot, k->facts.type_name);
}

/* Look at the job now and then, and tell it how far this side is. */
static bool go_on(struct walk *w, struct error *err)
{
    if (w->seen++ % CHECK_EVERY != 0)
        return true;
    task_row(w->run->task, (size_t)w->which, w->which == SIDE_A ? "A" : "B", w->seen - 1,
             w->side->keys);
    return task_checkpoint(w->run->task, err);
}

int64_t diff_deadline(const struct diff_side *s, const struct record_head *h)
{
    if (h->expire_at_millis != RECORD_NO_TIME || h->ttl_millis == RECORD_NO_TIME)
        return h->expire_at_millis;
    return s->end_ms + h->ttl_millis;
}

/* All lines of the key into the digest; a run that was taken back gives *whole false. */
static bool digest_lines(struct walk *w, struct record_stream *stream, const struct record *r,
                         struct diff_key *k, bool *whole, struct error *err)
{
    for (uint64_t seq = 0;; seq++) {
        const struct record_head *h = record_head(r);

        k->facts.fuzzy = k->facts.fuzzy || h->fuzzy;
        if (!key_digest_record(w->digest, r, err))
            return false;
        *whole = !h->chunked || h->chunk_last;
        if (*whole)
            return true;
        if (!record_stream_next(stream, &r, err))
            return false;
        if (r == NULL)
            return true;
        h = record_head(r);
        if (!h->chunked || h->chunk_seq != seq + 1 || !str_equal(h->key, k->facts.key)) {
            record_stream_seek(stream, record_stream_position(stream));
            return true;
        }
    }
}

static bool visit_record(struct walk *w, struct record_stream *stream, size_t group,
                         const struct record *r, struct arena *names, struct error *err)
{
    const struct record_head *h = record_head(r);
    struct record_position at = record_stream_position(stream);
    struct diff_key k = {
        .facts = {.key = h->key,
                  .db = h->db,
                  .slot = slot_of_key(h->key),
                  .type = h->type,
                  .type_name = h->type_name,
                  .deadline = diff_deadline(w->side, h),
                  .hyperloglog = h->hyperloglog,
                  .fuzzy = h->fuzzy},
        .print = diff_print_of(h->db, h->key),
        .shard = (uint32_t)group,
        .at = {(uint32_t)w->side->groups[group].parts[at.part], (uint32_t)at.offset}};
    struct record_head start = *h;
    bool whole;

    if (!is_wanted(w, &k))
        return true;
    arena_clear(names);
    k.facts.key = arena_str(names, h->key); /* the next line takes the place of this one */
    k.facts.type_name = arena_str(names, h->type_name);
    start.key = k.facts.key;
    start.type_name = k.facts.type_name;
    key_digest_start(w->digest, &start);
    if (!digest_lines(w, stream, r, &k, &whole, err))
        return false;
    if (!whole)
        return true;
    return key_digest_end(w->digest, &k.facts.content, &k.facts.bytes, err) &&
           w->visit(w->ctx, &k, err);
}

static bool walk_group(struct walk *w, size_t group, struct error *err)
{
    struct record_stream *stream =
        record_stream_new(w->side->source, &w->side->groups[group], NULL);
    struct arena names = {0};
    bool ok = true;

    while (ok) {
        const struct record *r = NULL;

        ok = go_on(w, err) && record_stream_next(stream, &r, err);
        if (!ok || r == NULL)
            break;
        if (!record_head(r)->chunked || record_head(r)->chunk_seq == 0)
            ok = visit_record(w, stream, group, r, &names, err);
    }
    arena_release(&names);
    record_stream_free(stream);
    return ok;
}

static bool walk_backup(struct walk *w, struct error *err)
{
    bool ok = true;

    w->digest = key_digest_new(task_dir(w->run->task), LARGE_MEMORY);
    for (size_t g = 0; g < w->side->group_count && ok; g++)
        ok = walk_group(w, g, err);
    key_digest_free(w->digest);
    return ok;
}

static bool visit_facts(struct walk *w, const struct key_facts *facts, struct error *err)
{
    struct diff_key k = {.facts = *facts,
                         .print = diff_print_of(facts->db, facts->key),
                         .shard = w->side->shard_of_slot[facts->slot],
                         .at = {UINT32_MAX, 0}};

    return !is_wanted(w, &k) || w->visit(w->ctx, &k, err);
}

static bool walk_sample(struct walk *w, struct error *err)
{
    const struct snapshot_sample *sample = &w->side->snapshot->sample;

    for (size_t i = 0; i < sample->count; i++)
        if (!go_on(w, err) || !visit_facts(w, &sample->keys[i], err))
            return false;
    return true;
}

static bool walk_snapshot(struct walk *w, struct error *err)
{
    struct snapshot_keys *keys;
    bool ok;

    if (!snapshot_keys_open(w->side->keys_path, w->side->snapshot, &keys, err))
        return false;
    do {
        struct key_facts facts;
        bool end = false;

        ok = go_on(w, err) && snapshot_keys_next(keys, &facts, &end, err);
        if (end)
            break;
        ok = ok && visit_facts(w, &facts, err);
    } while (ok);
    snapshot_keys_free(keys);
    return ok;
}

bool diff_side_walk(struct diff_run *run, int side, const struct diff_want *want, diff_visit visit,
                    void *ctx, struct error *err)
{
    struct walk w = {.run = run,
                     .which = side,
                     .side = run->side[side],
                     .want = want,
                     .visit = visit,
                     .ctx = ctx};
    bool ok = w.side->source != NULL      ? walk_backup(&w, err)
              : w.side->keys_path != NULL ? walk_snapshot(&w, err)
                                          : walk_sample(&w, err);

    task_row(run->task, (size_t)side, side == SIDE_A ? "A" : "B", w.seen, w.seen);
    return ok || error_wrap(err, "%s", w.side->name);
}
