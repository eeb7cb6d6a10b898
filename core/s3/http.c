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

/* libcurl's signature. NOLINTNEXTLINE(readability-non-const-parameter) */
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

/* libcurl's signature. NOLINTNEXTLINE(readability-non-const-parameter) */
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

/* Three different faults come under one code of libcurl's; only its text tells them apart. */
static const char *certificate_advice(const char *detail)
{
    if (strstr(detail, "subject name") != NULL || strstr(detail, "does not match") != NULL)
        return "the server's certificate is for another name: give the endpoint by that name";
    if (strstr(detail, "expired") != NULL)
        return "the server's certificate must be renewed (or this machine's clock is wrong)";
    return NULL;
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
            const char *ca = x->http->options.ca_file;
            const char *advice =
                code == CURLE_PEER_FAILED_VERIFICATION ? certificate_advice(text) : NULL;
            bool show_ca = ca != NULL && advice == NULL && code == CURLE_PEER_FAILED_VERIFICATION;
            return error_set(x->err, meanings[i].code, 0, "%s: %s; %s%s%s", host, text,
                             advice != NULL ? advice : meanings[i].advice,
                             show_ca ? "; now it is " : "", show_ca ? ca : "");
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
    if (!has_header(r, "content-type")) /* libcurl would make up one, unsigned */
        *list = curl_slist_append(*list, "Content-Type:");
    buf_release(&line);
    return ok;
}

/* Rules that hold for every request. */
static CURLcode set_rules(CURL *c, const struct http_options *o, const struct http_request *r)
{
    const struct {
        CURLoption option;
        long value;
    } rules[] = {
        {CURLOPT_PATH_AS_IS, 1},
        {CURLOPT_FOLLOWLOCATION, 0},
        {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
        {CURLOPT_SSL_VERIFYPEER, 1},
        {CURLOPT_SSL_VERIFYHOST, 2},
        {CURLOPT_CONNECTTIMEOUT_MS, o->connect_timeout_ms},
        {CURLOPT_TIMEOUT_MS, r->total_timeout_ms},
        {CURLOPT_TCP_KEEPALIVE, 1},
        {CURLOPT_NOPROGRESS, 0},
        {CURLOPT_UPLOAD_BUFFERSIZE, 262144},
        {CURLOPT_BUFFERSIZE, 262144},
        {CURLOPT_NOBODY, strcmp(r->method, "HEAD") == 0},
    };
    CURLcode code = CURLE_OK;
    for (size_t i = 0; code == CURLE_OK && i < COUNT_OF(rules); i++)
        code = curl_easy_setopt(c, rules[i].option, rules[i].value);
    return code;
}

/* A failed setopt means no memory, which libcurl then meets again while it sends. */
static void set_callbacks(struct exchange *x, struct curl_slist *headers, char *detail)
{
    CURL *c = x->http->curl;
    (void)curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    (void)curl_easy_setopt(c, CURLOPT_XFERINFODATA, x);
    (void)curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
    (void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
    (void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, detail);
    (void)curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
}

static CURLcode set_options(struct exchange *x, struct curl_slist *headers, char *detail)
{
    CURL *c = x->http->curl;
    const struct http_options *o = &x->http->options;
    const struct http_request *r = x->request;
    set_callbacks(x, headers, detail);
    const struct {
        CURLoption option;
        const char *text;
    } texts[] = {
        {CURLOPT_URL, r->url},
        {CURLOPT_PROTOCOLS_STR, "https,http"},
        {CURLOPT_CAINFO, o->ca_file},
        {CURLOPT_NOPROXY, o->no_proxy ? "*" : NULL},
        {CURLOPT_POSTFIELDS, r->send_body ? (r->body.len > 0 ? r->body.ptr : "") : NULL},
        {CURLOPT_CUSTOMREQUEST, strcmp(r->method, "HEAD") == 0 ? NULL : r->method},
    };
    CURLcode code = set_rules(c, o, r);
    for (size_t i = 0; code == CURLE_OK && i < COUNT_OF(texts); i++)
        if (texts[i].text != NULL)
            code = curl_easy_setopt(c, texts[i].option, texts[i].text);
    if (code == CURLE_OK && r->send_body)
        code = curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
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
