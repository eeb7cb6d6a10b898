#include "core/redis/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/base/format.h"
#include "core/base/log.h"
#include "core/redis/conn_private.h"

#define CONNECT_MS 5000
#define COMMAND_MS 10000
#define OUT_MAX ((size_t)1 << 30)  /* bytes queued for writing */
#define READ_BYTES ((size_t)65536) /* per read */
#define READS_MOST 16              /* per call of conn_process, so that no server can hold it */

struct conn *conn_new(const struct address *address, const struct conn_options *options)
{
    struct conn *c = mem_zero(1, sizeof(*c));
    c->address = *address;
    (void)address_text(c->name, sizeof(c->name), address);
    c->options = *options;
    c->server_name = mem_copy_text(options->tls_server_name);
    if (c->options.connect_timeout_ms <= 0)
        c->options.connect_timeout_ms = CONNECT_MS;
    if (c->options.command_timeout_ms <= 0)
        c->options.command_timeout_ms = COMMAND_MS;
    c->head_deadline = CLOCK_NEVER;
    c->connect_deadline = CLOCK_NEVER;
    buf_init(&c->greet, 0);
    buf_init(&c->out, OUT_MAX);
    return c;
}

static void forget(struct conn *c)
{
    stream_close(c->stream);
    c->stream = NULL;
    conn_greet_wipe(c);
    buf_clear(&c->out);
    c->out_at = 0;
    c->head_deadline = CLOCK_NEVER;
    c->connect_deadline = CLOCK_NEVER;
    c->more = false;
    c->state = CONN_CLOSED;
}

void conn_close(struct conn *c)
{
    forget(c);
    reply_parser_free(c->parser);
    c->parser = NULL;
    c->run_at = 0;
    c->run_count = 0;
    c->pending = 0;
    c->listening = false;
    c->ended = false;
    memset(&c->error, 0, sizeof(c->error));
}

void conn_free(struct conn *c)
{
    if (c != NULL) {
        conn_close(c);
        buf_release(&c->greet);
        buf_release(&c->out);
        free(c->runs);
        free(c->server_name);
        free(c);
    }
}

const struct address *conn_address(const struct conn *c)
{
    return &c->address;
}

const char *conn_name(const struct conn *c)
{
    return c->name;
}

enum conn_state conn_state(const struct conn *c)
{
    return c->state;
}

const struct error *conn_error(const struct conn *c)
{
    return &c->error;
}

bool conn_password_unused(const struct conn *c)
{
    return c->password_unused;
}

uint64_t conn_bytes_in(const struct conn *c)
{
    return c->bytes_in;
}

uint64_t conn_bytes_out(const struct conn *c)
{
    return c->bytes_out;
}

uint64_t conn_generation(const struct conn *c)
{
    return c->generation;
}

void conn_fail(struct conn *c)
{
    struct error why = c->error;
    conn_close(c);
    c->error = why;
    log_write(LOG_LEVEL_DEBUG, "redis", "lost: %s", why.text);
}

void conn_start(struct conn *c)
{
    if (c->state != CONN_CLOSED)
        return;
    conn_close(c);
    c->parser = reply_parser_new(c->options.max_elements, c->options.max_bytes);
    struct stream_target target = {
        .address = c->address,
        .tls = c->options.tls,
        .server_name = c->server_name,
    };
    c->stream = c->options.open != NULL ? c->options.open(&target, c->options.open_arg)
                                        : stream_open(&target);
    c->connect_deadline = clock_after(c->options.connect_timeout_ms);
    c->moved_ms = clock_mono_ms();
    c->state = CONN_CONNECTING;
}

static void start_head_clock(struct conn *c)
{
    bool waits = c->pending > 0 && c->state == CONN_READY;
    c->head_deadline = waits ? clock_after(c->runs[c->run_at].timeout_ms) : CLOCK_NEVER;
}

void conn_become_ready(struct conn *c)
{
    c->state = CONN_READY;
    log_write(LOG_LEVEL_DEBUG, "redis", "%s: connected", c->name);
    c->generation++;
    c->connect_deadline = CLOCK_NEVER;
    conn_greet_wipe(c);
    start_head_clock(c);
}

/* ---- moving bytes ---------------------------------------------------------------------------- */

static bool write_some(struct conn *c, const struct buf *b, size_t *at)
{
    while (*at < b->len) {
        size_t put = 0;
        enum stream_status s =
            stream_write(c->stream, b->data + *at, b->len - *at, &put, &c->error);
        if (s == STREAM_WAIT)
            return true;
        if (s != STREAM_OK)
            return false;
        *at += put;
        c->bytes_out += put;
        c->moved_ms = clock_mono_ms();
    }
    return true;
}

static bool write_all(struct conn *c)
{
    if (!write_some(c, &c->greet, &c->greet_at))
        return false;
    if (c->greet.len > 0 && c->greet_at == c->greet.len)
        conn_greet_wipe(c);
    if (c->state != CONN_READY || !write_some(c, &c->out, &c->out_at))
        return c->state != CONN_READY;
    if (c->out_at == c->out.len) {
        buf_clear(&c->out);
        c->out_at = 0;
    }
    return true;
}

static bool read_some(struct conn *c)
{
    char bytes[READ_BYTES];
    c->more = false;
    for (int i = 0; i < READS_MOST; i++) {
        size_t got = 0;
        enum stream_status s = stream_read(c->stream, bytes, sizeof(bytes), &got, &c->error);
        if (s == STREAM_WAIT)
            return true;
        if (s == STREAM_CLOSED) {
            c->ended = true;
            return true;
        }
        if (s == STREAM_FAILED)
            return false;
        c->bytes_in += got;
        c->moved_ms = clock_mono_ms();
        if (!reply_parser_feed(c->parser, (struct str){bytes, got}, &c->error))
            return error_wrap(&c->error, "%s", c->name);
    }
    c->more = true;
    return true;
}

static bool closed_by_server(struct conn *c)
{
    return error_set(&c->error, ERROR_UNREACHABLE, ECONNRESET, "%s closed the connection%s",
                     c->name, c->state == CONN_READY ? "" : " before it was ready");
}

static bool too_late(struct conn *c)
{
    char limit[FORMAT_MAX];
    if (clock_mono_ms() < c->connect_deadline)
        return false;
    (void)error_set(&c->error, ERROR_UNREACHABLE, ETIMEDOUT, "%s: no %s within %s", c->name,
                    c->state == CONN_CONNECTING ? "connection" : "answer to the greeting",
                    format_duration(limit, sizeof(limit), c->options.connect_timeout_ms));
    return true;
}

static bool connecting(struct conn *c)
{
    enum stream_status s = stream_connect(c->stream, &c->error);
    if (s == STREAM_WAIT)
        return true;
    if (s != STREAM_OK)
        return s == STREAM_CLOSED ? closed_by_server(c) : false;
    c->state = CONN_GREETING;
    return conn_greet_begin(c);
}

/* A failed write must not hide what the server said before it closed ("max number of clients"). */
static bool exchange(struct conn *c)
{
    struct error read_error;
    bool wrote = write_all(c);
    struct error write_error = c->error;
    bool read = read_some(c);
    read_error = c->error;
    if (c->state == CONN_GREETING && !conn_greet_replies(c))
        return false;
    if (!wrote || !read) {
        c->error = wrote ? read_error : write_error;
        return false;
    }
    if (c->ended && c->state == CONN_GREETING)
        return closed_by_server(c);
    return true;
}

/* The server closed, or the stream broke: what it sent before can still be received. */
static void end(struct conn *c)
{
    if (c->ended)
        (void)closed_by_server(c);
    if (c->parser == NULL || reply_parser_waiting(c->parser) == 0) {
        conn_fail(c);
        return;
    }
    forget(c);
    c->ended = true;
}

void conn_process(struct conn *c)
{
    if (c->state == CONN_CLOSED)
        return;
    enum conn_state before = c->state;
    if (c->state == CONN_CONNECTING && !connecting(c)) {
        conn_fail(c);
        return;
    }
    if (c->state == CONN_GREETING || c->state == CONN_READY) {
        bool ok = exchange(c);
        if (!ok && c->state == CONN_GREETING) {
            conn_fail(c);
            return;
        }
        if (!ok || c->ended) {
            end(c);
            return;
        }
    }
    if (c->state != CONN_READY && too_late(c)) {
        conn_fail(c);
        return;
    }
    if (before != CONN_READY && c->state == CONN_READY && !write_all(c))
        end(c);
}

int conn_fd(const struct conn *c)
{
    return c->stream == NULL ? -1 : stream_fd(c->stream);
}

static bool wants_write(const struct conn *c)
{
    return c->greet_at < c->greet.len || (c->state == CONN_READY && c->out_at < c->out.len);
}

short conn_events(const struct conn *c)
{
    return c->stream == NULL ? 0 : stream_events(c->stream, wants_write(c));
}

int64_t conn_deadline(const struct conn *c)
{
    if (c->stream == NULL)
        return CLOCK_NEVER;
    if (c->more)
        return 0;
    int64_t best = stream_deadline(c->stream);
    best = c->connect_deadline < best ? c->connect_deadline : best;
    return c->head_deadline < best ? c->head_deadline : best;
}

/* ---- commands and replies -------------------------------------------------------------------- */

struct buf *conn_out(struct conn *c)
{
    return &c->out;
}

static bool usable(const struct conn *c, struct error *err)
{
    if (c->state != CONN_CLOSED)
        return true;
    if (c->error.code != ERROR_NONE) {
        *err = c->error;
        return false;
    }
    return error_set(err, ERROR_UNREACHABLE, 0, "%s: not connected", c->name);
}

/* A reply that no command asked for: the server's last words, or nonsense. */
static const struct reply *unasked(struct conn *c, const struct reply *r)
{
    if (r == NULL || reply_check(r, c->name, &c->error))
        (void)error_set(&c->error, ERROR_CORRUPT, 0, "%s: a reply that nobody asked for", c->name);
    conn_fail(c);
    return NULL;
}

/* Nothing is due: what came in all the same would be taken for the answer to the next question. */
static bool is_quiet(struct conn *c, struct error *err)
{
    if (c->pending > 0 || c->state != CONN_READY || c->listening || c->ended || !read_some(c) ||
        c->ended || reply_parser_waiting(c->parser) == 0)
        return true;
    (void)unasked(c, NULL);
    *err = c->error;
    return false;
}

bool conn_appended(struct conn *c, size_t count, int timeout_ms, struct error *err)
{
    if (!usable(c, err) || !is_quiet(c, err)) {
        buf_clear(&c->out);
        return false;
    }
    if (count == 0)
        return true;
    if (timeout_ms <= 0)
        timeout_ms = c->options.command_timeout_ms * (timeout_ms == CONN_TIMEOUT_LONG ? 6 : 1);
    if (c->run_at > 0 && c->run_at == c->run_count) {
        c->run_at = 0;
        c->run_count = 0;
    }
    if (c->run_count > c->run_at && c->runs[c->run_count - 1].timeout_ms == timeout_ms)
        c->runs[c->run_count - 1].count += count;
    else
        ARRAY_PUSH(c->runs, c->run_count, c->run_cap) = (struct conn_run){count, timeout_ms};
    c->pending += count;
    if (c->pending == count)
        start_head_clock(c);
    return true;
}

bool conn_send(struct conn *c, struct command command, int timeout_ms, struct error *err)
{
    return usable(c, err) && command_append(&c->out, command, err) &&
           conn_appended(c, 1, timeout_ms, err);
}

static void pop_pending(struct conn *c)
{
    c->pending--;
    if (--c->runs[c->run_at].count == 0)
        c->run_at++;
    if (c->run_at > 1024 && c->run_at > c->run_count / 2) {
        memmove(c->runs, c->runs + c->run_at, (c->run_count - c->run_at) * sizeof(*c->runs));
        c->run_count -= c->run_at;
        c->run_at = 0;
    }
    start_head_clock(c);
}

static bool overdue(const struct conn *c)
{
    return c->state == CONN_READY && clock_mono_ms() >= c->head_deadline;
}

static void fail_overdue(struct conn *c)
{
    char limit[FORMAT_MAX];
    int ms = c->runs[c->run_at].timeout_ms;
    (void)error_set(&c->error, ERROR_TIMEOUT, ETIMEDOUT, "%s: no reply within %s", c->name,
                    format_duration(limit, sizeof(limit), ms));
    conn_fail(c);
}

static const struct reply *parse_one(struct conn *c)
{
    const struct reply *r = NULL;
    struct error why = {0};
    if (!reply_parser_next(c->parser, &r, &why)) {
        c->error = why;
        (void)error_wrap(&c->error, "%s", c->name);
        conn_fail(c);
        return NULL;
    }
    if (r == NULL && c->ended)
        conn_fail(c);
    return r;
}

const struct reply *conn_receive(struct conn *c)
{
    if (c->parser == NULL || c->state == CONN_CONNECTING || c->state == CONN_GREETING)
        return NULL;
    const struct reply *r = parse_one(c);
    if (r == NULL && overdue(c)) {
        /* A caller that was busy for long must not blame the server: look once more. */
        conn_process(c);
        r = c->parser == NULL ? NULL : parse_one(c);
        if (r == NULL && overdue(c))
            fail_overdue(c);
    }
    if (r == NULL || c->listening)
        return r;
    if (c->pending == 0)
        return unasked(c, r);
    pop_pending(c);
    /* One reply too many, and nobody knows which: this one may be another's. */
    if (c->pending == 0 && !c->ended && reply_parser_waiting(c->parser) > 0)
        return unasked(c, NULL);
    return r;
}

size_t conn_pending(const struct conn *c)
{
    return c->pending;
}

bool conn_listen(struct conn *c, struct command command, struct error *err)
{
    if (!usable(c, err))
        return false;
    if (c->pending > 0)
        return error_set(err, ERROR_INTERNAL, 0, "%s: subscribing while replies are due", c->name);
    if (!command_append(&c->out, command, err))
        return false;
    c->listening = true;
    return true;
}
