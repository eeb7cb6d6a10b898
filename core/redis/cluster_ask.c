#include "core/redis/cluster_ask.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"

#define WAVE 8
#define GRACE_MS 250 /* for further answers after the first good one */

static void take(struct ask *out, struct ask_answer *a, struct conn *c)
{
    const struct reply *r = conn_receive(c);
    if (r != NULL) {
        a->reply = reply_copy(&out->arena, r);
        out->good += r->type != REPLY_ERROR;
    } else if (conn_state(c) == CONN_CLOSED) {
        a->error = *conn_error(c);
    }
}

static bool settled(const struct ask_answer *a)
{
    return a->reply != NULL || a->error.code != ERROR_NONE;
}

static void start(const struct ask_question *q, size_t at, struct conn **conn, struct ask_answer *a)
{
    struct conn_options o = *q->options;
    const struct ask_target *t = &q->targets[at];
    o.tls_server_name = t->server_name != NULL && t->server_name[0] != '\0' ? t->server_name : NULL;
    *conn = conn_new(&t->address, &o);
    a->from = t->address;
    conn_start(*conn);
    if (command_words(conn_out(*conn), q->words, &a->error))
        (void)!conn_appended(*conn, 1, 0, &a->error);
}

/* Until the earliest time at which one of them must be looked at, in slices. */
static void sleep_on(struct conn *const *conns, const struct ask_answer *answers, size_t n)
{
    struct pollfd fds[WAVE];
    nfds_t used = 0;
    int64_t until = clock_after(CANCEL_SLICE_MS);
    for (size_t i = 0; i < n; i++) {
        if (!settled(&answers[i])) {
            int64_t own = conn_deadline(conns[i]);
            until = own < until ? own : until;
            fds[used++] = (struct pollfd){.fd = conn_fd(conns[i]), .events = conn_events(conns[i])};
        }
    }
    (void)poll(fds, used, clock_left_ms(until));
}

/* False when cancelled. */
static bool run_wave(struct ask *out, const struct ask_question *q, struct conn **conns,
                     struct ask_answer *answers, size_t n)
{
    int64_t grace = CLOCK_NEVER;
    for (;;) {
        size_t open = 0;
        for (size_t i = 0; i < n; i++) {
            if (!settled(&answers[i])) {
                conn_process(conns[i]);
                take(out, &answers[i], conns[i]);
                open += !settled(&answers[i]);
            }
        }
        if (out->good > 0 && grace == CLOCK_NEVER)
            grace = clock_after(GRACE_MS);
        if (open == 0 || out->good >= q->enough || clock_mono_ms() >= grace)
            return true;
        if (cancel_asked(&q->options->cancel))
            return false;
        sleep_on(conns, answers, n);
    }
}

bool ask_all(struct ask *out, const struct ask_question *q, struct error *err)
{
    bool go_on = true;
    memset(out, 0, sizeof(*out));
    out->answers = mem_zero(q->count + 1, sizeof(*out->answers));
    while (go_on && out->count < q->count && out->good == 0) {
        struct conn *conns[WAVE];
        struct ask_answer *answers = &out->answers[out->count];
        size_t n = q->count - out->count < WAVE ? q->count - out->count : WAVE;
        for (size_t i = 0; i < n; i++)
            start(q, out->count + i, &conns[i], &answers[i]);
        out->count += n;
        go_on = run_wave(out, q, conns, answers, n);
        for (size_t i = 0; i < n; i++)
            conn_free(conns[i]);
    }
    return go_on || error_set(err, ERROR_CANCELLED, 0, "cancelled");
}

void ask_release(struct ask *a)
{
    arena_release(&a->arena);
    free(a->answers);
    memset(a, 0, sizeof(*a));
}

static bool reason(const struct ask_answer *a, const char *what, struct error *out)
{
    if (a->reply == NULL) {
        *out = a->error;
        return a->error.code != ERROR_NONE;
    }
    if (reply_check(a->reply, what, out))
        return false;
    char name[ADDRESS_TEXT_MAX];
    (void)error_wrap(out, "%s", address_text(name, sizeof(name), &a->from));
    return true;
}

bool ask_explain(const struct ask *a, const char *what, struct error *err)
{
    struct error best = {0};
    for (size_t i = 0; i < a->count; i++) {
        struct error one = {0};
        bool failed = reason(&a->answers[i], what, &one);
        if (failed &&
            (best.code == ERROR_NONE || (one.code == ERROR_AUTH && best.code != ERROR_AUTH)))
            best = one;
    }
    if (best.code == ERROR_NONE)
        return error_set(err, ERROR_UNREACHABLE, 0, "%s: no server to ask", what);
    *err = best;
    if (a->count > 1 && best.code != ERROR_AUTH)
        (void)error_wrap(err, "none of %zu servers is of use; the first", a->count);
    return false;
}
