#include "core/restore/restore_worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/base/escape.h"
#include "core/redis/command.h"
#include "core/restore/restore_repeat.h"
#include "core/restore/restore_resume.h"
#include "core/value/value_build.h"

/* ---- replies of the pipeline ----------------------------------------------------------------- */

static void note_error(struct restore_worker *w, struct restore_item *item, const struct reply *r)
{
    struct error err = {0};

    if (reply_check(r, "write", &err))
        return;
    if (item->why[0] == '\0')
        (void)snprintf(item->why, sizeof(item->why), "%.159s", err.text);
    if (reply_error_of(r) == REPLY_ERROR_OOM || reply_error_of(r) == REPLY_ERROR_MISCONF ||
        (err.code == ERROR_AUTH && !restore_is_key_refused(&err)))
        w->fatal = err;
}

static void settle(struct restore_worker *w, struct restore_item *item, bool there, bool repeated)
{
    if (item->settled)
        return; /* sent again because a reply behind the deciding one was lost */
    item->settled = true;
    if (item->burial
            ? item->why[0] == '\0'
            : item->dies_ms > 0 && item->dies_ms <= clock_real_ms() + w->shared->clock_ahead_ms) {
        restore_settle_key(w, item->key, item->type, item->slot, RESTORE_EXPIRED);
    } else if (w->fatal.code != ERROR_NONE) {
        return; /* the run ends, and the next one begins this part again */
    } else if (item->why[0] != '\0') {
        restore_fail_key(w, item->key, item->why);
        restore_count_key(w, item->slot);
    } else if (there && restore_has_doubt(w, item->db, item->key, repeated)) {
        ARRAY_PUSH(w->unsure, w->unsure_count, w->unsure_cap) = *item;
    } else {
        if (!there && item->repeats)
            restore_repeat_wrote(w->shared->repeat, item->db, item->key);
        restore_settle_key(w, item->key, item->type, item->slot,
                           there ? RESTORE_EXISTED : RESTORE_WRITTEN);
    }
}

/* The last reply of a transaction: the results of its commands. */
static bool read_exec(struct restore_worker *w, struct restore_item *item, const struct reply *r)
{
    const struct reply *bad = reply_find_error(r);

    if (bad != NULL)
        note_error(w, item, bad);
    else if (r->type != REPLY_ARRAY)
        (void)snprintf(item->why, sizeof(item->why), "the transaction was not carried out");
    /* … RENAMENX, UNLINK of what it did not move. */
    return item->only_new && r->type == REPLY_ARRAY && r->count >= 2 &&
           r->elements[r->count - 2].integer == 0;
}

static void on_reply(void *arg, const struct pipeline_reply *r)
{
    struct restore_worker *w = arg;
    struct restore_item *item = &w->items[r->tag];

    if (r->index == 0)
        item->why[0] = '\0';
    if (r->index < item->skip && r->reply->type == REPLY_ERROR)
        (void)!reply_check(r->reply, "choose the database", &w->fatal);
    if (r->index + 1 != item->skip + item->commands) {
        note_error(w, item, r->reply);
        return;
    }
    if (item->transaction) {
        settle(w, item, read_exec(w, item, r->reply), r->repeated);
        return;
    }
    note_error(w, item, r->reply);
    settle(w, item, r->reply->type == REPLY_NIL, r->repeated);
}

/* ---- small keys ------------------------------------------------------------------------------ */

/* SET with everything in one command. */
static bool append_set(struct buf *out, const struct record *r, struct restore_expiry expiry,
                       bool only_new, struct error *err)
{
    bool timed = expiry.kind == RESTORE_RELATIVE;
    size_t argc = 3u + (timed ? 2u : 0u) + (only_new ? 1u : 0u);

    if (!command_begin(out, argc, err) || !command_arg_text(out, "SET", err) ||
        !command_arg(out, record_head(r)->key, err) || !command_arg(out, record_string(r), err))
        return false;
    if (timed && (!command_arg_text(out, "PX", err) || !command_arg_i64(out, expiry.ms, err)))
        return false;
    return !only_new || command_arg_text(out, "NX", err);
}

/* Overwrite: UNLINK and build in one transaction. Otherwise build aside and RENAMENX. */
static bool append_transaction(struct restore_worker *w, struct buf *out, const struct record *r,
                               struct restore_expiry expiry, struct restore_item *item,
                               struct error *err)
{
    struct restore_shared *s = w->shared;
    struct str key = record_head(r)->key;
    char name[TEMP_KEY_MAX];
    struct str built = key;
    size_t n = 2; /* MULTI and EXEC */

    if (item->only_new)
        built = temp_key_name(s->temps, item->slot, task_run_id(s->task),
                              atomic_fetch_add(&s->next_temp, 1), name);
    if (!command_words(out, "MULTI", err))
        return false;
    if (!item->only_new) {
        n++;
        if (!command_append(out, COMMAND(STR("UNLINK"), key), err))
            return false;
    }
    if (!value_build(out, built, r, &n, err) || !restore_write_expiry(out, built, expiry, &n, err))
        return false;
    if (item->only_new) {
        n += 2;
        if (!command_append(out, COMMAND(STR("RENAMENX"), built, key), err) ||
            !command_append(out, COMMAND(STR("UNLINK"), built), err))
            return false;
    }
    item->commands = n;
    item->transaction = true;
    return command_words(out, "EXEC", err);
}

static bool send(struct restore_worker *w, struct error *err)
{
    bool ok = restore_flow_flush(w, err);

    w->item_count = 0;
    if (ok && w->fatal.code != ERROR_NONE) {
        *err = w->fatal;
        return false;
    }
    return ok;
}

/* SET frees the value that it replaces while clients wait, however large that is: where the plan
 * saw keys of the backup on the target, UNLINK goes before it, as in every transaction. */
static bool may_replace(const struct restore_worker *w)
{
    return w->shared->plan->existing > 0 || w->shared->plan->resumed || w->force;
}

static bool put_small(struct restore_worker *w, struct record_stream *stream,
                      const struct record *r, struct restore_expiry expiry, struct error *err)
{
    const struct record_head *h = record_head(r);
    struct restore_item item = {.key = arena_str(&w->names, h->key),
                                .type = h->type,
                                .slot = restore_slot(w->shared, h),
                                .db = h->db,
                                .only_new = restore_only_new(w),
                                .repeats = w->repeats || w->force,
                                .position = record_stream_position(stream),
                                .dies_ms = expiry.kind == RESTORE_ABSOLUTE ? expiry.ms : 0,
                                .commands = 1};
    struct buf *out = pipeline_begin(w->pipeline);
    size_t from = out->len;
    size_t all;
    bool ok = true;

    if (h->db != 0) {
        item.skip = 1;
        ok = restore_append_select(out, h->db, err);
    }
    if (ok && h->type == RECORD_STRING && expiry.kind != RESTORE_ABSOLUTE &&
        (item.only_new || !may_replace(w)))
        ok = append_set(out, r, expiry, item.only_new, err);
    else if (ok)
        ok = append_transaction(w, out, r, expiry, &item, err);
    all = item.skip + item.commands;
    if (ok && h->db != 0) {
        all++;
        ok = restore_append_select(out, 0, err);
    }
    if (!ok) {
        pipeline_undo(w->pipeline);
        return false;
    }
    restore_flow_count(w, item.slot, out->len - from);
    pipeline_end(w->pipeline, item.slot, all, w->item_count);
    ARRAY_PUSH(w->items, w->item_count, w->item_cap) = item;
    return true;
}

/* Keys that were looked at and have to be replaced. */
static bool write_redo(struct restore_worker *w, struct record_stream *stream, struct error *err)
{
    struct record_position here = record_stream_position(stream);
    const struct record *r = NULL;
    bool ok = true;

    if (w->redo_count == 0)
        return true;
    w->force = true;
    for (size_t i = 0; i < w->redo_count && ok; i++) {
        record_stream_seek(stream, w->redo[i]);
        ok = record_stream_next(stream, &r, err) &&
             put_small(w, stream, r, restore_expiry_of(w->shared, record_head(r)), err);
    }
    ok = ok && send(w, err);
    w->force = false;
    w->redo_count = 0;
    record_stream_seek(stream, here);
    return ok && record_stream_next(stream, &r, err);
}

static bool flush(struct restore_worker *w, struct record_stream *stream, struct error *err)
{
    bool ok = send(w, err) && restore_look_at_unsure(w, stream, err) && write_redo(w, stream, err);

    arena_clear(&w->names);
    return ok;
}

/* ---- one record after another ---------------------------------------------------------------- */

/* A second pass is about some slots only, and brings nothing back whose life is over by now. */
static bool is_passed_over(const struct restore_worker *w, const struct record_head *h)
{
    const struct restore_shared *s = w->shared;
    uint16_t slot;

    if (w->again == NULL)
        return w->passing;
    slot = restore_slot(s, h);
    return !slot_set_has(w->again, slot) ||
           (s->again == NULL &&
            !restore_resume_wants(s->resume, restore_lane_part(w), h->key, slot)) ||
           (s->options->ttl == RESTORE_TTL_REMAINING && h->ttl_millis != RECORD_NO_TIME &&
            h->ttl_millis <= clock_real_ms() - s->started_ms + s->late_ms);
}

/* Nothing else is on its way. */
static bool write_large(struct restore_worker *w, struct record_stream *stream,
                        const struct record *r, bool dead, struct error *err)
{
    bool forced = w->force;
    bool settled = false;
    bool ok = dead || record_head(r)->chunk_seq > 0 || forced ||
              restore_look_first(w, stream, r, &settled, err);

    ok = ok && (settled || restore_large(w, stream, r, err));
    w->force = forced;
    return ok;
}

static bool write_one(struct restore_worker *w, struct record_stream *stream,
                      const struct record *r, struct error *err)
{
    const struct record_head *h = record_head(r);
    struct restore_expiry expiry = restore_expiry_of(w->shared, h);

    /* A large key's pieces are read even when it is dead, so it goes its own way. */
    if (restore_is_large(r))
        return flush(w, stream, err) && write_large(w, stream, r, expiry.kind == RESTORE_DEAD, err);
    if (expiry.kind == RESTORE_DEAD) {
        restore_settle_key(w, h->key, h->type, restore_slot(w->shared, h), RESTORE_EXPIRED);
        return true;
    }
    return put_small(w, stream, r, expiry, err) &&
           (!restore_flow_is_due(w) || flush(w, stream, err));
}

/* The key's last record is past its deadline, but an earlier one put it there: it goes. */
static bool bury(struct restore_worker *w, struct record_stream *stream,
                 const struct record_head *h, struct error *err)
{
    struct buf *out = pipeline_begin(w->pipeline);
    struct restore_item item = {.key = arena_str(&w->names, h->key),
                                .type = h->type,
                                .slot = restore_slot(w->shared, h),
                                .db = h->db,
                                .position = record_stream_position(stream),
                                .skip = h->db != 0 ? 1 : 0,
                                .commands = 1,
                                .burial = true};
    size_t from = out->len;

    if ((h->db != 0 && !restore_append_select(out, h->db, err)) ||
        !command_append(out, COMMAND(STR("UNLINK"), h->key), err) ||
        (h->db != 0 && !restore_append_select(out, 0, err))) {
        pipeline_undo(w->pipeline);
        return false;
    }
    restore_flow_count(w, item.slot, out->len - from);
    pipeline_end(w->pipeline, item.slot, h->db != 0 ? 3 : 1, w->item_count);
    ARRAY_PUSH(w->items, w->item_count, w->item_cap) = item;
    return flush(w, stream, err);
}

static bool is_on_its_way(const struct restore_worker *w, const struct record_head *h)
{
    for (size_t i = 0; i < w->item_count; i++)
        if (w->items[i].db == h->db && str_equal(w->items[i].key, h->key))
            return true;
    return false;
}

/* Of several records of one key the last one counts, whatever the policy: each is settled before
 * the next, and replaces what we wrote ourselves. */
static bool write_record(struct restore_worker *w, struct record_stream *stream,
                         const struct record *r, struct error *err)
{
    const struct record_head *h = record_head(r);
    struct restore_repeat *repeat = w->shared->repeat;
    bool ours;
    bool ok;

    if (is_passed_over(w, h))
        return true;
    w->repeats = restore_repeat_may(repeat, h->db, h->key);
    if (!w->repeats)
        return write_one(w, stream, r, err);
    if (is_on_its_way(w, h) && !flush(w, stream, err))
        return false;
    ours = restore_repeat_is_ours(repeat, h->db, h->key);
    if (ours && restore_expiry_of(w->shared, h).kind == RESTORE_DEAD &&
        !(h->chunked && h->chunk_seq != 0))
        return bury(w, stream, h, err) &&
               (!restore_is_large(r) || restore_skip_large(w, stream, r, err));
    if (w->again != NULL || !restore_only_new(w) || !ours)
        return write_one(w, stream, r, err);
    if (!flush(w, stream, err)) /* nothing else is to be replaced */
        return false;
    w->force = true;
    ok = write_one(w, stream, r, err) && flush(w, stream, err);
    w->force = false;
    return ok;
}

/* The record at hand is the first of another part: what came before is settled. */
static bool enter_part(struct restore_worker *w, struct record_stream *stream, struct error *err)
{
    struct record_position here = record_stream_position(stream);

    return !restore_lane_is_new(w, here) ||
           (flush(w, stream, err) && restore_lane_enter(w, here, err));
}

static bool write_lane(struct restore_worker *w, const struct restore_lane *lane, struct error *err)
{
    struct restore_shared *s = w->shared;
    struct record_stream *stream = record_stream_new(s->source, &lane->group, &s->options->filter);
    struct error late = {0};
    bool ok = true;

    restore_lane_begin(w, lane);

    while (ok) {
        const struct record *r;

        if (atomic_load(&s->stop)) {
            ok = error_set(err, ERROR_CANCELLED, 0, "another worker stopped");
            break;
        }
        ok = record_stream_next(stream, &r, err);
        if (!ok || r == NULL)
            break;
        ok = enter_part(w, stream, err) && write_record(w, stream, r, err);
        if (ok && pipeline_is_empty(w->pipeline))
            ok = task_checkpoint(s->task, err) && restore_flow_pace(w, err);
    }
    if (ok)
        ok = flush(w, stream, err);
    if (!restore_lane_end(w, ok, &late) && ok) {
        *err = late;
        ok = false;
    }
    record_stream_free(stream);
    return ok;
}

static void add_result(struct restore_result *to, const struct restore_result *from)
{
    to->written += from->written;
    to->existing += from->existing;
    to->expired += from->expired;
    to->failed += from->failed;
    to->unsure += from->unsure;
    to->conflicts += from->conflicts;
    to->rewritten += from->rewritten;
    to->replaced += from->replaced;
    to->changed += from->changed;
    to->repeated += from->repeated;
    for (int t = 0; t < RECORD_TYPES; t++)
        to->by_type[t] += from->by_type[t];
}

static bool write_lanes(struct restore_worker *w, struct error *err)
{
    struct restore_shared *s = w->shared;

    if (!cluster_connect(w->cluster, true, err))
        return false;
    for (;;) {
        size_t i = atomic_fetch_add(&s->next_group, 1);

        if (i >= s->lane_count)
            return true;
        if (!write_lane(w, &s->lanes[i], err))
            return false;
    }
}

void *restore_worker_run(void *shared)
{
    struct restore_shared *s = shared;
    struct restore_worker w = {.shared = s,
                               .row_bytes = mem_zero(s->plan->node_count, sizeof(uint64_t)),
                               .row_slot = mem_zero(s->plan->node_count, sizeof(uint16_t)),
                               .bytes_most = PIPELINE_BYTES};
    struct pipeline_handler handler = {on_reply, &w};
    struct error err = {0};
    bool ok;

    w.cluster = cluster_new(s->target);
    w.pipeline = pipeline_new(w.cluster, &handler,
                              s->target->outage_timeout_ms > 0 ? s->target->outage_timeout_ms
                                                               : RESTORE_OUTAGE_MS,
                              &s->target->cancel);
    ok = write_lanes(&w, &err);
    pthread_mutex_lock(&s->lock);
    add_result(&s->total, &w.result);
    if (!ok && !atomic_exchange(&s->stop, true))
        s->failed = err;
    pthread_mutex_unlock(&s->lock);
    pipeline_free(w.pipeline);
    cluster_free(w.cluster);
    arena_release(&w.names);
    free(w.items);
    free(w.unsure);
    free(w.redo);
    free(w.row_bytes);
    free(w.row_slot);
    return NULL;
}
