/*
 * job_guard.h - is somebody else's dangerous job at work on this cluster?
 *
 * The lock covers one state directory; jobs of other machines show by their connections' names
 * (CLIENT SETNAME rbconsole:<kind>:<id>). Blocking.
 */
#ifndef VIEWS_VERBS_JOB_GUARD_H
#define VIEWS_VERBS_JOB_GUARD_H

#include "core/jobs/kind.h"
#include "core/redis/cluster.h"

/* ERROR_LOCKED names the job and the address it comes from. *blind is set when a server does not
 * let us look (ACL): the caller warns. Harmless kinds are never stopped. */
bool job_guard_check(struct cluster *c, enum job_kind kind, bool *blind,
                     struct error *err) MUST_CHECK;
/* Pure: one line of CLIENT LIST; true when it belongs to a job that `kind` must not meet. name and
 * addr get what to show. */
bool job_guard_line(struct str line, enum job_kind kind, struct str *name, struct str *addr);

#endif
