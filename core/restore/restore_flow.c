#include "core/restore/restore_worker.h"

#include "core/base/clock.h"
#include "core/restore/restore_gentle.h"

/* Keys per second of all workers; 0: as fast as it goes. */
static uint64_t rate_now(const struct restore_worker *w)
{
    uint64_t rate = task_rate(w->shared->task);

    return rate == 0 ? w->shared->options->rate : rate;
}

/* ---- room at the replicas -------------------------------------------------------------------- */

static bool wait_for(struct restore_worker *w, size_t row, uint16_t slot, uint64_t bytes,
                     struct error *err)
{
    struct restore_pace_turn turn = {
        .cluster = w->cluster, .stop = &w->shared->stop, .row = row, .slot = slot, .bytes = bytes};

    return restore_pace_wait(w->shared->pace, &turn, err);
}

bool restore_flow_enter(struct restore_worker *w, uint16_t slot, uint64_t bytes, struct error *err)
{
    uint16_t row = w->shared->row_of_slot[slot];

    if (w->shared->pace == NULL || row == UINT16_MAX)
        return true;
    if (!wait_for(w, row, slot, bytes, err))
        return false;
    restore_pace_enter(w->shared->pace, row, bytes);
    return true;
}

void restore_flow_leave(struct restore_worker *w, uint16_t slot, uint64_t bytes)
{
    uint16_t row = w->shared->row_of_slot[slot];

    if (w->shared->pace != NULL && row != UINT16_MAX)
        restore_pace_leave(w->shared->pace, row, bytes);
}

void restore_flow_count(struct restore_worker *w, uint16_t slot, uint64_t bytes)
{
    uint16_t row = w->shared->row_of_slot[slot];

    w->bytes += bytes;
    if (row == UINT16_MAX)
        return;
    w->row_bytes[row] += bytes;
    w->row_slot[row] = slot;
}

static bool enter_all(struct restore_worker *w, struct error *err)
{
    struct restore_shared *s = w->shared;

    if (s->pace == NULL)
        return true;
    w->bytes_most = restore_pace_batch(s->pace);
    for (size_t i = 0; i < s->plan->node_count; i++)
        if (w->row_bytes[i] > 0 && !wait_for(w, i, w->row_slot[i], w->row_bytes[i], err))
            return false;
    for (size_t i = 0; i < s->plan->node_count; i++)
        if (w->row_bytes[i] > 0)
            restore_pace_enter(s->pace, i, w->row_bytes[i]);
    return true;
}

static void leave_all(struct restore_worker *w)
{
    for (size_t i = 0; i < w->shared->plan->node_count; i++) {
        if (w->shared->pace != NULL && w->row_bytes[i] > 0)
            restore_pace_leave(w->shared->pace, i, w->row_bytes[i]);
        w->row_bytes[i] = 0;
    }
    w->bytes = 0;
}

bool restore_flow_flush(struct restore_worker *w, struct error *err)
{
    int64_t started;
    bool ok;

    if (pipeline_is_empty(w->pipeline))
        return true;
    if (!enter_all(w, err))
        return false;
    started = clock_mono_us();
    ok = pipeline_flush(w->pipeline, err);
    w->batch_us = clock_mono_us() - started;
    leave_all(w);
    return ok;
}

/* ---- rate ------------------------------------------------------------------------------------ */

bool restore_flow_is_due(const struct restore_worker *w)
{
    uint64_t rate = rate_now(w);
    uint64_t even = 1 + rate / (5 * (uint64_t)w->shared->worker_count);

    return pipeline_full(w->pipeline) || w->bytes >= w->bytes_most ||
           (rate > 0 && w->item_count >= even) ||
           (w->shared->options->adaptive && w->item_count >= RESTORE_GENTLE_KEYS);
}

/* What a client feels: one PING to the next primary in turn. A node that does not answer says
 * nothing here; the next write meets it. */
static int64_t probe_us(struct restore_worker *w)
{
    const struct restore_plan *plan = w->shared->plan;
    const struct cluster_node *owner;
    struct error why = {0};

    if (plan->node_count == 0)
        return 0;
    w->probed = (w->probed + 1) % plan->node_count;
    owner = cluster_find(w->cluster, plan->nodes[w->probed].id);
    if (owner == NULL || owner->failing)
        return 0;
    return restore_gentle_probe_us(cluster_node_conn(w->cluster, owner->id, &why));
}

static bool give_way(struct restore_worker *w, struct error *err)
{
    int64_t probe = w->batch_us == 0 ? 0 : probe_us(w);
    int64_t pause = probe == 0 ? 0 : restore_rate_pause_ms(&w->rate, w->batch_us, probe);

    w->batch_us = 0;
    return pause == 0 || cancel_sleep(&w->shared->target->cancel, pause, err);
}

bool restore_flow_pace(struct restore_worker *w, struct error *err)
{
    struct restore_shared *s = w->shared;
    int64_t wait_us;

    if (w->paced == 0)
        return true;
    if (s->options->adaptive && task_rate(s->task) == 0) {
        w->paced = 0;
        return give_way(w, err);
    }
    pthread_mutex_lock(&s->lock);
    wait_us = restore_meter_wait_us(&s->meter, w->paced, rate_now(w), clock_mono_us());
    pthread_mutex_unlock(&s->lock);
    w->paced = 0;
    /* The meter keeps what is cut off here. */
    return wait_us < 1000 || cancel_sleep(&s->target->cancel, wait_us / 1000, err);
}
