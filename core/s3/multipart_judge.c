#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/escape.h"
#include "core/s3/client.h"
#include "core/s3/multipart.h"

#define CUSTOMER "customer "

struct judging {
    struct s3 *s3;
    struct upload_known *u;
    struct multipart_verdict *verdict;
    struct upload_part *held; /* those of `u` that the server tells of too; as many as u->count */
};

static bool anew(struct judging *j, const char *fmt, ...) PRINTF_LIKE(2, 3);

static bool anew(struct judging *j, const char *fmt, ...)
{
    va_list ap;
    j->u->fate = UPLOAD_ANEW;
    va_start(ap, fmt);
    (void)vsnprintf(j->verdict->why, sizeof(j->verdict->why), fmt, ap);
    va_end(ap);
    return true;
}

/* Some servers give an ETag with its quotes in one place and without in another. */
static struct str bare(const char *etag)
{
    struct str s = str_from(etag);
    if (s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"')
        s = str_slice(s, 1, s.len - 1);
    return s;
}

static void on_part(void *ctx, const struct s3_part *part)
{
    struct judging *j = ctx;
    const struct upload_part *ours = upload_known_part(j->u, part->number);
    if (ours != NULL && ours->size_bytes == part->size_bytes &&
        str_equal(bare(ours->etag), bare(part->etag)))
        j->held[part->number - 1] = *ours;
}

static void keep_held(struct judging *j)
{
    struct upload_known *u = j->u;
    if (u->count > 0)
        memcpy(u->parts, j->held, u->count * sizeof(*u->parts));
    u->fate = UPLOAD_GOES_ON;
    j->verdict->parts = upload_known_count(u, &j->verdict->bytes);
}

/* The token is this upload's alone: its object stands there. Whether all of it is remembered is a
 * question of the parts, which only a whole upload has without a gap. */
static bool settle_finished(struct judging *j, const struct s3_object *object)
{
    struct multipart_verdict *v = j->verdict;
    v->parts = upload_known_count(j->u, &v->bytes);
    if (v->parts != j->u->count || v->bytes != object->size_bytes)
        return anew(j, "it was completed, but not all of its parts are remembered here");
    j->u->fate = UPLOAD_STANDS;
    return true;
}

/* What was asked of the server when the upload began holds for all of it. */
static bool check_encryption(struct judging *j, const char *now, bool *same, struct error *err)
{
    const char *then = j->u->encryption;
    char key[120];
    *same = strcmp(then, now) == 0;
    if (*same)
        return true;
    if (!str_starts(str_from(then), CUSTOMER))
        return anew(j, "encryption (storage.sse, sse_kms_key_id, sse_customer_key_file) is set "
                       "otherwise now");
    return error_set(err, ERROR_CONFIG, 0,
                     "the upload of %s was begun with %s: give that key again "
                     "(storage.sse_customer_key_file), or abort the upload to begin anew",
                     escape_text(key, sizeof(key), str_from(j->u->key)),
                     str_starts(str_from(now), CUSTOMER) ? "another SSE-C key"
                                                         : "an SSE-C key, and there is none now");
}

static bool judge_unfinished(struct judging *j, struct error *err)
{
    struct upload_known *u = j->u;
    struct error why;
    char *now = s3_encryption(j->s3);
    bool same = false;
    bool listed =
        s3_list_parts(j->s3, str_from(u->key), str_from(u->upload_id), false, on_part, j, &why);
    bool ok = true;
    if (!listed && why.code == ERROR_NOT_FOUND)
        anew(j, "the server knows it no more");
    else if (!listed && why.code == ERROR_AUTH)
        anew(j, "its parts may not be listed");
    else if (!listed) {
        *err = why;
        ok = false;
    } else {
        ok = check_encryption(j, now, &same, err);
        if (ok && same && u->checksums != j->s3->options.checksums)
            anew(j, "storage.checksum is set otherwise now");
        else if (ok && same)
            keep_held(j);
    }
    free(now);
    return ok;
}

bool multipart_judge(struct s3 *s3, struct upload_known *u, const struct multipart_options *now,
                     struct multipart_verdict *verdict, struct error *err)
{
    struct multipart_options then = *now;
    struct judging j = {.s3 = s3, .u = u, .verdict = verdict};
    struct s3_object object;
    struct error ignored;
    *verdict = (struct multipart_verdict){.why = ""};
    then.estimate_bytes = u->estimate_bytes;
    if (strcmp(u->bucket, s3_bucket(s3)) != 0)
        return anew(&j, "it was begun in bucket %.63s, where it stays", u->bucket);
    if ((int64_t)multipart_part_size(&then) != u->part_bytes)
        return anew(&j, "storage.part_size_mb is another one now");
    /* Without the right to look, the parts alone will tell. */
    if (s3_head(s3, str_from(u->key), &object, &ignored))
        return u->token[0] != '\0' && strcmp(object.token, u->token) == 0
                   ? settle_finished(&j, &object)
                   : anew(&j, "somebody else's object stands under its name");
    j.held = mem_zero(u->count + 1, sizeof(*j.held));
    bool ok = judge_unfinished(&j, err);
    free(j.held);
    return ok;
}
