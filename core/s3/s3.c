#include "core/s3/s3.h"

#include <string.h>

#include "core/s3/client.h"

#define PUT_MAX ((uint64_t)5 << 30)

/* For requests whose answer is of no more interest. */
static bool run(struct s3 *s3, struct s3_request *request, struct error *err)
{
    struct s3_answer answer;
    s3_answer_init(&answer);
    bool ok = s3_call(s3, request, &answer, err);
    s3_answer_release(&answer);
    return ok;
}

bool s3_get(struct s3 *s3, const struct s3_get *get, s3_sink sink, void *ctx, struct error *err)
{
    if (get->length == 0)
        return true;
    struct s3_download download = {
        .from = get->from, .length = get->length, .sink = sink, .ctx = ctx};
    str_copy(str_from(get->etag), download.etag, sizeof(download.etag));
    struct s3_request request = {.what = "download",
                                 .method = "GET",
                                 .key = get->key,
                                 .download = &download,
                                 .object_data = true};
    return run(s3, &request, err);
}

bool s3_head(struct s3 *s3, struct str key, struct s3_object *out, struct error *err)
{
    return s3_head_as(s3, key, false, out, err);
}

bool s3_head_as(struct s3 *s3, struct str key, bool checksum, struct s3_object *out,
                struct error *err)
{
    struct s3_request request = {
        .what = "look at", .method = "HEAD", .key = key, .object_data = true};
    struct s3_answer answer;
    if (checksum)
        s3_add_header(&request, "x-amz-checksum-mode", STR("ENABLED"));
    s3_answer_init(&answer);
    bool ok = s3_call(s3, &request, &answer, err);
    if (ok)
        s3_object_from_headers(&answer.http, out);
    s3_answer_release(&answer);
    if (ok && out->size_bytes < 0)
        return error_set(err, ERROR_CORRUPT, 0, "the S3 server did not say how large an object is");
    return ok;
}

bool s3_put(struct s3 *s3, struct str key, struct str body, struct error *err)
{
    if (body.len > PUT_MAX)
        return error_set(err, ERROR_LIMIT, 0, "more than 5 GiB in one upload");
    struct s3_request request = {.what = "upload",
                                 .method = "PUT",
                                 .key = key,
                                 .body = body,
                                 .send_body = true,
                                 .content_type = s3_content_type(key),
                                 .object_data = true,
                                 .is_content = true};
    s3_add_sse(s3, &request);
    return run(s3, &request, err);
}

bool s3_delete(struct s3 *s3, struct str key, struct error *err)
{
    struct s3_request request = {.what = "delete", .method = "DELETE", .key = key};
    struct error why;
    if (run(s3, &request, &why) || why.code == ERROR_NOT_FOUND)
        return true;
    *err = why;
    return false;
}

bool s3_ask_region(struct s3 *s3, char *region, size_t size)
{
    struct s3_request request = {.what = "find the region of", .method = "HEAD", .raw = true};
    struct s3_answer answer;
    struct error ignored;
    if (s3->endpoint.custom)
        return false;
    s3_answer_init(&answer);
    if (!s3_call(s3, &request, &answer, &ignored))
        region[0] = '\0';
    bool ok = str_copy(http_header(&answer.http, "x-amz-bucket-region"), region, size) &&
              region[0] != '\0';
    s3_answer_release(&answer);
    return ok;
}

bool s3_check(struct s3 *s3, struct error *err)
{
    struct s3_page page = {.count = 0};
    const struct s3_list list = {.max_keys = 1};
    bool ok = s3_list(s3, &list, &page, err);
    s3_page_release(&page);
    return ok;
}
