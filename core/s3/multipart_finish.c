#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/s3/checksum.h"
#include "core/s3/multipart_impl.h"

#define COMPLETE_STALL_MS (10 * 60 * 1000) /* a server may think for minutes before it answers */
#define COMPLETE_XML_MAX ((size_t)4 << 20)

static bool on_create_element(void *ctx, const char *path, struct str text, struct error *err)
{
    char **id = ctx;
    (void)err;
    if (strcmp(path, "InitiateMultipartUploadResult/UploadId") == 0 && *id == NULL && text.len > 0)
        *id = mem_copy_str(text);
    return true;
}

static void tell_begun(struct multipart *m)
{
    struct upload_known u = {.bucket = mem_copy_text(s3_bucket(m->s3)),
                             .key = m->key_text,
                             .upload_id = m->upload_id,
                             .encryption = s3_encryption(m->s3),
                             .checksums = m->s3->options.checksums,
                             .part_bytes = (int64_t)m->part_bytes,
                             .estimate_bytes = m->estimate_bytes};
    memcpy(u.token, m->token, sizeof(m->token));
    m->memory->begun(m->memory->arg, &u);
    free(u.encryption);
    free(u.bucket);
}

bool multipart_create(struct multipart *m, struct error *err)
{
    struct s3_request request = {.what = "start upload of",
                                 .method = "POST",
                                 .key = m->key,
                                 .send_body = true,
                                 .content_type = s3_content_type(m->key),
                                 .object_data = true,
                                 .root = "InitiateMultipartUploadResult"};
    struct s3_answer answer;
    s3_add_query(&request, "uploads", STR(""));
    s3_add_header(&request, S3_META_TOKEN, str_from(m->token));
    s3_add_sse(m->s3, &request);
    if (m->s3->options.checksums)
        s3_add_header(&request, "x-amz-checksum-algorithm", STR("SHA256"));
    s3_answer_init(&answer);
    bool ok = s3_call(m->s3, &request, &answer, err) &&
              xml_parse(buf_str(&answer.http.body), on_create_element, &m->upload_id, err);
    m->create_unsure = !ok || answer.tries > 1;
    s3_answer_release(&answer);
    if (ok && m->upload_id == NULL)
        return error_set(err, ERROR_CORRUPT, 0, "the S3 server started an upload without an id");
    if (ok && upload_memory_keeps(m->memory))
        tell_begun(m);
    return ok;
}

/* Only where the name is this upload's alone: whatever else was begun under it is our own. */
void multipart_sweep_unsure(struct multipart *m)
{
    struct s3_uploads uploads;
    struct error err;
    if (!m->create_unsure || !m->never_replace)
        return;
    if (!s3_find_uploads(m->s3, m->key, true, &uploads, &err))
        return;
    for (size_t i = 0; i < uploads.count; i++)
        if (str_equal(uploads.items[i].key, m->key) &&
            !s3_abort_upload(m->s3, m->key, uploads.items[i].upload_id, &err))
            log_write(LOG_LEVEL_WARN, "s3", "an upload was not removed: %s", err.text);
    s3_uploads_release(&uploads);
}

static int compare_parts(const void *a, const void *b)
{
    const struct part *x = a;
    const struct part *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

static bool put_xml_text(struct buf *out, const char *text, struct error *err)
{
    static const struct {
        char byte;
        const char *entity;
    } entities[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}};
    for (; *text != '\0'; text++) {
        const char *entity = NULL;
        for (size_t i = 0; i < COUNT_OF(entities); i++)
            if (entities[i].byte == *text)
                entity = entities[i].entity;
        if (entity != NULL ? !buf_text(out, entity, err) : !buf_byte(out, *text, err))
            return false;
    }
    return true;
}

void multipart_sort_parts(struct multipart *m)
{
    qsort(m->parts, m->part_count, sizeof(*m->parts), compare_parts);
}

static bool put_part(const struct multipart *m, const struct part *part, struct buf *out,
                     struct error *err)
{
    char checksum[CHECKSUM_SIZE];
    checksum_of_hash(part->sha256, checksum);
    return buf_format(out, err, "<Part><PartNumber>%u</PartNumber><ETag>", part->number) &&
           put_xml_text(out, part->etag, err) && buf_text(out, "</ETag>", err) &&
           (!m->s3->options.checksums ||
            buf_format(out, err, "<ChecksumSHA256>%s</ChecksumSHA256>", checksum)) &&
           buf_text(out, "</Part>", err);
}

static bool put_part_list(struct multipart *m, struct buf *out, struct error *err)
{
    multipart_sort_parts(m);
    if (!buf_text(out,
                  "<CompleteMultipartUpload "
                  "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
                  err))
        return false;
    for (size_t i = 0; i < m->part_count; i++)
        if (!put_part(m, &m->parts[i], out, err))
            return false;
    return buf_text(out, "</CompleteMultipartUpload>", err);
}

static bool finish_once(struct multipart *m, bool conditional, struct error *err)
{
    struct buf body;
    struct s3_answer answer;
    buf_init(&body, COMPLETE_XML_MAX);
    s3_answer_init(&answer);
    bool ok = put_part_list(m, &body, err);
    struct s3_request request = {.what = "finish upload of",
                                 .method = "POST",
                                 .key = m->key,
                                 .body = buf_str(&body),
                                 .send_body = true,
                                 .content_type = "application/xml",
                                 .object_data = true,
                                 .root = "CompleteMultipartUploadResult",
                                 .stall_timeout_ms = COMPLETE_STALL_MS};
    s3_add_query(&request, "uploadId", str_from(m->upload_id));
    if (conditional)
        s3_add_header(&request, "if-none-match", STR("*"));
    ok = ok && s3_call(m->s3, &request, &answer, err);
    s3_answer_release(&answer);
    buf_release(&body);
    return ok;
}

static bool put_whole(struct multipart *m, bool conditional, struct error *err)
{
    const struct slot *slot = m->filling;
    struct s3_request request = {
        .what = "upload",
        .method = "PUT",
        .key = m->key,
        .body = {slot != NULL ? slot->data : NULL, slot != NULL ? slot->len : 0},
        .send_body = true,
        .content_type = s3_content_type(m->key),
        .object_data = true,
        .is_content = true};
    struct s3_answer answer;
    if (conditional)
        s3_add_header(&request, "if-none-match", STR("*"));
    s3_add_header(&request, S3_META_TOKEN, str_from(m->token));
    s3_add_sse(m->s3, &request);
    s3_answer_init(&answer);
    bool ok = s3_call(m->s3, &request, &answer, err);
    s3_answer_release(&answer);
    return ok;
}

static bool finish_with(struct multipart *m, bool conditional, struct error *err)
{
    return m->upload_id == NULL ? put_whole(m, conditional, err) : finish_once(m, conditional, err);
}

/* Not every server knows If-None-Match here: some refuse it (501), which is remembered, others
 * ignore it. Names are unique by their random part, so it is a second line, not the first. */
bool multipart_complete(struct multipart *m, struct error *err)
{
    bool conditional = m->never_replace && s3_may_be_conditional(m->s3);
    if (finish_with(m, conditional, err))
        return true;
    if (!conditional || err->code != ERROR_UNSUPPORTED)
        return false;
    s3_never_conditional(m->s3);
    log_write(LOG_LEVEL_INFO, "s3", "the S3 server does not know If-None-Match");
    return finish_with(m, false, err);
}
