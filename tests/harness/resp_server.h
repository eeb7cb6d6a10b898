/*
 * resp_server.h - a scripted server in a thread on 127.0.0.1: expects commands, says exactly the
 * bytes a test wants, cut as it wants.
 *
 * Each accepted connection plays the script from the start (or its own one, see `scripts`). A step
 * reads one whole RESP command first (unless it says otherwise), then does its thing. What a client
 * sent is kept, and can be asked for. One test thread plus the server's own.
 */
#ifndef TESTS_HARNESS_RESP_SERVER_H
#define TESTS_HARNESS_RESP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/str.h"

enum resp_act {
    RESP_REPLY,     /* read a command, send `bytes` */
    RESP_PUSH,      /* send `bytes` without reading */
    RESP_TRICKLE,   /* read a command, send `bytes` one at a time, `delay_ms` apart */
    RESP_DELAY,     /* read a command, wait delay_ms, send `bytes` */
    RESP_SWALLOW,   /* read a command, say nothing */
    RESP_CLOSE,     /* read a command, send `bytes` (may be empty), close */
    RESP_RESET,     /* read a command, send `bytes`, close with RST */
    RESP_CLOSE_NOW, /* close without reading */
    RESP_LOOP,      /* go back to the first step */
    RESP_HOLD,      /* keep the connection open, read and drop whatever comes */
    RESP_ANSWER,    /* read a command, ask the answer function */
};

struct resp_step {
    enum resp_act act;
    struct str bytes;
    int delay_ms;
    const char *expect; /* first words of the command, upper or lower case; NULL = anything */
};

struct resp_server;

struct resp_script {
    const struct resp_step *steps; /* borrowed */
    size_t count;
};

/* Connection n plays scripts[min(n, count - 1)]. After its last step a connection is closed. NULL
 * when no port could be bound. */
struct resp_server *resp_server_start(const struct resp_script *scripts, size_t count);
/* A server that calls `answer` for every command (in its own thread, one per connection); the
 * answer appends the bytes of its reply to out, returning false to close. argv views end with the
 * call. */
typedef bool (*resp_answer)(void *arg, const struct str *argv, size_t argc, char *out, size_t size,
                            size_t *len);
struct resp_server *resp_server_answering(resp_answer answer, void *arg);
uint16_t resp_server_port(const struct resp_server *s);
size_t resp_server_connections(struct resp_server *s); /* accepted so far */
/* Commands so far, one per line, arguments separated by spaces; copied, freed by the caller. */
char *resp_server_log(struct resp_server *s);
/* The first expectation that was not met, or NULL; valid until stop. */
const char *resp_server_complaint(struct resp_server *s);
void resp_server_stop(struct resp_server *s); /* closes everything and joins */

#endif
