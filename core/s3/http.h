/*
 * http.h - one HTTP exchange at a time over libcurl, with our rules: no redirects, paths sent as
 * they are, TLS 1.2 or later with the peer and its name verified, a stall limit, cancel within 1 s.
 *
 * A struct http is one connection handle and belongs to one thread at a time. Nothing of a request
 * or answer is logged: headers hold signatures and tokens. Times are milliseconds.
 */
#ifndef CORE_S3_HTTP_H
#define CORE_S3_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/str.h"
#include "core/s3/sigv4.h"

#define HTTP_BODY_MAX ((size_t)6 << 20) /* bytes of an answer kept in memory */
#define HTTP_HEADERS_MAX ((size_t)64 << 10)

struct http;

struct http_options {
    const char *ca_file; /* NULL: the system's */
    bool no_proxy;       /* metadata services and loopback: straight only */
    int connect_timeout_ms;
    bool (*cancelled)(void *ctx); /* may be NULL */
    void *cancel_ctx;
};

struct http_answer;
/* Body bytes of a 2xx answer; false ends the transfer with *err set. The answer's status and
 * headers are complete when it is called. */
typedef bool (*http_sink)(void *ctx, const struct http_answer *answer, struct str bytes,
                          struct error *err);

struct http_request {
    const char *method;
    const char *url;
    const struct sigv4_pair *headers; /* lower-case names */
    size_t header_count;
    struct str body;
    bool send_body;       /* PUT and POST: also an empty one, with its length */
    int stall_timeout_ms; /* no byte in either direction for that long: ERROR_TIMEOUT */
    int total_timeout_ms; /* 0: none */
    http_sink sink;       /* NULL: the body is collected */
    void *sink_ctx;
};

struct http_answer {
    int status;
    struct buf headers; /* lines "name: value\n" of the final answer, names in lower case */
    struct buf body;    /* without a sink, and of all that is not 2xx */
};

void http_answer_init(struct http_answer *answer);
void http_answer_release(struct http_answer *answer);
/* The header's trimmed value, empty when absent. name in lower case. */
struct str http_header(const struct http_answer *answer, const char *name);

struct http *http_new(const struct http_options *options); /* texts are borrowed */
void http_free(struct http *h);
/* true: an answer came, whatever its status. false: none did; *again says whether another try may
 * help (a broken connection does, a refused certificate does not). */
bool http_run(struct http *h, const struct http_request *request, struct http_answer *answer,
              bool *again, struct error *err) MUST_CHECK;

#endif
