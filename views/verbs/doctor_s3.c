#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/escape.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/config/config.h"
#include "core/jobs/info.h"
#include "core/store/catalog.h"
#include "views/connect.h"
#include "views/verbs/doctor.h"

#define ORPHAN_AGE_MS (24LL * 3600 * 1000) /* of the last part, where no job of ours is known */

/* An unfinished upload, and the job that began it where its directory is here. */
struct upload {
    const struct s3_upload_item *item;
    const struct job_info *job; /* NULL: another machine's, or its directory was pruned */
    char key[200];              /* escaped */
    char age[FORMAT_MAX];       /* since it began */
};

enum upload_kind {
    UPLOAD_LIVES,
    UPLOAD_MAY_LIVE,
    UPLOAD_RESUMABLE, /* its job ended early, and would go on with it */
    UPLOAD_ORPHAN
};

/* "<prefix>/<id>.tar.gz", perhaps with a volume's number, to the id. */
static bool backup_of(struct str key, struct backup_id *id)
{
    size_t slash = str_find_last(key, '/');
    struct str name = str_slice(key, slash < key.len ? slash + 1 : 0, key.len);
    const char *suffix = ".tar.gz";
    for (size_t i = 0; i + strlen(suffix) <= name.len; i++)
        if (str_starts(str_slice(name, i, name.len), suffix))
            return backup_id_parse(str_slice(name, 0, i), id);
    return false;
}

/* A job that lives counts before one that does not: a backup may be on its second run. */
static const struct job_info *job_of(const struct job_list *jobs, const struct s3_upload_item *item)
{
    const struct job_info *found = NULL;
    struct backup_id id;
    if (!backup_of(item->key, &id))
        return NULL;
    for (size_t i = 0; i < jobs->count; i++) {
        const struct job_info *job = jobs->items[i];
        if (job->kind != JOB_BACKUP ||
            strcmp(json_text(job->options, "backup_id", ""), id.text) != 0)
            continue;
        if (found == NULL || job_state_is_live(job->state))
            found = job;
    }
    return found;
}

/* Would `backup --resume` go on with the upload? Of a streamed backup nothing is kept; whoever
 * cancelled may still resume, but has said that nothing is wanted now. */
static bool may_go_on(const struct job_info *job)
{
    return (job->state == JOB_FAILED || job->state == JOB_CRASHED) &&
           json_text(job->options, "backup_dir", NULL) != NULL;
}

/* A job that is gone leaves an orphan at once, unless it may be resumed: then once no part has come
 * for a day. Of others' uploads we only see whether parts still come. */
static enum upload_kind judge(struct s3 *s3, const struct upload *u)
{
    enum upload_kind young = u->job != NULL ? UPLOAD_RESUMABLE : UPLOAD_MAY_LIVE;
    struct error ignored;
    int64_t newest_ms = u->item->started_ms;
    if (u->job != NULL && job_state_is_live(u->job->state))
        return UPLOAD_LIVES;
    if (u->job != NULL && !may_go_on(u->job))
        return UPLOAD_ORPHAN;
    if (clock_real_ms() - newest_ms < ORPHAN_AGE_MS ||
        !s3_upload_last_part(s3, u->item->key, u->item->upload_id, &newest_ms, &ignored))
        return young;
    return clock_real_ms() - newest_ms < ORPHAN_AGE_MS ? young : UPLOAD_ORPHAN;
}

static void look_at_orphan(struct doctor *d, struct s3 *s3, const struct upload *u)
{
    struct error err = {0};
    char whose[64] = "";
    if (u->job != NULL)
        (void)snprintf(whose, sizeof(whose), ", of %s (%s)", u->job->id,
                       job_state_name(u->job->state));
    if (!d->fix)
        doctor_check(d, DOCTOR_WARN, "S3 uploads",
                     "%s was never finished (begun %s ago%s) and costs storage; --fix aborts it",
                     u->key, u->age, whose);
    else if (s3_abort_upload(s3, u->item->key, u->item->upload_id, &err))
        doctor_check(d, DOCTOR_OK, "S3 uploads", "aborted %s (begun %s ago%s)", u->key, u->age,
                     whose);
    else
        doctor_check(d, DOCTOR_FAIL, "S3 uploads", "%s", err.text);
}

static bool look_at_upload(struct doctor *d, struct s3 *s3, const struct job_list *jobs,
                           const struct s3_upload_item *item)
{
    struct upload u = {.item = item, .job = job_of(jobs, item)};
    escape_text(u.key, sizeof(u.key), item->key);
    format_duration(u.age, sizeof(u.age), clock_real_ms() - item->started_ms);
    enum upload_kind kind = judge(s3, &u);
    if (kind == UPLOAD_LIVES)
        doctor_check(d, DOCTOR_NOTE, "S3 uploads", "%s is being written by %s", u.key, u.job->id);
    else if (kind == UPLOAD_RESUMABLE)
        doctor_check(
            d, DOCTOR_WARN, "S3 uploads",
            "%s, begun %s ago, belongs to %s (%s): rbconsole -e %s backup --resume %s goes "
            "on with it; --fix aborts it once no part has come for a day",
            u.key, u.age, u.job->id, job_state_name(u.job->state), u.job->env, u.job->id);
    else if (kind == UPLOAD_MAY_LIVE)
        doctor_check(
            d, DOCTOR_NOTE, "S3 uploads",
            "%s, not finished, begun %s ago by no job known here; left alone until no part "
            "has come for a day",
            u.key, u.age);
    else
        look_at_orphan(d, s3, &u);
    return kind == UPLOAD_ORPHAN;
}

static void look_at_uploads(struct doctor *d, struct s3 *s3, const char *prefix)
{
    struct s3_uploads uploads = {0};
    struct job_list jobs = {0};
    struct error err = {0};
    bool orphans = false;
    char ours[1100]; /* uploads of other tools are none of our business */
    (void)snprintf(ours, sizeof(ours), "%s%sredis-backup-", prefix, prefix[0] != '\0' ? "/" : "");
    if (!s3_list_uploads(s3, str_from(ours), &uploads, &err)) {
        doctor_check(d, DOCTOR_NOTE, "S3 uploads", "%s", err.text);
        return;
    }
    if (uploads.count > 0 && d->state_dir != NULL && !job_list_read(d->state_dir, &jobs, &err)) {
        doctor_check(d, DOCTOR_WARN, "S3 uploads", "%zu unfinished, left alone: %s", uploads.count,
                     err.text);
        s3_uploads_release(&uploads);
        return;
    }
    for (size_t i = 0; i < uploads.count; i++)
        orphans = look_at_upload(d, s3, &jobs, &uploads.items[i]) || orphans;
    if (orphans)
        doctor_check(d, DOCTOR_NOTE, "S3 uploads",
                     "a lifecycle rule of the bucket (AbortIncompleteMultipartUpload) removes such "
                     "left-overs by itself");
    job_list_release(&jobs);
    s3_uploads_release(&uploads);
}

void doctor_look_at_storage(struct doctor *d)
{
    struct config_scope scope = {d->inv->config, d->inv->env};
    const char *uri = config_text(scope.config, scope.env, "storage.s3_uri");
    struct store *store = NULL;
    struct store_uri parts;
    struct error err = {0};
    char source[200] = "";
    if (uri == NULL) {
        doctor_check(d, DOCTOR_NOTE, "S3", "no s3_uri is set");
        return;
    }
    if (!store_parse_uri(uri, &parts, &err) || !connect_store(&scope, uri, &store, &err) ||
        !s3_credential_source(store_s3_client(store), source, sizeof(source), &err) ||
        !s3_check(store_s3_client(store), &err)) {
        doctor_check(d, DOCTOR_FAIL, "S3", "%s: %s", uri, err.text);
    } else {
        doctor_check(d, DOCTOR_OK, "S3", "%s at %s, credentials from %s", uri,
                     s3_describe(store_s3_client(store)), source);
        look_at_uploads(d, store_s3_client(store), parts.prefix);
    }
    store_free(store);
}
