/*
 * sigv4.h - AWS Signature Version 4 for S3 and STS: what is signed is exactly what is sent.
 *
 * Pure but for OpenSSL's hashes; any thread. The path is encoded once, never normalised; query
 * pairs come raw and are encoded and sorted here; the header names come in lower case.
 * Source: AWS General Reference, "Signature Version 4 signing process"; Amazon S3, "Authenticating
 * Requests (AWS Signature Version 4)".
 */
#ifndef CORE_S3_SIGV4_H
#define CORE_S3_SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/str.h"

#define SIGV4_HASH_SIZE 65 /* 64 hex digits and a NUL */
#define SIGV4_PAIRS_MAX 24 /* headers or query pairs of one request */

struct sigv4_pair {
    struct str name;
    struct str value;
};

struct sigv4_request {
    const char *method;
    struct str path; /* encoded, as sent, starts with '/' */
    const struct sigv4_pair *query;
    size_t query_count;
    const struct sigv4_pair *headers; /* all that are signed: host, x-amz-*, range … */
    size_t header_count;
    const char *payload_hash; /* SHA-256 of the body in lower hex */
};

struct sigv4_scope {
    struct str access_key;
    struct str secret_key;
    const char *region;
    const char *service; /* "s3" or "sts" */
    int64_t time_ms;     /* UTC; the same second as in the x-amz-date header */
};

/* Percent-encode all but A-Z a-z 0-9 - . _ ~ (and '/' if kept), upper-case digits. */
bool sigv4_encode(struct buf *out, struct str raw, bool keep_slash, struct error *err) MUST_CHECK;
/* The canonical query, which is also the one to send: sorted, `name=` for empty values. */
bool sigv4_query(struct buf *out, const struct sigv4_pair *pairs, size_t count,
                 struct error *err) MUST_CHECK;
/* Lower-hex SHA-256 into out of SIGV4_HASH_SIZE bytes. */
void sigv4_hash(char *out, struct str bytes);
/* Append the value of the Authorization header. */
bool sigv4_sign(const struct sigv4_request *request, const struct sigv4_scope *scope,
                struct buf *out, struct error *err) MUST_CHECK;

#endif
