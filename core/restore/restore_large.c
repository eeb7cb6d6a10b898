#include <inttypes.h>

#include "core/base/clock.h"
#include "core/restore/restore_build.h"
#include "core/restore/restore_repeat.h"

/*
 * Keys that do not fit one transaction, or whose building can fail half way: large ones, keys in
 * several lines, streams, hashes with field deadlines, DUMP payloads. They are built under a
 * temporary name, checked, and renamed into place. When the connection is lost the key is begun
 * again from its first line, since RPUSH and APPEND cannot be repeated.
 */

#define FRESH_STARTS \
    20 /* attempts that got somewhere before they renew the outage budget no more */

enum outcome {
    DONE,  /* failed and noted: go on with the next key */
    AGAIN, /* an outage: begin the key again */
    STOP,  /* the run ends */
};

bool restore_is_large(const struct record *r)
{
    const struct record_head *h = record_head(r);

    return h->chunked || h->type == RECORD_STREAM || h->type == RECORD_OPAQUE ||
           record_deadlines(r) > 0 || record_count(r) > RESTORE_SMALL_ITEMS;
}

/* What to do about a failure: the connection's, a reply's, or the archive's. */
static enum outcome judge(struct restore_build *b, const struct error *why)
{
    enum reply_action action;

    if (why->code == ERROR_CANCELLED)
        return STOP;
    if (why->code == ERROR_AUTH)
        return restore_is_key_refused(why) ? DONE : STOP;
    if (b->conn == NULL || conn_state(b->conn) != CONN_READY)
        return AGAIN;
    if (why->detail <= 0 || why->detail >= REPLY_ERRORS)
        return DONE; /* our own finding about this key */
    action = reply_error_action((enum reply_error)why->detail);
    if (action == REPLY_FOLLOW || action == REPLY_RETRY || action == REPLY_WAIT)
        return AGAIN;
    return why->code == ERROR_STORAGE ? STOP : DONE;
}

static void settle(struct restore_build *b, enum restore_built built)
{
    if (built == RESTORE_BUILT_VOID)
        return;
    if (built == RESTORE_BUILT)
        restore_repeat_wrote(b->w->shared->repeat, b->db, b->key);
    restore_settle_key(b->w, b->key, b->type, b->slot,
                       built == RESTORE_BUILT         ? RESTORE_WRITTEN
                       : built == RESTORE_BUILT_THERE ? RESTORE_EXISTED
                                                      : RESTORE_EXPIRED);
}

/* Skip what is left of the key's lines after it was given up. */
static bool skip_lines(struct restore_build *b, const struct record *r, struct error *err)
{
    for (uint64_t seq = 1; record_head(r)->chunked && !record_head(r)->chunk_last; seq++) {
        if (!record_stream_next(b->stream, &r, err))
            return false;
        if (r == NULL)
            return true;
        if (!restore_build_goes_on(b, r, seq)) {
            record_stream_seek(b->stream, record_stream_position(b->stream));
            return true;
        }
    }
    return true;
}

static bool back_to_start(struct restore_build *b, struct record_position start,
                          const struct record **r, struct error *err)
{
    record_stream_seek(b->stream, start);
    if (!record_stream_next(b->stream, r, err))
        return false;
    return *r != NULL || error_set(err, ERROR_INTERNAL, 0, "a record is gone from its part");
}

static bool give_up_key(struct restore_build *b, struct record_position start,
                        const struct error *why, struct error *err)
{
    const struct record *r;

    restore_build_clean(b);
    restore_fail_key(b->w, b->key, why->text);
    restore_count_key(b->w, b->slot);
    return back_to_start(b, start, &r, err) && skip_lines(b, r, err);
}

/* Where this fails the next attempt fails in its turn, until the budget is used up. */
static void refresh(struct restore_build *b)
{
    struct error why = {0};

    if (!cluster_refresh(b->w->cluster, &why))
        task_note(b->w->shared->task, TASK_WARN, "the slot map is old: %s", why.text);
}

static bool after_success(struct restore_build *b, struct record_position start,
                          enum restore_built built, struct error *err)
{
    const struct record *r;

    settle(b, built);
    restore_build_clean(b);
    /* When the attempt before had done it after all, the lines were not read again. */
    return !b->came_through || (back_to_start(b, start, &r, err) && skip_lines(b, r, err));
}

static bool attempts(struct restore_build *b, const struct record *first,
                     struct record_position start, struct error *err)
{
    const struct redis_options *target = b->w->shared->target;
    unsigned fresh = 0;
    struct backoff wait;

    backoff_init(&wait,
                 target->outage_timeout_ms > 0 ? target->outage_timeout_ms : RESTORE_OUTAGE_MS);
    for (;;) {
        enum restore_built built = RESTORE_BUILT;
        struct error why = {0};

        if (restore_build_once(b, first, &built, &why))
            return after_success(b, start, built, err);
        switch (judge(b, &why)) {
        case DONE:
            return give_up_key(b, start, &why, err);
        case STOP:
            restore_build_abandon(b);
            *err = why;
            return false;
        case AGAIN:
            break;
        }
        if (b->conn != NULL)
            conn_close(b->conn);
        b->conn = NULL;
        if (b->armed_ms != 0 && fresh++ < FRESH_STARTS)
            backoff_reset(&wait); /* the server was there for a while */
        b->armed_ms = 0;
        if (!backoff_wait(&wait, &target->cancel, &why, err))
            return false;
        refresh(b);
        if (!back_to_start(b, start, &first, err))
            return false;
    }
}

static struct restore_build build_of(struct restore_worker *w, struct record_stream *stream,
                                     const struct record *first)
{
    const struct record_head *h = record_head(first);

    return (struct restore_build){.w = w,
                                  .stream = stream,
                                  .key = arena_str(&w->names, h->key),
                                  .type = h->type,
                                  .slot = restore_slot(w->shared, h),
                                  .db = h->db,
                                  .expiry = restore_expiry_of(w->shared, h)};
}

bool restore_skip_large(struct restore_worker *w, struct record_stream *stream,
                        const struct record *first, struct error *err)
{
    struct restore_build b = build_of(w, stream, first);

    return skip_lines(&b, first, err);
}

bool restore_large(struct restore_worker *w, struct record_stream *stream,
                   const struct record *first, struct error *err)
{
    const struct record_head *h = record_head(first);
    struct restore_build b = build_of(w, stream, first);

    if (h->chunked && h->chunk_seq != 0)
        return true; /* the tail of a reading that was taken back */
    if (b.expiry.kind == RESTORE_DEAD) {
        restore_settle_key(w, b.key, b.type, b.slot, RESTORE_EXPIRED);
        return skip_lines(&b, first, err);
    }
    return attempts(&b, first, record_stream_position(stream), err);
}
