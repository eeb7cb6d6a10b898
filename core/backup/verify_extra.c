#include <stdlib.h>
#include <string.h>

#include "core/backup/fingerprints.h"
#include "core/backup/pipeline.h"
#include "core/backup/verify_worker.h"
#include "core/base/alloc.h"
#include "core/base/arena.h"
#include "core/base/array.h"
#include "core/redis/command.h"

/*
 * Keys that the cluster has and the backup lacks. Fingerprints of the backup's names go into a set
 * of bounded size; every primary is scanned, and a name that is new to the set is one (or was given
 * by SCAN for the first of two times). Where the set is too small, some slots are looked at after
 * the others.
 */

#define MEMORY ((size_t)256 << 20)

struct extra {
    struct verify_shared *s;
    struct cluster *cluster;
    struct pipeline *types; /* asks the owner of the slot, so keys left on a former one drop out */
    struct fingerprints *names;
    struct filter backed_up; /* what the backup was about */
    struct arena arena;      /* candidates of one page */
    struct str *candidates;
    size_t count, cap;
    uint32_t first_slot, slots; /* that are looked at now */
    struct error failed;
};

/* Does this key belong to what is compared, and to the slots of now? */
static bool is_ours(const struct extra *x, struct str key)
{
    const struct verify_options *o = x->s->options;
    uint16_t slot = slot_of_key(key);

    if (slot < x->first_slot || slot >= x->first_slot + x->slots)
        return false;
    if (o->extent == VERIFY_SUBSET && slot % o->subsets != o->subset - 1)
        return false;
    return filter_takes_key(&o->filter, key, slot) && filter_takes_key(&x->backed_up, key, slot);
}

static bool load_group(struct extra *x, const struct part_group *group, struct error *err)
{
    struct record_stream *stream = record_stream_new(x->s->source, group, NULL);
    bool ok = true;

    while (ok && !fingerprints_is_full(x->names)) {
        const struct record *r = NULL;

        ok = task_checkpoint(x->s->task, err) && record_stream_next(stream, &r, err);
        if (!ok || r == NULL)
            break;
        if (record_head(r)->db == 0 && is_ours(x, record_head(r)->key))
            (void)fingerprints_add(x->names, record_head(r)->key);
    }
    record_stream_free(stream);
    return ok;
}

/* The backup's names in the slots of now, which become fewer until there is room. */
static bool load_names(struct extra *x, struct error *err)
{
    for (;; x->slots /= 2) {
        fingerprints_clear(x->names);
        for (size_t i = 0; i < x->s->group_count; i++)
            if (!load_group(x, &x->s->groups[i], err))
                return false;
        if (!fingerprints_is_full(x->names))
            return true;
        if (x->slots == 1)
            return error_set(err, ERROR_LIMIT, 0, "slot %u has too many keys to look for others",
                             (unsigned)x->first_slot);
    }
}

static void on_type(void *arg, const struct pipeline_reply *r)
{
    struct extra *x = arg;
    struct str key = x->candidates[r->tag];
    struct error why = {0};

    if (!reply_check(r->reply, "TYPE", &why)) {
        x->failed = why;
        return;
    }
    if (str_is(r->reply->str, "none") ||
        !filter_takes_type(&x->s->options->filter, r->reply->str) ||
        !filter_takes_type(&x->backed_up, r->reply->str))
        return;
    verify_settle_extra(x->s, key, record_type_of(r->reply->str));
}

static bool settle_page(struct extra *x, struct error *err)
{
    bool ok = true;

    for (size_t i = 0; i < x->count && ok; i++) {
        ok = command_append(pipeline_begin(x->types), COMMAND(STR("TYPE"), x->candidates[i]), err);
        pipeline_end(x->types, x->s->cluster ? slot_of_key(x->candidates[i]) : 0, 1, i);
    }
    ok = ok && pipeline_flush(x->types, err);
    x->count = 0;
    arena_clear(&x->arena);
    if (ok && x->failed.code != ERROR_NONE) {
        *err = x->failed;
        return false;
    }
    return ok;
}

/* A set that became full tells no more whether SCAN gave a name before; it may be named twice. */
static void take_page(struct extra *x, const struct reply *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        struct str key = keys->elements[i].str;

        if (is_ours(x, key) && fingerprints_add(x->names, key))
            ARRAY_PUSH(x->candidates, x->count, x->cap) = arena_str(&x->arena, key);
    }
}

static bool scan_node(struct extra *x, const char *id, struct error *err)
{
    char cursor[32] = "0";

    do {
        const struct reply *r;

        if (!task_checkpoint(x->s->task, err) ||
            !cluster_call_node(x->cluster, id,
                               COMMAND(STR("SCAN"), str_from(cursor), STR("COUNT"), STR("1000")),
                               &r, err) ||
            !reply_want_array(r, "SCAN", err))
            return false;
        if (r->count != 2 || r->elements[1].type != REPLY_ARRAY ||
            !str_copy(r->elements[0].str, cursor, sizeof(cursor)))
            return error_set(err, ERROR_REPLY, 0, "SCAN answered something else");
        take_page(x, &r->elements[1]);
        if (!settle_page(x, err))
            return false;
    } while (strcmp(cursor, "0") != 0);
    return true;
}

static bool scan_all(struct extra *x, struct error *err)
{
    const struct cluster_node *nodes;
    size_t count = cluster_nodes(x->cluster, &nodes);
    char(*ids)[48] = mem_zero(count, sizeof(*ids));
    bool ok = true;

    for (size_t i = 0; i < count; i++) /* a call may refresh the list */
        if (nodes[i].role == NODE_ROLE_PRIMARY && nodes[i].slots > 0)
            (void)str_copy(str_from(nodes[i].id), ids[i], sizeof(ids[i]));
    for (size_t i = 0; i < count && ok; i++)
        ok = ids[i][0] == '\0' || scan_node(x, ids[i], err);
    free(ids);
    return ok;
}

static bool look(struct extra *x, struct error *err)
{
    const struct manifest_options *backed_up = &source_manifest(x->s->source)->options;

    x->backed_up.match = backed_up->match;
    x->backed_up.match_count = backed_up->match_count;
    x->backed_up.types = backed_up->types;
    x->backed_up.type_count = backed_up->type_count;
    if (backed_up->slots != NULL && backed_up->slots[0] != '\0' &&
        !filter_set_slots(&x->backed_up, backed_up->slots, err))
        return false;
    if (!cluster_connect(x->cluster, true, err))
        return false;
    for (x->slots = SLOT_COUNT; x->first_slot < SLOT_COUNT; x->first_slot += x->slots)
        if (!load_names(x, err) || !scan_all(x, err))
            return false;
    return true;
}

bool verify_look_for_extra(struct verify_shared *s, struct error *err)
{
    size_t memory = s->options->extra_memory > 0 ? s->options->extra_memory : MEMORY;
    struct extra x = {.s = s, .cluster = cluster_new(s->target)};
    struct pipeline_handler handler = {on_type, &x};
    bool ok;

    task_stage(s->task, "extra");
    x.names = fingerprints_new(memory);
    x.types = pipeline_new(x.cluster, &handler,
                           s->target->outage_timeout_ms > 0 ? s->target->outage_timeout_ms
                                                            : VERIFY_OUTAGE_MS,
                           &s->target->cancel);
    ok = look(&x, err);
    pipeline_free(x.types);
    fingerprints_free(x.names);
    arena_release(&x.arena);
    free(x.candidates);
    cluster_free(x.cluster);
    return ok;
}
