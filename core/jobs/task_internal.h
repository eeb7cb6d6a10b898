/*
 * task_internal.h - the task behind task.h, seen only inside core/jobs.
 *
 * Workers touch atomics and, under `lock`, the progress; no lock is held during I/O: a journal line
 * is one write to an O_APPEND descriptor. The pulse is one thread per job that hears signals, reads
 * control.json ten times a second and writes progress.json at most five times.
 */
#ifndef CORE_JOBS_TASK_INTERNAL_H
#define CORE_JOBS_TASK_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/jobs/job.h"
#include "core/jobs/lock.h"

struct pulse;

#define TASK_WAITS 32 /* threads that wait at once; more are not told apart */

/* One thread that waits through an outage, or did so a moment ago. Monotonic times. */
struct task_wait {
    pthread_t thread;
    bool used;
    bool noted;       /* in the journal */
    int64_t since_ms; /* when it began */
    int64_t told_ms;  /* when it was last heard of */
    int64_t until_ms; /* when it gives up */
    int64_t over_ms;  /* when it went on; 0: it has not */
    char why[PROGRESS_WHY];
};

struct task {
    struct jobdir *dir; /* NULL for a plain task */
    char run_id[JOB_RUN_ID_MAX];
    const struct job_spec *spec;
    json_t *steps;
    int journal_fd, ledger_fd; /* -1 for a plain task */

    _Atomic int cancel; /* 0 no, 1 at the next safe point, 2 at once */
    _Atomic bool paused;
    _Atomic uint64_t rate;
    _Atomic uint64_t control_seq;
    _Atomic uint64_t ledger_count;
    _Atomic uint64_t warnings;
    _Atomic uint64_t lost; /* journal or ledger lines that could not be written */
    _Atomic bool ending;   /* whoever sets it first writes the result */

    _Atomic unsigned waiting; /* of waits: used and not over */

    pthread_mutex_t lock; /* guards progress, dirty, claim, waits */
    pthread_cond_t wake;  /* a pause ended or a cancel came */
    struct progress progress;
    struct task_wait waits[TASK_WAITS];
    bool dirty;
    struct lock *claim;
    struct pulse *pulse;
};

/* dir is borrowed; earlier steps are read from its journal. */
struct task *task_new_job(struct jobdir *dir, const struct job_spec *spec, const char *run_id,
                          struct error *err) MUST_CHECK;
/* Change what the operator wants, and wake whoever waits for it. */
void task_want(struct task *t, bool paused, int cancel);
enum job_state task_state(struct task *t);
/* The document progress.json holds, computed now; *view (may be NULL) gets a copy. */
json_t *task_progress_doc(struct task *t, struct progress *view);
/* Put the longest wait into the progress. With the lock held. */
void task_waits_show(struct task *t);
/* Note in the journal what began to last and what is over. Called by the pulse; last: the job ends,
 * so that nothing can begin again. */
void task_waits_note(struct task *t, bool last);
/* One journal line of ours. Takes doc. */
bool task_journal(struct task *t, json_t *doc, struct error *err);
json_t *task_line(const char *level);

/* stop_now is called from the pulse at the second signal, after it won `ending`. */
struct pulse *pulse_start(struct task *t, void (*stop_now)(struct task *t),
                          struct error *err) MUST_CHECK;
/* Joins it; one last progress.json is written. */
void pulse_stop(struct pulse *p);

#endif
