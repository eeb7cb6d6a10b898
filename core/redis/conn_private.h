/*
 * conn_private.h - the inside of struct conn, shared by conn.c (the state machine), conn_greet.c
 * (AUTH and the rest) and conn_block.c (the blocking face). For nobody else.
 */
#ifndef CORE_REDIS_CONN_PRIVATE_H
#define CORE_REDIS_CONN_PRIVATE_H

#include "core/redis/conn.h"

/* Commands in a row with the same time limit. */
struct conn_run {
    size_t count;
    int timeout_ms;
};

struct conn {
    struct address address;
    char name[ADDRESS_TEXT_MAX];
    struct conn_options options;
    char *server_name; /* our copy of options.tls_server_name */
    enum conn_state state;
    struct error error; /* why CLOSED */
    struct stream *stream;
    struct reply_parser *parser;

    struct buf greet; /* the greeting's commands; wiped when written */
    size_t greet_at;
    size_t greet_step; /* row of the greeting whose reply comes next */

    struct buf out; /* commands of the user */
    size_t out_at;

    struct conn_run *runs; /* pending commands, oldest at runs[run_at] */
    size_t run_at;
    size_t run_count; /* end of the used part */
    size_t run_cap;
    size_t pending;

    int64_t connect_deadline;
    int64_t head_deadline; /* of the oldest pending command; CLOCK_NEVER when none */
    int64_t moved_ms;      /* when bytes last went either way */
    bool listening;
    bool more;  /* reading stopped early: there may be bytes that poll does not show */
    bool ended; /* the server closed; replies it sent before may still be taken */
    bool password_unused;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t generation;
};

/* Ends the connection for the reason in c->error, which must be set. Nothing in flight survives. */
void conn_fail(struct conn *c);
void conn_become_ready(struct conn *c);

/* Fill c->greet; false with c->error set. */
bool conn_greet_begin(struct conn *c);
/* Take replies to the greeting; READY after the last one; false with c->error set. */
bool conn_greet_replies(struct conn *c);
void conn_greet_wipe(struct conn *c);

#endif
