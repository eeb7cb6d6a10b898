/*
 * restore_tune.h - `restore --tune`: no eviction and no stop of writes after a failed save, for as
 * long as the restore runs; the old values come back on every way out.
 *
 * Every data node is tuned, replicas too: one that is promoted during the run must not begin to
 * evict. What will be changed stands in the journal and in tune.json of the job's directory, on
 * disk, before the first CONFIG SET; the file goes when all is put back. So a run that was killed
 * leaves the file, and the next run or `doctor --fix` puts the values back (restore_tune_mend). A
 * setting that somebody else changed meanwhile is left as it is. Blocking, one thread.
 */
#ifndef CORE_RESTORE_RESTORE_TUNE_H
#define CORE_RESTORE_RESTORE_TUNE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/jobs/task.h"
#include "core/redis/cluster.h"

#define RESTORE_TUNE_FILE "tune.json"

/* What became of the settings that were changed. */
struct restore_tune_end {
    size_t put_back;
    size_t kept;   /* somebody set another value, or the node was restarted with its own */
    size_t left;   /* the node did not answer or refused: still in the file */
    char why[240]; /* of one that is left: node, setting, reason */
};

/* May this user change the configuration of that node? False with what the server says; *known is
 * false when it could not be asked. Changes nothing. */
bool restore_tune_allowed(struct cluster *c, const char *id, bool *known, struct error *why);

struct restore_tune;

/* Nothing stays changed when it fails. *out is NULL when nothing needed changing. */
bool restore_tune_begin(const struct redis_options *target, struct task *task,
                        struct restore_tune **out, struct error *err) MUST_CHECK;
/* Also after a cancel; within some seconds. Frees t; NULL is fine. */
void restore_tune_finish(struct restore_tune *t, struct restore_tune_end *end);

/* The file of a run that is dead: put back what can be, on the nodes of this target that it names;
 * the file then holds what is left, or is gone. fix false: look only, and count as left what would
 * be put back. ERROR_CORRUPT, ERROR_STORAGE: the file. */
bool restore_tune_mend(const char *path, const struct redis_options *target, bool fix,
                       struct restore_tune_end *end, struct error *err) MUST_CHECK;

#endif
