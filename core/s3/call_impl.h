/*
 * call_impl.h - inside core/s3: one call over all its tries, as call.c (sending) and call_judge.c
 * (what the answer means) share it. One thread per call.
 */
#ifndef CORE_S3_CALL_IMPL_H
#define CORE_S3_CALL_IMPL_H

#include "core/s3/checksum.h"
#include "core/s3/client.h"

#define CALL_TARGET_MAX 220

/* What the try at hand was signed with: if another thread has learned better meanwhile, the next
 * try takes that over and nothing is learned twice. */
struct call_used {
    unsigned credential;
    bool temporary; /* session credentials */
    int64_t clock_offset_ms;
    char region[ENDPOINT_REGION_MAX];
};

/* One call over all its tries. */
struct call {
    struct s3 *s3;
    struct s3_request *request;
    struct s3_answer *answer;
    char payload_hash[SIGV4_HASH_SIZE];
    char payload_md5[32];         /* base64; empty where OpenSSL has no MD5 */
    char checksum[CHECKSUM_SIZE]; /* base64 of payload_hash; empty: none is sent */
    unsigned failures;
    struct call_used used;
    bool clock_tried;
    bool credential_tried;
    bool region_tried;
    struct s3_error_doc doc;
};

struct call_time {
    int64_t elapsed_ms;       /* of this try */
    int64_t delivered_before; /* of a download, by the tries before */
};

/* call_log.c: one line about a try that was sent. Nothing of headers, signatures or keys. why:
 * no whole answer came; else NULL. */
void call_log(const struct call *c, const struct call_time *t, const struct error *why);
/* "upload s3://bucket/key", escaped. */
void call_target(const struct call *c, char *out, size_t size);
/* The error of a refusal; always false. */
bool call_refuse(const struct call *c, struct error *err);
/* 2xx with the document that was promised? Complete sends 200 first and fails later. */
bool call_check_document(struct call *c, struct error *err);
/* After an answer that is no success: may another try help? Waits are the caller's. */
bool call_may_repeat(struct call *c);

#endif
