/*
 * lock.h - who works on which cluster: refuses two writers at once, and names the holder.
 *
 * Each claim is one file in $STATE/locks with a flock held for the job's life; a file whose flock
 * is free belongs to a dead job and is swept away. A claim names the cluster by its identity (node
 * ids, sentinel ids or address): two claims meet when they share one of them. Works across the
 * machines of a shared state directory where flock does. One thread per claim.
 */
#ifndef CORE_JOBS_LOCK_H
#define CORE_JOBS_LOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/jobs/kind.h"

struct lock_claim {
    const char *state_dir;
    const char *const *identity; /* at least one */
    size_t identity_count;
    enum job_danger danger;
    const char *job_id; /* "R-0003", or a word for what is no job */
    const char *run_id;
    const char *parent_run_id; /* a claim of this run does not stand in the way; may be NULL */
    const char *env;
    const char *user;
};

struct lock_holder {
    char job_id[JOB_ID_MAX];
    char run_id[33];
    char user[64], host[72], env[64];
    enum job_danger danger;
    int64_t pid;
    int64_t since_ms; /* real clock */
};

struct lock;

/* ERROR_LOCKED names the holder: "R-0003 (restore, alice on bastion-1, pid 812) holds the cluster
 * since 03:12:44Z"; *holder (may be NULL) gets it too. JOB_HARMLESS claims never fail so. */
struct lock *lock_take(const struct lock_claim *claim, struct lock_holder *holder,
                       struct error *err) MUST_CHECK;
void lock_release(struct lock *lock); /* NULL is fine */
/* All living claims, for `doctor` and the header; freed by the caller. *stale (may be NULL): dead
 * claims that were swept. */
bool lock_list(const char *state_dir, struct lock_holder **holders, size_t *count, size_t *stale,
               struct error *err) MUST_CHECK;

#endif
