/*
 * state.h - the state of a job as one pure function of what is in its directory.
 *
 * Whoever reads a directory looks at the lock first and at the files after it: a lock that was free
 * means that everything the job ever wrote is there. progress.json and result.json count only when
 * they carry the run id of job.json; others belong to an earlier run of a resumed job. Pure; any
 * thread.
 */
#ifndef CORE_JOBS_STATE_H
#define CORE_JOBS_STATE_H

#include <jansson.h>
#include <stdbool.h>

enum job_state {
    JOB_STARTING, /* alive, no progress of this run yet */
    JOB_RUNNING,
    JOB_PAUSED,     /* asked to wait, and waiting at its next safe point */
    JOB_CANCELLING, /* asked to stop, not stopped yet */
    JOB_DONE,
    JOB_FINDINGS, /* ended, and something about the data or the cluster is wrong */
    JOB_FAILED,   /* ended with an error */
    JOB_CANCELLED,
    JOB_CRASHED, /* the lock is free and there is no result of this run */
    JOB_STATES
};

/* What was found on disk. NULL: missing, unreadable, or not JSON. */
struct job_facts {
    bool locked;
    const json_t *job;
    const json_t *progress;
    const json_t *result;
};

enum job_state job_state_of(const struct job_facts *facts);
const char *job_state_name(enum job_state state); /* "running", also in the files */
bool job_state_parse(const char *name, enum job_state *state);
bool job_state_is_live(enum job_state state);    /* starting, running, paused, cancelling */
bool job_state_can_resume(enum job_state state); /* failed, cancelled, crashed, findings */
/* Exit status of a job that ended so: done 0, findings 1, cancelled 5, crashed 7; failed: 7 unless
 * the result tells. */
int job_state_exit_status(enum job_state state);

#endif
