/*
 * s3_fake.h - a bucket in memory behind an HTTP server of our own: for what a real S3 server cannot
 * be made to do, such as losing the reply to a request that it carried out.
 *
 * Knows objects, ranges, HEAD, If-Match, If-None-Match, lists and multipart uploads, and checks
 * each request's signature with code of its own. The hook runs in the server's thread; look at
 * objects and counters when no request is under way. Path style, any bucket name.
 */
#ifndef TESTS_HARNESS_S3_FAKE_H
#define TESTS_HARNESS_S3_FAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/harness/http_server.h"

#define S3_FAKE_ACCESS_KEY "AKIDEXAMPLE"
#define S3_FAKE_SECRET_KEY "topsecret-value-0123456789"

struct s3_fake;

/* Asked before a request is carried out (done false; true from the hook: it is not, and `reply` is
 * the answer) and after (done true; the reply may still be changed or dropped). */
typedef bool (*s3_fake_hook)(void *ctx, const struct http_seen *request, bool done,
                             struct http_reply *reply);

struct s3_fake *s3_fake_start(s3_fake_hook hook, void *ctx); /* hook NULL: none */
void s3_fake_stop(struct s3_fake *fake);
const char *s3_fake_url(const struct s3_fake *fake);
/* Knows If-None-Match on uploads? Otherwise it answers 501, as some servers do. Default: knows. */
void s3_fake_refuse_conditions(struct s3_fake *fake);
/* Keeps SHA-256 checksums from now on; before, it passes over them, as some servers do. */
void s3_fake_keep_checksums(struct s3_fake *fake);

/* The object's bytes, NULL when absent; valid until it changes. */
const char *s3_fake_object(const struct s3_fake *fake, const char *key, size_t *len);
void s3_fake_put(struct s3_fake *fake, const char *key, const void *bytes, size_t len);
size_t s3_fake_objects(const struct s3_fake *fake);
size_t s3_fake_uploads(const struct s3_fake *fake); /* begun and neither finished nor aborted */
size_t s3_fake_requests(const struct s3_fake *fake);
/* Requests whose signature or payload hash was wrong (they got 403 too). */
size_t s3_fake_bad_signatures(const struct s3_fake *fake);
/* Shared with s3_fake_sign.c: true when the request is signed with the key above. */
bool s3_fake_signature_is_good(const struct http_seen *request);
#define S3_FAKE_CHECKSUM 64
/* s3_fake_checksum.c: the one that came with the request, "" for none; false when it is wrong. */
bool s3_fake_checksum_is_good(const struct http_seen *request, char out[S3_FAKE_CHECKSUM]);
/* Of an object of those parts; "" is no part. */
void s3_fake_checksum_of(char (*parts)[S3_FAKE_CHECKSUM], size_t count, char out[S3_FAKE_CHECKSUM]);
/* "%2F" to "/": into out, whose size it must fit; false when an escape is broken. */
bool s3_fake_decode(const char *text, size_t len, char *out, size_t size);

#endif
