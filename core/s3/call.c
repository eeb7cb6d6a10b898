#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "core/base/base64.h"
#include "core/base/clock.h"
#include "core/base/escape.h"
#include "core/base/format.h"
#include "core/base/log.h"
#include "core/base/rng.h"
#include "core/s3/call_impl.h"
#include "core/s3/retry.h"

#define URL_MAX ((size_t)16 << 10)
#define BACKOFF_CAP_MS 20000
#define SLEEP_STEP_MS 50
#define FIRST_CONTACT_TRIES 3
#define CLEANUP_TRIES 5
#define CONTENT_BYTES "application/octet-stream"

/* What one try sends; texts live until it ends. */
struct wire {
    struct endpoint endpoint;
    struct credential credential;
    int64_t now_ms;
    char date[FORMAT_MAX];
    char range[80];
    struct buf host;
    struct buf path;
    struct buf url;
    struct buf authorization;
    struct sigv4_pair headers[SIGV4_PAIRS_MAX];
    size_t header_count;
};

static void hash_payload(struct call *c)
{
    const struct s3_request *r = c->request;
    if (r->payload_hash != NULL)
        memcpy(c->payload_hash, r->payload_hash, sizeof(c->payload_hash));
    else
        sigv4_hash(c->payload_hash, r->body);
    unsigned char md5[EVP_MAX_MD_SIZE];
    unsigned len = sizeof(md5);
    struct buf text;
    struct error err;
    buf_init(&text, sizeof(c->payload_md5));
    c->payload_md5[0] = '\0';
    if (r->send_body &&
        EVP_Digest(r->body.len > 0 ? r->body.ptr : "", r->body.len, md5, &len, EVP_md5(), NULL) ==
            1 &&
        base64_encode(&text, (struct str){(const char *)md5, len}, &err))
        str_copy(buf_str(&text), c->payload_md5, sizeof(c->payload_md5));
    buf_release(&text);
    if (r->is_content && c->s3->options.checksums)
        checksum_of_hash(c->payload_hash, c->checksum);
}

static void put_header(struct wire *w, const char *name, struct str value)
{
    if (value.len > 0 && w->header_count < SIGV4_PAIRS_MAX)
        w->headers[w->header_count++] = (struct sigv4_pair){str_from(name), value};
}

static void put_range(struct wire *w, const struct s3_download *d)
{
    int64_t from = d->from + d->delivered;
    put_header(w, "if-match", str_from(d->etag));
    if (from == 0 && d->length < 0)
        return;
    if (d->length < 0)
        (void)snprintf(w->range, sizeof(w->range), "bytes=%lld-", (long long)from);
    else
        (void)snprintf(w->range, sizeof(w->range), "bytes=%lld-%lld", (long long)from,
                       (long long)(d->from + d->length - 1));
    put_header(w, "range", str_from(w->range));
}

static void put_headers(struct call *c, struct wire *w)
{
    const struct s3_request *r = c->request;
    format_compact_utc(w->date, sizeof(w->date), w->now_ms);
    put_header(w, "host", buf_str(&w->host));
    put_header(w, "x-amz-date", str_from(w->date));
    put_header(w, "x-amz-content-sha256", str_from(c->payload_hash));
    if (r->send_body) /* signed like all that is sent of it: some servers insist */
        put_header(w, "content-type",
                   str_from(r->content_type != NULL ? r->content_type : CONTENT_BYTES));
    put_header(w, "content-md5", str_from(c->payload_md5));
    put_header(w, CHECKSUM_HEADER, str_from(c->checksum));
    if (c->checksum[0] != '\0') /* radosgw looks for the checksum only where this names it */
        put_header(w, "x-amz-sdk-checksum-algorithm", STR("SHA256"));
    put_header(w, "x-amz-security-token", secret_reveal(&w->credential.token));
    for (size_t i = 0; i < r->header_count && w->header_count < SIGV4_PAIRS_MAX; i++)
        w->headers[w->header_count++] = r->headers[i];
    if (r->object_data)
        s3_put_customer_key(c->s3, w->headers, &w->header_count);
    if (r->download != NULL)
        put_range(w, r->download);
}

static bool build_url(const struct call *c, struct wire *w, struct error *err)
{
    const struct s3_request *r = c->request;
    return endpoint_host(&w->endpoint, &w->host, err) &&
           endpoint_path(&w->endpoint, r->key, &w->path, err) &&
           buf_format(&w->url, err, "%s://", w->endpoint.tls ? "https" : "http") &&
           buf_append(&w->url, buf_str(&w->host), err) &&
           buf_append(&w->url, buf_str(&w->path), err) &&
           (r->query_count == 0 || buf_byte(&w->url, '?', err)) &&
           sigv4_query(&w->url, r->query, r->query_count, err);
}

static bool sign(struct call *c, struct wire *w, struct error *err)
{
    const struct s3_request *r = c->request;
    const struct sigv4_request request = {
        .method = r->method,
        .path = buf_str(&w->path),
        .query = r->query,
        .query_count = r->query_count,
        .headers = w->headers,
        .header_count = w->header_count,
        .payload_hash = c->payload_hash,
    };
    const struct sigv4_scope scope = {
        .access_key = secret_reveal(&w->credential.access_key),
        .secret_key = secret_reveal(&w->credential.secret_key),
        .region = w->endpoint.region,
        .service = "s3",
        .time_ms = w->now_ms,
    };
    if (!sigv4_sign(&request, &scope, &w->authorization, err))
        return false;
    put_header(w, "authorization", buf_str(&w->authorization));
    return true;
}

static bool parse_content_range(struct str text, int64_t *from)
{
    if (!str_starts(text, "bytes "))
        return false;
    struct str rest = str_trim(str_slice(text, 6, text.len));
    return str_to_i64(str_slice(rest, 0, str_find(rest, '-')), from);
}

/* The first bytes of a try: where in the object do they stand? */
static bool start_download(struct s3_download *d, const struct http_answer *answer,
                           struct error *err)
{
    int64_t wanted = d->from + d->delivered;
    int64_t from = 0;
    struct str range = http_header(answer, "content-range");
    d->started = true;
    d->skip = 0;
    if (range.len > 0 && (!parse_content_range(range, &from) || from != wanted))
        return error_set(err, ERROR_CORRUPT, answer->status,
                         "the server sent another range than the one asked for");
    if (range.len == 0 && answer->status == 206)
        return error_set(err, ERROR_CORRUPT, answer->status,
                         "the server sent a range without saying which");
    if (range.len == 0)
        d->skip = wanted;
    if (d->etag[0] == '\0')
        str_copy(http_header(answer, "etag"), d->etag, sizeof(d->etag));
    return true;
}

static bool on_download(void *ctx, const struct http_answer *answer, struct str bytes,
                        struct error *err)
{
    struct s3_download *d = ctx;
    if (!d->started && !start_download(d, answer, err))
        return false;
    if (d->skip > 0) {
        size_t drop = (uint64_t)d->skip < bytes.len ? (size_t)d->skip : bytes.len;
        d->skip -= (int64_t)drop;
        bytes = str_slice(bytes, drop, bytes.len);
    }
    if (d->length >= 0 && (int64_t)bytes.len > d->length - d->delivered)
        bytes = str_slice(bytes, 0, (size_t)(d->length - d->delivered));
    if (bytes.len == 0)
        return true;
    d->delivered += (int64_t)bytes.len;
    return d->sink(d->ctx, bytes, err);
}

static bool exchange(struct call *c, struct wire *w, bool *again, struct error *err)
{
    struct s3_request *r = c->request;
    const struct http_request request = {
        .method = r->method,
        .url = w->url.data,
        .headers = w->headers + 1, /* libcurl writes Host itself, from the URL */
        .header_count = w->header_count - 1,
        .body = r->body,
        .send_body = r->send_body,
        .stall_timeout_ms =
            r->stall_timeout_ms > 0 ? r->stall_timeout_ms : c->s3->options.stall_timeout_ms,
        .sink = r->download != NULL ? on_download : NULL,
        .sink_ctx = r->download,
    };
    if (r->download != NULL)
        r->download->started = false;
    struct call_time t = {.delivered_before = r->download != NULL ? r->download->delivered : 0};
    struct http *h = s3_borrow(c->s3, r->even_cancelled);
    int64_t began = clock_mono_ms();
    bool ok = http_run(h, &request, &c->answer->http, again, err);
    t.elapsed_ms = clock_mono_ms() - began;
    s3_return(c->s3, h, r->even_cancelled);
    call_log(c, &t, ok ? NULL : err);
    pthread_mutex_lock(&c->s3->lock);
    c->s3->answered = c->s3->answered || ok;
    pthread_mutex_unlock(&c->s3->lock);
    return ok;
}

static bool try_once(struct call *c, bool *again, struct error *err)
{
    struct wire w = {.credential = {.expires_ms = CLOCK_NEVER}};
    buf_init(&w.host, URL_MAX);
    buf_init(&w.path, URL_MAX);
    buf_init(&w.url, URL_MAX);
    buf_init(&w.authorization, URL_MAX);
    *again = false;
    bool ok = s3_get_credential(c->s3, &w.credential, &c->used.credential, err);
    pthread_mutex_lock(&c->s3->lock);
    w.endpoint = c->s3->endpoint;
    c->used.clock_offset_ms = c->s3->clock_offset_ms;
    pthread_mutex_unlock(&c->s3->lock);
    w.now_ms = clock_real_ms() + c->used.clock_offset_ms;
    c->used.temporary = secret_is_set(&w.credential.token);
    memcpy(c->used.region, w.endpoint.region, sizeof(c->used.region));
    ok = ok && build_url(c, &w, err);
    if (ok)
        put_headers(c, &w);
    ok = ok && sign(c, &w, err) && exchange(c, &w, again, err);
    credential_release(&w.credential);
    buf_release(&w.host);
    buf_release(&w.path);
    buf_release(&w.url);
    buf_release(&w.authorization);
    return ok;
}

/* One try, judged: true is success; else *again. */
static bool attempt(struct call *c, bool *again, struct error *err)
{
    struct s3_answer *a = c->answer;
    char target[CALL_TARGET_MAX];
    a->tries++;
    a->code[0] = '\0';
    c->doc = (struct s3_error_doc){.root = ""};
    a->http.status = 0;
    if (!try_once(c, again, err)) {
        call_target(c, target, sizeof(target));
        return error_wrap(err, "%s", target);
    }
    if (a->http.status >= 200 && a->http.status < 300) {
        if (call_check_document(c, err))
            return true;
    } else {
        s3_parse_error(buf_str(&a->http.body), &c->doc);
        str_copy(str_from(c->doc.code), a->code, sizeof(a->code));
        call_refuse(c, err);
    }
    *again = !c->request->raw && call_may_repeat(c);
    return false;
}

static bool is_cancelled(const struct call *c)
{
    const struct s3_options *o = &c->s3->options;
    return !c->request->even_cancelled && o->cancelled != NULL && o->cancelled(o->cancel_ctx);
}

static bool wait_before_retry(const struct call *c, struct error *err)
{
    uint64_t random;
    rng_bytes(&random, sizeof(random));
    int64_t pause =
        retry_delay_ms(c->failures, c->s3->options.backoff_base_ms, BACKOFF_CAP_MS, random);
    int64_t until = clock_after(pause);
    for (;;) {
        if (is_cancelled(c))
            return error_set(err, ERROR_CANCELLED, 0, "cancelled");
        int left = clock_left_ms(until);
        if (left <= 0)
            return true;
        clock_sleep_ms(left < SLEEP_STEP_MS ? left : SLEEP_STEP_MS);
    }
}

/* Nobody waits a minute to hear of a wrong address: a server that never answered gets few tries. */
static unsigned tries_allowed(const struct call *c)
{
    unsigned tries = (unsigned)c->s3->options.tries;
    if (c->request->even_cancelled)
        tries = CLEANUP_TRIES; /* whoever cancelled waits for it */
    pthread_mutex_lock(&c->s3->lock);
    if (!c->s3->answered && tries > FIRST_CONTACT_TRIES)
        tries = FIRST_CONTACT_TRIES;
    pthread_mutex_unlock(&c->s3->lock);
    return tries;
}

bool s3_call(struct s3 *s3, struct s3_request *request, struct s3_answer *answer, struct error *err)
{
    struct call c = {.s3 = s3, .request = request, .answer = answer};
    struct error why;
    hash_payload(&c);
    if (is_cancelled(&c))
        return error_set(err, ERROR_CANCELLED, 0, "cancelled");
    for (;;) {
        int64_t before = request->download != NULL ? request->download->delivered : 0;
        bool again = false;
        if (attempt(&c, &again, &why))
            return true;
        if (request->download != NULL && request->download->delivered > before)
            c.failures = 0;
        if (!again || request->raw || ++c.failures >= tries_allowed(&c))
            break;
        log_write(LOG_LEVEL_INFO, "s3", "try %u failed: %s", answer->tries, why.text);
        if (!wait_before_retry(&c, err))
            return false;
    }
    *err = why;
    if (c.failures > 1)
        error_wrap(err, "after %u tries", answer->tries);
    return false;
}
