#include <inttypes.h>
#include <stdio.h>

#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/redis/command.h"
#include "core/restore/restore_repeat.h"
#include "core/restore/restore_worker.h"
#include "core/value/live_sum.h"

/*
 * A key is there although we may be the ones who wrote it: the first reply was lost and the second
 * writing found it, an earlier run of this job wrote it before it was killed, or a failover brought
 * back what stood there before. Value and expiry decide: the same as the backup's is what the
 * operator wanted, whoever wrote it. What remains in doubt is left alone and named.
 */

#define TOLERANCE_MS 30000
#define TIMEOUT_MS 60000

enum finding { SAME, DIFFERS, GONE, UNKNOWN };
enum before { WAS_NOT_THERE, WAS_THERE, NOT_KNOWN };

/* ---- what is known beforehand ---------------------------------------------------------------- */

static enum before before(const struct restore_shared *s, uint32_t db, struct str key)
{
    if (!s->existed_any)
        return WAS_NOT_THERE;
    if (s->existed == NULL)
        return NOT_KNOWN;
    return key_bloom_has(s->existed, db, key) ? WAS_THERE : WAS_NOT_THERE;
}

bool restore_only_new(const struct restore_worker *w)
{
    return !w->force && (w->again != NULL || w->shared->options->policy != RESTORE_OVERWRITE);
}

bool restore_has_doubt(const struct restore_worker *w, uint32_t db, struct str key, bool repeated)
{
    enum restore_policy policy = w->shared->options->policy;

    if (w->again != NULL)
        return policy != RESTORE_SKIP_EXISTING || before(w->shared, db, key) != WAS_THERE;
    if (policy == RESTORE_OVERWRITE)
        return false;
    return repeated || (w->shared->resumed && before(w->shared, db, key) != WAS_THERE);
}

/* ---- one look -------------------------------------------------------------------------------- */

struct look {
    struct restore_worker *w;
    struct record_stream *stream;
    struct str key; /* in the worker's arena */
    enum record_type type;
    uint16_t slot;
    uint32_t db;
    struct record_position start;
    struct restore_expiry expiry;
    struct value_sum *saved;
    struct value_sum *live;
    bool fields; /* of a hash have deadlines */
    bool gone;
    int64_t left_ms; /* PTTL; -1: no expiry, -2: no key */
    struct conn *conn;
};

static bool select_db(struct look *l, uint32_t db, struct error *err)
{
    const struct reply *r;
    char number[12];
    int len = snprintf(number, sizeof(number), "%" PRIu32, db);

    return l->db == 0 ||
           (conn_call(l->conn, COMMAND(STR("SELECT"), ((struct str){number, (size_t)len})),
                      TIMEOUT_MS, &r, err) &&
            reply_want_ok(r, "SELECT", err));
}

static bool read_once(struct look *l, struct error *err)
{
    const struct cluster_node *owner = cluster_owner(l->w->cluster, l->slot);
    struct live_sum_ask ask = {.key = l->key,
                               .type = l->type,
                               .groups = !l->w->shared->options->no_stream_groups,
                               .deadlines = l->fields};
    const struct reply *r;

    l->conn = NULL;
    if (owner == NULL)
        return error_set(err, ERROR_UNREACHABLE, 0, "slot %u has no owner", (unsigned)l->slot);
    l->conn = cluster_node_conn(l->w->cluster, owner->id, err);
    if (l->conn == NULL || !select_db(l, l->db, err) ||
        !conn_call(l->conn, COMMAND(STR("PTTL"), l->key), TIMEOUT_MS, &r, err) ||
        !reply_want_i64(r, "PTTL", &l->left_ms, err))
        return false;
    l->gone = l->left_ms == -2;
    return (l->gone || live_sum_read(l->conn, &ask, l->live, &l->gone, err)) &&
           select_db(l, 0, err);
}

/* An answer about this key, not about the server? */
static bool is_answer(const struct look *l, const struct error *why)
{
    enum reply_action action;

    if (why->code == ERROR_AUTH)
        return restore_is_key_refused(why);
    if (l->conn == NULL || conn_state(l->conn) != CONN_READY || why->detail <= 0 ||
        why->detail >= REPLY_ERRORS)
        return false;
    action = reply_error_action((enum reply_error)why->detail);
    return action == REPLY_VALUE || action == REPLY_FATAL;
}

static enum finding found_by_error(const struct restore_shared *s, const struct error *why)
{
    if (why->detail == (int)REPLY_ERROR_WRONGTYPE)
        return DIFFERS;
    task_note(s->task, TASK_WARN, "whose key is it? %s", why->text);
    return UNKNOWN;
}

/* Through an outage, within its budget. False: the run ends. */
static bool read_live(struct look *l, enum finding *found, struct error *err)
{
    struct restore_shared *s = l->w->shared;
    struct backoff wait;

    backoff_init(&wait, s->target->outage_timeout_ms > 0 ? s->target->outage_timeout_ms
                                                         : RESTORE_OUTAGE_MS);
    for (;;) {
        struct error why = {0};

        if (read_once(l, &why)) {
            *found = l->gone ? GONE : SAME; /* so far */
            return true;
        }
        if (l->conn != NULL && l->db != 0)
            conn_close(l->conn); /* nobody may go on in another database */
        if (why.code == ERROR_CANCELLED || (why.code == ERROR_AUTH && !is_answer(l, &why))) {
            *err = why;
            return false;
        }
        if (is_answer(l, &why)) {
            *found = found_by_error(s, &why);
            return true;
        }
        if (l->conn != NULL)
            conn_close(l->conn);
        if (!backoff_wait(&wait, &s->target->cancel, &why, err))
            return false;
        (void)!cluster_refresh(l->w->cluster, &why);
    }
}

/* Every line of the key's run, from the archive. Leaves the stream behind it. */
static bool read_saved(struct look *l, struct error *err)
{
    const struct record *r = NULL;

    value_sum_clear(l->saved);
    record_stream_seek(l->stream, l->start);
    for (uint64_t seq = 0;; seq++) {
        const struct record_head *h;

        if (!record_stream_next(l->stream, &r, err))
            return false;
        if (r == NULL)
            return error_set(err, ERROR_INTERNAL, 0, "a record is gone from its part");
        h = record_head(r);
        if (seq > 0 && (!h->chunked || h->chunk_seq != seq || !str_equal(h->key, l->key)))
            return true; /* a run without its end */
        if (seq == 0)
            l->expiry = restore_expiry_of(l->w->shared, h);
        value_sum_add(l->saved, r, !l->w->shared->options->no_stream_groups);
        if (!h->chunked || h->chunk_last)
            return true;
    }
}

/* Ours was written between the first run's start and now. */
static bool expiry_fits(const struct look *l)
{
    const struct restore_shared *s = l->w->shared;
    int64_t now = clock_real_ms() + s->clock_ahead_ms;

    if (l->expiry.kind == RESTORE_KEEP || l->left_ms < 0)
        return (l->expiry.kind == RESTORE_KEEP) == (l->left_ms < 0);
    if (l->expiry.kind == RESTORE_ABSOLUTE)
        return now + l->left_ms >= l->expiry.ms - TOLERANCE_MS &&
               now + l->left_ms <= l->expiry.ms + TOLERANCE_MS;
    return l->left_ms <= l->expiry.ms + s->late_ms + TOLERANCE_MS &&
           now + l->left_ms >= s->started_ms + s->clock_ahead_ms + l->expiry.ms - TOLERANCE_MS;
}

static bool compare(struct look *l, enum finding *found, struct error *err)
{
    const struct restore_shared *s = l->w->shared;
    int64_t moved = clock_real_ms() + s->clock_ahead_ms - s->read_ms;

    if (!read_live(l, found, err))
        return false;
    if (*found != SAME)
        return true;
    if (!read_saved(l, err))
        return false;
    if (!value_sum_compare(l->saved, l->live, moved > 0 ? moved : 0, TOLERANCE_MS).same ||
        !expiry_fits(l))
        *found = DIFFERS;
    return true;
}

/* ---- what follows ---------------------------------------------------------------------------- */

/* A second look at keys that were written before. *redo: it has to be replaced. */
static enum restore_fate judge_again(const struct look *l, enum finding found, bool *redo)
{
    enum restore_policy policy = l->w->shared->options->policy;
    enum before was = before(l->w->shared, l->db, l->key);

    switch (found) {
    case SAME:
    case GONE: /* by a client or its expiry, in this moment */
        return RESTORE_KEPT;
    case UNKNOWN:
        return RESTORE_UNSURE;
    case DIFFERS:
        break;
    }
    if (restore_repeat_may(l->w->shared->repeat, l->db, l->key)) {
        /* Perhaps the value of another record of this key. Ours are put right in their order. */
        *redo = policy == RESTORE_OVERWRITE ||
                restore_repeat_is_ours(l->w->shared->repeat, l->db, l->key);
        return RESTORE_UNSURE;
    }
    /* What stood there before the restore has come back, unless a client wrote since. */
    *redo = policy == RESTORE_OVERWRITE && was != WAS_NOT_THERE;
    return policy == RESTORE_SKIP_EXISTING && was != WAS_NOT_THERE ? RESTORE_EXISTED
                                                                   : RESTORE_CHANGED;
}

static enum restore_fate judge(const struct look *l, enum finding found, bool *redo)
{
    struct restore_shared *s = l->w->shared;

    *redo = false;
    if (l->w->again != NULL)
        return judge_again(l, found, redo);
    switch (found) {
    case SAME:
        restore_repeat_wrote(s->repeat, l->db, l->key);
        return RESTORE_KEPT;
    case DIFFERS:
        /* Of an earlier record of this key, which an earlier run wrote? Nobody can tell. */
        return s->resumed && restore_repeat_may(s->repeat, l->db, l->key) ? RESTORE_UNSURE
                                                                          : RESTORE_EXISTED;
    case GONE:
    case UNKNOWN:
        break;
    }
    return RESTORE_UNSURE;
}

static struct look look_new(struct restore_worker *w, struct record_stream *stream)
{
    return (struct look){
        .w = w, .stream = stream, .saved = value_sum_new(), .live = value_sum_new()};
}

static void look_release(struct look *l)
{
    value_sum_free(l->saved);
    value_sum_free(l->live);
}

static bool look_at_item(struct look *l, const struct restore_item *item, struct error *err)
{
    enum finding found = UNKNOWN;
    bool redo = false;
    enum restore_fate fate;

    l->key = item->key;
    l->type = item->type;
    l->slot = item->slot;
    l->db = item->db;
    l->start = item->position;
    if (!compare(l, &found, err))
        return false;
    fate = judge(l, found, &redo);
    if (redo)
        ARRAY_PUSH(l->w->redo, l->w->redo_count, l->w->redo_cap) = item->position;
    else
        restore_settle_key(l->w, l->key, l->type, l->slot, fate);
    return task_checkpoint(l->w->shared->task, err);
}

bool restore_look_at_unsure(struct restore_worker *w, struct record_stream *stream,
                            struct error *err)
{
    struct record_position here = record_stream_position(stream);
    const struct record *r;
    struct look l;
    bool ok = true;

    if (w->unsure_count == 0)
        return true;
    l = look_new(w, stream);
    for (size_t i = 0; i < w->unsure_count && ok; i++)
        ok = look_at_item(&l, &w->unsure[i], err);
    w->unsure_count = 0;
    look_release(&l);
    record_stream_seek(stream, here);
    return ok && record_stream_next(stream, &r, err);
}

static bool knows_field_deadlines(struct restore_worker *w, uint16_t slot)
{
    const struct cluster_node *owner = cluster_owner(w->cluster, slot);
    struct error ignored = {0};
    const struct capability *can =
        owner == NULL ? NULL : cluster_capability(w->cluster, owner->id, &ignored);

    return can != NULL && can->has[CAP_HASH_FIELD_EXPIRY];
}

bool restore_look_first(struct restore_worker *w, struct record_stream *stream,
                        const struct record *first, bool *settled, struct error *err)
{
    const struct record_head *h = record_head(first);
    struct look l;
    enum finding found = UNKNOWN;
    bool redo = false;
    const struct record *r;
    bool ok;

    *settled = false;
    if (!restore_has_doubt(w, h->db, h->key, false))
        return true;
    l = look_new(w, stream);
    l.key = arena_str(&w->names, h->key);
    l.type = h->type;
    l.slot = restore_slot(w->shared, h);
    l.db = h->db;
    l.start = record_stream_position(stream);
    l.fields = h->type == RECORD_HASH && knows_field_deadlines(w, l.slot);
    ok = compare(&l, &found, err);
    if (ok && found != GONE) {
        enum restore_fate fate = judge(&l, found, &redo);

        *settled = !redo;
        w->force = redo;
        if (!redo)
            restore_settle_key(w, l.key, l.type, l.slot, fate);
    }
    record_stream_seek(stream, l.start);
    ok = ok && record_stream_next(stream, &r, err);
    look_release(&l);
    return ok;
}
