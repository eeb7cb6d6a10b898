/*
 * client.h - inside core/s3: the shared client and the one call that all requests go through.
 *
 * s3_call signs, sends, judges the answer and tries again as retry.h says. Any thread. The lock
 * guards the fields named below and is never held while anything is sent.
 */
#ifndef CORE_S3_CLIENT_H
#define CORE_S3_CLIENT_H

#include <pthread.h>

#include "core/s3/credential.h"
#include "core/s3/endpoint.h"
#include "core/s3/http.h"
#include "core/s3/s3.h"
#include "core/s3/xml.h"

#define S3_IDLE_MAX 16
#define S3_PAIRS_MAX 8
#define S3_CODE_MAX 64
#define S3_META_TOKEN "x-amz-meta-rbc-token"

struct s3 {
    struct s3_options options; /* texts owned by `arena` */
    struct arena arena;
    char *wiped_secret; /* options.secret_key: wiped at the end */
    struct aws_files files;
    const char *ca_file;
    struct secret customer_key; /* SSE-C, in base64; not set: none */
    char customer_key_md5[32];
    char describe[2 * ENDPOINT_HOST_MAX + ENDPOINT_REGION_MAX + 64];
    pthread_mutex_t lock;
    pthread_cond_t fetched;
    /* guarded by lock */
    struct endpoint endpoint;
    struct http *idle[S3_IDLE_MAX];
    size_t idle_count;
    int64_t clock_offset_ms; /* the server's clock minus ours */
    struct credential credential;
    bool have_credential;
    unsigned credential_number; /* rises with each one fetched */
    int64_t renew_after;        /* mono ms: not before, after a renewal that failed */
    bool fetching;
    bool answered;       /* the server has answered at least once */
    bool no_conditional; /* the server does not know If-None-Match on uploads */
    bool no_checksums;   /* the server keeps none, and that was told */
};

/* A body that goes to the caller's sink and survives broken transfers. */
struct s3_download {
    int64_t from;
    int64_t length; /* -1: to the end */
    int64_t delivered;
    int64_t skip; /* of this try's bytes: an answer that ignored the range */
    bool started; /* this try's first bytes were seen */
    char etag[S3_ETAG_MAX];
    s3_sink sink;
    void *ctx;
};

struct s3_request {
    const char *what; /* "upload", "list": for error texts */
    const char *method;
    struct str key; /* empty: the bucket */
    struct sigv4_pair query[S3_PAIRS_MAX];
    size_t query_count;
    struct sigv4_pair headers[S3_PAIRS_MAX];
    size_t header_count;
    struct str body;
    const char *payload_hash; /* SHA-256 of the body in hex; NULL: not known yet */
    bool send_body;
    const char *content_type; /* of the body, or of the object that begins; NULL: bytes */
    bool object_data;         /* reads or writes an object's bytes or size: SSE-C key goes along */
    bool is_content;  /* the body becomes an object or a part of one: its checksum goes along */
    const char *root; /* a 2xx body must be whole XML with this root element */
    struct s3_download *download; /* NULL: the body is collected */
    int stall_timeout_ms;         /* 0: the client's */
    bool raw;                     /* one try, nothing learned from it */
    bool even_cancelled;          /* cleaning up after a cancel */
};

struct s3_answer {
    struct http_answer http;
    char code[S3_CODE_MAX]; /* <Code> of a refusal */
    unsigned tries;
};

void s3_answer_init(struct s3_answer *a);
void s3_answer_release(struct s3_answer *a);
/* true: a 2xx answer that holds what was asked for. */
bool s3_call(struct s3 *s3, struct s3_request *request, struct s3_answer *answer,
             struct error *err) MUST_CHECK;
void s3_add_query(struct s3_request *r, const char *name, struct str value);
void s3_add_header(struct s3_request *r, const char *name, struct str value);
/* SSE headers of the options, for requests that create an object. */
void s3_add_sse(const struct s3 *s3, struct s3_request *r);
/* The media type of an object, by the end of its key. */
const char *s3_content_type(struct str key);
/* s3_head; checksum: asks for it, too. */
bool s3_head_as(struct s3 *s3, struct str key, bool checksum, struct s3_object *out,
                struct error *err) MUST_CHECK;
void s3_object_from_headers(const struct http_answer *http, struct s3_object *out);
/* An RFC 3339 or HTTP date to real ms; 0 when it is neither. */
int64_t s3_parse_time(struct str text);

/* A refusal's document: <Error> at the root, or the root's name of another one. */
struct s3_error_doc {
    char root[S3_CODE_MAX];
    char code[S3_CODE_MAX];
    char message[160]; /* escaped */
    char region[ENDPOINT_REGION_MAX];
};
bool s3_parse_error(struct str body, struct s3_error_doc *out); /* false: no whole XML */

/* A key of an encoding-type=url listing; the plain one is in the arena. */
bool s3_decode_key(struct arena *arena, struct str *key, struct error *err) MUST_CHECK;
/* A part that the server holds of an unfinished upload. */
struct s3_part {
    unsigned number;
    int64_t size_bytes;
    int64_t modified_ms;
    char etag[S3_ETAG_MAX];
};

typedef void (*s3_part_sink)(void *ctx, const struct s3_part *part);
/* All of them, in order. ERROR_NOT_FOUND: there is no such upload. cleanup: even when cancelled. */
bool s3_list_parts(struct s3 *s3, struct str key, struct str upload_id, bool cleanup,
                   s3_part_sink sink, void *ctx, struct error *err) MUST_CHECK;
/* s3_list_uploads; cleanup: even when cancelled. */
bool s3_find_uploads(struct s3 *s3, struct str prefix, bool cleanup, struct s3_uploads *out,
                     struct error *err) MUST_CHECK;

/* client.c: what needs the lock. */
struct http *s3_borrow(struct s3 *s3, bool even_cancelled);
void s3_return(struct s3 *s3, struct http *h, bool even_cancelled);
/* *number (may be NULL): which one it is, for s3_drop_credential. */
bool s3_get_credential(struct s3 *s3, struct credential *out, unsigned *number,
                       struct error *err) MUST_CHECK;
/* The server refuses it as expired: the next call fetches anew, unless somebody already did. */
void s3_drop_credential(struct s3 *s3, unsigned number);
/* May uploads ask that nothing stands under the key yet? Said once by the server. */
bool s3_may_be_conditional(struct s3 *s3);
void s3_never_conditional(struct s3 *s3);
/* The server keeps no checksums. True for the first who says so. */
bool s3_tells_no_checksums(struct s3 *s3);
/* Where the bucket is, asked of AWS itself; false for other servers and when it does not say. */
bool s3_ask_region(struct s3 *s3, char *region, size_t size);

/* customer_key.c: encryption with a key of the customer's own. */
bool s3_load_customer_key(struct s3 *s3, struct error *err) MUST_CHECK;
/* How objects are encrypted now, for comparing: "", "AES256", "aws:kms KEY", "customer DIGEST" (of
 * the key, nothing that leads back to it). The caller frees. */
char *s3_encryption(const struct s3 *s3);
void s3_put_customer_key(const struct s3 *s3, struct sigv4_pair *headers, size_t *count);

#endif
