/*
 * restore_survey.h - the plan's reading of the backup: every record parsed, counted, and asked for
 * on the target. Private to core/restore/restore*.
 *
 * Several threads take one part after another, each with connections and counts of its own, which
 * are added up. What is counted of a record depends on no other one, so the parts may be read in
 * any order; the sums and the examples are the same for any number of threads. Changes nothing on
 * the target. The first error ends all of them.
 */
#ifndef CORE_RESTORE_RESTORE_SURVEY_H
#define CORE_RESTORE_RESTORE_SURVEY_H

#include "core/redis/cluster.h"
#include "core/restore/restore.h"

struct restore_survey {
    struct source *source;
    struct cluster *cluster; /* of the caller's thread, connected */
    const struct redis_options *target;
    const struct restore_options *options;
    struct task *task;
    struct restore_plan *plan; /* counts are added; nodes, open slots and what earlier runs left
                                  stand in it */
    uint64_t refused;          /* keys that the user may not touch */
    uint32_t last_db;          /* the highest that the backup has keys of */
};

bool restore_survey_parts(struct restore_survey *s, struct error *err) MUST_CHECK;

#endif
