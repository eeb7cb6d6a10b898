#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/backup/restore_worker.h"
#include "core/backup/stream_write.h"
#include "core/backup/value_build.h"
#include "core/base/clock.h"
#include "core/redis/command.h"

/*
 * Keys that do not fit one transaction, or whose building can fail half way: large ones, keys in
 * several lines, streams, hashes with field deadlines, DUMP payloads. They are built under a
 * temporary name, checked, and renamed into place. When the connection is lost the key is begun
 * again from its first line, since RPUSH and APPEND cannot be repeated.
 */

enum outcome {
    DONE,  /* in place, left alone, or failed and noted: go on with the next key */
    AGAIN, /* an outage: begin the key again */
    STOP,  /* the run ends */
};

struct build {
    struct restore_worker *w;
    struct record_stream *stream;
    struct conn *conn;
    const struct capability *can;
    struct str key;  /* in the worker's arena */
    struct str temp; /* in name */
    struct str aside;
    char name[TEMP_KEY_MAX];
    char aside_name[TEMP_KEY_MAX];
    enum record_type type;
    uint16_t slot;
    uint32_t db;
    struct restore_expiry expiry;
    struct stream_build *streams;
    uint64_t elements; /* in all lines so far */
    uint64_t expected; /* of the last line; 0 = the line was whole */
    bool chunked;
    bool swapping; /* the renaming was sent: its outcome may be unknown */
    bool unsure;   /* an earlier attempt was lost while swapping */
};

bool restore_is_large(const struct record *r)
{
    const struct record_head *h = record_head(r);

    return h->chunked || h->type == RECORD_STREAM || h->type == RECORD_OPAQUE ||
           record_deadlines(r) > 0 || record_count(r) > RESTORE_SMALL_ITEMS;
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static bool take_ok_replies(struct build *b, size_t count, struct error *err)
{
    struct error first = {0};

    for (size_t i = 0; i < count; i++) {
        const struct reply *r;

        if (!conn_next_reply(b->conn, &r, err))
            return false;
        if (first.code == ERROR_NONE && !reply_check(r, "write", &first))
            continue; /* the others must be read all the same */
    }
    if (first.code == ERROR_NONE)
        return true;
    *err = first;
    return false;
}

static bool send_counted(struct build *b, size_t commands, struct error *err)
{
    return conn_appended(b->conn, commands, 60000, err) && take_ok_replies(b, commands, err);
}

static bool call(struct build *b, struct command command, struct error *err)
{
    const struct reply *r;

    return conn_call(b->conn, command, 60000, &r, err) && reply_check(r, "write", err);
}

/* Field deadlines move by the time between reading and now, as the key's own does. */
static int64_t field_shift(const struct build *b, const struct record_head *h)
{
    const struct restore_shared *s = b->w->shared;
    int64_t read_ms = s->read_ms;

    if (s->options->ttl != RESTORE_TTL_REMAINING)
        return 0;
    if (h->expire_at_millis != RECORD_NO_TIME && h->ttl_millis != RECORD_NO_TIME)
        read_ms = h->expire_at_millis - h->ttl_millis;
    return read_ms == 0 ? 0 : clock_real_ms() + s->clock_ahead_ms - read_ms;
}

static bool write_fields(struct build *b, const struct record *r, struct error *err)
{
    size_t commands = 0;

    if (record_deadlines(r) == 0 || b->w->shared->options->ttl == RESTORE_TTL_NONE)
        return true;
    if (!b->can->has[CAP_HASH_FIELD_EXPIRY])
        return error_set(err, ERROR_UNSUPPORTED, 0,
                         "its fields have deadlines, which this server cannot keep");
    return value_build_deadlines(conn_out(b->conn), b->temp, r, field_shift(b, record_head(r)),
                                 &commands, err) &&
           send_counted(b, commands, err);
}

static bool write_dump(struct build *b, const struct record *r, struct error *err)
{
    const struct restore_shared *s = b->w->shared;

    if (!s->options->trust_dump && !source_signed(s->source))
        return error_set(err, ERROR_REFUSED, 0, "a DUMP payload needs --trust-dump");
    return call(b, COMMAND(STR("RESTORE"), b->temp, STR("0"), record_dump(r)), err);
}

static bool write_line(struct build *b, const struct record *r, struct error *err)
{
    size_t commands = 0;

    b->elements += b->type == RECORD_STRING ? record_string(r).len : record_count(r);
    if (b->type == RECORD_STREAM)
        return stream_build_line(b->streams, b->conn, r, err);
    if (b->type == RECORD_OPAQUE)
        return write_dump(b, r, err);
    return value_build(conn_out(b->conn), b->temp, r, &commands, err) &&
           send_counted(b, commands, err) && write_fields(b, r, err);
}

/* A run that dies leaves a key that dies too. */
static bool arm_temp(struct build *b, struct error *err)
{
    char ms[24];
    int len = snprintf(ms, sizeof(ms), "%d", TEMP_KEY_TTL_MS);

    return call(b, COMMAND(STR("PEXPIRE"), b->temp, ((struct str){ms, (size_t)len})), err);
}

static bool check_length(struct build *b, struct error *err)
{
    const struct reply *r;
    int64_t there;
    bool exact = b->type == RECORD_STRING || b->type == RECORD_LIST;

    if (b->type == RECORD_OPAQUE || b->type == RECORD_STREAM)
        return true; /* the stream counted its own entries */
    if (b->chunked && b->elements != b->expected)
        return error_set(err, ERROR_CORRUPT, 0,
                         "its lines hold %" PRIu64 " elements, the last one says %" PRIu64,
                         b->elements, b->expected);
    if (!value_build_length(conn_out(b->conn), b->temp, b->type, err) ||
        !conn_appended(b->conn, 1, 0, err) || !conn_next_reply(b->conn, &r, err) ||
        !reply_want_i64(r, "length", &there, err))
        return false;
    /* Sets, hashes and sorted sets may have met the same member twice while they were read. */
    if ((exact && (uint64_t)there != b->elements) || (uint64_t)there > b->elements)
        return error_set(err, ERROR_CORRUPT, 0,
                         "%" PRId64 " elements on the server after writing %" PRIu64, there,
                         b->elements);
    return true;
}

/* ---- into place ------------------------------------------------------------------------------ */

static bool append_swap(struct build *b, bool only_new, size_t *n, struct error *err)
{
    struct buf *out = conn_out(b->conn);

    *n = 2;
    if (!command_words(out, "MULTI", err))
        return false;
    if (!only_new) {
        ++*n; /* freeing a large old value inside RENAME would hold the server up */
        if (!command_append(out, COMMAND(STR("RENAME"), b->key, b->aside), err))
            return false;
    }
    if (b->expiry.kind == RESTORE_KEEP) {
        ++*n;
        if (!command_append(out, COMMAND(STR("PERSIST"), b->temp), err))
            return false;
    }
    if (!restore_write_expiry(out, b->temp, b->expiry, n, err))
        return false;
    ++*n;
    if (!command_append(out, COMMAND(only_new ? STR("RENAMENX") : STR("RENAME"), b->temp, b->key),
                        err))
        return false;
    ++*n;
    return command_append(out, COMMAND(STR("UNLINK"), only_new ? b->temp : b->aside), err) &&
           command_words(out, "EXEC", err);
}

/* The results of the transaction; the old key's RENAME fails where there is none, and may. */
static bool read_swap(const struct reply *r, bool only_new, bool *there, struct error *err)
{
    if (!reply_want_array(r, "rename into place", err))
        return false;
    if (r->count < 3)
        return error_set(err, ERROR_REPLY, 0, "the transaction was not carried out");
    for (size_t i = only_new ? 0 : 1; i < r->count; i++)
        if (!reply_check(&r->elements[i], "rename into place", err))
            return false;
    *there = only_new && r->elements[r->count - 2].integer == 0;
    return true;
}

static bool swap(struct build *b, bool *there, struct error *err)
{
    bool only_new = b->w->shared->options->policy != RESTORE_OVERWRITE;
    struct error queued = {0};
    const struct reply *r;
    size_t n;

    if (!append_swap(b, only_new, &n, err) || !conn_appended(b->conn, n, 60000, err))
        return false;
    b->swapping = true;
    for (size_t i = 0; i + 1 < n; i++) {
        if (!conn_next_reply(b->conn, &r, err))
            return false;
        if (queued.code == ERROR_NONE && !reply_check(r, "rename into place", &queued))
            continue;
    }
    if (!conn_next_reply(b->conn, &r, err))
        return false;
    b->swapping = false;
    if (queued.code != ERROR_NONE) {
        *err = queued;
        return false;
    }
    return read_swap(r, only_new, there, err);
}

/* ---- one attempt ----------------------------------------------------------------------------- */

static bool select_db(struct build *b, uint32_t db, struct error *err)
{
    char number[12];
    int len = snprintf(number, sizeof(number), "%" PRIu32, db);

    return b->db == 0 || call(b, COMMAND(STR("SELECT"), ((struct str){number, (size_t)len})), err);
}

static bool begin(struct build *b, struct error *err)
{
    const struct cluster_node *owner = cluster_owner(b->w->cluster, b->slot);
    struct stream_abilities abilities;

    if (owner == NULL)
        return error_set(err, ERROR_UNREACHABLE, 0, "slot %u has no owner", (unsigned)b->slot);
    b->can = cluster_capability(b->w->cluster, owner->id, err);
    if (b->can == NULL)
        return false;
    b->conn = cluster_node_conn(b->w->cluster, owner->id, err);
    if (b->conn == NULL || !select_db(b, b->db, err))
        return false;
    abilities = (struct stream_abilities){
        .counters =
            capability_at_least(b->can, FLAVOUR_REDIS, 70000) || b->can->flavour == FLAVOUR_VALKEY,
        .create_consumer = true, /* 6.2, the oldest server there is support for */
        .unowned = false,
        .groups = !b->w->shared->options->no_stream_groups};
    b->elements = 0;
    b->swapping = false;
    if (b->type == RECORD_STREAM)
        b->streams = stream_build_new(b->temp, &abilities);
    return call(b, COMMAND(STR("UNLINK"), b->temp), err);
}

static bool is_next_line(const struct build *b, const struct record *r, uint64_t seq)
{
    const struct record_head *h = record_head(r);

    return h->chunked && h->chunk_seq == seq && str_equal(h->key, b->key) && h->type == b->type;
}

/* Write all lines. *whole is false for a run without its end: a reading that was taken back. Then
 * the stream stands before the record that does not belong to it. */
static bool write_lines(struct build *b, const struct record *r, bool *whole, struct error *err)
{
    for (uint64_t seq = 0;; seq++) {
        const struct record_head *h = record_head(r);
        bool last = !h->chunked || h->chunk_last;

        b->chunked = h->chunked;
        b->expected = h->chunk_count;
        if (!write_line(b, r, err) || (seq == 0 && b->type != RECORD_STREAM && !arm_temp(b, err)))
            return false;
        *whole = last;
        if (last)
            return true;
        if (!task_checkpoint(b->w->shared->task, err) || !record_stream_next(b->stream, &r, err))
            return false;
        if (r == NULL)
            return true;
        if (!is_next_line(b, r, seq + 1)) {
            record_stream_seek(b->stream, record_stream_position(b->stream));
            return true;
        }
    }
}

static bool build_and_swap(struct build *b, const struct record *first, bool *whole, bool *there,
                           struct error *err)
{
    if (!begin(b, err) || !write_lines(b, first, whole, err))
        return false;
    if (!*whole)
        return call(b, COMMAND(STR("UNLINK"), b->temp), err) && select_db(b, 0, err);
    if (b->type == RECORD_STREAM &&
        (!stream_build_finish(b->streams, b->conn, err) || !arm_temp(b, err)))
        return false;
    return check_length(b, err) && swap(b, there, err) && select_db(b, 0, err);
}

/* What to do about a failure: the connection's, a reply's, or the archive's. */
static enum outcome judge(struct build *b, const struct error *why)
{
    enum reply_action action;

    if (why->code == ERROR_CANCELLED || why->code == ERROR_AUTH)
        return STOP;
    if (b->conn == NULL || conn_state(b->conn) != CONN_READY)
        return AGAIN;
    if (why->detail <= 0 || why->detail >= REPLY_ERRORS)
        return DONE; /* our own finding about this key */
    action = reply_error_action((enum reply_error)why->detail);
    if (action == REPLY_FOLLOW || action == REPLY_RETRY || action == REPLY_WAIT)
        return AGAIN;
    return why->code == ERROR_STORAGE ? STOP : DONE;
}

static void clean_up(struct build *b)
{
    struct error ignored = {0};

    /* Where this fails the key's own expiry removes it. */
    if (b->conn != NULL && conn_state(b->conn) == CONN_READY && conn_pending(b->conn) == 0 &&
        !call(b, COMMAND(STR("UNLINK"), b->temp), &ignored))
        return;
    if (b->conn != NULL && conn_state(b->conn) == CONN_READY && b->db != 0)
        conn_close(b->conn); /* it may stand in another database */
}

static void settle(struct build *b, bool there)
{
    struct restore_worker *w = b->w;

    if (there && b->unsure) {
        w->result.unsure++;
        task_ledger(w->shared->task, b->key, "unsure",
                    "the reply was lost and the key exists: ours, or somebody else's");
    } else if (there) {
        w->result.existing++;
    } else {
        w->result.written++;
        w->result.by_type[b->type]++;
    }
    restore_count_key(w, b->slot);
}

/* Skip what is left of the key's lines after it was given up. */
static bool skip_lines(struct build *b, const struct record *r, struct error *err)
{
    for (uint64_t seq = 1; record_head(r)->chunked && !record_head(r)->chunk_last; seq++) {
        if (!record_stream_next(b->stream, &r, err))
            return false;
        if (r == NULL)
            return true;
        if (!is_next_line(b, r, seq)) {
            record_stream_seek(b->stream, record_stream_position(b->stream));
            return true;
        }
    }
    return true;
}

static bool back_to_start(struct build *b, struct record_position start, const struct record **r,
                          struct error *err)
{
    record_stream_seek(b->stream, start);
    if (!record_stream_next(b->stream, r, err))
        return false;
    return *r != NULL || error_set(err, ERROR_INTERNAL, 0, "a record is gone from its part");
}

static bool give_up_key(struct build *b, struct record_position start, const struct error *why,
                        struct error *err)
{
    const struct record *r;

    clean_up(b);
    restore_fail_key(b->w, b->key, why->text);
    restore_count_key(b->w, b->slot);
    return back_to_start(b, start, &r, err) && skip_lines(b, r, err);
}

/* Where this fails the next attempt fails in its turn, until the budget is used up. */
static void refresh(struct build *b)
{
    struct error why = {0};

    if (!cluster_refresh(b->w->cluster, &why))
        task_note(b->w->shared->task, TASK_WARN, "the slot map is old: %s", why.text);
}

static bool attempts(struct build *b, const struct record *first, struct record_position start,
                     struct error *err)
{
    const struct redis_options *target = b->w->shared->target;
    struct backoff wait;

    backoff_init(&wait,
                 target->outage_timeout_ms > 0 ? target->outage_timeout_ms : RESTORE_OUTAGE_MS);
    for (;;) {
        struct error why = {0};
        bool whole = false;
        bool there = false;
        bool ok = build_and_swap(b, first, &whole, &there, &why);

        stream_build_free(b->streams);
        b->streams = NULL;
        if (ok && whole)
            settle(b, there);
        if (ok)
            return true;
        switch (judge(b, &why)) {
        case DONE:
            return give_up_key(b, start, &why, err);
        case STOP:
            clean_up(b);
            *err = why;
            return false;
        case AGAIN:
            break;
        }
        b->unsure = b->unsure || b->swapping;
        if (b->conn != NULL)
            conn_close(b->conn);
        b->conn = NULL;
        if (!backoff_wait(&wait, &target->cancel, &why, err))
            return false;
        refresh(b);
        if (!back_to_start(b, start, &first, err))
            return false;
    }
}

bool restore_large(struct restore_worker *w, struct record_stream *stream,
                   const struct record *first, struct error *err)
{
    const struct record_head *h = record_head(first);
    struct restore_shared *s = w->shared;
    struct build b = {.w = w,
                      .stream = stream,
                      .key = arena_str(&w->names, h->key),
                      .type = h->type,
                      .slot = restore_slot(s, h->key),
                      .db = h->db,
                      .expiry = restore_expiry_of(s, h)};

    if (h->chunked && h->chunk_seq != 0)
        return true; /* the tail of a reading that was taken back */
    if (b.expiry.kind == RESTORE_DEAD) {
        w->result.expired++;
        restore_count_key(w, b.slot);
        return skip_lines(&b, first, err);
    }
    b.temp = temp_key_name(s->temps, b.slot, task_run_id(s->task),
                           atomic_fetch_add(&s->next_temp, 1), b.name);
    b.aside = temp_key_name(s->temps, b.slot, task_run_id(s->task),
                            atomic_fetch_add(&s->next_temp, 1), b.aside_name);
    return attempts(&b, first, record_stream_position(stream), err);
}
