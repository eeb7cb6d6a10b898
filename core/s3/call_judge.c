#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/escape.h"
#include "core/base/log.h"
#include "core/s3/call_impl.h"
#include "core/s3/retry.h"

#define KEY_SHOWN 120

void call_target(const struct call *c, char *out, size_t size)
{
    char key[KEY_SHOWN];
    escape_text(key, sizeof(key), c->request->key);
    (void)snprintf(out, size, "%s s3://%s/%s", c->request->what, c->s3->options.bucket, key);
}

static bool asks_for_checksum(const struct call *c)
{
    bool asks = c->checksum[0] != '\0';
    for (size_t i = 0; i < c->request->header_count; i++)
        asks = asks || str_starts(c->request->headers[i].name, "x-amz-checksum-");
    return asks;
}

/* The text of a refusal; the code alone decides what is said, not the server's prose. */
bool call_refuse(const struct call *c, struct error *err)
{
    const struct http_answer *http = &c->answer->http;
    struct str code = str_from(c->answer->code);
    char target[CALL_TARGET_MAX];
    char shown[S3_CODE_MAX];
    call_target(c, target, sizeof(target));
    const char *advice = retry_advice(http->status, code);
    const char *message = advice[0] == '\0' ? c->doc.message : advice;
    enum error_code kind = retry_error_code(http->status, code);
    if (http->status == 501 && asks_for_checksum(c))
        message = "this S3 server lacks a function, perhaps checksums (storage.checksum)";
    char word[24];
    (void)snprintf(word, sizeof(word), "HTTP %d", http->status);
    bool where = kind == ERROR_STORAGE && code.len > 0;
    return error_set(err, kind, http->status, "%s: %s%s%s%s%s", target,
                     code.len > 0 ? escape_text(shown, sizeof(shown), code) : word,
                     where ? " at " : "", where ? c->s3->describe : "",
                     message[0] != '\0' ? "; " : "", message);
}

static bool learn_clock(struct call *c)
{
    struct s3 *s3 = c->s3;
    int64_t server_ms = s3_parse_time(http_header(&c->answer->http, "date"));
    if (c->clock_tried || server_ms <= 0)
        return false;
    c->clock_tried = true;
    int64_t offset_ms = server_ms - clock_real_ms();
    pthread_mutex_lock(&s3->lock);
    bool first = s3->clock_offset_ms == c->used.clock_offset_ms;
    if (first)
        s3->clock_offset_ms = offset_ms;
    pthread_mutex_unlock(&s3->lock);
    if (first)
        log_write(LOG_LEVEL_WARN, "s3",
                  "this machine's clock differs from the S3 server's by %lld s",
                  (long long)(offset_ms / 1000));
    return true;
}

static bool learn_region(struct call *c)
{
    struct s3 *s3 = c->s3;
    char region[ENDPOINT_REGION_MAX] = "";
    struct str named = http_header(&c->answer->http, "x-amz-bucket-region");
    if (named.len == 0)
        named = str_from(c->doc.region);
    if (c->region_tried || (named.len == 0 && !s3_ask_region(s3, region, sizeof(region))))
        return false;
    if (named.len == 0)
        named = str_from(region);
    c->region_tried = true;
    pthread_mutex_lock(&s3->lock);
    bool first = strcmp(s3->endpoint.region, c->used.region) == 0;
    bool ok = !first || endpoint_set_region(&s3->endpoint, named);
    pthread_mutex_unlock(&s3->lock);
    if (ok && first)
        log_write(LOG_LEVEL_WARN, "s3", "bucket %s is in region %.*s; set storage.region",
                  s3->options.bucket, (int)named.len, named.ptr);
    return ok;
}

static bool learn_credential(struct call *c)
{
    if (c->credential_tried)
        return false;
    c->credential_tried = true;
    s3_drop_credential(c->s3, c->used.credential);
    return true;
}

/* HEAD answers have no body to say why: region and session are the reasons that can be mended. */
static enum retry_verdict judge_silent(const struct call *c)
{
    const struct http_answer *http = &c->answer->http;
    if (strcmp(c->request->method, "HEAD") != 0 || (http->status != 400 && http->status != 403))
        return RETRY_NEVER;
    struct str region = http_header(http, "x-amz-bucket-region");
    if (region.len > 0 && !str_is(region, c->used.region))
        return RETRY_REGION;
    return http->status == 400 && c->used.temporary ? RETRY_CREDENTIALS : RETRY_NEVER;
}

/* 2xx with the document that was promised? Complete sends 200 first and fails later. */
bool call_check_document(struct call *c, struct error *err)
{
    struct http_answer *http = &c->answer->http;
    const char *root = c->request->root;
    if (root == NULL)
        return true;
    bool whole = s3_parse_error(buf_str(&http->body), &c->doc);
    if (whole && strcmp(c->doc.root, root) == 0)
        return true;
    char target[CALL_TARGET_MAX];
    call_target(c, target, sizeof(target));
    if (whole && c->doc.code[0] != '\0') {
        str_copy(str_from(c->doc.code), c->answer->code, sizeof(c->answer->code));
        http->status = 500;
        return call_refuse(c, err);
    }
    http->status = 500;
    return error_set(err, ERROR_CORRUPT, 500,
                     "%s: the answer is cut off or no S3 answer; is %s an "
                     "S3 endpoint?",
                     target, c->s3->describe);
}

/* After an answer that is no success: may another try help? Waits are the caller's. */
bool call_may_repeat(struct call *c)
{
    const struct s3_answer *a = c->answer;
    enum retry_verdict verdict = retry_judge(a->http.status, str_from(a->code));
    if (verdict == RETRY_NEVER && a->code[0] == '\0')
        verdict = judge_silent(c);
    switch (verdict) {
    case RETRY_NEVER:
        return false;
    case RETRY_LATER:
        return true;
    case RETRY_CLOCK:
        return learn_clock(c);
    case RETRY_CREDENTIALS:
        return learn_credential(c);
    case RETRY_REGION:
        return learn_region(c);
    }
    return false;
}
