#include "views/screens/jobs_resume.h"

#include <string.h>

#include "core/base/json.h"

const char *jobs_cannot_resume(const struct job_info *info, const char *env)
{
    if (info == NULL)
        return "no job selected";
    if (info->kind != JOB_BACKUP && info->kind != JOB_RESTORE)
        return "only backups and restores go on: start this one again";
    if (json_flag(info->options, "dry_run", false))
        return "this job only made a plan";
    if (job_state_is_live(info->state))
        return "this job still runs";
    if (!job_state_can_resume(info->state))
        return "this job has done all it had to";
    if (info->kind == JOB_BACKUP && info->state == JOB_FINDINGS)
        return "this backup was written, with findings: start a new one";
    if (info->kind == JOB_BACKUP && json_text(info->options, "backup_dir", NULL) == NULL)
        return "this backup was streamed: nothing of it is kept";
    if (json_flag(info->options, "signed", false))
        return "it signs its backup: resume it by command, with --sign-key-file";
    if (env == NULL || strcmp(info->env, env) != 0)
        return "this job is of another environment";
    return NULL;
}

bool jobs_resume_writes(const struct job_info *info)
{
    return info->kind == JOB_RESTORE;
}

bool jobs_resume_destroys(const struct job_info *info)
{
    return json_flag(info->options, "flush_first", false) ||
           json_flag(info->options, "exact", false);
}

void jobs_resume_args(const struct job_info *info, const char *confirm, struct str reason,
                      struct arg_list *out)
{
    *out = (struct arg_list){0};
    args_add(out, job_kind_name(info->kind));
    args_option(out, "resume", str_from(info->id));
    if (confirm != NULL && jobs_resume_writes(info))
        args_option(out, "confirm", str_from(confirm));
    args_option(out, "reason", reason);
}
