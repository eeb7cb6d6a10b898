#include <errno.h>
#include <poll.h>

#include "core/base/clock.h"
#include "core/base/format.h"
#include "core/redis/conn_private.h"

static bool cancelled(struct conn *c, struct error *err)
{
    if (!cancel_asked(&c->options.cancel))
        return false;
    conn_close(c); /* replies in flight would answer the wrong command later */
    (void)error_set(err, ERROR_CANCELLED, 0, "cancelled");
    return true;
}

static bool closed(const struct conn *c, struct error *err)
{
    if (c->error.code == ERROR_NONE)
        return error_set(err, ERROR_UNREACHABLE, 0, "%s: not connected", c->name);
    *err = c->error;
    return false;
}

/* Sleep until something can be done, at most a slice, then do it. False when cancelled. */
static bool step(struct conn *c, int64_t deadline, struct error *err)
{
    if (cancelled(c, err))
        return false;
    int64_t until = clock_after(CANCEL_SLICE_MS);
    int64_t own = conn_deadline(c);
    until = own < until ? own : until;
    until = deadline < until ? deadline : until;
    (void)stream_wait(c->stream, (conn_events(c) & POLLOUT) != 0, until);
    conn_process(c);
    return true;
}

bool conn_open(struct conn *c, struct error *err)
{
    if (c->state == CONN_READY)
        return true;
    if (c->state == CONN_CLOSED)
        conn_start(c);
    conn_process(c);
    while (c->state != CONN_READY) {
        if (c->state == CONN_CLOSED)
            return closed(c, err);
        if (!step(c, CLOCK_NEVER, err))
            return false;
    }
    return true;
}

bool conn_append(struct conn *c, struct command command, int timeout_ms, struct error *err)
{
    return conn_send(c, command, timeout_ms, err);
}

/* Nothing moved either way for as long as the oldest command may take. */
static bool stalled(struct conn *c, struct error *err)
{
    char limit[FORMAT_MAX];
    int ms = c->pending > 0 ? c->runs[c->run_at].timeout_ms : c->options.command_timeout_ms;
    if (clock_mono_ms() - c->moved_ms < ms)
        return false;
    (void)error_set(&c->error, ERROR_TIMEOUT, ETIMEDOUT, "%s: the server took no bytes for %s",
                    c->name, format_duration(limit, sizeof(limit), ms));
    conn_fail(c);
    *err = c->error;
    return true;
}

bool conn_flush(struct conn *c, struct error *err)
{
    if (c->state == CONN_CLOSED)
        return c->ended || closed(c, err);
    if (!conn_open(c, err))
        return false;
    c->moved_ms = clock_mono_ms();
    conn_process(c);
    while (c->state == CONN_READY && c->out_at < c->out.len) {
        if (!step(c, CLOCK_NEVER, err))
            return false;
        if (c->state == CONN_READY && c->out_at < c->out.len && stalled(c, err))
            return false;
    }
    return c->state == CONN_READY || c->ended || closed(c, err);
}

bool conn_next_reply(struct conn *c, const struct reply **reply, struct error *err)
{
    *reply = NULL;
    if (c->state != CONN_CLOSED && c->pending == 0)
        return error_set(err, ERROR_INTERNAL, 0, "%s: no reply is due", c->name);
    for (;;) {
        const struct reply *r = conn_receive(c);
        if (r != NULL) {
            *reply = r;
            return true;
        }
        if (c->state == CONN_CLOSED)
            return closed(c, err);
        if (!step(c, CLOCK_NEVER, err))
            return false;
    }
}

static bool ready_for_call(struct conn *c, struct error *err)
{
    if (c->state != CONN_CLOSED && (c->pending > 0 || c->listening))
        return error_set(err, ERROR_INTERNAL, 0, "%s: a call while replies are due", c->name);
    return conn_open(c, err);
}

bool conn_call(struct conn *c, struct command command, int timeout_ms, const struct reply **reply,
               struct error *err)
{
    *reply = NULL;
    return ready_for_call(c, err) && conn_send(c, command, timeout_ms, err) && conn_flush(c, err) &&
           conn_next_reply(c, reply, err);
}

bool conn_call_words(struct conn *c, const char *words, int timeout_ms, const struct reply **reply,
                     struct error *err)
{
    *reply = NULL;
    return ready_for_call(c, err) && command_words(&c->out, words, err) &&
           conn_appended(c, 1, timeout_ms, err) && conn_flush(c, err) &&
           conn_next_reply(c, reply, err);
}

bool conn_next_message(struct conn *c, int timeout_ms, const struct reply **reply,
                       struct error *err)
{
    int64_t deadline = clock_after(timeout_ms);
    *reply = NULL;
    if (!c->listening && c->state != CONN_CLOSED)
        return error_set(err, ERROR_INTERNAL, 0, "%s: not listening", c->name);
    for (;;) {
        const struct reply *r = conn_receive(c);
        if (r != NULL) {
            *reply = r;
            return true;
        }
        if (c->state == CONN_CLOSED)
            return closed(c, err);
        if (clock_mono_ms() >= deadline)
            return true;
        if (!step(c, deadline, err))
            return false;
    }
}
