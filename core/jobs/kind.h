/*
 * kind.h - the kinds of job, their id prefixes, and which kinds endanger which.
 *
 * An id is one letter for the kind, '-', and a number of at least four digits: "B-0001". Pure; any
 * thread.
 */
#ifndef CORE_JOBS_KIND_H
#define CORE_JOBS_KIND_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/str.h"

#define JOB_ID_MAX 16 /* bytes with the terminator */

enum job_kind {
    JOB_BACKUP,
    JOB_RESTORE,
    JOB_VERIFY,
    JOB_SNAPSHOT,
    JOB_TEST,
    JOB_POLL,
    JOB_DRILL,
    JOB_MAINTENANCE,
    JOB_PLAN,
    JOB_DIFF,
    JOB_DOWNLOAD,
    JOB_KINDS
};

/* What a job does to its cluster, for the lock: readers stand side by side, a writer is alone. */
enum job_danger {
    JOB_HARMLESS, /* takes no lock: verify, snapshot, test, poll, diff, download */
    JOB_READS,    /* needs the data to hold still: backup */
    JOB_WRITES,   /* changes data or roles: restore, drill, maintenance, ops plan */
    JOB_DANGERS
};

const char *job_kind_name(enum job_kind kind); /* "backup": also the verb that runs it */
char job_kind_letter(enum job_kind kind);      /* 'B' */
enum job_danger job_kind_danger(enum job_kind kind);
bool job_kind_parse(const char *name, enum job_kind *kind);
const char *job_danger_name(enum job_danger danger); /* "harmless", "reads", "writes" */
bool job_danger_parse(const char *name, enum job_danger *danger);
/* May two jobs with these dangers work on one cluster at the same time? */
bool job_dangers_agree(enum job_danger a, enum job_danger b);

/* Writes "B-0001" into out[JOB_ID_MAX]. */
char *job_id_format(char *out, enum job_kind kind, uint32_t number);
/* The only door for ids from outside: nothing else may become part of a path. */
bool job_id_parse(struct str id, enum job_kind *kind, uint32_t *number);

#endif
