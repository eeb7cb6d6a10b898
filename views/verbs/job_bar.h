/*
 * job_bar.h - one line of progress on stderr, for a verb that runs as a job on a terminal: state,
 * stage, bar, what is done of what, rate, time left. Counts as numbers, bytes as sizes.
 */
#ifndef VIEWS_VERBS_JOB_BAR_H
#define VIEWS_VERBS_JOB_BAR_H

#include <stdbool.h>

#include "core/jobs/job.h"
#include "views/verbs/verb.h"

/* Somebody looks at it: stderr is a terminal, and neither --quiet, --json nor a console's own job
 * says otherwise. */
bool job_bar_wanted(const struct invocation *inv);
/* A job's watcher; ctx is not used. */
void job_bar_watch(void *ctx, enum job_state state, const struct progress *p);

#endif
