/*
 * conn.h - one connection to one Redis or Valkey server: a non-blocking state machine, and a
 * blocking face of the same machine for jobs.
 *
 * connect -> TLS -> AUTH, CLIENT SETNAME, SELECT, READONLY -> ready. The password is written only
 * into the greeting and wiped after. A connection that met a timeout, a protocol error or the end
 * of the stream is closed at once and never used again for what was in flight (replies would be off
 * by one); conn_start / conn_open begin anew. One thread per conn. Replies live until the next
 * reply of the same conn (or its end): copy what must stay.
 */
#ifndef CORE_REDIS_CONN_H
#define CORE_REDIS_CONN_H

#include "core/base/secret.h"
#include "core/net/address.h"
#include "core/net/backoff.h"
#include "core/net/stream.h"
#include "core/redis/command.h"
#include "core/redis/reply.h"

/* Zero is a good default for every field. Strings, secret and tls are borrowed and must outlive the
 * conn. */
struct conn_options {
    struct tls_context *tls;       /* NULL = plain */
    const char *tls_server_name;   /* name to verify, NULL = the host (or the context's); copied */
    const char *username;          /* NULL = AUTH with the password alone */
    const struct secret *password; /* NULL or unset = no AUTH */
    const char *client_name;       /* "rbconsole:backup:B-0001"; NULL = "rbconsole" */
    int db;                        /* SELECT when not 0 */
    bool readonly;                 /* READONLY: reads on a replica of a cluster */
    int connect_timeout_ms;        /* whole way to ready; 0 = 5000 */
    int command_timeout_ms;        /* when a command names none; 0 = 10000 */
    size_t max_elements;           /* of one reply; 0 = REPLY_MAX_ELEMENTS */
    size_t max_bytes;              /* of one reply; 0 = REPLY_MAX_BYTES */
    struct cancel cancel;
    /* Opens the stream; NULL = stream_open. For tests. */
    struct stream *(*open)(const struct stream_target *target, void *arg);
    void *open_arg;
};

enum conn_state {
    CONN_CLOSED,     /* not started, or ended: conn_error says why */
    CONN_CONNECTING, /* name, TCP, TLS */
    CONN_GREETING,   /* AUTH and the rest are under way */
    CONN_READY,
};

/* As a command's timeout_ms: six times the default, for a large piece of one key. */
#define CONN_TIMEOUT_LONG (-1)

struct conn;

struct conn *conn_new(const struct address *address, const struct conn_options *options);
void conn_free(struct conn *c);  /* NULL is fine */
void conn_close(struct conn *c); /* back to CLOSED; commands in flight are forgotten */

const struct address *conn_address(const struct conn *c);
const char *conn_name(const struct conn *c); /* "127.0.0.1:7001", for messages */
enum conn_state conn_state(const struct conn *c);
/* Why the state is CLOSED; code ERROR_NONE when nothing went wrong. */
const struct error *conn_error(const struct conn *c);
/* A password was given but the server has none: worth a warning. */
bool conn_password_unused(const struct conn *c);
uint64_t conn_bytes_in(const struct conn *c);
uint64_t conn_bytes_out(const struct conn *c);
/* A tag for the user of a pool or cluster (rises by one with each successful connect). */
uint64_t conn_generation(const struct conn *c);

/* ---- for poll loops: none of these blocks ---------------------------------------------------- */
void conn_start(struct conn *c);         /* begin to connect; only when CLOSED */
int conn_fd(const struct conn *c);       /* may change until READY; -1 = wait for the deadline */
short conn_events(const struct conn *c); /* POLLIN | POLLOUT as needed now */
int64_t conn_deadline(const struct conn *c); /* call conn_process at this time at the latest */
/* Do whatever is possible now: after poll, after the deadline, or at any time. */
void conn_process(struct conn *c);
/* Queue a command; allowed from conn_start on (it is sent once ready). timeout_ms 0 = the default;
 * its clock starts when all earlier replies are in. ERROR_UNREACHABLE (or why it closed) when
 * CLOSED; ERROR_LIMIT when too much is queued. */
bool conn_send(struct conn *c, struct command command, int timeout_ms,
               struct error *err) MUST_CHECK;
/* The next reply, in order, or NULL when none is there yet (or the conn ended: see conn_state).
 * Keep calling until NULL. */
const struct reply *conn_receive(struct conn *c);
size_t conn_pending(const struct conn *c); /* commands without their reply */

/* ---- blocking, for jobs ---------------------------------------------------------------------- */
/* Until READY; returns at once if it is. ERROR_AUTH, ERROR_UNREACHABLE, ERROR_TIMEOUT, … */
bool conn_open(struct conn *c, struct error *err) MUST_CHECK;
/* One command, one reply; opens when CLOSED. Only when nothing is pending. An error reply is a
 * reply: true, see reply_check. */
bool conn_call(struct conn *c, struct command command, int timeout_ms, const struct reply **reply,
               struct error *err) MUST_CHECK;
bool conn_call_words(struct conn *c, const char *words, int timeout_ms, const struct reply **reply,
                     struct error *err) MUST_CHECK;
/* A pipeline, after conn_open: append many, flush (optional: next_reply flushes too), take each
 * reply in order. */
bool conn_append(struct conn *c, struct command command, int timeout_ms,
                 struct error *err) MUST_CHECK;
/* The fast form: write RESP for exactly `count` commands straight into conn_out (command_begin …),
 * then say so. */
struct buf *conn_out(struct conn *c);
bool conn_appended(struct conn *c, size_t count, int timeout_ms, struct error *err) MUST_CHECK;
bool conn_flush(struct conn *c, struct error *err) MUST_CHECK; /* everything is written */
bool conn_next_reply(struct conn *c, const struct reply **reply, struct error *err) MUST_CHECK;

/* ---- subscriptions and MONITOR: a conn of their own -------------------------------------------
 */
/* Send SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE or MONITOR; from now on every reply is a message and none
 * has a deadline. */
bool conn_listen(struct conn *c, struct command command, struct error *err) MUST_CHECK;
/* Blocking: NULL in *reply when none came within timeout_ms. (Non-blocking: conn_receive.) */
bool conn_next_message(struct conn *c, int timeout_ms, const struct reply **reply,
                       struct error *err) MUST_CHECK;

#endif
