#include "core/s3/http.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/escape.h"

#define HOST_SHOWN 120

struct http {
    CURL *curl;
    struct http_options options;
};

/* One exchange, as libcurl's callbacks see it. */
struct exchange {
    struct http *http;
    const struct http_request *request;
    struct http_answer *answer;
    struct error *err;
    bool failed; /* *err is set by one of the callbacks */
    bool stalled;
    int64_t moved_bytes;
    int64_t moved_at;
};

void http_answer_init(struct http_answer *answer)
{
    answer->status = 0;
    buf_init(&answer->headers, HTTP_HEADERS_MAX);
    buf_init(&answer->body, HTTP_BODY_MAX);
}

void http_answer_release(struct http_answer *answer)
{
    buf_release(&answer->headers);
    buf_release(&answer->body);
}

struct str http_header(const struct http_answer *answer, const char *name)
{
    struct str rest = buf_str(&answer->headers);
    struct str line;
    while (str_split(&rest, '\n', &line)) {
        size_t colon = str_find(line, ':');
        if (colon < line.len && str_is(str_slice(line, 0, colon), name))
            return str_trim(str_slice(line, colon + 1, line.len));
    }
    return (struct str){NULL, 0};
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    struct exchange *x = ctx;
    size_t len = size * count;
    struct str line = str_trim((struct str){data, len});
    struct buf *out = &x->answer->headers;
    if (str_starts(line, "HTTP/")) {
        buf_clear(out);
        return len;
    }
    size_t colon = str_find(line, ':');
    if (colon == line.len)
        return len;
    bool ok = true;
    for (size_t i = 0; ok && i < colon; i++) {
        char c = line.ptr[i];
        ok = buf_byte(out, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c, x->err);
    }
    ok = ok && buf_append(out, str_slice(line, colon, line.len), x->err) &&
         buf_byte(out, '\n', x->err);
    x->failed = x->failed || !ok;
    return ok ? len : 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct exchange *x = ctx;
    struct str bytes = {data, size * count};
    long status = 0;
    if (curl_easy_getinfo(x->http->curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK)
        x->answer->status = (int)status;
    bool success = status >= 200 && status < 300;
    bool ok = success && x->request->sink != NULL
                  ? x->request->sink(x->request->sink_ctx, x->answer, bytes, x->err)
                  : buf_append(&x->answer->body, bytes, x->err);
    x->failed = x->failed || !ok;
    return ok ? bytes.len : 0;
}

static int on_progress(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    struct exchange *x = ctx;
    (void)down_total;
    (void)up_total;
    const struct http_options *o = &x->http->options;
    if (o->cancelled != NULL && o->cancelled(o->cancel_ctx)) {
        if (!x->failed)
            error_set(x->err, ERROR_CANCELLED, 0, "cancelled");
        x->failed = true;
        return 1;
    }
    int64_t now = clock_mono_ms();
    if (down + up != x->moved_bytes) {
        x->moved_bytes = down + up;
        x->moved_at = now;
    }
    x->stalled =
        x->request->stall_timeout_ms > 0 && now - x->moved_at > x->request->stall_timeout_ms;
    return x->stalled ? 1 : 0;
}

/* What libcurl's codes mean; those not listed are broken connections, worth another try. */
static const struct {
    CURLcode curl;
    enum error_code code;
    bool again;
    const char *advice;
} meanings[] = {
    {CURLE_COULDNT_RESOLVE_HOST, ERROR_UNREACHABLE, true, "check the endpoint's name and DNS"},
    {CURLE_COULDNT_RESOLVE_PROXY, ERROR_UNREACHABLE, true, "check the proxy's name"},
    {CURLE_COULDNT_CONNECT, ERROR_UNREACHABLE, true,
     "check the endpoint's address and port, and that the server runs"},
    {CURLE_OPERATION_TIMEDOUT, ERROR_TIMEOUT, true, "the server or the network is too slow"},
    {CURLE_PEER_FAILED_VERIFICATION, ERROR_CONFIG, false,
     "the server's certificate is not trusted: give its CA file (AWS_CA_BUNDLE)"},
    {CURLE_SSL_CACERT_BADFILE, ERROR_CONFIG, false, "the CA file cannot be read"},
    {CURLE_SSL_CONNECT_ERROR, ERROR_UNREACHABLE, true,
     "TLS failed: is the endpoint http rather than https?"},
    {CURLE_UNSUPPORTED_PROTOCOL, ERROR_CONFIG, false, "the endpoint must be http or https"},
    {CURLE_URL_MALFORMAT, ERROR_CONFIG, false, "the endpoint is no valid URL"},
    {CURLE_WEIRD_SERVER_REPLY, ERROR_UNREACHABLE, true, "the endpoint does not speak HTTP"},
};

/* "https://host:port" of the URL: the rest may hold what nobody should read. */
static void shown_host(char *out, size_t size, const char *url)
{
    struct str s = str_from(url);
    const char *start = strstr(url, "://");
    size_t from = start != NULL ? (size_t)(start - url) + 3 : 0;
    size_t end = from + str_find(str_slice(s, from, s.len), '/');
    escape_text(out, size, str_slice(s, 0, end));
}

static bool fail(struct exchange *x, CURLcode code, const char *detail, bool *again)
{
    *again = false;
    if (x->failed)
        return false;
    char host[HOST_SHOWN];
    shown_host(host, sizeof(host), x->request->url);
    *again = true;
    if (x->stalled)
        return error_set(x->err, ERROR_TIMEOUT, 0, "%s: nothing moved for %d s", host,
                         x->request->stall_timeout_ms / 1000);
    char text[160];
    escape_text(text, sizeof(text),
                str_from(detail[0] != '\0' ? detail : curl_easy_strerror(code)));
    for (size_t i = 0; i < COUNT_OF(meanings); i++)
        if (meanings[i].curl == code) {
            *again = meanings[i].again;
            return error_set(x->err, meanings[i].code, 0, "%s: %s; %s", host, text,
                             meanings[i].advice);
        }
    return error_set(x->err, ERROR_UNREACHABLE, 0, "%s: %s", host, text);
}

struct http *http_new(const struct http_options *options)
{
    struct http *h = mem_zero(1, sizeof(*h));
    h->options = *options;
    h->curl = curl_easy_init();
    return h;
}

void http_free(struct http *h)
{
    if (h == NULL)
        return;
    if (h->curl != NULL)
        curl_easy_cleanup(h->curl);
    free(h);
}

static bool has_header(const struct http_request *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (str_is(r->headers[i].name, name))
            return true;
    return false;
}

static bool set_headers(struct curl_slist **list, const struct http_request *r, struct error *err)
{
    struct buf line;
    buf_init(&line, HTTP_HEADERS_MAX);
    bool ok = true;
    for (size_t i = 0; ok && i < r->header_count; i++) {
        buf_clear(&line);
        ok = buf_append(&line, r->headers[i].name, err) && buf_text(&line, ": ", err) &&
             buf_append(&line, r->headers[i].value, err);
        if (ok && (strpbrk(line.data, "\r\n") != NULL || strlen(line.data) != line.len))
            ok = error_set(err, ERROR_CONFIG, 0, "a header value holds a line break");
        if (ok)
            *list = curl_slist_append(*list, line.data);
    }
    *list = curl_slist_append(*list, "Expect:");
    *list = curl_slist_append(*list, "Accept:");
    if (r->send_body && !has_header(r, "content-type"))
        *list = curl_slist_append(*list, "Content-Type: application/octet-stream");
    buf_release(&line);
    return ok;
}

static CURLcode set_options(struct exchange *x, struct curl_slist *headers, char *detail)
{
    CURL *c = x->http->curl;
    const struct http_options *o = &x->http->options;
    const struct http_request *r = x->request;
    CURLcode code = CURLE_OK;
#define SET(option, value) (code = code != CURLE_OK ? code : curl_easy_setopt(c, option, value))
    SET(CURLOPT_URL, r->url);
    SET(CURLOPT_PROTOCOLS_STR, "https,http");
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_timeout_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)r->total_timeout_ms);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, x);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, x);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, x);
    SET(CURLOPT_ERRORBUFFER, detail);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_UPLOAD_BUFFERSIZE, 262144L);
    SET(CURLOPT_BUFFERSIZE, 262144L);
    if (o->ca_file != NULL)
        SET(CURLOPT_CAINFO, o->ca_file);
    if (o->no_proxy)
        SET(CURLOPT_NOPROXY, "*");
    if (r->send_body) {
        SET(CURLOPT_POSTFIELDS, r->body.len > 0 ? r->body.ptr : "");
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
    }
    if (strcmp(r->method, "HEAD") == 0)
        SET(CURLOPT_NOBODY, 1L);
    else
        SET(CURLOPT_CUSTOMREQUEST, r->method);
#undef SET
    return code;
}

bool http_run(struct http *h, const struct http_request *request, struct http_answer *answer,
              bool *again, struct error *err)
{
    struct exchange x = {.http = h, .request = request, .answer = answer, .err = err};
    char detail[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL;
    *again = false;
    answer->status = 0;
    buf_clear(&answer->headers);
    buf_clear(&answer->body);
    if (h->curl == NULL)
        return error_set(err, ERROR_INTERNAL, 0, "libcurl gives no handle");
    x.moved_at = clock_mono_ms();
    curl_easy_reset(h->curl);
    bool ok = set_headers(&headers, request, err);
    if (ok) {
        CURLcode code = set_options(&x, headers, detail);
        if (code == CURLE_OK)
            code = curl_easy_perform(h->curl);
        long status = 0;
        ok = code == CURLE_OK &&
             curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK;
        answer->status = (int)status;
        if (!ok)
            fail(&x, code, detail, again);
    }
    curl_slist_free_all(headers);
    return ok;
}
