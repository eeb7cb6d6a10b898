#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backup/backup_private.h"
#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/hex.h"
#include "core/base/json.h"
#include "core/base/map.h"

#define TALLY_COLUMNS (1 + RECORD_TYPES + 6)

struct old_pass {
    struct backup_node node;
    uint64_t epoch;
    uint32_t generation;
    uint32_t solid; /* this many of its first parts are good */
    uint16_t index; /* into b->nodes; UINT16_MAX: not put there yet */
};

/* The checkpoint while it is read. */
struct reading {
    struct backup *b;
    struct map *parts; /* name -> struct part */
    struct old_pass *passes;
    size_t count; /* number of the newest pass + 1 */
    size_t cap;
    uint32_t generations;
    unsigned runs;
    bool local;
    char newest[40];              /* when the run before this one began */
    uint16_t pass_of[SLOT_COUNT]; /* of slots that are finished */
};

/* ---- first reading: passes and parts ----------------------------------------------------------
 */

static bool damaged(struct error *err, const char *what)
{
    return error_set(err, ERROR_CORRUPT, 0, "%s: a line \"%s\" is not one of ours", CHECKPOINT_NAME,
                     what);
}

/* The same while one name is shared; without names nobody can tell. */
static bool is_same_cluster(const struct backup *b, const json_t *names)
{
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));

        for (size_t k = 0; name != NULL && k < b->o->identity_count; k++)
            if (strcmp(name, b->o->identity[k]) == 0)
                return true;
    }
    return json_array_size(names) == 0 || b->o->identity_count == 0;
}

static bool take_run(struct reading *r, const json_t *line, struct error *err)
{
    const char *id = json_text(line, "backup_id", "");

    if (strcmp(id, r->b->o->archive.id) != 0)
        return error_set(err, ERROR_CORRUPT, 0, "%s is about another backup: %s", CHECKPOINT_NAME,
                         id);
    if (!is_same_cluster(r->b, json_object_get(line, "cluster")))
        return error_set(err, ERROR_CONFLICT, 0,
                         "the environment leads to another cluster now than when this backup was "
                         "begun");
    if (r->runs++ == 0)
        r->b->started_ms = json_int(line, "started_ms", 0);
    (void)str_copy(str_from(json_text(line, "time", "?")), r->newest, sizeof(r->newest));
    return true;
}

static bool take_pass(struct reading *r, const json_t *line, struct error *err)
{
    int64_t number = json_int(line, "pass", 0);
    int64_t generation = json_int(line, "generation", -1);
    struct old_pass *p;

    if (number <= 0 || number > UINT16_MAX - 1 || generation < 0 || generation > UINT16_MAX)
        return damaged(err, "pass");
    while (r->count <= (size_t)number)
        ARRAY_PUSH(r->passes, r->count, r->cap) = (struct old_pass){.index = UINT16_MAX};
    p = &r->passes[number];
    p->generation = (uint32_t)generation;
    p->epoch = (uint64_t)json_int(line, "epoch", 0);
    p->node.replica = json_flag(line, "replica", false);
    p->node.capability.flavour = (enum flavour)json_int(line, "flavour", FLAVOUR_OTHER);
    if (p->node.capability.flavour > FLAVOUR_OTHER)
        p->node.capability.flavour = FLAVOUR_OTHER;
    (void)str_copy(str_from(json_text(line, "node", "")), p->node.id, sizeof(p->node.id));
    (void)str_copy(str_from(json_text(line, "name", "")), p->node.name, sizeof(p->node.name));
    (void)str_copy(str_from(json_text(line, "version", "")), p->node.capability.version,
                   sizeof(p->node.capability.version));
    if (p->generation + 1 > r->generations)
        r->generations = p->generation + 1;
    if ((uint32_t)number > r->b->passes)
        r->b->passes = (uint32_t)number;
    return true;
}

static void forget(struct reading *r, const struct part *named)
{
    part_free(map_remove(r->parts, str_from(named->name)));
}

/* The newest line about a part counts: it may have been packed again. */
static bool take_part(struct reading *r, const json_t *line, struct error *err)
{
    struct part *p = part_new(json_text(line, "shard", ""),
                              (uint32_t)json_int(line, "generation", 0), PART_HEAD);

    p->number = (uint64_t)json_int(line, "number", 0);
    p->functions = json_flag(line, "functions", false);
    p->pass = (uint32_t)json_int(line, "pass", 0);
    p->seq = (uint32_t)json_int(line, "seq", 0);
    p->info.continues = json_flag(line, "continues", false);
    p->info.keys = (uint64_t)json_int(line, "keys", 0);
    p->info.bytes = (uint64_t)json_int(line, "bytes", 0);
    p->info.offset = (uint64_t)json_int(line, "offset", 0);
    p->info.length = (uint64_t)json_int(line, "length", 0);
    p->info.has_range = true;
    p->info.has_sha256 = true;
    if (!hex_decode(p->info.sha256, sizeof(p->info.sha256),
                    str_from(json_text(line, "sha256", ""))) ||
        p->info.bytes > (uint64_t)2 * BACKUP_CHUNK_BYTES_MAX + RECORD_LINE_MAX ||
        (p->number == 0) != p->functions || p->pass >= UINT16_MAX ||
        p->info.generation > UINT16_MAX) {
        part_free(p);
        return damaged(err, "part");
    }
    /* Its pass may have no line of its own: no other pass may take its number or generation. */
    if (p->pass > r->b->passes)
        r->b->passes = p->pass;
    if (!p->functions && p->info.generation + 1 > r->generations)
        r->generations = p->info.generation + 1;
    part_name(p);
    forget(r, p);
    (void)map_put(r->parts, str_from(p->name), p);
    return true;
}

static bool take_drop(struct reading *r, const json_t *line)
{
    struct part named = {.number = (uint64_t)json_int(line, "number", 0),
                         .functions = json_flag(line, "functions", false)};

    part_name(&named);
    forget(r, &named);
    return true;
}

static bool take_note(struct reading *r, const json_t *line)
{
    struct backup *b = r->b;
    const char *text = json_text(line, "text", "");
    struct notes *notes =
        strcmp(json_text(line, "kind", ""), "event") == 0 ? &b->events : &b->warnings;

    ARRAY_PUSH(notes->items, notes->count, notes->cap) = mem_copy_text(text);
    return true;
}

static bool read_parts(void *arg, const char *kind, const json_t *line, struct error *err)
{
    struct reading *r = arg;

    if (strcmp(kind, "run") == 0)
        return take_run(r, line, err);
    if (strcmp(kind, "pass") == 0)
        return take_pass(r, line, err);
    if (strcmp(kind, "part") == 0)
        return take_part(r, line, err);
    if (strcmp(kind, "drop") == 0)
        return take_drop(r, line);
    if (strcmp(kind, "note") == 0)
        return take_note(r, line);
    if (strcmp(kind, "upload") == 0)
        return backup_take_upload(r->b, line) || damaged(err, kind);
    if (strcmp(kind, "sent") == 0)
        return backup_take_sent(r->b, line) || damaged(err, kind);
    r->local = r->local || strcmp(kind, "local") == 0;
    return true;
}

/* ---- second reading: what is finished ---------------------------------------------------------
 */

static bool take_tally(struct backup *b, const json_t *row, const struct slot_set *slots)
{
    uint32_t n[TALLY_COLUMNS];
    struct tally_slot *t;

    if (json_array_size(row) != TALLY_COLUMNS)
        return false;
    for (size_t i = 0; i < TALLY_COLUMNS; i++)
        n[i] = (uint32_t)json_integer_value(json_array_get(row, i));
    if (n[0] >= SLOT_COUNT || !slot_set_has(slots, (uint16_t)n[0]))
        return false;
    t = &b->total->slots[n[0]];
    memcpy(t->types, n + 1, sizeof(t->types));
    t->with_ttl = n[1 + RECORD_TYPES];
    t->hyperloglog = n[2 + RECORD_TYPES];
    t->fuzzy = n[3 + RECORD_TYPES];
    t->vanished = n[4 + RECORD_TYPES];
    t->unreadable = n[5 + RECORD_TYPES];
    t->too_large = n[6 + RECORD_TYPES];
    return true;
}

static void unfinish(struct backup *b, const struct slot_set *slots)
{
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        if (!slot_set_has(slots, (uint16_t)slot))
            continue;
        slot_set_remove(&b->kept, (uint16_t)slot);
        b->total->slots[slot] = (struct tally_slot){0};
        b->owner[slot] = UINT16_MAX;
        b->generation[slot] = 0;
    }
}

static bool take_mark(struct reading *r, const json_t *line, const struct slot_set *slots,
                      struct error *err)
{
    struct backup *b = r->b;
    const json_t *tally = json_object_get(line, "tally");
    int64_t number = json_int(line, "pass", 0);
    struct old_pass *p;

    if (number <= 0 || (size_t)number >= r->count)
        return damaged(err, "mark");
    p = &r->passes[number];
    if (json_int(line, "after", INT64_MAX) > p->solid)
        return true; /* a part that it rests on is not there */
    if (p->index == UINT16_MAX)
        p->index = backup_node_index(b, &p->node);
    unfinish(b, slots);
    slot_set_merge(&b->kept, slots);
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        if (!slot_set_has(slots, (uint16_t)slot))
            continue;
        b->generation[slot] = p->generation;
        b->owner[slot] = p->index;
        r->pass_of[slot] = (uint16_t)number;
    }
    for (size_t i = 0; i < json_array_size(tally); i++)
        if (!take_tally(b, json_array_get(tally, i), slots))
            return damaged(err, "mark");
    return true;
}

static bool read_marks(void *arg, const char *kind, const json_t *line, struct error *err)
{
    struct reading *r = arg;
    bool mark = strcmp(kind, "mark") == 0;
    struct slot_set slots = {0};
    const char *text = json_text(line, "slots", "");

    if (!mark && strcmp(kind, "dirty") != 0)
        return true;
    if (strcmp(text, "-") != 0 && !slot_set_parse(&slots, str_from(text), err))
        return damaged(err, kind);
    if (mark)
        return take_mark(r, line, &slots, err);
    unfinish(r->b, &slots);
    return true;
}

/* ---- the parts --------------------------------------------------------------------------------
 */

static int by_place(const void *x, const void *y)
{
    const struct part *a = *(struct part *const *)x;
    const struct part *b = *(struct part *const *)y;

    if (a->pass != b->pass)
        return a->pass < b->pass ? -1 : 1;
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

/* A pass is as good as its parts without a gap, from the first one on. */
static void find_solid(struct reading *r, const struct archive_again *again)
{
    struct part **good = mem_zero(again->count + 1, sizeof(struct part *));
    size_t count = 0;

    for (size_t i = 0; i < again->count; i++)
        if (again->parts[i].good)
            good[count++] = again->parts[i].part;
    if (count > 0)
        qsort(good, count, sizeof(struct part *), by_place);
    for (size_t i = 0; i < count; i++)
        if (good[i]->pass < r->count && good[i]->seq == r->passes[good[i]->pass].solid + 1)
            r->passes[good[i]->pass].solid++;
    free(good);
}

static void take_parts(struct reading *r, struct archive_again *again)
{
    struct str name;
    void *part;
    size_t at = 0;

    again->parts = mem_zero(map_count(r->parts) + 1, sizeof(*again->parts));
    while (map_next(r->parts, &at, &name, &part))
        again->parts[again->count++].part = part;
    map_free(r->parts, NULL);
    r->parts = NULL;
}

static void tell_drops(struct backup *b, const struct archive_again *again)
{
    for (size_t i = 0; i < again->count; i++) {
        const struct archive_kept *k = &again->parts[i];

        if (k->good) {
            b->kept_functions = b->kept_functions || k->part->functions;
            b->superseded += k->part->functions ? 0 : k->part->info.keys;
            continue;
        }
        backup_mark_drop(b, k->part->number, k->part->functions, k->why);
        task_note(b->task, TASK_WARN, "%s: what was in it is read again", k->why);
    }
}

/* ---- the cluster, then and now ----------------------------------------------------------------
 */

static bool has_changed(const struct reading *r, uint16_t slot)
{
    const struct old_pass *p = &r->passes[r->pass_of[slot]];
    const struct topology *t = cluster_topology(r->b->cluster);
    const struct cluster_node *owner = cluster_owner(r->b->cluster, slot);

    if (owner == NULL || strcmp(owner->id, p->node.id) != 0)
        return true;
    return t != NULL && t->owner[slot] != TOPOLOGY_NONE &&
           t->nodes[t->owner[slot]].epoch != p->epoch;
}

/* Slots of which the owner is another one now, or the same under another epoch: something happened
 * that nobody watched. */
static bool compare_with_now(struct reading *r, struct error *err)
{
    struct backup *b = r->b;
    struct slot_set changed = {0};
    struct buf text;

    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        if (slot_set_has(&b->kept, (uint16_t)slot) && has_changed(r, (uint16_t)slot))
            slot_set_add(&changed, (uint16_t)slot);
    if (slot_set_count(&changed) == 0)
        return true;
    unfinish(b, &changed);
    buf_init(&text, 4096);
    if (!slot_set_format(&changed, 8, &text, err))
        buf_clear(&text);
    backup_note(b, &b->events,
                "slots %s changed their owner or its epoch before the backup was resumed, and are "
                "read again",
                text.data);
    buf_release(&text);
    return backup_mark_dirty(b, &changed) ||
           error_set(err, ERROR_STORAGE, 0, "%s cannot be written", CHECKPOINT_NAME);
}

static void tell(struct reading *r)
{
    struct backup *b = r->b;
    uint64_t keys = 0;

    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        keys += tally_slot_keys(&b->total->slots[slot]);
    b->superseded = b->superseded > keys ? b->superseded - keys : 0;
    if (keys > 0) {
        size_t row = b->rows++;

        task_row(b->task, row, "kept from before", keys, keys);
        task_row_state(b->task, row, "done");
    }
    backup_note(b, &b->warnings,
                "resumed after a run that began %s: %" PRIu64
                " keys keep the state in which that run or one before it read them",
                r->newest, keys);
}

static bool go_on(struct reading *r, const char *dir, const struct archive_options *archive,
                  struct archive_again *again, struct error *err)
{
    struct backup *b = r->b;

    take_parts(r, again);
    if (!archive_again_check(archive, again, err))
        return false;
    tell_drops(b, again);
    find_solid(r, again);
    if (r->runs > 0 && (!checkpoint_read(dir, read_marks, r, err) || !compare_with_now(r, err)))
        return false;
    b->first_generation = r->generations;
    if (r->runs > 0)
        tell(r);
    return true;
}

static void free_part(void *part)
{
    part_free(part);
}

bool backup_resume(struct backup *b, const char *dir, const struct archive_options *archive,
                   struct archive_again *again, bool *local, struct error *err)
{
    struct reading *r = mem_zero(1, sizeof(*r));
    bool ok;

    r->b = b;
    r->parts = map_new();
    *again = (struct archive_again){0};
    ok = checkpoint_read(dir, read_parts, r, err);
    if (!ok && err->code == ERROR_NOT_FOUND) { /* it ended before it had read anything */
        *err = (struct error){0};
        ok = true;
    }
    *local = r->local;
    if (ok && !r->local)
        ok = go_on(r, dir, archive, again, err);
    map_free(r->parts, free_part);
    free(r->passes);
    free(r);
    return ok;
}
