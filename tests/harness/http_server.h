/*
 * http_server.h - an HTTP server on 127.0.0.1 that does what its script says: for answers that a
 * real S3 server will not give on demand.
 *
 * One thread serves one connection after the other, one request each. The handler runs in that
 * thread; what it touches may be read by the test after http_server_stop, or under its own lock.
 */
#ifndef TESTS_HARNESS_HTTP_SERVER_H
#define TESTS_HARNESS_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_SEEN_HEAD 16384

struct http_seen {
    char method[16];
    char target[2048];         /* path and query as sent */
    char head[HTTP_SEEN_HEAD]; /* request line and headers */
    char *body;                /* terminated */
    size_t body_len;
};

struct http_reply {
    int status;         /* 0: 200 */
    char headers[2048]; /* lines "Name: value\r\n" */
    const char *body;   /* NULL: empty */
    size_t body_len;    /* 0: strlen(body) */
    bool drop;          /* close without any answer */
    size_t cut_after;   /* > 0: close after that many bytes of the body */
    int delay_ms;       /* before the answer; ends early when the server stops */
};

typedef void (*http_handler)(void *ctx, const struct http_seen *request, struct http_reply *reply);

struct http_server;

/* Aborts the test when there is no port. */
struct http_server *http_server_start(http_handler handler, void *ctx);
void http_server_stop(struct http_server *server);
/* "http://127.0.0.1:PORT" */
const char *http_server_url(const struct http_server *server);
/* A request header's value into out, "" when absent; the name's case does not matter. */
char *http_seen_header(const struct http_seen *request, const char *name, char *out, size_t size);

#endif
