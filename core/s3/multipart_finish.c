#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/escape.h"
#include "core/base/hex.h"
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
    if (ok && m->memory != NULL)
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

static void sort_parts(struct multipart *m)
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
    sort_parts(m);
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

/* Does our own object of the right size stand under the key? The random token is the proof. */
bool multipart_is_ours(struct multipart *m, struct s3_object *object)
{
    struct error ignored;
    return s3_head(m->s3, m->key, object, &ignored) && strcmp(object->token, m->token) == 0 &&
           object->size_bytes == m->total_bytes;
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

static void expected_checksum(struct multipart *m, char out[CHECKSUM_SIZE])
{
    const struct slot *slot = m->filling;
    char hash[SIGV4_HASH_SIZE];
    if (m->upload_id == NULL) {
        sigv4_hash(hash,
                   (struct str){slot != NULL ? slot->data : NULL, slot != NULL ? slot->len : 0});
        checksum_of_hash(hash, out);
        return;
    }
    unsigned char *raw = mem_zero(m->part_count + 1, CHECKSUM_RAW);
    bool ok = true;
    sort_parts(m);
    for (size_t i = 0; i < m->part_count; i++)
        ok = ok && hex_decode(raw + i * CHECKSUM_RAW, CHECKSUM_RAW, str_from(m->parts[i].sha256));
    checksum_of_parts(raw, m->part_count, out);
    if (!ok)
        out[0] = '\0';
    free(raw);
}

/* Asked for, it must be there, and be that of our bytes; a server that keeps none is told of. */
static bool confirm_checksum(struct multipart *m, const struct s3_object *object, struct error *err)
{
    char expected[CHECKSUM_SIZE];
    char shown[4 * S3_CHECKSUM_MAX];
    char text[900];
    if (!m->s3->options.checksums)
        return true;
    expected_checksum(m, expected);
    if (strcmp(object->checksum, expected) == 0)
        return true;
    if (object->checksum[0] != '\0')
        return error_set(err, ERROR_CORRUPT, 0,
                         "the server holds an object of SHA-256 checksum %s, but what was uploaded "
                         "has %s",
                         escape_text(shown, sizeof(shown), str_from(object->checksum)), expected);
    (void)snprintf(text, sizeof(text),
                   "%s keeps no checksums: storage.checksum has no effect there", m->s3->describe);
    if (s3_tells_no_checksums(m->s3) && m->memory != NULL)
        m->memory->note(m->memory->arg, text);
    return true;
}

/* The server said yes: what it now shows must agree, where we may look. */
bool multipart_confirm(struct multipart *m, struct s3_object *object, struct error *err)
{
    struct error why;
    if (!s3_head(m->s3, m->key, object, &why)) {
        *object = (struct s3_object){.size_bytes = m->total_bytes};
        return true;
    }
    if (object->size_bytes == m->total_bytes)
        return confirm_checksum(m, object, err);
    return error_set(err, ERROR_CORRUPT, 0,
                     "uploaded %lld bytes, but the server holds an object of %lld bytes",
                     (long long)m->total_bytes, (long long)object->size_bytes);
}
