#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/escape.h"
#include "core/base/log.h"
#include "core/s3/call_impl.h"

#define KEY_SHOWN 120
#define VALUE_SHOWN 48

/* Of the others the name says enough; an upload's id would fill the line. */
static bool is_shown(struct str name)
{
    return str_is(name, "partNumber") || str_is(name, "prefix");
}

static void put_query(const struct s3_request *r, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < r->query_count && used + 1 < size; i++) {
        const struct sigv4_pair *pair = &r->query[i];
        char value[VALUE_SHOWN] = "";
        bool shown = is_shown(pair->name);
        if (shown)
            escape_text(value, sizeof(value), pair->value);
        int n = snprintf(out + used, size - used, "%c%.*s%s%s", i == 0 ? '?' : '&',
                         (int)pair->name.len, pair->name.ptr, shown ? "=" : "", value);
        used += n > 0 ? (size_t)n : 0;
    }
}

static struct str server_id(const struct http_answer *http)
{
    struct str id = http_header(http, "x-amz-request-id");
    return id.len > 0 ? id : http_header(http, "x-amz-id-2");
}

void call_log(const struct call *c, const struct call_time *t, const struct error *why)
{
    const struct s3_request *r = c->request;
    const struct http_answer *http = &c->answer->http;
    int64_t received = r->download != NULL ? r->download->delivered - t->delivered_before
                                           : (int64_t)http->body.len;
    char key[KEY_SHOWN];
    char query[160];
    char id[64];
    char status[24];
    put_query(r, query, sizeof(query));
    if (why == NULL)
        (void)snprintf(status, sizeof(status), "%d", http->status);
    else
        (void)snprintf(status, sizeof(status), "none (%s)", error_code_name(why->code));
    log_write(LOG_LEVEL_DEBUG, "s3",
              "%s %s/%s%s status %s, %" PRId64 " ms, try %u, sent %zu, received %" PRId64
              ", request %s",
              r->method, c->s3->options.bucket, escape_text(key, sizeof(key), r->key), query,
              status, t->elapsed_ms, c->answer->tries, r->body.len, received,
              escape_text(id, sizeof(id), server_id(http)));
}
