#include <stdio.h>
#include <string.h>

#include "core/s3/client.h"
#include "core/s3/multipart.h"

/* One page of the parts that the server holds of an upload. */
struct part_listing {
    struct str key;
    struct str upload_id;
    bool cleanup;
    s3_part_sink sink;
    void *ctx;
    struct s3_part part; /* as far as it was read */
    unsigned marker;     /* the last number of this page */
    bool truncated;
};

static bool take_number(struct str text, int max, unsigned *out)
{
    int number;
    bool ok = str_to_int(str_trim(text), 0, max, &number);
    if (ok)
        *out = (unsigned)number;
    return ok;
}

static bool on_part_element(void *ctx, const char *path, struct str text, struct error *err)
{
    struct part_listing *l = ctx;
    static const char root[] = "ListPartsResult/";
    (void)err;
    if (strncmp(path, root, sizeof(root) - 1) != 0)
        return true;
    path += sizeof(root) - 1;
    if (strcmp(path, "Part") == 0) {
        l->sink(l->ctx, &l->part);
        l->part = (struct s3_part){.number = 0};
    } else if (strcmp(path, "Part/PartNumber") == 0) {
        (void)take_number(text, MULTIPART_PARTS_MAX, &l->part.number);
    } else if (strcmp(path, "Part/Size") == 0) {
        if (!str_to_i64(str_trim(text), &l->part.size_bytes))
            l->part.size_bytes = -1;
    } else if (strcmp(path, "Part/ETag") == 0) {
        str_copy(str_trim(text), l->part.etag, sizeof(l->part.etag));
    } else if (strcmp(path, "Part/LastModified") == 0) {
        l->part.modified_ms = s3_parse_time(str_trim(text));
    } else if (strcmp(path, "NextPartNumberMarker") == 0) {
        (void)take_number(text, MULTIPART_PARTS_MAX, &l->marker);
    } else if (strcmp(path, "IsTruncated") == 0) {
        l->truncated = str_is(str_trim(text), "true");
    }
    return true;
}

static bool list_page(struct s3 *s3, struct part_listing *l, struct error *err)
{
    struct s3_request request = {.what = "list parts of",
                                 .method = "GET",
                                 .key = l->key,
                                 .root = "ListPartsResult",
                                 .even_cancelled = l->cleanup};
    struct s3_answer answer;
    char marker[16];
    (void)snprintf(marker, sizeof(marker), "%u", l->marker);
    s3_add_query(&request, "uploadId", l->upload_id);
    if (l->marker > 0)
        s3_add_query(&request, "part-number-marker", str_from(marker));
    l->truncated = false;
    s3_answer_init(&answer);
    bool ok = s3_call(s3, &request, &answer, err) &&
              xml_parse(buf_str(&answer.http.body), on_part_element, l, err);
    s3_answer_release(&answer);
    return ok;
}

bool s3_list_parts(struct s3 *s3, struct str key, struct str upload_id, bool cleanup,
                   s3_part_sink sink, void *ctx, struct error *err)
{
    struct part_listing l = {
        .key = key, .upload_id = upload_id, .cleanup = cleanup, .sink = sink, .ctx = ctx};
    unsigned before;
    do {
        before = l.marker;
        if (!list_page(s3, &l, err))
            return false;
    } while (l.truncated && l.marker > before);
    return true;
}

static void take_newest(void *ctx, const struct s3_part *part)
{
    int64_t *newest_ms = ctx;
    if (part->modified_ms > *newest_ms)
        *newest_ms = part->modified_ms;
}

bool s3_upload_last_part(struct s3 *s3, struct str key, struct str upload_id, int64_t *newest_ms,
                         struct error *err)
{
    struct error why;
    if (s3_list_parts(s3, key, upload_id, true, take_newest, newest_ms, &why) ||
        why.code == ERROR_NOT_FOUND)
        return true;
    *err = why;
    return false;
}
