/*
 * tune_left.h - settings that a restore with --tune changed and could not put back, because it was
 * killed or the node was away: found in the job directories, put back on the nodes they name.
 *
 * Looks only at jobs of one environment that are dead, and at `own` (the job that is asking).
 * Blocking: verbs only.
 */
#ifndef VIEWS_VERBS_TUNE_LEFT_H
#define VIEWS_VERBS_TUNE_LEFT_H

#include "core/restore/restore_tune.h"

/* One job's file; err is NULL unless the file itself is the trouble. */
typedef void (*tune_left_told)(void *arg, const char *job, const struct restore_tune_end *end,
                               const struct error *err);

struct tune_left {
    const char *state_dir;
    const char *env;
    const char *own; /* job id; NULL: none */
    const struct redis_options *target;
    bool fix; /* false: look only */
};

void tune_left_each(const struct tune_left *t, tune_left_told told, void *arg);
/* The same before a restore, told to its journal. */
void tune_left_mend(const struct tune_left *t, struct task *task);

#endif
