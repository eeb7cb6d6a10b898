/*
 * s3.h - an S3 client: objects in one bucket, signed by us, sent by libcurl.
 *
 * A struct s3 is shared by any number of threads: each call borrows a connection of its own from
 * a small pool. Every call is bounded in time, retries what is worth retrying (retry.h), and ends
 * within 1 s of `cancelled` turning true with ERROR_CANCELLED. Keys are raw bytes, never encoded
 * by the caller. Error texts are one line, name the bucket and say what to do; they hold no
 * secrets. Blocking: jobs and worker threads only.
 * Source: Amazon S3 API reference, and what other servers make of it.
 */
#ifndef CORE_S3_S3_H
#define CORE_S3_S3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/str.h"

struct s3;

enum s3_addressing { S3_ADDRESSING_AUTO, S3_ADDRESSING_PATH, S3_ADDRESSING_VIRTUAL };

/* Zeroed is valid: everything comes from the environment then. Texts are copied by s3_new. */
struct s3_options {
    const char *bucket;
    const char *endpoint_url; /* NULL: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile, AWS */
    const char *region;       /* NULL: AWS_REGION, AWS_DEFAULT_REGION, the profile, us-east-1 */
    const char *profile;      /* NULL: AWS_PROFILE, AWS_DEFAULT_PROFILE, "default" */
    const char *access_key;   /* explicit credentials; NULL: the chain of credential.h */
    const char *secret_key;
    const char *session_token;
    const char *ca_file;        /* NULL: AWS_CA_BUNDLE, the profile, the system's */
    const char *sse;            /* NULL, "AES256", "aws:kms" or "aws:kms:dsse" */
    const char *sse_kms_key_id; /* with aws:kms */
    /* SSE-C: a file with 32 bytes, or these in base64 or hex; https only. NULL: none. */
    const char *sse_customer_key_file;
    /* Ask the server to keep the SHA-256 of what is uploaded beside it, part by part, and look
     * whether it does. Servers that do not know checksums ignore this or refuse it. */
    bool checksums;
    enum s3_addressing addressing;
    bool allow_http;        /* plain http to other machines too; loopback may always use it */
    int connect_timeout_ms; /* 0: 10 s */
    int stall_timeout_ms;   /* no byte moved for that long ends a try; 0: 60 s */
    int tries;              /* 0: 10 */
    int backoff_base_ms;    /* 0: 200 ms, doubled per try up to 20 s, full jitter */
    /* The environment, as core/config gives it; NULL: no environment at all. Thread-safe. */
    const char *(*lookup)(const void *ctx, const char *name);
    const void *lookup_ctx;
    /* Asked several times a second from any calling thread; NULL: never. */
    bool (*cancelled)(void *ctx);
    void *cancel_ctx;
};

/* Once, from main, before any thread: libcurl's own initialisation. */
bool s3_global_init(struct error *err) MUST_CHECK;
void s3_global_release(void);

/* Resolves endpoint and region; credentials are fetched by the first call. No network. */
bool s3_new(const struct s3_options *options, struct s3 **out, struct error *err) MUST_CHECK;
void s3_free(struct s3 *s3); /* no call may be running; NULL allowed */
/* For doctor and error texts: "https://127.0.0.1:8000 (path style, region us-east-1)". */
const char *s3_describe(const struct s3 *s3);
const char *s3_bucket(const struct s3 *s3);
/* Where the credentials came from ("environment", "profile ops in ~/.aws/credentials"); fetches
 * them if needed. */
bool s3_credential_source(struct s3 *s3, char *out, size_t size, struct error *err) MUST_CHECK;

#define S3_ETAG_MAX 160
#define S3_TOKEN_MAX 64
#define S3_CHECKSUM_MAX 64

struct s3_object {
    int64_t size_bytes;
    int64_t modified_ms;            /* real time; 0 when the server did not say */
    char etag[S3_ETAG_MAX];         /* verbatim, with its quotes; opaque */
    char token[S3_TOKEN_MAX + 1];   /* x-amz-meta-rbc-token, empty when absent */
    char checksum[S3_CHECKSUM_MAX]; /* as checksum.h has it; empty: none, or not asked for */
};

/* Receives the body piece by piece in order; false stops the transfer with *err set. Bytes that
 * were delivered once are never delivered again: a broken transfer goes on where it stopped. */
typedef bool (*s3_sink)(void *ctx, struct str bytes, struct error *err);

struct s3_get {
    struct str key;
    int64_t from;     /* bytes; 0: from the beginning */
    int64_t length;   /* bytes; -1: to the end */
    const char *etag; /* NULL, or the object must still be this one (ERROR_CONFLICT otherwise) */
};

/* ERROR_NOT_FOUND: no such key. */
bool s3_get(struct s3 *s3, const struct s3_get *get, s3_sink sink, void *ctx,
            struct error *err) MUST_CHECK;
bool s3_head(struct s3 *s3, struct str key, struct s3_object *out, struct error *err) MUST_CHECK;
/* Whole object at once, at most 5 GiB; the server checks its MD5 and SHA-256. */
bool s3_put(struct s3 *s3, struct str key, struct str body, struct error *err) MUST_CHECK;
bool s3_delete(struct s3 *s3, struct str key, struct error *err) MUST_CHECK; /* absent is fine */
/* The bucket exists and may be listed: the access test of doctor. */
bool s3_check(struct s3 *s3, struct error *err) MUST_CHECK;

struct s3_list_item {
    struct str key; /* decoded; always inside the prefix that was asked for */
    int64_t size_bytes;
    int64_t modified_ms;
    bool is_prefix; /* a "directory" under the delimiter; ends with it */
};

/* One page; everything in it lives in its arena. Zeroed memory is a valid empty page. */
struct s3_page {
    struct arena arena;
    struct s3_list_item *items;
    size_t count;
    size_t cap;
    struct str next; /* opaque token of the next page; len 0 at the end */
};

struct s3_list {
    struct str prefix;
    struct str start_after; /* keys after this one; only for the first page */
    struct str token;       /* `next` of the page before; empty for the first page */
    char delimiter;         /* 0: none */
    unsigned max_keys;      /* 0: 1000 */
};

bool s3_list(struct s3 *s3, const struct s3_list *list, struct s3_page *out,
             struct error *err) MUST_CHECK;
void s3_page_release(struct s3_page *page);

struct s3_upload_item {
    struct str key;
    struct str upload_id;
    int64_t started_ms;
};

struct s3_uploads {
    struct arena arena;
    struct s3_upload_item *items;
    size_t count;
    size_t cap;
};

/* All multipart uploads under the prefix that were never finished (at most 10,000). */
bool s3_list_uploads(struct s3 *s3, struct str prefix, struct s3_uploads *out,
                     struct error *err) MUST_CHECK;
void s3_uploads_release(struct s3_uploads *uploads);
/* When the newest part of an unfinished upload came; unchanged when it has none. */
bool s3_upload_last_part(struct s3 *s3, struct str key, struct str upload_id, int64_t *newest_ms,
                         struct error *err) MUST_CHECK;
/* Abort and make sure that no part stays behind. An upload that is already gone is fine. */
bool s3_abort_upload(struct s3 *s3, struct str key, struct str upload_id,
                     struct error *err) MUST_CHECK;

#endif
