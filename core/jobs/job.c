#include "core/jobs/job.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/rng.h"
#include "core/jobs/info.h"
#include "core/jobs/job_internal.h"
#include "core/jobs/task_internal.h"

#define JOB_BYTES_MAX ((size_t)4 << 20)

/* ---- job.json ---------------------------------------------------------------------------------
 */

static json_t *operator_doc(const struct job_operator *who)
{
    json_t *doc = json_object();
    json_put_text(doc, "user", who->user);
    json_put_text(doc, "sudo_user", who->sudo_user);
    json_put_text(doc, "ssh", who->ssh);
    return doc;
}

static json_t *run_doc(const struct job_spec *spec, const char *run_id, const char *started)
{
    json_t *run = json_object();
    json_put_text(run, "run_id", run_id);
    json_put_text(run, "started", started);
    json_put_text(run, "user", spec->who.user);
    json_put_text(run, "reason", spec->reason);
    return run;
}

/* The members that each run sets anew. */
static void put_run(json_t *job, const struct job_spec *spec, const char *run_id)
{
    char started[FORMAT_MAX];
    char host[72] = "?";
    (void)gethostname(host, sizeof(host) - 1);
    (void)format_rfc3339_ms(started, sizeof(started), clock_real_ms());
    json_put_text(job, "run_id", run_id);
    json_put_text(job, "host", host);
    json_put_int(job, "pid", (int64_t)getpid());
    json_put_text(job, "started", started);
    json_put(job, "operator", operator_doc(&spec->who));
    json_t *runs = json_object_get(job, "runs");
    if (!json_is_array(runs)) {
        json_put(job, "runs", json_array());
        runs = json_object_get(job, "runs");
    }
    json_push(runs, run_doc(spec, run_id, started));
}

static json_t *new_job_doc(const struct job_spec *spec, const char *run_id)
{
    json_t *job = json_object();
    json_put_int(job, "v", 1);
    json_put_text(job, "id", "");
    json_put_text(job, "kind", job_kind_name(spec->kind));
    json_put_text(job, "env", spec->env);
    json_put_text(job, "target", spec->target);
    json_put_text(job, "reason", spec->reason);
    json_t *options = spec->options != NULL ? json_deep_copy(spec->options) : json_object();
    job_mask_secrets(options);
    json_put(job, "options", options);
    put_run(job, spec, run_id);
    return job;
}

json_t *job_load(const char *state_dir, const char *id, struct error *err)
{
    char *dir = jobdir_path(state_dir, id);
    if (dir == NULL) {
        (void)error_set(err, ERROR_NOT_FOUND, 0, "\"%s\" is no job id (like B-0001)", id);
        return NULL;
    }
    char *path = file_join(dir, "job.json");
    json_t *doc = json_read_file(path, JOB_BYTES_MAX, err);
    free(path);
    free(dir);
    if (doc != NULL && !json_is_object(doc)) {
        json_decref(doc);
        (void)error_set(err, ERROR_CORRUPT, 0, "job.json of %s is not an object", id);
        return NULL;
    }
    return doc;
}

/* ---- the directory ----------------------------------------------------------------------------
 */

static bool may_resume(const struct job_spec *spec, struct error *err)
{
    enum job_kind kind = JOB_BACKUP;
    uint32_t number = 0;
    if (!job_id_parse(str_from(spec->resume), &kind, &number))
        return error_set(err, ERROR_USAGE, 0, "\"%s\" is no job id (like B-0001)", spec->resume);
    if (kind != spec->kind) {
        return error_set(err, ERROR_USAGE, 0, "%s is a %s job, not a %s job", spec->resume,
                         job_kind_name(kind), job_kind_name(spec->kind));
    }
    struct job_info *info = job_info_read(spec->state_dir, spec->resume, err);
    if (info == NULL)
        return false;
    bool ok = job_state_can_resume(info->state);
    if (job_state_is_live(info->state)) {
        (void)error_set(err, ERROR_LOCKED, 0, "%s is %s (pid %lld on %s)", spec->resume,
                        job_state_name(info->state), (long long)info->pid, info->host);
    } else if (!ok) {
        (void)error_set(err, ERROR_REFUSED, 0, "%s is %s: there is nothing to resume", spec->resume,
                        job_state_name(info->state));
    }
    job_info_unref(info);
    return ok;
}

/* From the moment job.json names the new run, the old progress and result no longer count. */
static bool enter_directory(struct jobdir *dir, const struct job_spec *spec, const char *run_id,
                            struct error *err)
{
    dir->hook = spec->hook;
    dir->hook_ctx = spec->hook_ctx;
    if (spec->resume == NULL) {
        json_t *job = new_job_doc(spec, run_id);
        bool made = jobdir_create(dir, spec->state_dir, spec->kind, job, err);
        json_decref(job);
        return made;
    }
    if (!may_resume(spec, err) || !jobdir_open(dir, spec->state_dir, spec->resume, err))
        return false;
    json_t *job = job_load(spec->state_dir, spec->resume, err);
    if (job == NULL) {
        jobdir_close(dir);
        return false;
    }
    put_run(job, spec, run_id);
    bool ok = jobdir_replace(dir, "job.json", job, true, err);
    json_decref(job);
    if (!ok)
        jobdir_close(dir);
    return ok;
}

/* ---- the result -------------------------------------------------------------------------------
 */

static enum job_state ended_state(struct task *t, bool ok, int64_t findings,
                                  const struct error *err)
{
    if (!ok)
        return err->code == ERROR_CANCELLED ? JOB_CANCELLED : JOB_FAILED;
    return findings > 0 || atomic_load(&t->lost) > 0 ? JOB_FINDINGS : JOB_DONE;
}

static json_t *result_doc(struct task *t, enum job_state state, json_t *report,
                          const struct error *err)
{
    char time[FORMAT_MAX];
    struct progress view = {0};
    json_t *doc = task_progress_doc(t, &view);
    progress_release(&view);
    json_put_text(doc, "state", job_state_name(state));
    (void)json_object_del(doc, "updated");
    json_put_text(doc, "ended", format_rfc3339_ms(time, sizeof(time), clock_real_ms()));
    json_put_int(doc, "exit_status",
                 state == JOB_FAILED ? error_exit_status(err->code) : job_state_exit_status(state));
    json_put_int(doc, "findings", json_int(report, "findings", 0));
    if (state == JOB_FAILED || state == JOB_CANCELLED) {
        json_t *error = json_object();
        json_put_text(error, "code", error_code_name(err->code));
        json_put_text(error, "text", err->text);
        json_put(doc, "error", error);
    }
    json_put(doc, "report", json_incref(report));
    return doc;
}

static bool write_result(struct task *t, json_t *doc, struct error *err)
{
    return jobdir_sync(t->dir, t->ledger_fd, err) && jobdir_sync(t->dir, t->journal_fd, err) &&
           jobdir_replace(t->dir, "result.json", doc, true, err);
}

/* The pulse calls this at the second signal, while the workers still run: what they wrote to
 * journal and ledger is whole lines, and the result says that nobody waited for them. */
static void stop_now(struct task *t)
{
    struct error why = {0};
    struct error failed = {0};
    (void)error_set(&why, ERROR_CANCELLED, 0, "stopped at once by the operator");
    json_t *report = json_object();
    json_put_flag(report, "abrupt", true);
    json_t *doc = result_doc(t, JOB_CANCELLED, report, &why);
    if (!write_result(t, doc, &failed))
        log_write(LOG_LEVEL_ERROR, "jobs", "%s: result: %s", task_id(t), failed.text);
    json_decref(doc);
    json_decref(report);
}

static void finish(struct task *t, bool ok, json_t *report, struct job_end *end, struct error *err)
{
    end->state = ended_state(t, ok, json_int(report, "findings", 0), err);
    if (atomic_load(&t->lost) > 0)
        json_put_int(report, "lost_journal_lines", (int64_t)atomic_load(&t->lost));
    json_t *doc = result_doc(t, end->state, report, err);
    end->exit_status = (int)json_int(doc, "exit_status", 7);
    end->result = doc;
    struct error failed = {0};
    if (!write_result(t, doc, &failed)) {
        (void)error_wrap(&failed, "write the result of %s", task_id(t));
        end->exit_status = error_exit_status(failed.code);
        end->state = JOB_FAILED;
        *err = failed;
    }
}

/* ---- running ----------------------------------------------------------------------------------
 */

bool job_claim(struct task *t, const char *const *identity, size_t count, struct error *err)
{
    if (t->dir == NULL || t->claim != NULL)
        return true;
    struct lock_claim claim = {
        .state_dir = t->spec->state_dir,
        .identity = identity,
        .identity_count = count,
        .danger = t->spec->looks_only ? JOB_HARMLESS : job_kind_danger(t->spec->kind),
        .job_id = task_id(t),
        .run_id = t->run_id,
        .parent_run_id = t->spec->parent_run_id,
        .env = t->spec->env,
        .user = t->spec->who.user,
    };
    t->claim = lock_take(&claim, NULL, err);
    return t->claim != NULL;
}

static void run_body(struct task *t, job_body body, void *ctx, struct job_end *end,
                     struct error *err)
{
    const struct job_spec *spec = t->spec;
    json_t *report = json_object();
    t->pulse = pulse_start(t, stop_now, err);
    bool ok = t->pulse != NULL;
    if (ok) {
        task_note(t, TASK_INFO, "%s %s, pid %ld", job_kind_name(spec->kind),
                  spec->resume != NULL ? "resumed" : "started", (long)getpid());
        ok = (spec->identity_count == 0 ||
              job_claim(t, spec->identity, spec->identity_count, err)) &&
             body(t, ctx, report, err);
        if (!ok && err->code == ERROR_NONE)
            (void)error_set(err, ERROR_INTERNAL, 0, "the job failed without saying why");
        if (!ok && err->code != ERROR_CANCELLED)
            task_note(t, TASK_ERROR, "%s", err->text);
    }
    if (atomic_exchange(&t->ending, true))
        (void)pause(); /* the pulse is ending the process at this moment */
    pulse_stop(t->pulse);
    t->pulse = NULL;
    finish(t, ok, report, end, err);
    json_decref(report);
}

/* The directory is there but its journal is not: say so, if even that can be written. */
static void fail_early(struct jobdir *dir, const char *run_id, const struct error *why)
{
    struct error ignored = {0};
    json_t *doc = json_object();
    json_put_int(doc, "v", 1);
    json_put_text(doc, "id", dir->id);
    json_put_text(doc, "run_id", run_id);
    json_put_text(doc, "state", job_state_name(JOB_FAILED));
    json_put_int(doc, "exit_status", error_exit_status(why->code));
    json_t *error = json_object();
    json_put_text(error, "code", error_code_name(why->code));
    json_put_text(error, "text", why->text);
    json_put(doc, "error", error);
    if (!jobdir_replace(dir, "result.json", doc, true, &ignored))
        log_write(LOG_LEVEL_ERROR, "jobs", "%s: result: %s", dir->id, ignored.text);
    json_decref(doc);
}

static void run_in(struct jobdir *dir, const struct job_spec *spec, const char *run_id,
                   job_body body, void *ctx, struct job_end *end, struct error *err)
{
    (void)str_copy(str_from(dir->id), end->id, sizeof(end->id));
    struct task *t = NULL;
    if (job_announce(spec, dir, err))
        t = task_new_job(dir, spec, run_id, err);
    if (t == NULL) {
        end->exit_status = error_exit_status(err->code);
        fail_early(dir, run_id, err);
        return;
    }
    run_body(t, body, ctx, end, err);
    task_free(t);
}

int job_run(const struct job_spec *spec, job_body body, void *ctx, struct job_end *end,
            struct error *err)
{
    struct job_end unused;
    struct jobdir dir = {.lock_fd = -1};
    char run_id[JOB_RUN_ID_MAX];
    sigset_t heard;
    sigset_t before;
    struct job_end *out = end != NULL ? end : &unused;
    *out = (struct job_end){.state = JOB_FAILED, .exit_status = 7};
    (void)rng_hex(run_id, sizeof(run_id) - 1);
    (void)sigemptyset(&heard);
    (void)sigaddset(&heard, SIGTERM);
    (void)sigaddset(&heard, SIGINT);
    (void)sigaddset(&heard, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &heard, &before);
    if (enter_directory(&dir, spec, run_id, err)) {
        run_in(&dir, spec, run_id, body, ctx, out, err);
        jobdir_close(&dir);
    } else {
        out->exit_status = error_exit_status(err->code);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    int status = out->exit_status;
    if (end == NULL)
        job_end_release(&unused);
    return status;
}

void job_end_release(struct job_end *end)
{
    json_decref(end->result);
    end->result = NULL;
}
