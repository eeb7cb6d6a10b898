#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backup/backup_private.h"
#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/detector.h"

struct round {
    struct backup *b;
    struct shard **shards;
    size_t count;
    size_t cap;
    int64_t replica_deadline; /* one for all shards that wait for a replica; 0: none did */
};

static void add_shard(struct round *r, const struct cluster_node *node, const struct slot_set *want,
                      uint32_t generation)
{
    struct shard *s = mem_zero(1, sizeof(*s));
    struct error err = {0};

    s->b = r->b;
    s->index = r->count;
    s->row = r->b->rows++;
    s->pass = ++r->b->passes;
    s->cluster = r->b->by_slot;
    s->want = *want;
    s->generation = generation;
    s->tally = mem_zero(1, sizeof(*s->tally));
    (void)str_copy(str_from(node->id), s->node_id, sizeof(s->node_id));
    (void)address_text(s->name, sizeof(s->name), &node->address);
    s->outage_deadline = r->replica_deadline;
    if (shard_choose_source(s, node) && s->conn == NULL)
        s->conn = cluster_new_conn(r->b->cluster, node->id, false, &err);
    if (s->conn == NULL && s->end == SHARD_DONE) {
        s->end = SHARD_CHANGED;
        (void)str_copy(str_from(err.text), s->reason, sizeof(s->reason));
    }
    r->replica_deadline = s->outage_deadline;
    s->outage_deadline = 0;
    ARRAY_PUSH(r->shards, r->count, r->cap) = s; /* NOLINT(bugprone-sizeof-expression) */
}

/* One worker for each primary that owns wanted slots. What nobody owns is dirty at once. */
static void plan(struct round *r, const struct slot_set *want, uint32_t generation,
                 struct slot_set *dirty)
{
    const struct cluster_node *nodes;
    size_t count = cluster_nodes(r->b->cluster, &nodes);
    struct slot_set *mine = mem_zero(count + 1, sizeof(*mine));

    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        const struct cluster_node *owner;

        if (!slot_set_has(want, (uint16_t)slot))
            continue;
        owner = cluster_owner(r->b->cluster, (uint16_t)slot);
        if (owner == NULL)
            slot_set_add(dirty, (uint16_t)slot);
        else
            slot_set_add(&mine[owner - nodes], (uint16_t)slot);
    }
    for (size_t i = 0; i < count; i++)
        if (slot_set_count(&mine[i]) > 0)
            add_shard(r, &nodes[i], &mine[i], generation);
    free(mine);
}

/* What other clients of the nodes feel, while they are read at a pace that heeds it. */
static void start_probe(struct round *r)
{
    struct conn **conns = mem_zero(r->count + 1, sizeof(struct conn *));
    struct error ignored = {0};

    for (size_t i = 0; i < r->count; i++) {
        const struct shard *s = r->shards[i];

        if (s->conn != NULL)
            conns[i] = cluster_new_conn(
                r->b->cluster, s->source.replica ? s->source.id : s->node_id, false, &ignored);
    }
    r->b->probe = probe_start(conns, r->count);
}

static bool run_workers(struct round *r, struct error *err)
{
    size_t started = 0;
    int status = 0;

    r->b->active = r->count > 0 ? r->count : 1;
    if (r->b->o->adaptive)
        start_probe(r);
    for (; started < r->count; started++) {
        struct shard *s = r->shards[started];

        if (s->conn == NULL)
            continue;
        status = pthread_create(&s->thread, NULL, shard_run, s);
        if (status != 0) {
            task_cancel(r->b->task);
            break;
        }
        s->running = true;
    }
    for (size_t i = 0; i < started; i++)
        if (r->shards[i]->running)
            (void)pthread_join(r->shards[i]->thread, NULL);
    probe_stop(r->b->probe);
    r->b->probe = NULL;
    return status == 0 || error_set_errno(err, ERROR_INTERNAL, status, "cannot start a thread");
}

uint16_t backup_node_index(struct backup *b, const struct backup_node *node)
{
    for (size_t i = 0; i < b->node_count; i++)
        if (strcmp(b->nodes[i].id, node->id) == 0 && strcmp(b->nodes[i].name, node->name) == 0)
            return (uint16_t)i;
    ARRAY_PUSH(b->nodes, b->node_count, b->node_cap) = *node;
    return (uint16_t)(b->node_count - 1);
}

static uint16_t node_of(struct backup *b, const struct shard *s)
{
    struct backup_node node = {.replica = s->source.replica, .capability = s->capability};

    memcpy(node.id, s->node_id, sizeof(node.id));
    memcpy(node.name, s->name, sizeof(node.name));
    return backup_node_index(b, &node);
}

static void tell_source(struct backup *b, const struct shard *s)
{
    struct error err = {0};
    struct buf text;

    if (!s->source.replica || s->end != SHARD_DONE)
        return;
    buf_init(&text, 1024);
    if (!slot_set_format(&s->want, 8, &text, &err))
        buf_clear(&text);
    backup_tell(b, &b->events,
                "%s%s were read from replica %s of %.40s, at offset %" PRId64
                " of the primary's %" PRId64,
                b->by_slot ? "slots " : "all keys", b->by_slot ? text.data : "", s->name,
                s->node_id, s->source.offset, s->source.owner_offset);
    buf_release(&text);
}

/* The newest reading of a slot is the one that counts, whole or not. */
static void merge(struct backup *b, struct shard *s, struct slot_set *dirty)
{
    uint16_t node = node_of(b, s);

    b->plain_cursors = b->plain_cursors || s->disorder;
    tell_source(b, s);
    if (s->end == SHARD_CHANGED) {
        slot_set_merge(&s->dirty, &s->want);
        backup_note(b, &b->events, s->outage ? "%s was given up: %s" : "%s is read again: %s",
                    s->name, s->reason);
        if (s->outage && !b->outage)
            (void)snprintf(b->reason, sizeof(b->reason), "%.40s: %s", s->name, s->reason);
        b->outage = b->outage || s->outage;
    } else if (slot_set_count(&s->dirty) > 0) {
        struct error err = {0};
        struct buf text;

        buf_init(&text, 1024);
        if (slot_set_format(&s->dirty, 8, &text, &err))
            backup_note(b, &b->events, "%s: slots %s moved or were open and are read again",
                        s->name, text.data);
        buf_release(&text);
    }
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        if (!slot_set_has(&s->want, (uint16_t)slot))
            continue;
        b->superseded += tally_slot_keys(&b->total->slots[slot]);
        b->total->slots[slot] = s->tally->slots[slot];
        b->generation[slot] = s->generation;
        b->owner[slot] = node;
    }
    b->sink.ops->counts(b->sink.ctx, s->sink, &s->want);
    slot_set_merge(dirty, &s->dirty);
}

static void note_moved(struct backup *b, const struct slot_set *moved)
{
    struct error err = {0};
    struct buf text;

    buf_init(&text, 1024);
    if (!b->by_slot)
        backup_note(b, &b->events, "another server is primary now: it is read again");
    else if (slot_set_format(moved, 8, &text, &err))
        backup_note(b, &b->events, "slots %s have another owner now and are read again", text.data);
    buf_release(&text);
}

/* After the refresh: whoever was read must still be the owner. */
static void compare_owners(struct backup *b, const struct slot_set *want, struct slot_set *dirty)
{
    struct slot_set moved = {0};

    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        const struct cluster_node *owner;

        if (!slot_set_has(want, (uint16_t)slot) || b->owner[slot] == UINT16_MAX)
            continue;
        owner = cluster_owner(b->cluster, (uint16_t)slot);
        if (DETECTOR_MAP &&
            (owner == NULL || strcmp(owner->id, b->nodes[b->owner[slot]].id) != 0) &&
            !slot_set_has(dirty, (uint16_t)slot)) /* else it has been told */
            slot_set_add(&moved, (uint16_t)slot);
    }
    if (slot_set_count(&moved) > 0)
        note_moved(b, &moved);
    slot_set_merge(dirty, &moved);
}

static void free_round(struct round *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->shards[i]->tally);
        r->b->sink.ops->free(r->b->sink.ctx, r->shards[i]->sink);
        conn_free(r->shards[i]->conn);
        conn_free(r->shards[i]->source.owner);
        order_release(r->shards[i]);
        free(r->shards[i]);
    }
    free(r->shards);
}

bool backup_round(struct backup *b, const struct slot_set *want, uint32_t generation,
                  struct slot_set *dirty, struct error *err)
{
    struct round r = {.b = b};
    struct error ignored = {0};
    bool ok;

    *dirty = (struct slot_set){0};
    plan(&r, want, generation, dirty);
    ok = run_workers(&r, err);
    for (size_t i = 0; ok && i < r.count; i++) {
        if (r.shards[i]->end == SHARD_FAILED) {
            *err = r.shards[i]->err;
            ok = false;
            if (err->code != ERROR_STORAGE) /* a full disk is ours, not the node's */
                (void)error_wrap(err, "%s", r.shards[i]->name);
        } else {
            merge(b, r.shards[i], dirty);
        }
    }
    free_round(&r);
    if (!ok)
        return false;
    if (!cluster_refresh(b->cluster, &ignored)) /* nobody answers: nothing is settled */
        *dirty = *want;
    else
        compare_owners(b, want, dirty);
    return backup_mark_dirty(b, dirty) ||
           error_set(err, ERROR_STORAGE, 0, "%s cannot be written", CHECKPOINT_NAME);
}
