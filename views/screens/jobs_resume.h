/*
 * jobs_resume.h - going on with a backup or a restore that ended early, from the jobs screen: may
 * it be, and the command line that does it.
 *
 * Pure; whether the environment may be changed at all is asked by the caller.
 */
#ifndef VIEWS_SCREENS_JOBS_RESUME_H
#define VIEWS_SCREENS_JOBS_RESUME_H

#include "core/jobs/info.h"
#include "views/screens/backups_args.h"

/* NULL: it can be resumed here. Else why not, for a greyed row. env: of this console, may be
 * NULL. */
const char *jobs_cannot_resume(const struct job_info *info, const char *env);
/* It writes into the cluster: a restore. */
bool jobs_resume_writes(const struct job_info *info);
/* What it would do beyond writing cannot be put back. */
bool jobs_resume_destroys(const struct job_info *info);
/* Verb and options. confirm: the name that was typed, or NULL. */
void jobs_resume_args(const struct job_info *info, const char *confirm, struct str reason,
                      struct arg_list *out);

#endif
