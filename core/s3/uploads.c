#include <stdlib.h>
#include <string.h>

#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/s3/client.h"

#define ITEMS_MAX 10000
#define UPLOAD_PAGES_MAX 100
#define ABORT_ROUNDS 6
#define ABORT_PAUSE_MS ((int64_t)200)

struct upload_listing {
    struct s3_uploads *out;
    struct s3_upload_item item;
    struct str key_marker;
    struct str id_marker;
    size_t first; /* of this page */
    bool cleanup; /* even when cancelled */
    bool truncated;
    bool encoded;
};

static bool on_upload_element(void *ctx, const char *path, struct str text, struct error *err)
{
    struct upload_listing *l = ctx;
    static const char root[] = "ListMultipartUploadsResult/";
    if (strncmp(path, root, sizeof(root) - 1) != 0)
        return true;
    path += sizeof(root) - 1;
    struct arena *arena = &l->out->arena;
    if (strcmp(path, "Upload/Key") == 0)
        l->item.key = arena_str(arena, text);
    else if (strcmp(path, "Upload/UploadId") == 0)
        l->item.upload_id = arena_str(arena, text);
    else if (strcmp(path, "Upload/Initiated") == 0)
        l->item.started_ms = s3_parse_time(str_trim(text));
    else if (strcmp(path, "NextKeyMarker") == 0)
        l->key_marker = arena_str(arena, text);
    else if (strcmp(path, "NextUploadIdMarker") == 0)
        l->id_marker = arena_str(arena, text);
    else if (strcmp(path, "IsTruncated") == 0)
        l->truncated = str_is(str_trim(text), "true");
    else if (strcmp(path, "EncodingType") == 0)
        l->encoded = str_is(str_trim(text), "url");
    else if (strcmp(path, "Upload") == 0) {
        if (l->out->count == ITEMS_MAX)
            return error_set(err, ERROR_LIMIT, 0, "more than %d unfinished uploads", ITEMS_MAX);
        ARRAY_PUSH(l->out->items, l->out->count, l->out->cap) = l->item;
        l->item = (struct s3_upload_item){.started_ms = 0};
    }
    return true;
}

static bool decode_uploads(struct upload_listing *l, struct str prefix, struct error *err)
{
    struct s3_uploads *out = l->out;
    if (l->encoded && l->key_marker.len > 0 && !s3_decode_key(&out->arena, &l->key_marker, err))
        return false;
    size_t kept = l->first;
    for (size_t i = l->first; i < out->count; i++) {
        if (l->encoded && !s3_decode_key(&out->arena, &out->items[i].key, err))
            return false;
        if (str_equal(str_slice(out->items[i].key, 0, prefix.len), prefix) &&
            out->items[i].upload_id.len > 0)
            out->items[kept++] = out->items[i];
    }
    out->count = kept;
    return true;
}

static bool list_uploads_page(struct s3 *s3, struct str prefix, struct upload_listing *l,
                              struct error *err)
{
    struct s3_request request = {.what = "list uploads in",
                                 .method = "GET",
                                 .root = "ListMultipartUploadsResult",
                                 .even_cancelled = l->cleanup};
    struct s3_answer answer;
    s3_add_query(&request, "uploads", STR(""));
    s3_add_query(&request, "encoding-type", STR("url"));
    s3_add_query(&request, "prefix", prefix);
    if (l->key_marker.len > 0)
        s3_add_query(&request, "key-marker", l->key_marker);
    if (l->id_marker.len > 0)
        s3_add_query(&request, "upload-id-marker", l->id_marker);
    l->truncated = false;
    l->first = l->out->count;
    s3_answer_init(&answer);
    bool ok = s3_call(s3, &request, &answer, err) &&
              xml_parse(buf_str(&answer.http.body), on_upload_element, l, err) &&
              decode_uploads(l, prefix, err);
    s3_answer_release(&answer);
    return ok;
}

bool s3_find_uploads(struct s3 *s3, struct str prefix, bool cleanup, struct s3_uploads *out,
                     struct error *err)
{
    *out = (struct s3_uploads){.count = 0};
    struct upload_listing l = {.out = out, .cleanup = cleanup};
    int pages = 0;
    do {
        if (++pages > UPLOAD_PAGES_MAX)
            error_set(err, ERROR_LIMIT, 0, "the list of unfinished uploads does not end");
        if (pages > UPLOAD_PAGES_MAX || !list_uploads_page(s3, prefix, &l, err)) {
            s3_uploads_release(out);
            return false;
        }
    } while (l.truncated);
    return true;
}

bool s3_list_uploads(struct s3 *s3, struct str prefix, struct s3_uploads *out, struct error *err)
{
    return s3_find_uploads(s3, prefix, false, out, err);
}

void s3_uploads_release(struct s3_uploads *uploads)
{
    free(uploads->items);
    arena_release(&uploads->arena);
    *uploads = (struct s3_uploads){.count = 0};
}

static void count_part(void *ctx, const struct s3_part *part)
{
    (void)part;
    (*(size_t *)ctx)++;
}

/* An upload that is gone has no parts. */
static bool count_parts(struct s3 *s3, struct str key, struct str upload_id, size_t *count,
                        struct error *err)
{
    struct error why;
    *count = 0;
    if (s3_list_parts(s3, key, upload_id, true, count_part, count, &why) ||
        why.code == ERROR_NOT_FOUND)
        return true;
    *err = why;
    return false;
}

static bool abort_once(struct s3 *s3, struct str key, struct str upload_id, struct error *err)
{
    struct s3_request request = {
        .what = "abort upload of", .method = "DELETE", .key = key, .even_cancelled = true};
    struct s3_answer answer;
    struct error why;
    s3_add_query(&request, "uploadId", upload_id);
    s3_answer_init(&answer);
    bool ok = s3_call(s3, &request, &answer, &why) || why.code == ERROR_NOT_FOUND;
    s3_answer_release(&answer);
    if (!ok)
        *err = why;
    return ok;
}

bool s3_abort_upload(struct s3 *s3, struct str key, struct str upload_id, struct error *err)
{
    size_t count = 0;
    for (int round = 0; round < ABORT_ROUNDS; round++) {
        if (round > 0)
            clock_sleep_ms(ABORT_PAUSE_MS * round);
        if (!abort_once(s3, key, upload_id, err) || !count_parts(s3, key, upload_id, &count, err))
            return false;
        if (count == 0)
            return true;
    }
    return error_set(err, ERROR_STORAGE, 0, "%zu parts of an aborted upload stay on the server",
                     count);
}
