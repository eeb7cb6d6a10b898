#include "views/screens/restore_plan_model.h"

#include <stdio.h>
#include <string.h>

#include "core/base/json.h"

bool restore_plan_is_one(const struct job_info *job)
{
    return job->kind == JOB_RESTORE && json_flag(job->options, "dry_run", false);
}

static const json_t *plan_of(const struct job_info *job)
{
    return json_object_get(job->report, "plan");
}

bool restore_plan_empties(const struct job_info *job)
{
    return json_flag(job->options, "flush_first", false);
}

bool restore_plan_destroys(const struct job_info *job)
{
    return restore_plan_empties(job) || json_flag(job->options, "exact", false);
}

static void add_text(struct arg_list *out, const struct job_info *job, const char *name,
                     const char *option)
{
    args_option(out, option, str_from(json_text(job->options, name, "")));
}

/* The backup that the plan is of: meanwhile another one may be the latest. */
static void add_backup(struct arg_list *out, const struct job_info *job)
{
    const char *asked = json_text(job->options, "from_s3", "");
    const char *found = json_text(job->report, "backup_id", "");
    bool named = strcmp(asked, "latest") == 0 && found[0] != '\0';

    args_option(out, "from-s3", str_from(named ? found : asked));
    add_text(out, job, "input", "input");
    add_text(out, job, "verify_key_file", "verify-key-file");
}

static void add_policy(struct arg_list *out, const struct job_info *job)
{
    static const char *const policies[] = {"fail-existing", "skip-existing", "overwrite"};
    const char *policy = json_text(job->options, "policy", "");
    char word[32];

    for (size_t i = 0; i < COUNT_OF(policies); i++)
        if (strcmp(policy, policies[i]) == 0) {
            (void)snprintf(word, sizeof(word), "--%s", policies[i]);
            args_add(out, word);
        }
}

static void add_pace(struct arg_list *out, const struct job_info *job)
{
    const json_t *o = job->options;

    if (json_int(o, "rate", 0) > 0)
        args_number(out, "rate", json_int(o, "rate", 0));
    else if (json_flag(o, "rate_auto", false))
        args_option(out, "rate", STR("auto"));
    else if (json_flag(o, "rate_none", false))
        args_option(out, "rate", STR("none"));
    if (json_int(o, "outage_s", 0) > 0)
        args_number(out, "outage-timeout", json_int(o, "outage_s", 0));
}

void restore_plan_args(const struct job_info *job, struct arg_list *out)
{
    static const struct {
        const char *member;
        const char *option;
    } agreed[] = {{"tune", "--tune"},
                  {"drop_field_ttl", "--drop-field-ttl"},
                  {"allow_downgrade", "--allow-downgrade"},
                  {"trust_dump", "--trust-dump"},
                  {"exact", "--exact"},
                  {"flush_first", "--flush-first"}};
    const json_t *o = job->options;

    args_add(out, "restore");
    add_backup(out, job);
    if (json_flag(o, "any", false))
        args_add(out, "--any");
    add_policy(out, job);
    add_text(out, job, "ttl", "ttl");
    args_add(out, json_flag(o, "stream_groups", true) ? "--recreate-stream-groups"
                                                      : "--no-stream-groups");
    args_list(out, "match", json_object_get(o, "match"));
    args_list(out, "type", json_object_get(o, "type"));
    add_text(out, job, "slots", "slots");
    if (json_int(o, "shard", 0) > 0)
        args_number(out, "shard", json_int(o, "shard", 0));
    add_pace(out, job);
    for (size_t i = 0; i < COUNT_OF(agreed); i++)
        if (json_flag(o, agreed[i].member, false))
            args_add(out, agreed[i].option);
}

const char *restore_plan_obstacle(const struct job_info *job, int64_t now_ms)
{
    const json_t *blockers = json_object_get(plan_of(job), "blockers");

    if (!restore_plan_is_one(job))
        return "this job is no plan";
    if (job_state_is_live(job->state))
        return "the plan is not ready yet";
    if (plan_of(job) == NULL)
        return "there is no plan: see why below; R tries again";
    if (json_text(job->options, "from_env", NULL) != NULL)
        return "it writes into another environment (--to-env): run it from the command line";
    if (json_array_size(blockers) > 0)
        return json_is_string(json_array_get(blockers, 0))
                   ? json_string_value(json_array_get(blockers, 0))
                   : "the plan is refused";
    if (job->ended_ms <= 0 || now_ms - job->ended_ms > PLAN_FRESH_MS)
        return "the plan is older than 10 minutes: R makes it again";
    return NULL;
}

const struct job_info *restore_plan_last_backup(const struct watch_list *jobs, const char *env)
{
    for (size_t i = 0; i < jobs->jobs.count; i++) {
        const struct job_info *job = jobs->jobs.items[i];

        if (job->kind == JOB_BACKUP && job->state == JOB_DONE && strcmp(job->env, env) == 0 &&
            json_flag(job->report, "complete", true) && !json_flag(job->report, "filtered", false))
            return job;
    }
    return NULL;
}
