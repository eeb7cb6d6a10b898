#include <curl/curl.h>
#include <string.h>
#include <time.h>

#include "core/base/escape.h"
#include "core/base/format.h"
#include "core/s3/checksum.h"
#include "core/s3/client.h"

void s3_answer_init(struct s3_answer *a)
{
    *a = (struct s3_answer){.tries = 0};
    http_answer_init(&a->http);
}

void s3_answer_release(struct s3_answer *a)
{
    http_answer_release(&a->http);
}

static bool on_error_element(void *ctx, const char *path, struct str text, struct error *err)
{
    struct s3_error_doc *doc = ctx;
    (void)err;
    if (strchr(path, '/') == NULL)
        str_copy(str_from(path), doc->root, sizeof(doc->root));
    else if (strcmp(path, "Error/Code") == 0)
        str_copy(str_trim(text), doc->code, sizeof(doc->code));
    else if (strcmp(path, "Error/Message") == 0)
        escape_text(doc->message, sizeof(doc->message), str_trim(text));
    else if (strcmp(path, "Error/Region") == 0)
        str_copy(str_trim(text), doc->region, sizeof(doc->region));
    return true;
}

bool s3_parse_error(struct str body, struct s3_error_doc *out)
{
    struct error err;
    *out = (struct s3_error_doc){.root = ""};
    return xml_parse(body, on_error_element, out, &err);
}

void s3_add_query(struct s3_request *r, const char *name, struct str value)
{
    if (r->query_count < S3_PAIRS_MAX)
        r->query[r->query_count++] = (struct sigv4_pair){str_from(name), value};
}

void s3_add_header(struct s3_request *r, const char *name, struct str value)
{
    if (value.len > 0 && r->header_count < S3_PAIRS_MAX)
        r->headers[r->header_count++] = (struct sigv4_pair){str_from(name), value};
}

const char *s3_content_type(struct str key)
{
    static const struct {
        const char *end;
        const char *type;
    } types[] = {
        {".tar.gz", "application/gzip"}, {".json", "application/json"}, {".hmac", "text/plain"}};
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (str_ends(key, types[i].end))
            return types[i].type;
    return NULL;
}

void s3_add_sse(const struct s3 *s3, struct s3_request *r)
{
    const struct s3_options *o = &s3->options;
    s3_add_header(r, "x-amz-server-side-encryption", str_from(o->sse));
    if (o->sse != NULL && str_starts(str_from(o->sse), "aws:kms"))
        s3_add_header(r, "x-amz-server-side-encryption-aws-kms-key-id",
                      str_from(o->sse_kms_key_id));
}

int64_t s3_parse_time(struct str text)
{
    int64_t ms;
    char copy[64];
    if (format_parse_utc(text, &ms))
        return ms;
    if (text.len == 0 || !str_copy(text, copy, sizeof(copy)))
        return 0;
    time_t seconds = curl_getdate(copy, NULL);
    return seconds > 0 ? (int64_t)seconds * 1000 : 0;
}

void s3_object_from_headers(const struct http_answer *http, struct s3_object *out)
{
    *out = (struct s3_object){.size_bytes = 0};
    if (!str_to_i64(http_header(http, "content-length"), &out->size_bytes))
        out->size_bytes = -1;
    out->modified_ms = s3_parse_time(http_header(http, "last-modified"));
    str_copy(http_header(http, "etag"), out->etag, sizeof(out->etag));
    str_copy(http_header(http, S3_META_TOKEN), out->token, sizeof(out->token));
    str_copy(http_header(http, CHECKSUM_HEADER), out->checksum, sizeof(out->checksum));
}
