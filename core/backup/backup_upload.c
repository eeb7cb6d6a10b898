#include <stdlib.h>
#include <string.h>

#include "core/backup/backup_private.h"
#include "core/base/alloc.h"
#include "core/base/json.h"

/* ---- written while it uploads -----------------------------------------------------------------
 */

/* On disk before the next one: what the checkpoint lacks would be uploaded again. */
static void add(struct backup *b, const char *kind, json_t *doc)
{
    struct error err = {0};

    if (!checkpoint_add(b->checkpoint, kind, doc, &err) || !checkpoint_sync(b->checkpoint, &err))
        (void)backup_checkpoint_lost(b, &err);
}

static void mark_begun(void *backup, const struct upload_known *u)
{
    json_t *doc = json_object();

    json_put_text(doc, "upload_id", u->upload_id);
    json_put_text(doc, "bucket", u->bucket);
    json_put_text(doc, "key", u->key);
    json_put_text(doc, "token", u->token);
    json_put_text(doc, "encryption", u->encryption);
    json_put_flag(doc, "checksums", u->checksums);
    json_put_int(doc, "part_bytes", u->part_bytes);
    json_put_int(doc, "estimate_bytes", u->estimate_bytes);
    add(backup, "upload", doc);
}

static void mark_sent(void *backup, const char *upload_id, const struct upload_part *part)
{
    json_t *doc = json_object();

    json_put_text(doc, "upload_id", upload_id);
    json_put_int(doc, "number", part->number);
    json_put_int(doc, "bytes", part->size_bytes);
    json_put_text(doc, "sha256", part->sha256);
    json_put_text(doc, "etag", part->etag);
    add(backup, "sent", doc);
}

static void tell(void *backup, bool warn, const char *text)
{
    struct backup *b = backup;

    task_note(b->task, warn ? TASK_WARN : TASK_INFO, "%s", text);
}

void backup_remember_uploads(struct backup *b, bool keep)
{
    b->uploads.begun = keep ? mark_begun : NULL;
    b->uploads.sent = keep ? mark_sent : NULL;
    b->uploads.note = tell;
    b->uploads.arg = b;
}

/* ---- read by a later run ----------------------------------------------------------------------
 */

bool backup_take_upload(struct backup *b, const json_t *line)
{
    struct upload_known u = {.bucket = mem_copy_text(json_text(line, "bucket", "")),
                             .key = mem_copy_text(json_text(line, "key", "")),
                             .upload_id = mem_copy_text(json_text(line, "upload_id", "")),
                             .encryption = mem_copy_text(json_text(line, "encryption", "")),
                             .checksums = json_flag(line, "checksums", false),
                             .part_bytes = json_int(line, "part_bytes", 0),
                             .estimate_bytes = json_int(line, "estimate_bytes", 0)};
    bool ok = u.upload_id[0] != '\0' && u.key[0] != '\0' &&
              str_copy(str_from(json_text(line, "token", "")), u.token, sizeof(u.token));

    if (ok)
        upload_memory_begun(&b->uploads, &u);
    free(u.encryption);
    free(u.upload_id);
    free(u.key);
    free(u.bucket);
    return ok;
}

bool backup_take_sent(struct backup *b, const json_t *line)
{
    int64_t number = json_int(line, "number", 0);
    struct upload_part part = {.size_bytes = json_int(line, "bytes", -1)};

    if (number <= 0 || number > MULTIPART_PARTS_MAX || part.size_bytes < 0 ||
        !str_copy(str_from(json_text(line, "sha256", "")), part.sha256, sizeof(part.sha256)) ||
        !str_copy(str_from(json_text(line, "etag", "")), part.etag, sizeof(part.etag)))
        return false;
    part.number = (unsigned)number;
    upload_memory_sent(&b->uploads, json_text(line, "upload_id", ""), &part);
    return true;
}
