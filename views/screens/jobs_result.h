/*
 * jobs_result.h - what came of a job that has ended, in lines for people: what a verification found
 * and in which keys, what a restore wrote, where a backup lies. Pure.
 *
 * Everything comes from result.json; texts from it are escaped by whoever draws them. A job that
 * still runs, or ended without a report, gives no lines.
 */
#ifndef VIEWS_SCREENS_JOBS_RESULT_H
#define VIEWS_SCREENS_JOBS_RESULT_H

#include "core/jobs/info.h"
#include "views/screens/lines.h"

/* keys_max: keys that are named one by one, where there are any. */
void jobs_result_lines(const struct job_info *info, size_t keys_max, line_sink add, void *arg);

#endif
