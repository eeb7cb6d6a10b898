/*
 * restore_plan_model.h - what a restore would do, from the job that ran `restore --dry-run`: lines
 * for people, what stands in its way, and the exact command that does it. Pure.
 *
 * Everything comes from job.json and result.json of that job, so a plan can be read again from
 * another console, and what is confirmed is what was planned. Texts from files are escaped by
 * whoever draws them.
 */
#ifndef VIEWS_SCREENS_RESTORE_PLAN_MODEL_H
#define VIEWS_SCREENS_RESTORE_PLAN_MODEL_H

#include "core/base/buf.h"
#include "core/jobs/watch.h"
#include "views/screens/backups_args.h"
#include "views/screens/lines.h"

#define PLAN_FRESH_MS ((int64_t)10 * 60 * 1000) /* an older plan must be made again */

struct plan_view {
    const struct job_info *job; /* the dry run */
    const struct watch_list *jobs;
    const char *env;
    const char *command; /* as app_command_text has it */
    int64_t now_ms;
};

/* True when the job is a restore that only planned. */
bool restore_plan_is_one(const struct job_info *job);
/* The words of the restore that was planned, without --dry-run. */
void restore_plan_args(const struct job_info *job, struct arg_list *out);
/* Does it empty the target first? */
bool restore_plan_empties(const struct job_info *job);
/* Does it do what cannot be put back: empty the target, or remove what the backup lacks? */
bool restore_plan_destroys(const struct job_info *job);
/* NULL: it may go ahead; else why not: still planning, failed, a blocker, too old. */
const char *restore_plan_obstacle(const struct job_info *job, int64_t now_ms);
void restore_plan_lines(const struct plan_view *v, line_sink add, void *arg);
/* The text of the confirmation: effect in two or three lines and how to undo it. */
void restore_plan_summary(const struct plan_view *v, struct buf *out);
/* The newest backup job of env that ended well; NULL: none is known. */
const struct job_info *restore_plan_last_backup(const struct watch_list *jobs, const char *env);

#endif
