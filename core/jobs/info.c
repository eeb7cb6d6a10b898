#include "core/jobs/info.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/jobs/jobdir.h"

#define JOB_BYTES_MAX ((size_t)4 << 20)
#define RESULT_BYTES_MAX ((size_t)64 << 20)
#define READ_TRIES 5

/* The reference count stands before the entry, so that the entry itself is plain constant data. */
struct counted {
    _Atomic size_t refs;
    struct job_info info;
};

static struct counted *counted_of(struct job_info *info)
{
    return (struct counted *)(void *)((char *)info - offsetof(struct counted, info));
}

struct files {
    json_t *job, *progress, *result;
    bool locked;
};

static json_t *read_one(const char *dir, const char *name, size_t max)
{
    struct error ignored = {0};
    char *path = file_join(dir, name);
    json_t *doc = json_read_file(path, max, &ignored);
    free(path);
    if (doc != NULL && !json_is_object(doc)) {
        json_decref(doc);
        doc = NULL;
    }
    return doc;
}

static void drop(struct files *f)
{
    json_decref(f->job);
    json_decref(f->progress);
    json_decref(f->result);
    *f = (struct files){0};
}

/* The lock first, the files after it. "Crashed" is believed only when the lock is still free after
 * the files were read: between the two the job may have been resumed. */
static enum job_state read_files(const char *dir, struct files *f)
{
    enum job_state state = JOB_CRASHED;
    for (int i = 0; i < READ_TRIES; i++) {
        drop(f);
        f->locked = jobdir_is_locked(dir);
        f->job = read_one(dir, "job.json", JOB_BYTES_MAX);
        f->result = read_one(dir, "result.json", RESULT_BYTES_MAX);
        f->progress = read_one(dir, "progress.json", JOB_BYTES_MAX);
        struct job_facts facts = {f->locked, f->job, f->progress, f->result};
        state = job_state_of(&facts);
        if (state != JOB_CRASHED || !jobdir_is_locked(dir))
            break;
    }
    return state;
}

static int64_t time_of(const json_t *doc, const char *name)
{
    int64_t ms = 0;
    return format_parse_utc(str_from(json_text(doc, name, "")), &ms) ? ms : 0;
}

static uint64_t count_of(const json_t *doc, const char *name)
{
    int64_t n = json_int(doc, name, 0);
    return n > 0 ? (uint64_t)n : 0;
}

static bool of_this_run(const json_t *doc, const char *run_id)
{
    return doc != NULL && strcmp(json_text(doc, "run_id", ""), run_id) == 0;
}

static void take_job(struct job_info *info, const json_t *job)
{
    const json_t *who = json_object_get(job, "operator");
    info->run_id = mem_copy_text(json_text(job, "run_id", ""));
    info->env = mem_copy_text(json_text(job, "env", ""));
    info->target = mem_copy_text(json_text(job, "target", ""));
    info->reason = mem_copy_text(json_text(job, "reason", ""));
    info->user = mem_copy_text(json_text(who, "user", ""));
    info->sudo_user = mem_copy_text(json_text(who, "sudo_user", ""));
    info->ssh = mem_copy_text(json_text(who, "ssh", ""));
    info->host = mem_copy_text(json_text(job, "host", ""));
    info->pid = json_int(job, "pid", 0);
    info->started_ms = time_of(job, "started");
    size_t runs = json_array_size(json_object_get(job, "runs"));
    info->runs = runs > 0 && runs < UINT32_MAX ? (uint32_t)runs : 1;
    info->first_ms = time_of(json_array_get(json_object_get(job, "runs"), 0), "started");
    if (info->first_ms == 0)
        info->first_ms = info->started_ms;
    info->options = json_incref(json_object_get(job, "options"));
}

static void take_progress(struct job_info *info, const json_t *doc)
{
    info->updated_ms = time_of(doc, "updated");
    info->control_seq = count_of(doc, "control_seq");
    info->rate_limit = count_of(doc, "rate_limit");
    info->failed = count_of(doc, "failed");
    info->warnings = count_of(doc, "warnings");
    progress_from_json(&info->progress, doc);
}

static void take_result(struct job_info *info, const json_t *doc)
{
    const json_t *error = json_object_get(doc, "error");
    info->ended_ms = time_of(doc, "ended");
    info->findings = json_int(doc, "findings", 0);
    info->exit_status = (int)json_int(doc, "exit_status", job_state_exit_status(info->state));
    info->failed = count_of(doc, "failed");
    info->warnings = count_of(doc, "warnings");
    info->error_word = mem_copy_text(json_text(error, "code", ""));
    info->error_text = mem_copy_text(json_text(error, "text", ""));
    info->report = json_incref(json_object_get(doc, "report"));
}

static struct job_info *new_info(const char *id)
{
    struct counted *c = mem_zero(1, sizeof(*c));
    uint32_t number = 0;
    atomic_init(&c->refs, 1);
    (void)str_copy(str_from(id), c->info.id, sizeof(c->info.id));
    (void)job_id_parse(str_from(id), &c->info.kind, &number);
    c->info.exit_status = -1;
    progress_init(&c->info.progress);
    return &c->info;
}

struct job_info *job_info_read(const char *state_dir, const char *id, struct error *err)
{
    char *dir = jobdir_path(state_dir, id);
    if (dir == NULL || !file_exists(dir)) {
        free(dir);
        (void)error_set(err, ERROR_NOT_FOUND, 0, "no job %s in %s/jobs", id, state_dir);
        return NULL;
    }
    struct files files = {0};
    struct job_info *info = new_info(id);
    info->state = read_files(dir, &files);
    take_job(info, files.job);
    if (of_this_run(files.progress, info->run_id))
        take_progress(info, files.progress);
    if (!job_state_is_live(info->state) && info->state != JOB_CRASHED) {
        take_result(info, files.result);
    } else {
        info->error_word = mem_copy_text("");
        info->error_text = mem_copy_text("");
    }
    drop(&files);
    free(dir);
    return info;
}

struct job_info *job_info_ref(struct job_info *info)
{
    (void)atomic_fetch_add(&counted_of(info)->refs, 1);
    return info;
}

void job_info_unref(struct job_info *info)
{
    if (info == NULL || atomic_fetch_sub(&counted_of(info)->refs, 1) != 1)
        return;
    char *texts[] = {info->run_id, info->env,  info->target,    info->reason,     info->user,
                     info->ssh,    info->host, info->sudo_user, info->error_word, info->error_text};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        free(texts[i]);
    progress_release(&info->progress);
    json_decref(info->options);
    json_decref(info->report);
    free(counted_of(info));
}

/* ---- JSON -------------------------------------------------------------------------------------
 */

static void put_time(json_t *doc, const char *name, int64_t real_ms)
{
    char text[FORMAT_MAX];
    json_put_text(doc, name, real_ms > 0 ? format_rfc3339_ms(text, sizeof(text), real_ms) : NULL);
}

static void put_unless_empty(json_t *doc, const char *name, const char *text)
{
    json_put_text(doc, name, text[0] != '\0' ? text : NULL);
}

json_t *job_info_to_json(const struct job_info *info, bool with_report)
{
    json_t *doc = json_object();
    json_put_text(doc, "id", info->id);
    json_put_text(doc, "kind", job_kind_name(info->kind));
    json_put_text(doc, "state", job_state_name(info->state));
    json_put_text(doc, "env", info->env);
    put_unless_empty(doc, "target", info->target);
    put_unless_empty(doc, "reason", info->reason);
    put_unless_empty(doc, "user", info->user);
    put_unless_empty(doc, "sudo_user", info->sudo_user);
    put_unless_empty(doc, "ssh", info->ssh);
    json_put_text(doc, "host", info->host);
    json_put_int(doc, "pid", info->pid);
    json_put_text(doc, "run_id", info->run_id);
    json_put_int(doc, "runs", info->runs);
    put_time(doc, "first_started", info->first_ms);
    put_time(doc, "started", info->started_ms);
    put_time(doc, "updated", info->updated_ms);
    put_time(doc, "ended", info->ended_ms);
    json_put_int(doc, "failed", (int64_t)info->failed);
    json_put_int(doc, "warnings", (int64_t)info->warnings);
    json_put_int(doc, "findings", info->findings);
    json_put(doc, "exit_status",
             info->exit_status < 0 ? json_null() : json_integer(info->exit_status));
    json_put_int(doc, "rate_limit", (int64_t)info->rate_limit);
    json_put_int(doc, "control_seq", (int64_t)info->control_seq);
    json_put(doc, "progress", progress_to_json(&info->progress));
    if (info->error_word[0] != '\0') {
        json_t *error = json_object();
        json_put_text(error, "code", info->error_word);
        json_put_text(error, "text", info->error_text);
        json_put(doc, "error", error);
    }
    if (with_report) {
        json_put(doc, "options", info->options != NULL ? json_incref(info->options) : json_null());
        json_put(doc, "report", info->report != NULL ? json_incref(info->report) : json_null());
    }
    return doc;
}

/* ---- lists ------------------------------------------------------------------------------------
 */

static int newest_first(const void *a, const void *b)
{
    const struct job_info *x = *(struct job_info *const *)a;
    const struct job_info *y = *(struct job_info *const *)b;
    if (x->started_ms != y->started_ms)
        return x->started_ms < y->started_ms ? 1 : -1;
    return strcmp(y->id, x->id);
}

void job_list_sort(struct job_info **items, size_t count)
{
    if (count > 1)
        qsort(items, count, sizeof(struct job_info *), newest_first);
}

bool job_list_read(const char *state_dir, struct job_list *out, struct error *err)
{
    char **names = NULL;
    size_t count = 0;
    *out = (struct job_list){0};
    char *root = jobdir_root(state_dir);
    bool none = !file_exists(root);
    bool ok = none || file_list(root, &names, &count, err);
    free(root);
    out->items = mem_zero(count + 1, sizeof(struct job_info *));
    for (size_t i = 0; ok && i < count; i++) {
        enum job_kind kind = JOB_BACKUP;
        uint32_t number = 0;
        struct error ignored = {0};
        struct job_info *info = NULL;
        if (job_id_parse(str_from(names[i]), &kind, &number))
            info = job_info_read(state_dir, names[i], &ignored);
        if (info != NULL)
            out->items[out->count++] = info;
    }
    file_list_free(names, count);
    job_list_sort(out->items, out->count);
    return ok;
}

void job_list_release(struct job_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        job_info_unref(list->items[i]);
    free(list->items);
    *list = (struct job_list){0};
}
