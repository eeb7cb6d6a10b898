#include "views/screens/restore_plan_model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/format.h"
#include "core/base/json.h"

#define LINE 600
#define COLUMNS 64 /* of a text behind its label */

bool restore_plan_is_one(const struct job_info *job)
{
    return job->kind == JOB_RESTORE && json_flag(job->options, "dry_run", false);
}

static const json_t *plan_of(const struct job_info *job)
{
    return json_object_get(job->report, "plan");
}

bool restore_plan_destroys(const struct job_info *job)
{
    return json_flag(job->options, "flush_first", false);
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

void restore_plan_args(const struct job_info *job, struct arg_list *out)
{
    static const struct {
        const char *member;
        const char *option;
    } agreed[] = {{"tune", "--tune"},
                  {"drop_field_ttl", "--drop-field-ttl"},
                  {"allow_downgrade", "--allow-downgrade"}};
    static const char *const policies[] = {"fail-existing", "skip-existing", "overwrite"};
    const json_t *o = job->options;
    const char *policy = json_text(o, "policy", "");

    args_add(out, "restore");
    add_backup(out, job);
    if (json_flag(o, "any", false))
        args_add(out, "--any");
    for (size_t i = 0; i < COUNT_OF(policies); i++)
        if (strcmp(policy, policies[i]) == 0) {
            char word[32];

            (void)snprintf(word, sizeof(word), "--%s", policies[i]);
            args_add(out, word);
        }
    add_text(out, job, "ttl", "ttl");
    args_add(out, json_flag(o, "stream_groups", true) ? "--recreate-stream-groups"
                                                      : "--no-stream-groups");
    args_list(out, "match", json_object_get(o, "match"));
    args_list(out, "type", json_object_get(o, "type"));
    add_text(out, job, "slots", "slots");
    if (json_int(o, "rate", 0) > 0)
        args_number(out, "rate", json_int(o, "rate", 0));
    if (json_flag(o, "rate_auto", false))
        args_option(out, "rate", STR("auto"));
    for (size_t i = 0; i < COUNT_OF(agreed); i++)
        if (json_flag(o, agreed[i].member, false))
            args_add(out, agreed[i].option);
    if (json_flag(o, "trust_dump", false))
        args_add(out, "--trust-dump");
    if (restore_plan_destroys(job))
        args_add(out, "--flush-first");
    if (json_int(o, "shard", 0) > 0)
        args_number(out, "shard", json_int(o, "shard", 0));
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
    if (json_flag(job->options, "exact", false))
        return "it removes keys (--exact): run it from the command line";
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

/* ---- lines ------------------------------------------------------------------------------------
 */

struct out {
    plan_line add;
    void *arg;
};

static void say(const struct out *o, enum role role, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void say(const struct out *o, enum role role, const char *fmt, ...)
{
    char text[LINE];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    o->add(o->arg, role, text);
}

/* A label and a text of any length, cut between words into lines that fit a small terminal; `join`
 * ends every line but the last. */
static void say_long(const struct out *o, enum role role, const char *label, const char *text,
                     const char *join)
{
    struct str rest = str_from(text);

    do {
        size_t cut = rest.len;

        if (rest.len > COLUMNS) {
            cut = str_find_last(str_slice(rest, 0, COLUMNS), ' ');
            if (cut == 0 || cut == COLUMNS) /* one long word: leave it whole */
                cut = COLUMNS + str_find(str_slice(rest, COLUMNS, rest.len), ' ');
        }
        say(o, role, "%-10s %.*s%s", label, (int)cut, rest.ptr, cut < rest.len ? join : "");
        rest = str_trim(str_slice(rest, cut, rest.len));
        label = "";
    } while (rest.len > 0);
}

static char *count(char out[FORMAT_MAX], int64_t n)
{
    return format_count(out, FORMAT_MAX, n);
}

static int64_t target_keys(const json_t *plan)
{
    const json_t *nodes = json_object_get(plan, "nodes");
    int64_t sum = 0;
    size_t i;
    json_t *node;

    json_array_foreach(nodes, i, node)
    {
        sum += json_int(node, "keys", 0);
    }
    return sum;
}

static const char *fate_of_existing(const struct job_info *job)
{
    const char *policy = json_text(job->options, "policy", "");

    return restore_plan_destroys(job)             ? "every primary is emptied first"
           : strcmp(policy, "overwrite") == 0     ? "they are REPLACED"
           : strcmp(policy, "skip-existing") == 0 ? "they stay as they are"
                                                  : "none may exist: nothing would be written";
}

static void say_contents(const struct out *o, const struct job_info *job, const json_t *plan)
{
    json_t *types = json_object_get(plan, "by_type");
    const char *name;
    json_t *value;
    char line[LINE] = "";
    char n[FORMAT_MAX];
    char m[FORMAT_MAX];

    (void)snprintf(line, sizeof(line), "%s keys:", count(n, json_int(plan, "keys", 0)));
    json_object_foreach(types, name, value)
    {
        size_t len = strlen(line);

        if (json_integer_value(value) > 0)
            (void)snprintf(line + len, sizeof(line) - len, "  %s %s", name,
                           count(n, (int64_t)json_integer_value(value)));
    }
    say_long(o, ROLE_TEXT, "It holds", line, "");
    if (json_int(plan, "left_out", 0) > 0)
        say(o, ROLE_TEXT, "           %s keys are left out by the filter",
            count(n, json_int(plan, "left_out", 0)));
    say(o, ROLE_TEXT, "Expiry     %s keys have one, of %s it is over; --ttl %s",
        count(n, json_int(plan, "with_ttl", 0)), count(m, json_int(plan, "past_deadline", 0)),
        json_text(job->options, "ttl", "?"));
    say(o, ROLE_TEXT, "Groups     %s",
        json_flag(job->options, "stream_groups", true)
            ? "consumer groups and their pending entries come back"
            : "streams come back without their groups");
}

static void say_existing(const struct out *o, const struct job_info *job, const json_t *plan)
{
    const json_t *examples = json_object_get(plan, "existing_examples");
    int64_t existing = json_int(plan, "existing", 0);
    int64_t keys = json_int(plan, "keys", 0);
    char n[FORMAT_MAX];
    char m[FORMAT_MAX];
    size_t i;
    json_t *name;

    say(o, existing > 0 || restore_plan_destroys(job) ? ROLE_WARN : ROLE_GOOD,
        "There now  %s of its keys exist on the target: %s", count(n, existing),
        existing == 0 && !restore_plan_destroys(job) ? "nothing is replaced"
                                                     : fate_of_existing(job));
    say(o, ROLE_TEXT, "New        %s keys would be created",
        count(m, keys > existing ? keys - existing : 0));
    json_array_foreach(examples, i, name)
    {
        if (i < 3 && json_is_string(name))
            say(o, ROLE_DIM, "             such as %s", json_string_value(name));
    }
}

static void say_nodes(const struct out *o, const json_t *plan)
{
    const json_t *nodes = json_object_get(plan, "nodes");
    char keys[FORMAT_MAX];
    char write[FORMAT_MAX];
    char used[FORMAT_MAX];
    char needs[FORMAT_MAX];
    char max[FORMAT_MAX];
    size_t i;
    json_t *node;

    say(o, ROLE_TITLE, "%-22s %11s %11s %8s %8s %8s  %s", "NODE", "KEYS NOW", "TO WRITE", "MEMORY",
        "NEEDS", "LIMIT", "SERVER");
    json_array_foreach(nodes, i, node)
    {
        int64_t limit = json_int(node, "maxmemory", 0);

        say(o, ROLE_TEXT, "%-22.48s %11s %11s %8s %8s %8s  %s", json_text(node, "addr", "?"),
            count(keys, json_int(node, "keys", -1)), count(write, json_int(node, "to_write", -1)),
            format_size_short(used, sizeof(used), json_int(node, "used_memory", -1)),
            format_size_short(needs, sizeof(needs), json_int(node, "need_memory", -1)),
            limit > 0 ? format_size_short(max, sizeof(max), limit) : "none",
            json_text(node, "version", "?"));
    }
}

static void say_list(const struct out *o, enum role role, const char *label, const json_t *list)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item)
    {
        if (json_is_string(item))
            say_long(o, role, label, json_string_value(item), "");
    }
}

/* What is left of the state before, in one or two sentences. */
static void undo_text(const struct plan_view *v, char *out, size_t size)
{
    const struct job_info *last = restore_plan_last_backup(v->jobs, v->env);
    const json_t *plan = plan_of(v->job);
    bool changes = restore_plan_destroys(v->job) ||
                   (json_int(plan, "existing", 0) > 0 &&
                    strcmp(json_text(v->job->options, "policy", ""), "overwrite") == 0);
    char age[FORMAT_MAX];

    if (!changes)
        (void)snprintf(out, size,
                       "no key that exists is changed; to undo it, delete the keys it created");
    else if (last == NULL)
        (void)snprintf(
            out, size,
            "NOT POSSIBLE: no complete backup of %s is among the jobs. B takes one first", v->env);
    else if (strcmp(last->target, json_text(plan, "backup_id", "")) == 0)
        (void)snprintf(out, size,
                       "NOT POSSIBLE: the newest backup known is this one itself, so what changed "
                       "after it is lost. B takes a new one first");
    else
        (void)snprintf(out, size,
                       "restore what is there now from %s (%s, %s old) with --overwrite; keys "
                       "changed since then are lost. B takes a new one first",
                       last->target, last->id,
                       format_duration(age, sizeof(age), v->now_ms - last->ended_ms));
}

static void say_plan(const struct out *o, const struct plan_view *v, const json_t *plan)
{
    const char *obstacle = restore_plan_obstacle(v->job, v->now_ms);
    char text[LINE];

    say_contents(o, v->job, plan);
    say_existing(o, v->job, plan);
    say(o, ROLE_TEXT, "%s", "");
    say_nodes(o, plan);
    say(o, ROLE_TEXT, "%s", "");
    say_list(o, ROLE_WARN, "Warning", json_object_get(plan, "warnings"));
    say_list(o, ROLE_BAD, "REFUSED", json_object_get(plan, "blockers"));
    undo_text(v, text, sizeof(text));
    say_long(o, ROLE_TEXT, "Undo", text, "");
    say_long(o, ROLE_TEXT, "Command", v->command, " \\");
    say(o, ROLE_TEXT, "%s", "");
    if (obstacle != NULL)
        say_long(o, ROLE_BAD, "NOT NOW", obstacle, "");
    else
        say(o, ROLE_INFO, "Nothing was changed yet. F9 and \"restore\" (or :apply) goes ahead.");
}

static void say_waiting(const struct out *o, const struct job_info *job)
{
    const struct progress *p = &job->progress;
    char done[FORMAT_MAX];
    char total[FORMAT_MAX];

    say(o, ROLE_INFO,
        "Planning (%s): the backup is read and the target is asked; nothing is "
        "written.",
        p->stage[0] != '\0' ? p->stage : job_state_name(job->state));
    if (p->total.total > 0)
        say(o, ROLE_TEXT, "%s of %s keys looked at", count(done, (int64_t)p->total.done),
            count(total, (int64_t)p->total.total));
}

void restore_plan_lines(const struct plan_view *v, plan_line add, void *arg)
{
    struct out o = {add, arg};
    const struct job_info *job = v->job;
    const json_t *plan = plan_of(job);
    const char *id = json_text(job->report, "backup_id", job->target);

    say(&o, ROLE_TITLE, "Restore    %s  into  %s", id, job->env);
    if (json_text(job->report, "chosen", NULL) != NULL)
        say_long(&o, ROLE_DIM, "Chosen", json_text(job->report, "chosen", ""), "");
    if (!restore_plan_is_one(job))
        say(&o, ROLE_BAD, "%s is no plan of a restore", job->id);
    else if (job_state_is_live(job->state))
        say_waiting(&o, job);
    else if (plan == NULL)
        say_long(&o, ROLE_BAD, job_state_name(job->state),
                 job->error_text[0] != '\0' ? job->error_text : "no plan was made: see the job",
                 "");
    else
        say_plan(&o, v, plan);
}

void restore_plan_summary(const struct plan_view *v, struct buf *out)
{
    const json_t *plan = plan_of(v->job);
    int64_t keys = json_int(plan, "keys", 0);
    int64_t existing = json_int(plan, "existing", 0);
    bool overwrite = strcmp(json_text(v->job->options, "policy", ""), "overwrite") == 0;
    bool destroys = restore_plan_destroys(v->job);
    size_t warnings = json_array_size(json_object_get(plan, "warnings"));
    char undo[LINE];
    char a[FORMAT_MAX];
    char b[FORMAT_MAX];

    if (destroys)
        buf_put(out, "This DELETES all %s keys of %s and then writes %s keys.\n",
                count(a, target_keys(plan)), v->env, count(b, keys));
    else
        buf_put(out, "This writes into %s: %s new keys; %s keys that exist %s.\n", v->env,
                count(a, keys > existing ? keys - existing : 0), count(b, existing),
                overwrite ? "are REPLACED" : "stay as they are");
    buf_put(out, "From %s.\n", json_text(v->job->report, "backup_id", v->job->target));
    if (warnings > 0)
        buf_put(out, "%zu warning%s in the plan.\n", warnings,
                warnings == 1 ? " stands" : "s stand");
    undo_text(v, undo, sizeof(undo));
    buf_put(out, "Undo: %s.", undo);
}
