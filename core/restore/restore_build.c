#include "core/restore/restore_build.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/redis/command.h"
#include "core/restore/restore_size.h"
#include "core/value/value_build.h"

#define TIMEOUT_MS CONN_TIMEOUT_LONG
#define ARM_AGAIN_MS 600000
#define ABANDON_MS 500

/* ---- pieces ---------------------------------------------------------------------------------- */

/* All replies are read, also those behind an error: the connection goes on. */
static bool take_replies(struct restore_build *b, size_t count, struct error *err)
{
    struct error first = {0};

    for (size_t i = 0; i < count; i++) {
        const struct reply *r;

        if (!conn_next_reply(b->conn, &r, err))
            return false;
        if (r->type == REPLY_INTEGER && r->integer > 0)
            b->added += (uint64_t)r->integer;
        if (first.code == ERROR_NONE && !reply_check(r, "write", &first))
            continue;
    }
    if (first.code == ERROR_NONE)
        return true;
    *err = first;
    return false;
}

static bool send_counted(struct restore_build *b, size_t commands, struct error *err)
{
    return conn_appended(b->conn, commands, TIMEOUT_MS, err) && take_replies(b, commands, err);
}

static bool call(struct restore_build *b, struct command command, struct error *err)
{
    const struct reply *r;

    return conn_call(b->conn, command, TIMEOUT_MS, &r, err) && reply_check(r, "write", err);
}

/* Field deadlines move by the time between reading and now, as the key's own does. */
static int64_t field_shift(const struct restore_build *b, const struct record_head *h)
{
    const struct restore_shared *s = b->w->shared;
    int64_t read_ms = s->read_ms;

    if (s->options->ttl != RESTORE_TTL_REMAINING)
        return 0;
    if (h->expire_at_millis != RECORD_NO_TIME && h->ttl_millis != RECORD_NO_TIME)
        read_ms = h->expire_at_millis - h->ttl_millis;
    return read_ms == 0 ? 0 : clock_real_ms() + s->clock_ahead_ms - read_ms - s->late_ms;
}

static bool write_fields(struct restore_build *b, const struct record *r, struct error *err)
{
    size_t commands = 0;

    if (record_deadlines(r) == 0 || b->w->shared->options->ttl == RESTORE_TTL_NONE)
        return true;
    if (!b->can->has[CAP_HASH_FIELD_EXPIRY] && b->w->shared->options->drop_field_ttl)
        return true;
    if (!b->can->has[CAP_HASH_FIELD_EXPIRY])
        return error_set(err, ERROR_UNSUPPORTED, 0,
                         "its fields have deadlines, which this server cannot keep");
    b->deadlines = true;
    return value_build_deadlines(conn_out(b->conn), b->temp, r, field_shift(b, record_head(r)),
                                 &commands, err) &&
           send_counted(b, commands, err);
}

static bool write_dump(struct restore_build *b, const struct record *r, struct error *err)
{
    const struct restore_shared *s = b->w->shared;

    if (!s->options->trust_dump && !source_signed(s->source))
        return error_set(err, ERROR_REFUSED, 0, "a DUMP payload needs --trust-dump");
    return call(b, COMMAND(STR("RESTORE"), b->temp, STR("0"), record_dump(r)), err);
}

static bool write_pieces(struct restore_build *b, const struct record *r, struct error *err)
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

/* Whoever waited for a replica may have lost and renewed the connection: what stands on the server
 * then is not what this attempt wrote, and the database may be another. */
static bool is_same_conn(struct restore_build *b, struct error *err)
{
    if (conn_state(b->conn) == CONN_READY && conn_generation(b->conn) == b->generation)
        return true;
    conn_close(b->conn);
    return error_set(err, ERROR_UNREACHABLE, 0, "the connection was lost between two lines");
}

/* A job that is paused for an hour finds its temporary key expired, and would go on with a new one
 * that holds the last lines only: begin again. */
static bool is_still_there(struct restore_build *b, struct error *err)
{
    if (b->armed_ms == 0 || clock_mono_ms() - b->armed_ms < TEMP_KEY_TTL_MS)
        return true;
    conn_close(b->conn);
    return error_set(err, ERROR_UNREACHABLE, 0, "its temporary key expired during a long pause");
}

static bool write_line(struct restore_build *b, const struct record *r, struct error *err)
{
    uint64_t bytes = restore_size_payload(r);
    bool ok;

    if (b->streams != NULL && !stream_build_drain(b->streams, b->conn, err))
        return false;
    if (!restore_flow_enter(b->w, b->slot, bytes, err))
        return false;
    ok = is_same_conn(b, err) && is_still_there(b, err) && write_pieces(b, r, err);
    restore_flow_leave(b->w, b->slot, bytes);
    return ok;
}

/* A run that dies leaves a key that dies too; a long one keeps it alive. */
static bool arm_temp(struct restore_build *b, struct error *err)
{
    char ms[24];
    int len = snprintf(ms, sizeof(ms), "%d", TEMP_KEY_TTL_MS);

    if (b->armed_ms != 0 && clock_mono_ms() - b->armed_ms < ARM_AGAIN_MS)
        return true;
    b->armed_ms = clock_mono_ms();
    return call(b, COMMAND(STR("PEXPIRE"), b->temp, ((struct str){ms, (size_t)len})), err);
}

/* ---- checked --------------------------------------------------------------------------------- */

static bool append_length(struct restore_build *b, struct error *err)
{
    struct buf *out = conn_out(b->conn);

    if (!command_append(out, COMMAND(STR("WATCH"), b->temp), err))
        return false;
    if (b->type == RECORD_OPAQUE || b->type == RECORD_STREAM)
        return command_append(out, COMMAND(STR("EXISTS"), b->temp), err);
    return value_build_length(out, b->temp, b->type, err);
}

static bool ask_length(struct restore_build *b, uint64_t *there, struct error *err)
{
    const struct reply *r;
    struct error watch = {0};
    int64_t length = 0;

    if (!append_length(b, err) || !conn_appended(b->conn, 2, TIMEOUT_MS, err) ||
        !conn_next_reply(b->conn, &r, err))
        return false;
    b->watching = reply_check(r, "WATCH", &watch);
    if (!conn_next_reply(b->conn, &r, err))
        return false;
    if (!b->watching) {
        *err = watch;
        return false;
    }
    if (!reply_want_i64(r, "length", &length, err))
        return false;
    *there = (uint64_t)length;
    return true;
}

/* From here on the temporary key is watched. *dead: its last field expired. */
static bool check_length(struct restore_build *b, bool *dead, struct error *err)
{
    bool exact = b->type == RECORD_STRING || b->type == RECORD_LIST;
    uint64_t there;
    uint64_t want;

    if (!ask_length(b, &there, err))
        return false;
    *dead = there == 0 && b->deadlines;
    if (*dead)
        return true;
    if (b->type == RECORD_OPAQUE || b->type == RECORD_STREAM) /* the stream counted its entries */
        return there == 1 ||
               error_set(err, ERROR_CORRUPT, 0, "its temporary key is gone: evicted or expired");
    if (b->chunked && b->elements != b->expected)
        return error_set(err, ERROR_CORRUPT, 0,
                         "its lines hold %" PRIu64 " elements, the last one says %" PRIu64,
                         b->elements, b->expected);
    /* Sets, hashes and sorted sets may have met the same member twice while they were read: of them
     * the server told how many were new. Fewer than those are there only where fields have died;
     * else the temporary key was lost on the way, and begun anew by the next line. */
    want = exact ? b->elements : b->added;
    if (there > want || (there < want && !b->deadlines) || (there == 0 && b->elements > 0))
        return error_set(err, ERROR_CORRUPT, 0,
                         "%" PRIu64 " elements on the server after writing %" PRIu64, there, want);
    return true;
}

/* ---- one attempt ----------------------------------------------------------------------------- */

static bool select_db(struct restore_build *b, uint32_t db, struct error *err)
{
    char number[12];
    int len = snprintf(number, sizeof(number), "%" PRIu32, db);

    return b->db == 0 || call(b, COMMAND(STR("SELECT"), ((struct str){number, (size_t)len})), err);
}

static struct str temp_of(struct restore_build *b, size_t i, char *out)
{
    struct restore_shared *s = b->w->shared;

    return temp_key_name(s->temps, b->slot, task_run_id(s->task), b->names[i], out);
}

static void new_names(struct restore_build *b)
{
    struct restore_shared *s = b->w->shared;

    if (b->name_count == RESTORE_BUILD_NAMES) {
        memmove(b->names, b->names + 1, (RESTORE_BUILD_NAMES - 1) * sizeof(b->names[0]));
        b->name_count--;
    }
    b->names[b->name_count++] = atomic_fetch_add(&s->next_temp, 1);
    b->temp = temp_of(b, b->name_count - 1, b->temp_name);
    if (b->aside.len == 0)
        b->aside = temp_key_name(s->temps, b->slot, task_run_id(s->task),
                                 atomic_fetch_add(&s->next_temp, 1), b->aside_name);
    b->armed_ms = 0;
    b->elements = 0;
    b->added = 0;
    b->chunked = false;
    b->deadlines = false;
    b->watching = false;
}

/* Keys of earlier attempts. One by one: in a slot on the move two keys may stand apart. */
static bool drop_names(struct restore_build *b, size_t count, struct error *err)
{
    char name[TEMP_KEY_MAX];

    for (size_t i = 0; i < count; i++)
        if (!call(b, COMMAND(STR("UNLINK"), temp_of(b, i, name)), err))
            return false;
    return true;
}

/* The reply to the renaming was lost. Renaming only where there is nothing leaves the temporary key
 * when it did not happen: so without it, and with the key in place, it did. */
static bool came_through(struct restore_build *b, bool *done, struct error *err)
{
    const struct reply *r;
    int64_t temp;
    int64_t key;

    *done = false;
    if (!b->swapping || !restore_only_new(b->w))
        return true;
    if (!conn_call(b->conn, COMMAND(STR("EXISTS"), b->temp), TIMEOUT_MS, &r, err) ||
        !reply_want_i64(r, "EXISTS", &temp, err) ||
        !conn_call(b->conn, COMMAND(STR("EXISTS"), b->key), TIMEOUT_MS, &r, err) ||
        !reply_want_i64(r, "EXISTS", &key, err))
        return false;
    *done = temp == 0 && key == 1;
    return true;
}

static bool begin(struct restore_build *b, bool *done, struct error *err)
{
    const struct cluster_node *owner = cluster_owner(b->w->cluster, b->slot);
    struct stream_abilities abilities;

    if (owner == NULL)
        return error_set(err, ERROR_UNREACHABLE, 0, "slot %u has no owner", (unsigned)b->slot);
    b->can = cluster_capability(b->w->cluster, owner->id, err);
    if (b->can == NULL)
        return false;
    owner = cluster_owner(b->w->cluster, b->slot); /* asking may have changed the map */
    b->conn = owner == NULL ? NULL : cluster_node_conn(b->w->cluster, owner->id, err);
    if (owner == NULL)
        return error_set(err, ERROR_UNREACHABLE, 0, "slot %u has no owner", (unsigned)b->slot);
    if (b->conn == NULL || !select_db(b, b->db, err) || !came_through(b, done, err))
        return false;
    if (*done)
        return true;
    if (!drop_names(b, b->name_count, err))
        return false;
    b->swapping = false;
    b->generation = conn_generation(b->conn);
    new_names(b);
    abilities = (struct stream_abilities){
        .counters =
            capability_at_least(b->can, FLAVOUR_REDIS, 70000) || b->can->flavour == FLAVOUR_VALKEY,
        .create_consumer = true, /* 6.2, the oldest server there is support for */
        .unowned = b->can->has[CAP_XNACK],
        .drop_unowned = b->w->shared->options->allow_downgrade,
        .groups = !b->w->shared->options->no_stream_groups};
    if (b->type == RECORD_STREAM)
        b->streams = stream_build_new(b->temp, &abilities);
    return true;
}

bool restore_build_goes_on(const struct restore_build *b, const struct record *r, uint64_t seq)
{
    const struct record_head *h = record_head(r);

    return h->chunked && h->chunk_seq == seq && str_equal(h->key, b->key) && h->type == b->type;
}

/* Write all lines. *whole is false for a run without its end; then the stream stands before the
 * record that does not belong to it. */
static bool write_lines(struct restore_build *b, const struct record *r, bool *whole,
                        struct error *err)
{
    for (uint64_t seq = 0;; seq++) {
        const struct record_head *h = record_head(r);

        b->chunked = h->chunked;
        b->expected = h->chunk_count;
        *whole = !h->chunked || h->chunk_last;
        if (!write_line(b, r, err) || (b->type != RECORD_STREAM && !arm_temp(b, err)))
            return false;
        if (*whole)
            return true;
        if (!task_checkpoint(b->w->shared->task, err) || !record_stream_next(b->stream, &r, err))
            return false;
        if (r == NULL)
            return true;
        if (!restore_build_goes_on(b, r, seq + 1)) {
            record_stream_seek(b->stream, record_stream_position(b->stream));
            return true;
        }
    }
}

/* The value is complete under its temporary name. */
static bool put_in_place(struct restore_build *b, enum restore_built *built, struct error *err)
{
    bool dead = false;
    bool there = false;

    if (!check_length(b, &dead, err))
        return false;
    if (b->expiry.kind == RESTORE_ABSOLUTE)
        dead = dead || b->expiry.ms <= clock_real_ms() + b->w->shared->clock_ahead_ms;
    if (dead) {
        *built = RESTORE_BUILT_DEAD;
        return true;
    }
    if (!restore_build_swap(b, &there, err))
        return false;
    *built = there ? RESTORE_BUILT_THERE : RESTORE_BUILT;
    return true;
}

bool restore_build_once(struct restore_build *b, const struct record *first,
                        enum restore_built *built, struct error *err)
{
    struct error ignored = {0};
    bool whole = false;
    bool done = false;
    bool ok;

    if (!begin(b, &done, err))
        return false;
    b->came_through = done;
    b->placed = done;
    *built = RESTORE_BUILT;
    if (done)
        return true;
    ok = write_lines(b, first, &whole, err);
    if (ok && !whole)
        *built = RESTORE_BUILT_VOID;
    if (ok && b->type == RECORD_STREAM)
        ok = whole ? stream_build_finish(b->streams, b->conn, err) && arm_temp(b, err)
                   : stream_build_drain(b->streams, b->conn, err);
    if (!ok && b->streams != NULL && conn_state(b->conn) == CONN_READY &&
        !stream_build_drain(b->streams, b->conn, &ignored))
        task_note(b->w->shared->task, TASK_INFO, "after a stream failed: %s", ignored.text);
    stream_build_free(b->streams);
    b->streams = NULL;
    ok = ok && (!whole || put_in_place(b, built, err));
    b->placed = ok && *built == RESTORE_BUILT;
    return ok;
}

void restore_build_clean(struct restore_build *b)
{
    struct error ignored = {0};
    struct conn *c = b->conn;
    size_t left = b->placed ? b->name_count - 1 : b->name_count;

    /* Replies that nobody will read, or another database: nobody may go on with this one. */
    if (c == NULL || conn_state(c) != CONN_READY)
        return;
    if (conn_pending(c) > 0) {
        conn_close(c);
        return;
    }
    if (b->watching && !call(b, COMMAND(STR("UNWATCH")), &ignored))
        return;
    b->watching = false;
    /* Where this fails their own expiry removes them, or the next run. */
    if (!drop_names(b, left, &ignored) || !select_db(b, 0, &ignored))
        conn_close(c);
}

void restore_build_abandon(struct restore_build *b)
{
    struct redis_options options = *b->w->shared->target;
    struct error ignored = {0};
    struct cluster *c;

    restore_build_clean(b);
    if ((b->conn != NULL && conn_state(b->conn) == CONN_READY) || b->db != 0)
        return;
    options.cancel = (struct cancel){0};
    options.connect_timeout_ms = ABANDON_MS;
    options.command_timeout_ms = ABANDON_MS;
    options.outage_timeout_ms = ABANDON_MS;
    c = cluster_new(&options);
    if (cluster_connect(c, false, &ignored))
        for (size_t i = 0; i < b->name_count; i++) {
            char name[TEMP_KEY_MAX];
            struct str temp = temp_of(b, i, name);
            const struct reply *r;

            if (!cluster_call(c, temp, COMMAND(STR("UNLINK"), temp), &r, &ignored))
                break;
        }
    cluster_free(c);
}
