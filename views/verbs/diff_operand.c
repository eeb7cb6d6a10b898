#include "views/verbs/diff_operand.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/config/identity_store.h"
#include "core/diff/diff_findings.h"
#include "core/jobs/job.h"
#include "views/connect.h"

#define REPORT_MAX ((size_t)256 << 20)

static const char *const whats[DIFF_WHATS] = {
    [DIFF_BACKUP] = "a backup",
    [DIFF_SNAPSHOT] = "a snapshot",
    [DIFF_VERIFICATION] = "a verification's report",
};

const char *diff_what_name(enum diff_what what)
{
    return whats[what];
}

struct opening {
    const struct invocation *inv;
    const char *word;
    const char *state_dir;
    struct task *task;
    struct diff_operand *o;
};

/* ---- backups --------------------------------------------------------------------------------- */

static bool open_source(const struct opening *x, struct source_options *options, struct error *err)
{
    const char *key = option_text(x->inv, "verify-key-file");
    bool loose = false;

    if (key != NULL && !secret_load(&x->o->key, key, &loose, err))
        return false;
    options->verify_key = &x->o->key;
    options->task = x->task;
    options->spool_dir = task_dir(x->task);
    x->o->what = DIFF_BACKUP;
    if (!source_open(options, &x->o->source, err))
        return false;
    (void)snprintf(x->o->name, sizeof(x->o->name), "%s", source_name(x->o->source));
    return true;
}

static bool open_backup_path(const struct opening *x, const char *path, struct error *err)
{
    struct source_options options;

    x->o->path = mem_copy_text(path);
    options = (struct source_options){.path = x->o->path};
    return open_source(x, &options, err);
}

/* The identity that the environment had when it was seen last; none is fine. */
static bool choose_latest(const struct opening *x, struct catalog_row **row, struct error *err)
{
    const struct environment *env = x->inv->env;
    struct identity_memories all = {0};
    struct catalog_want want = {.env = env != NULL ? env->name : NULL,
                                .any = option_flag(x->inv, "any")};
    const struct identity_memory *memory;
    bool ok;

    if (env == NULL && !want.any)
        return error_set(err, ERROR_USAGE, 0, "latest needs an environment: -e NAME, or --any");
    if (!identity_store_load(x->state_dir, &all, err))
        return false;
    memory = env != NULL ? identity_memory_find(&all, env->name) : NULL;
    if (memory != NULL) {
        want.cluster_ids = (const char *const *)memory->identity.ids;
        want.cluster_id_count = memory->identity.count;
    }
    ok = catalog_latest(x->o->catalog, &want, row, x->o->why, sizeof(x->o->why), err);
    identity_memories_release(&all);
    return ok;
}

/* *found false: there is no backup of that name here. */
static bool look_in(const struct opening *x, const char *uri, const char *name, bool *found,
                    struct error *err)
{
    struct config_scope scope = {x->inv->config, x->inv->env};
    struct catalog_row *row = NULL;
    struct source_options options = {0};

    *found = false;
    if (!connect_store(&scope, uri, &x->o->store, err))
        return false;
    x->o->catalog = catalog_new(x->o->store);
    if (!catalog_load(x->o->catalog, err))
        return false;
    if (strcmp(name, "latest") == 0) {
        if (!choose_latest(x, &row, err))
            return false;
    } else {
        row = catalog_find(x->o->catalog, name);
    }
    if (row == NULL) {
        catalog_free(x->o->catalog);
        store_free(x->o->store);
        x->o->catalog = NULL;
        x->o->store = NULL;
        return true;
    }
    *found = true;
    options.store = x->o->store;
    options.name = catalog_object_name(row, x->o->object);
    return open_source(x, &options, err);
}

/* "redis-backup-….tar.gz" is accepted for an id. */
static bool is_backup_name(struct str text, struct backup_id *id)
{
    if (str_ends(text, ".tar.gz"))
        text.len -= strlen(".tar.gz");
    return backup_id_parse(text, id);
}

static bool open_in_places(const struct opening *x, struct str name, bool local, bool s3,
                           struct error *err)
{
    const char *s3_uri = config_text(x->inv->config, x->inv->env, "storage.s3_uri");
    const char *dir = config_text(x->inv->config, x->inv->env, "storage.backup_dir");
    bool latest = str_is(name, "latest");
    struct backup_id id = {.text = "latest"};
    bool found = false;

    if (!latest && !is_backup_name(name, &id))
        return error_set(err, ERROR_USAGE, 0, "%s: no backup id as `rbconsole list` shows it",
                         x->word);
    if (local && !look_in(x, dir, id.text, &found, err))
        return false;
    if (!found && s3 && (s3_uri != NULL || !local) && !look_in(x, s3_uri, id.text, &found, err))
        return false;
    return found || error_set(err, ERROR_NOT_FOUND, 0, "there is no backup %s", id.text);
}

/* "s3://bucket/prefix/<id>.tar.gz" */
static bool open_uri(const struct opening *x, struct error *err)
{
    struct str word = str_from(x->word);
    size_t slash = str_find_last(word, '/');
    struct backup_id id;
    char *root;
    bool found = false;
    bool ok;

    if (slash == word.len || !is_backup_name(str_slice(word, slash + 1, word.len), &id))
        return error_set(err, ERROR_USAGE, 0, "%s: no address of a backup", x->word);
    root = mem_copy_str(str_slice(word, 0, slash));
    ok = look_in(x, root, id.text, &found, err);
    free(root);
    if (ok && !found)
        return error_set(err, ERROR_NOT_FOUND, 0, "there is no %s", x->word);
    return ok;
}

/* ---- reports --------------------------------------------------------------------------------- */

/* keys: where its keys file was written; NULL: beside the report, if there is one. */
static bool open_snapshot(const struct opening *x, const char *path, const char *keys,
                          struct error *err)
{
    x->o->what = DIFF_SNAPSHOT;
    if (!snapshot_load(path, &x->o->snapshot, err))
        return false;
    x->o->keys_path = keys != NULL ? mem_copy_text(keys) : snapshot_keys_path(x->o->snapshot, path);
    if (x->o->keys_path != NULL && !file_exists(x->o->keys_path)) {
        (void)snprintf(x->o->why, sizeof(x->o->why), "its keys file %.300s is not there",
                       x->o->keys_path);
        free(x->o->keys_path);
        x->o->keys_path = NULL;
    }
    return true;
}

/* A report as it was saved, or a job's result.json with one in it. Takes doc. */
static bool take_report(const struct opening *x, json_t *doc, const char *path, struct error *err)
{
    json_t *inner = json_object_get(json_object_get(doc, "report"), "verify");

    x->o->holder = doc;
    if (snapshot_is_report(doc))
        return open_snapshot(x, path, NULL, err);
    x->o->report = diff_is_verification(inner) ? inner : doc;
    x->o->what = DIFF_VERIFICATION;
    if (diff_is_verification(x->o->report))
        return true;
    if (json_is_string(json_object_get(doc, "kind")))
        return error_set(err, ERROR_USAGE, 0, "%s is a report of kind %.40s, which is not compared",
                         x->word, json_text(doc, "kind", "?"));
    return error_set(err, ERROR_USAGE, 0,
                     "%s is no report of ours: neither a snapshot nor a verification", x->word);
}

static bool open_report(const struct opening *x, const char *path, struct error *err)
{
    json_t *doc = json_read_file(path, REPORT_MAX, err);

    return doc != NULL && take_report(x, doc, path, err);
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static bool open_backup_job(const struct opening *x, struct error *err)
{
    json_t *job = job_load(x->state_dir, x->word, err);
    const json_t *options = json_object_get(job, "options");
    const char *id = json_text(options, "backup_id", "");
    const char *dir = json_text(options, "backup_dir", NULL);
    const char *s3_uri = json_text(options, "s3_uri", NULL);
    bool found = false;
    bool ok = job != NULL;

    if (ok && dir != NULL)
        ok = look_in(x, dir, id, &found, err);
    if (ok && !found && s3_uri != NULL)
        ok = look_in(x, s3_uri, id, &found, err);
    if (ok && !found)
        ok = error_set(err, ERROR_NOT_FOUND, 0, "the backup %.100s of %s is not there any more", id,
                       x->word);
    json_decref(job);
    return ok;
}

static bool open_verify_job(const struct opening *x, const char *dir, struct error *err)
{
    char *path = file_join(dir, "result.json");
    json_t *doc = json_read_file(path, REPORT_MAX, err);
    bool ok = doc != NULL;

    free(path);
    if (!ok)
        return error_wrap(err, "%s has no report (yet)", x->word);
    x->o->holder = doc;
    x->o->what = DIFF_VERIFICATION;
    x->o->report = json_object_get(json_object_get(doc, "report"), "verify");
    return diff_is_verification(x->o->report) ||
           error_set(err, ERROR_NOT_FOUND, 0, "%s ended without a report", x->word);
}

/* Where its result says that the report was written. */
static bool open_snapshot_job(const struct opening *x, const char *dir, struct error *err)
{
    char *path = file_join(dir, "result.json");
    json_t *doc = json_read_file(path, REPORT_MAX, err);
    const char *file = json_text(json_object_get(doc, "report"), "file", NULL);
    const char *keys = json_text(json_object_get(doc, "report"), "keys_file", NULL);
    bool ok = doc != NULL;

    if (ok && file == NULL)
        ok = error_set(err, ERROR_NOT_FOUND, 0, "%s ended without a report", x->word);
    else if (!ok)
        (void)error_wrap(err, "%s has no report (yet)", x->word);
    ok = ok && (open_snapshot(x, file, keys, err) || error_wrap(err, "%s", x->word));
    json_decref(doc);
    free(path);
    return ok;
}

static bool open_job(const struct opening *x, enum job_kind kind, struct error *err)
{
    char *dir = jobdir_path(x->state_dir, x->word);
    bool ok;

    if (dir == NULL || !file_exists(dir))
        ok = error_set(err, ERROR_NOT_FOUND, 0, "there is no job %s", x->word);
    else if (kind == JOB_BACKUP)
        ok = open_backup_job(x, err);
    else if (kind == JOB_VERIFY)
        ok = open_verify_job(x, dir, err);
    else if (kind == JOB_SNAPSHOT)
        ok = open_snapshot_job(x, dir, err);
    else
        ok = error_set(err, ERROR_USAGE, 0,
                       "%s is a %s job: only backups, snapshots and verifications are compared",
                       x->word, job_kind_name(kind));
    free(dir);
    return ok;
}

/* ---- which of them it is --------------------------------------------------------------------- */

/* A report is JSON; an archive is not. */
static bool looks_like_json(const char *path)
{
    char first[64];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, first, sizeof(first));
    struct str text = {first, got > 0 ? (size_t)got : 0};

    if (fd >= 0)
        (void)close(fd);
    text = str_trim(text);
    return text.len > 0 && text.ptr[0] == '{';
}

static bool open_path(const struct opening *x, const struct stat *st, struct error *err)
{
    (void)snprintf(x->o->name, sizeof(x->o->name), "%s", x->word);
    if (S_ISREG(st->st_mode) && looks_like_json(x->word))
        return open_report(x, x->word, err);
    return open_backup_path(x, x->word, err);
}

static bool open_word(const struct opening *x, struct error *err)
{
    struct str word = str_from(x->word);
    struct backup_id id;
    enum job_kind kind;
    uint32_t number;
    struct stat st;

    if (str_starts(word, "s3://"))
        return open_uri(x, err);
    if (str_starts(word, "s3:"))
        return open_in_places(x, str_slice(word, 3, word.len), false, true, err);
    if (str_starts(word, "local:"))
        return open_in_places(x, str_slice(word, 6, word.len), true, false, err);
    if (stat(x->word, &st) == 0)
        return open_path(x, &st, err);
    if (job_id_parse(word, &kind, &number))
        return open_job(x, kind, err);
    if (!str_is(word, "latest") && !is_backup_name(word, &id))
        return error_set(err, ERROR_USAGE, 0,
                         "%s: no such file, and no id of a backup or a job either", x->word);
    return open_in_places(x, word, true, true, err);
}

bool diff_operand_open(const struct invocation *inv, const char *word, const char *state_dir,
                       struct task *task, struct diff_operand *out, struct error *err)
{
    struct opening x = {inv, word, state_dir, task, out};

    *out = (struct diff_operand){0};
    (void)snprintf(out->name, sizeof(out->name), "%s", word);
    return open_word(&x, err);
}

void diff_operand_release(struct diff_operand *o)
{
    source_close(o->source);
    catalog_free(o->catalog);
    store_free(o->store);
    secret_release(&o->key);
    snapshot_free(o->snapshot);
    json_decref(o->holder);
    free(o->keys_path);
    free(o->path);
    *o = (struct diff_operand){0};
}
