#include "core/backup/restore_worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backup/value_build.h"
#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/base/escape.h"
#include "core/redis/command.h"

/* ---- expiry ---------------------------------------------------------------------------------- */

struct restore_expiry restore_expiry_of(const struct restore_shared *s, const struct record_head *h)
{
    int64_t now = clock_real_ms() + s->clock_ahead_ms;
    struct restore_expiry e = {RESTORE_KEEP, 0};

    if (h->ttl_millis == RECORD_NO_TIME || s->options->ttl == RESTORE_TTL_NONE)
        return e;
    if (s->options->ttl == RESTORE_TTL_ABSOLUTE) {
        /* Without the deadline itself, the end of the backup plus the remaining life is nearest. */
        e.ms = h->expire_at_millis != RECORD_NO_TIME ? h->expire_at_millis
                                                     : s->read_ms + h->ttl_millis;
        e.kind = e.ms <= now ? RESTORE_DEAD : RESTORE_ABSOLUTE;
        return e;
    }
    e.ms = h->ttl_millis;
    e.kind = e.ms <= 0 ? RESTORE_DEAD : RESTORE_RELATIVE;
    return e;
}

bool restore_write_expiry(struct buf *out, struct str key, struct restore_expiry expiry,
                          size_t *commands, struct error *err)
{
    if (expiry.kind != RESTORE_RELATIVE && expiry.kind != RESTORE_ABSOLUTE)
        return true;
    ++*commands;
    return command_begin(out, 3, err) &&
           command_arg_text(out, expiry.kind == RESTORE_RELATIVE ? "PEXPIRE" : "PEXPIREAT", err) &&
           command_arg(out, key, err) && command_arg_i64(out, expiry.ms, err);
}

/* ---- counting -------------------------------------------------------------------------------- */

uint16_t restore_slot(const struct restore_shared *s, struct str key)
{
    return s->plan->cluster ? slot_of_key(key) : 0;
}

void restore_count_key(struct restore_worker *w, uint16_t slot)
{
    struct restore_shared *s = w->shared;
    uint16_t row = s->row_of_slot[slot];
    uint64_t done;

    w->paced++;
    if (row == UINT16_MAX || s->again != NULL)
        return;
    done = atomic_fetch_add(&s->row_done[row], 1) + 1;
    if (done % 64 == 0 || done == s->plan->nodes[row].to_write)
        task_row(s->task, row, s->plan->nodes[row].addr, done, s->plan->nodes[row].to_write);
}

void restore_fail_key(struct restore_worker *w, struct str key, const char *why)
{
    w->result.failed++;
    task_ledger(w->shared->task, key, "write", why);
    task_count(w->shared->task, "failed", 1);
}

bool restore_is_key_refused(const struct error *why)
{
    return why->code == ERROR_AUTH && why->detail == (int)REPLY_ERROR_NOPERM &&
           strstr(why->text, "permissions to run") == NULL;
}

/* A second pass only mends what a failover took away: what it finds in place was counted. */
static void settle_again(struct restore_worker *w, enum restore_fate fate)
{
    if (fate == RESTORE_WRITTEN)
        w->result.rewritten++;
}

void restore_settle_key(struct restore_worker *w, struct str key, enum record_type type,
                        uint16_t slot, enum restore_fate fate)
{
    struct restore_shared *s = w->shared;

    if (s->again != NULL) {
        settle_again(w, fate);
        return;
    }
    restore_count_key(w, slot);
    switch (fate) {
    case RESTORE_WRITTEN:
        w->result.written++;
        w->result.by_type[type]++;
        return;
    case RESTORE_EXISTED:
        w->result.existing++;
        if (s->options->policy != RESTORE_FAIL_EXISTING)
            return;
        w->result.conflicts++;
        task_ledger(s->task, key, "exists", "created during the restore");
        return;
    case RESTORE_EXPIRED:
        w->result.expired++;
        return;
    case RESTORE_UNSURE:
        w->result.unsure++;
        task_ledger(s->task, key, "unsure",
                    "the reply was lost and the key exists: ours, or somebody else's");
        return;
    }
}

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
    if (item->dies_ms > 0 && item->dies_ms <= clock_real_ms() + w->shared->clock_ahead_ms) {
        restore_settle_key(w, item->key, item->type, item->slot, RESTORE_EXPIRED);
    } else if (item->why[0] != '\0') {
        restore_fail_key(w, item->key, item->why);
        restore_count_key(w, item->slot);
    } else if (there && repeated && w->shared->again == NULL) {
        ARRAY_PUSH(w->unsure, w->unsure_count, w->unsure_cap) = *item;
    } else {
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

/* Keys per second of this worker; 0: as fast as it goes. */
static uint64_t rate_share(const struct restore_worker *w)
{
    uint64_t rate = task_rate(w->shared->task);

    if (rate == 0)
        rate = w->shared->options->rate;
    return rate == 0 ? 0 : 1 + (rate - 1) / w->shared->worker_count;
}

static bool append_select(struct buf *out, uint32_t db, struct error *err)
{
    return command_begin(out, 2, err) && command_arg_text(out, "SELECT", err) &&
           command_arg_u64(out, db, err);
}

static bool flush(struct restore_worker *w, struct record_stream *stream, struct error *err)
{
    bool ok = pipeline_flush(w->pipeline, err);

    w->item_count = 0;
    if (ok && w->fatal.code != ERROR_NONE) {
        *err = w->fatal;
        ok = false;
    }
    ok = ok && restore_look_at_unsure(w, stream, err);
    arena_clear(&w->names);
    return ok;
}

/* With a low rate small batches, so that the flow is even. */
static bool is_due(const struct restore_worker *w)
{
    uint64_t rate = rate_share(w);

    return pipeline_full(w->pipeline) || (rate > 0 && w->item_count >= 1 + rate / 5);
}

static bool add_small(struct restore_worker *w, struct record_stream *stream,
                      const struct record *r, struct restore_expiry expiry, struct error *err)
{
    const struct record_head *h = record_head(r);
    struct restore_item item = {.key = arena_str(&w->names, h->key),
                                .type = h->type,
                                .slot = restore_slot(w->shared, h->key),
                                .only_new = w->shared->options->policy != RESTORE_OVERWRITE,
                                .position = record_stream_position(stream),
                                .dies_ms = expiry.kind == RESTORE_ABSOLUTE ? expiry.ms : 0,
                                .commands = 1};
    struct buf *out = pipeline_begin(w->pipeline);
    size_t all;
    bool ok = true;

    if (h->db != 0) {
        item.skip = 1;
        ok = append_select(out, h->db, err);
    }
    if (ok && h->type == RECORD_STRING && expiry.kind != RESTORE_ABSOLUTE)
        ok = append_set(out, r, expiry, item.only_new, err);
    else if (ok)
        ok = append_transaction(w, out, r, expiry, &item, err);
    all = item.skip + item.commands;
    if (ok && h->db != 0) {
        all++;
        ok = append_select(out, 0, err);
    }
    if (!ok) {
        pipeline_undo(w->pipeline);
        return false;
    }
    pipeline_end(w->pipeline, item.slot, all, w->item_count);
    ARRAY_PUSH(w->items, w->item_count, w->item_cap) = item;
    return !is_due(w) || flush(w, stream, err);
}

/* ---- one record after another ---------------------------------------------------------------- */

static bool pace(struct restore_worker *w, struct error *err)
{
    uint64_t rate = rate_share(w);
    int64_t due;

    if (rate == 0 || w->paced == 0)
        return true;
    due = w->started_ms + (int64_t)(w->paced * 1000 / rate);
    w->paced = 0;
    if (due > clock_mono_ms() &&
        !cancel_sleep(&w->shared->target->cancel, due - clock_mono_ms(), err))
        return false;
    w->started_ms = clock_mono_ms();
    return true;
}

/* A second pass is about some slots only, and brings nothing back whose life is over by now. */
static bool is_passed_over(const struct restore_shared *s, const struct record_head *h)
{
    if (s->again == NULL)
        return false;
    return !slot_set_has(s->again, restore_slot(s, h->key)) ||
           (s->options->ttl == RESTORE_TTL_REMAINING && h->ttl_millis != RECORD_NO_TIME &&
            h->ttl_millis <= clock_real_ms() - s->started_ms);
}

static bool write_record(struct restore_worker *w, struct record_stream *stream,
                         const struct record *r, struct error *err)
{
    struct restore_expiry expiry = restore_expiry_of(w->shared, record_head(r));

    if (is_passed_over(w->shared, record_head(r)))
        return true;
    /* A large key's pieces are read even when it is dead, so it goes its own way. */
    if (restore_is_large(r))
        return flush(w, stream, err) && restore_large(w, stream, r, err);
    if (expiry.kind == RESTORE_DEAD) {
        const struct record_head *h = record_head(r);

        restore_settle_key(w, h->key, h->type, restore_slot(w->shared, h->key), RESTORE_EXPIRED);
        return true;
    }
    return add_small(w, stream, r, expiry, err);
}

static bool write_group(struct restore_worker *w, const struct part_group *group, struct error *err)
{
    struct restore_shared *s = w->shared;
    struct record_stream *stream = record_stream_new(s->source, group, &s->options->filter);
    bool ok = true;

    while (ok) {
        const struct record *r;

        if (atomic_load(&s->stop)) {
            ok = error_set(err, ERROR_CANCELLED, 0, "another worker stopped");
            break;
        }
        ok = record_stream_next(stream, &r, err);
        if (!ok || r == NULL)
            break;
        ok = write_record(w, stream, r, err);
        if (ok && pipeline_is_empty(w->pipeline))
            ok = task_checkpoint(s->task, err) && pace(w, err);
    }
    if (ok)
        ok = flush(w, stream, err);
    if (s->again == NULL)
        w->result.left_out += record_stream_left_out(stream);
    record_stream_free(stream);
    return ok;
}

static void add_result(struct restore_result *to, const struct restore_result *from)
{
    to->written += from->written;
    to->existing += from->existing;
    to->expired += from->expired;
    to->left_out += from->left_out;
    to->failed += from->failed;
    to->unsure += from->unsure;
    to->conflicts += from->conflicts;
    to->rewritten += from->rewritten;
    for (int t = 0; t < RECORD_TYPES; t++)
        to->by_type[t] += from->by_type[t];
}

static bool write_groups(struct restore_worker *w, struct error *err)
{
    struct restore_shared *s = w->shared;

    if (!cluster_connect(w->cluster, true, err))
        return false;
    for (;;) {
        size_t i = atomic_fetch_add(&s->next_group, 1);

        if (i >= s->group_count)
            return true;
        if (!write_group(w, &s->groups[i], err))
            return false;
    }
}

void *restore_worker_run(void *shared)
{
    struct restore_shared *s = shared;
    struct restore_worker w = {.shared = s, .started_ms = clock_mono_ms()};
    struct pipeline_handler handler = {on_reply, &w};
    struct error err = {0};
    bool ok;

    w.cluster = cluster_new(s->target);
    w.pipeline = pipeline_new(w.cluster, &handler,
                              s->target->outage_timeout_ms > 0 ? s->target->outage_timeout_ms
                                                               : RESTORE_OUTAGE_MS,
                              &s->target->cancel);
    ok = write_groups(&w, &err);
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
    return NULL;
}
