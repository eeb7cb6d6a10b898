/*
 * job.h - run something as a job: its directory, task, cluster lock, signals and result in one
 * call.
 *
 * A verb fills a job_spec, and job_run does the rest on the calling thread, which must be the main
 * thread before any other was started: it blocks SIGTERM, SIGINT and SIGHUP for all threads to come
 * and hears them itself. The first SIGTERM or SIGINT cancels at the next safe point, a second one
 * at once; SIGHUP is noted and ignored, so a lost terminal stops nothing.
 */
#ifndef CORE_JOBS_JOB_H
#define CORE_JOBS_JOB_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/jobs/jobdir.h"
#include "core/jobs/kind.h"
#include "core/jobs/progress.h"
#include "core/jobs/state.h"
#include "core/jobs/task.h"

/* Who does it; the caller asks core/config, the only place that reads the environment. */
struct job_operator {
    const char *user, *sudo_user, *ssh; /* ssh: SSH_CONNECTION; NULL when unset */
};

/* Do the work. Workers are joined when it returns. `result` is an empty object for the report.
 * true: done; set "findings" (integer > 0) in result when something is wrong with the data or the
 * cluster. false: err; ERROR_CANCELLED when task_cancelled() stopped it. */
typedef bool (*job_body)(struct task *t, void *ctx, json_t *result, struct error *err);

/* For the verb's own bar on stderr: called at most 5 times a second, from another thread. */
typedef void (*job_watcher)(void *ctx, enum job_state state, const struct progress *p);

struct job_spec {
    enum job_kind kind;
    const char *state_dir;
    const char *env;
    const char *target; /* one line for people: "s3://bucket/x.tar.gz -> staging" */
    const char *reason; /* NULL: none given */
    struct job_operator who;
    const json_t *options; /* as an object; members that sound like secrets are masked */
    /* The cluster by node ids, sentinel ids or address. Empty: no lock now, job_claim later. */
    const char *const *identity;
    size_t identity_count;
    const char *parent_run_id; /* of the maintenance job that runs this one; NULL */
    const char *resume;        /* id to go on with; NULL = a new job */
    bool looks_only;           /* a rehearsal that changes nothing: as harmless as a verification */
    int id_fd;           /* --job-fd N: gets "B-0001\n", then stdout and stderr go to output.log;
                            -1 = typed in a shell */
    job_watcher watcher; /* NULL: none */
    void *watcher_ctx;
    void (*exit_now)(
        int status);  /* _exit, given by main: the second signal. NULL: it only cancels */
    jobdir_hook hook; /* tests; NULL */
    void *hook_ctx;
};

struct job_end {
    char id[JOB_ID_MAX];
    enum job_state state;
    int exit_status;
    json_t *result; /* result.json as written, owned by the caller; NULL before there was one */
};

/* Returns the exit status (see CLI `--help`) and fills *end; err holds the reason unless the state
 * is done or findings. ERROR_LOCKED from the cluster lock leaves a failed job that says so. */
int job_run(const struct job_spec *spec, job_body body, void *ctx, struct job_end *end,
            struct error *err);
void job_end_release(struct job_end *end);

/* Inside the body, once the cluster is known: what spec.identity does at the start. Held until the
 * job ends; a second call changes nothing but must name the same cluster. */
bool job_claim(struct task *t, const char *const *identity, size_t count,
               struct error *err) MUST_CHECK;

/* job.json of an existing job, for --resume: its "options", "env", "target". Owned by the caller.
 */
json_t *job_load(const char *state_dir, const char *id, struct error *err) MUST_CHECK;

#endif
