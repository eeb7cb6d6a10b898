#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/archive/source.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/format.h"
#include "core/config/state_dir.h"
#include "core/config/who.h"
#include "core/jobs/job.h"
#include "core/store/fetch.h"
#include "views/connect.h"
#include "views/verbs/backups.h"
#include "views/verbs/job_bar.h"
#include "views/verbs/job_verb.h"

#define MANIFEST_MAX ((size_t)64 << 20)

static const struct option_row options[] = {
    {"s3-uri", 0, OPTION_TEXT, "URI", "Where in S3 backups are.", .config_key = "storage.s3_uri"},
    {"backup-dir", 0, OPTION_DIR, "DIR", "Directory to write into.",
     .config_key = "storage.backup_dir"},
    {"overwrite", 0, OPTION_FLAG, .help = "Replace a file that is already there."},
    {"concurrency", 0, OPTION_INT, "N", "Ranges fetched side by side, 8 MiB each.", "4", .min = 1,
     .max = FETCH_WORKERS_MAX},
    {NULL},
};

struct download {
    const struct invocation *inv;
    struct backups backups;
    const char *dir;
    struct store *to;
    struct catalog_row *row;
    struct task *task;
    char *path; /* of the archive, once it has its name */
};

static bool is_cancelled(void *ctx)
{
    const struct download *d = ctx;
    return task_cancelled(d->task);
}

static void on_progress(void *ctx, int64_t done, int64_t total)
{
    const struct download *d = ctx;
    task_row(d->task, 0, "archive", (uint64_t)done, (uint64_t)total);
}

static bool find(struct download *d, struct error *err)
{
    struct place *s3 = &d->backups.places[PLACE_S3];
    struct catalog_row *rows[PLACES] = {NULL, NULL};
    struct store_options store;
    const char *uri = option_text(d->inv, "s3-uri");
    if (uri == NULL)
        return error_set(err, ERROR_CONFIG, 0,
                         "no S3 address: give --s3-uri s3://bucket/prefix, S3_URI, or "
                         "storage.s3_uri in the config");
    connect_store_options(&d->backups.scope, &store);
    store.s3.cancelled = is_cancelled;
    store.s3.cancel_ctx = d;
    if (!store_open(uri, &store, &s3->store, err))
        return false;
    s3->catalog = catalog_new(s3->store);
    if (!catalog_load(s3->catalog, err) ||
        !backups_find(&d->backups, d->inv->operands[0], rows, err))
        return false;
    d->row = rows[PLACE_S3];
    if (!d->row->has_archive)
        return error_set(err, ERROR_NOT_FOUND, 0, "%s has no archive in S3", d->row->id.text);
    return true;
}

/* Every part against its SHA-256, before the file gets its name. Of another tool's archive there is
 * nothing to compare with. */
static bool check(struct download *d, struct fetch *f, json_t *result, struct error *err)
{
    struct source *source = NULL;
    json_put_flag(result, "checked", d->row->has_sidecar);
    if (!d->row->has_sidecar)
        return true;
    task_stage(d->task, "check");
    const struct source_options where = {
        .path = fetch_facts(f)->partial, .spool_dir = d->dir, .task = d->task};
    bool ok = source_open(&where, &source, err) && source_check(source, err);
    source_close(source);
    if (ok || err->code == ERROR_CANCELLED)
        return ok;
    if (err->code == ERROR_CORRUPT)
        fetch_discard(f); /* going on with it would only meet the same again */
    return error_wrap(err, "the archive that came is damaged");
}

static void tell_reuse(const struct download *d, const struct fetch_facts *facts)
{
    char size[FORMAT_MAX];
    if (facts->not_reused[0] != '\0')
        task_note(d->task, TASK_WARN, "the partial file is of no use and fetched anew: %s",
                  facts->not_reused);
    if (facts->reused_bytes > 0)
        task_note(d->task, TASK_INFO, "%s were there from an earlier run",
                  format_size(size, sizeof(size), facts->reused_bytes));
}

static bool fetch_archive(struct download *d, json_t *result, struct error *err)
{
    char name[CATALOG_NAME_MAX];
    char *path = file_join(d->dir, catalog_object_name(d->row, name));
    const struct fetch_options how = {.from = d->backups.places[PLACE_S3].store,
                                      .name = name,
                                      .path = path,
                                      .workers = (unsigned)option_int(d->inv, "concurrency"),
                                      .replace = option_flag(d->inv, "overwrite"),
                                      .cancelled = is_cancelled,
                                      .progress = on_progress,
                                      .ctx = d};
    struct fetch *f = NULL;
    task_stage(d->task, "download");
    task_unit(d->task, "bytes");
    bool ok = file_make_dirs(d->dir, err) && fetch_begin(&how, &f, err);
    if (ok) {
        ok = fetch_run(f, err);
        tell_reuse(d, fetch_facts(f));
        json_put_int(result, "size_bytes", fetch_facts(f)->size_bytes);
        json_put_int(result, "reused_bytes", fetch_facts(f)->reused_bytes);
        if (!ok)
            ok = error_wrap(err, "what came so far is kept: the same command goes on with it");
        ok = ok && check(d, f, result, err) && fetch_keep(f, err);
    }
    fetch_free(f);
    d->path = path;
    return ok;
}

/* Manifest last, here as well: without it the copy does not count as complete. */
static bool copy_manifest(struct download *d, struct error *err)
{
    struct store *from = d->backups.places[PLACE_S3].store;
    char *signature = mem_format("%s.metadata.hmac", d->row->id.text);
    char *manifest = mem_format("%s.metadata.json", d->row->id.text);
    struct buf text;
    struct error why;
    buf_init(&text, MANIFEST_MAX);
    bool ok = true;
    if (store_read_all(from, signature, &text, &why))
        ok = store_put(d->to, signature, buf_str(&text), err);
    else if (why.code != ERROR_NOT_FOUND)
        ok = error_set(err, why.code, why.detail, "%s", why.text);
    ok = ok && store_read_all(from, manifest, &text, err) &&
         store_put(d->to, manifest, buf_str(&text), err);
    buf_release(&text);
    free(manifest);
    free(signature);
    return ok;
}

static bool body(struct task *t, void *ctx, json_t *result, struct error *err)
{
    struct download *d = ctx;
    int64_t began = clock_mono_ms();
    d->task = t;
    d->backups = (struct backups){.scope = {d->inv->config, d->inv->env}};
    d->dir = config_text(d->inv->config, d->inv->env, "storage.backup_dir");
    task_stage(t, "list");
    bool ok = connect_store(&d->backups.scope, d->dir, &d->to, err) && find(d, err) &&
              fetch_archive(d, result, err) && (!d->row->has_sidecar || copy_manifest(d, err));
    json_put_text(result, "path", ok ? d->path : NULL);
    json_put_int(result, "elapsed_ms", clock_mono_ms() - began);
    store_free(d->to);
    backups_release(&d->backups);
    return ok;
}

static void print_result(const struct invocation *inv, const struct job_end *end)
{
    const json_t *report = job_verb_report(end);
    char size[FORMAT_MAX];
    if (inv->json)
        job_verb_print_json(end);
    else if (json_text(report, "path", NULL) != NULL)
        printf("Downloaded: %s (%s%s)\n", json_text(report, "path", ""),
               format_size(size, sizeof(size), json_int(report, "size_bytes", -1)),
               json_flag(report, "checked", false) ? ", every part checked" : "");
}

static int run(const struct invocation *inv, struct error *err)
{
    struct download d = {.inv = inv};
    struct job_end end = {.state = JOB_FAILED};
    struct who who;
    const char *state_dir = NULL;
    struct catalog_row *none[PLACES];
    struct backups nowhere = {.scope = {inv->config, inv->env}};
    /* A word that is no id needs no job to say so. */
    if (!backups_find(&nowhere, inv->operands[0], none, err) && err->code == ERROR_USAGE)
        return verb_fail(err);
    *err = (struct error){.code = ERROR_NONE};
    if (!state_dir_open(inv->config, &state_dir, err))
        return verb_fail(err);
    who_now(&who);
    json_t *asked = json_object();
    json_put_text(asked, "backup_id", inv->operands[0]);
    json_put_text(asked, "s3_uri", option_text(inv, "s3-uri"));
    json_put_text(asked, "backup_dir", config_text(inv->config, inv->env, "storage.backup_dir"));
    json_put_flag(asked, "overwrite", option_flag(inv, "overwrite"));
    bool bar = job_bar_wanted(inv);
    const struct job_spec spec = {
        .kind = JOB_DOWNLOAD,
        .state_dir = state_dir,
        .env = inv->env->name,
        .target = inv->operands[0],
        .who = {who.user, who.sudo_user[0] != '\0' ? who.sudo_user : NULL,
                who.ssh[0] != '\0' ? who.ssh : NULL},
        .options = asked,
        .id_fd = option_given(inv, "job-fd") ? (int)option_int(inv, "job-fd") : -1,
        .watcher = bar ? job_bar_watch : NULL,
        .exit_now = inv->exit_now};
    int status = job_run(&spec, body, &d, &end, err);
    if (bar)
        (void)fprintf(stderr, "\r\033[K");
    print_result(inv, &end);
    job_end_release(&end);
    json_decref(asked);
    free(d.path);
    return status;
}

const struct verb verb_download = {
    .name = "download",
    .summary = "Copy a backup's archive and manifest from S3 to disk.",
    .operands = "ID",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .notes = "A job: it outlives the terminal and shows among the jobs. The file has its name only "
             "once all of it is there and every part was checked against the manifest. A download "
             "that broke off is gone on with by the same command: what is there already is read "
             "back and compared; if the object in S3 was replaced meanwhile, it begins anew.",
    .examples = "rbconsole download redis-backup-local-20250818T060635Z-28e5\n",
    .run = run,
};
