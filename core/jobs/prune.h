/*
 * prune.h - remove the directories of old jobs.
 *
 * Never a living job, never the newest of a kind (its number must not be given out twice), and each
 * directory leaves in one step: locked, renamed to a hidden name, then removed. Also sweeps what
 * crashed creations and removals left behind. Blocking; verbs only.
 */
#ifndef CORE_JOBS_PRUNE_H
#define CORE_JOBS_PRUNE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"

struct prune_spec {
    const char *state_dir;
    uint32_t keep;    /* of each kind, the newest; at least 1 */
    int64_t keep_ms;  /* and those that ended less than this ago; 0: no such limit */
    int64_t now_ms;   /* real clock */
    const char *only; /* one id; NULL: all. Then keep and keep_ms do not count */
    bool dry_run;
};

/* *removed gets an array of ids (what would be removed with dry_run), owned by the caller. */
bool prune_jobs(const struct prune_spec *spec, json_t **removed, struct error *err) MUST_CHECK;

#endif
