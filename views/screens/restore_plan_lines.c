#include <stdio.h>
#include <string.h>

#include "core/base/format.h"
#include "core/base/json.h"
#include "views/screens/restore_plan_model.h"

/* What a plan says to people: its lines and the text of the confirmation. */

#define LINE 600
#define COLUMNS 64 /* of a text behind its label */

static const json_t *plan_of(const struct job_info *job)
{
    return json_object_get(job->report, "plan");
}

/* A label and a text of any length, cut between words into lines that fit a small terminal; `join`
 * ends every line but the last. */
static void say_long(const struct lines *o, enum role role, const char *label, const char *text,
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
        lines_say(o, role, "%-10s %.*s%s", label, (int)cut, rest.ptr, cut < rest.len ? join : "");
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

    return restore_plan_empties(job)              ? "every primary is emptied first"
           : strcmp(policy, "overwrite") == 0     ? "they are REPLACED"
           : strcmp(policy, "skip-existing") == 0 ? "they stay as they are"
                                                  : "none may exist: nothing would be written";
}

static void say_contents(const struct lines *o, const struct job_info *job, const json_t *plan)
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
        lines_say(o, ROLE_TEXT, "           %s keys are left out by the filter",
                  count(n, json_int(plan, "left_out", 0)));
    lines_say(o, ROLE_TEXT, "Expiry     %s keys have one, of %s it is over; --ttl %s",
              count(n, json_int(plan, "with_ttl", 0)), count(m, json_int(plan, "past_deadline", 0)),
              json_text(job->options, "ttl", "?"));
    lines_say(o, ROLE_TEXT, "Groups     %s",
              json_flag(job->options, "stream_groups", true)
                  ? "consumer groups and their pending entries come back"
                  : "streams come back without their groups");
}

/* Keys of the backup that the target lacks. */
static int64_t keys_created(const json_t *plan)
{
    int64_t created = json_int(plan, "keys", 0) - json_int(plan, "existing", 0);

    return created > 0 ? created : 0;
}

static void say_existing(const struct lines *o, const struct job_info *job, const json_t *plan)
{
    const json_t *examples = json_object_get(plan, "existing_examples");
    int64_t existing = json_int(plan, "existing", 0);
    int64_t created = keys_created(plan);
    char line[LINE];
    char n[FORMAT_MAX];
    char m[FORMAT_MAX];
    size_t i;
    json_t *name;

    (void)snprintf(line, sizeof(line), "%s of its keys exist on the target: %s", count(n, existing),
                   existing == 0 && !restore_plan_empties(job) ? "nothing is replaced"
                                                               : fate_of_existing(job));
    say_long(o, existing > 0 || restore_plan_empties(job) ? ROLE_WARN : ROLE_GOOD, "There now",
             line, "");
    json_array_foreach(examples, i, name)
    {
        if (i < 3 && json_is_string(name))
            lines_say(o, ROLE_DIM, "             such as %s", json_string_value(name));
    }
    lines_say(o, ROLE_TEXT, "New        %s key%s would be created", count(m, created),
              created == 1 ? "" : "s");
}

/* ---- what was chosen beyond the usual ---- */

/* " a b c" for a list of texts, after `label`; nothing for none. */
static void add_list(char *line, size_t size, const char *label, const json_t *list)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item)
    {
        size_t len = strlen(line);

        if (json_is_string(item))
            (void)snprintf(line + len, size - len, "%s%s %s",
                           i > 0          ? ""
                           : line[0] != 0 ? "; "
                                          : "",
                           i > 0 ? "" : label, json_string_value(item));
    }
}

static void say_scope(const struct lines *o, const struct job_info *job)
{
    const json_t *options = job->options;
    const char *slots = json_text(options, "slots", "");
    char line[LINE] = "";
    size_t len;

    if (json_int(options, "shard", 0) > 0)
        (void)snprintf(line, sizeof(line), "shard %lld of the backup",
                       (long long)json_int(options, "shard", 0));
    add_list(line, sizeof(line), "keys like", json_object_get(options, "match"));
    add_list(line, sizeof(line), "types", json_object_get(options, "type"));
    len = strlen(line);
    if (slots[0] != '\0')
        (void)snprintf(line + len, sizeof(line) - len, "%sslots %s", len > 0 ? "; " : "", slots);
    if (line[0] != '\0')
        say_long(o, ROLE_TEXT, "Only", line, "");
}

static void say_exact(const struct lines *o, const struct job_info *job, const json_t *plan)
{
    const json_t *examples = json_object_get(plan, "remove_examples");
    int64_t gone = json_int(plan, "to_remove", 0);
    char n[FORMAT_MAX];
    size_t i;
    json_t *name;

    if (!json_flag(job->options, "exact", false))
        return;
    if (json_array_size(json_object_get(plan, "blockers")) > 0)
        lines_say(o, ROLE_DIM, "Removes    not counted, since the plan is refused");
    else if (gone == 0)
        lines_say(o, ROLE_GOOD, "Removes    no keys: there are none that the backup lacks");
    else
        lines_say(o, ROLE_BAD,
                  "REMOVES    about %s keys that the backup lacks, once all is written",
                  count(n, gone));
    json_array_foreach(examples, i, name)
    {
        if (json_is_string(name))
            lines_say(o, ROLE_DIM, "             such as %s", json_string_value(name));
    }
}

/* "allkeys-lru on 2 of 3 primaries"; false when every one has what is wanted already. */
static bool tune_text(const json_t *plan, char *out, size_t size)
{
    const json_t *nodes = json_object_get(plan, "nodes");
    const char *policy = "";
    size_t evict = 0;
    size_t stop = 0;
    size_t i;
    json_t *node;

    json_array_foreach(nodes, i, node)
    {
        const char *has = json_text(node, "maxmemory_policy", "noeviction");

        if (has[0] != '\0' && strcmp(has, "noeviction") != 0) {
            policy = evict > 0 && strcmp(policy, has) != 0 ? "several" : has;
            evict++;
        }
        if (json_flag(node, "stops_writes", false))
            stop++;
    }
    out[0] = '\0';
    if (evict > 0)
        (void)snprintf(out, size, "maxmemory-policy noeviction (now %s on %zu of %zu primaries)%s",
                       policy, evict, json_array_size(nodes), stop > 0 ? "; " : "");
    if (stop > 0)
        (void)snprintf(out + strlen(out), size - strlen(out),
                       "stop-writes-on-bgsave-error no (now yes on %zu of %zu)", stop,
                       json_array_size(nodes));
    return evict > 0 || stop > 0;
}

static void say_tune(const struct lines *o, const struct job_info *job, const json_t *plan)
{
    char line[LINE];

    if (!json_flag(job->options, "tune", false))
        return;
    if (tune_text(plan, line, sizeof(line)))
        say_long(o, ROLE_WARN, "Tunes", line, "");
    else
        lines_say(o, ROLE_TEXT,
                  "Tunes      nothing that matters: no primary evicts or stops writes");
    say_long(o, ROLE_TEXT, "",
             "Replicas likewise. The old values come back when it ends, however it ends; after "
             "a kill -9 with resume or doctor --fix.",
             "");
}

static void say_pace(const struct lines *o, const struct job_info *job)
{
    int64_t rate = json_int(job->options, "rate", 0);
    char n[FORMAT_MAX];

    if (rate > 0)
        lines_say(o, ROLE_TEXT, "Speed      at most %s keys a second", count(n, rate));
    else if (json_flag(job->options, "rate_auto", false))
        lines_say(o, ROLE_TEXT, "Speed      auto: it gives way while the nodes answer slowly");
    else if (json_flag(job->options, "rate_none", false))
        lines_say(o, ROLE_TEXT, "Speed      as fast as the nodes and their replicas take it");
    if (json_int(job->options, "outage_s", 0) > 0)
        lines_say(o, ROLE_TEXT, "Outages    are waited for up to %s s",
                  count(n, json_int(job->options, "outage_s", 0)));
}

static void say_agreed(const struct lines *o, const struct job_info *job)
{
    static const struct {
        const char *member;
        const char *text;
    } agreed[] = {
        {"drop_field_ttl", "hash fields lose their deadlines where servers know none"},
        {"allow_downgrade", "what older servers do not know is left out"},
        {"trust_dump", "DUMP payloads and functions are fed to the servers unsigned"},
    };

    for (size_t i = 0; i < COUNT_OF(agreed); i++)
        if (json_flag(job->options, agreed[i].member, false))
            lines_say(o, ROLE_WARN, "Agreed     %s", agreed[i].text);
}

static void say_nodes(const struct lines *o, const json_t *plan)
{
    const json_t *nodes = json_object_get(plan, "nodes");
    char keys[FORMAT_MAX];
    char write[FORMAT_MAX];
    char used[FORMAT_MAX];
    char needs[FORMAT_MAX];
    char max[FORMAT_MAX];
    size_t i;
    json_t *node;

    lines_say(o, ROLE_TITLE, "%-22s %11s %11s %8s %8s %8s  %s", "NODE", "KEYS NOW", "TO WRITE",
              "MEMORY", "NEEDS", "LIMIT", "SERVER");
    json_array_foreach(nodes, i, node)
    {
        int64_t limit = json_int(node, "maxmemory", 0);

        lines_say(o, ROLE_TEXT, "%-22.48s %11s %11s %8s %8s %8s  %s", json_text(node, "addr", "?"),
                  count(keys, json_int(node, "keys", -1)),
                  count(write, json_int(node, "to_write", -1)),
                  format_size_short(used, sizeof(used), json_int(node, "used_memory", -1)),
                  format_size_short(needs, sizeof(needs), json_int(node, "need_memory", -1)),
                  limit > 0 ? format_size_short(max, sizeof(max), limit) : "none",
                  json_text(node, "version", "?"));
    }
}

static void say_list(const struct lines *o, enum role role, const char *label, const json_t *list)
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
    bool changes = restore_plan_empties(v->job) || json_int(plan, "to_remove", 0) > 0 ||
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

/* First of all: what the operator may do now. */
static void say_verdict(const struct lines *o, const struct plan_view *v)
{
    const char *obstacle = restore_plan_obstacle(v->job, v->now_ms);

    if (obstacle != NULL)
        say_long(o, ROLE_BAD, "NOT NOW", obstacle, "");
    else
        lines_say(o, ROLE_INFO,
                  "Nothing was changed yet. F9 and \"restore\" (or :apply) goes ahead.");
    lines_say(o, ROLE_TEXT, "%s", "");
}

static void say_plan(const struct lines *o, const struct plan_view *v, const json_t *plan)
{
    char text[LINE];

    say_verdict(o, v);
    say_contents(o, v->job, plan);
    say_scope(o, v->job);
    say_existing(o, v->job, plan);
    say_exact(o, v->job, plan);
    say_tune(o, v->job, plan);
    say_pace(o, v->job);
    say_agreed(o, v->job);
    lines_say(o, ROLE_TEXT, "%s", "");
    say_nodes(o, plan);
    lines_say(o, ROLE_TEXT, "%s", "");
    say_list(o, ROLE_WARN, "Warning", json_object_get(plan, "warnings"));
    say_list(o, ROLE_BAD, "REFUSED", json_object_get(plan, "blockers"));
    undo_text(v, text, sizeof(text));
    say_long(o, ROLE_TEXT, "Undo", text, "");
    say_long(o, ROLE_TEXT, "Command", v->command, " \\");
}

static void say_waiting(const struct lines *o, const struct job_info *job)
{
    const struct progress *p = &job->progress;
    char done[FORMAT_MAX];
    char total[FORMAT_MAX];

    lines_say(o, ROLE_INFO,
              "Planning (%s): the backup is read and the target is asked; nothing is "
              "written.",
              p->stage[0] != '\0' ? p->stage : job_state_name(job->state));
    if (p->total.total > 0)
        lines_say(o, ROLE_TEXT, "%s of %s keys looked at", count(done, (int64_t)p->total.done),
                  count(total, (int64_t)p->total.total));
}

void restore_plan_lines(const struct plan_view *v, line_sink add, void *arg)
{
    struct lines o = {add, arg};
    const struct job_info *job = v->job;
    const json_t *plan = plan_of(job);
    const char *id = json_text(job->report, "backup_id", job->target);

    lines_say(&o, ROLE_TITLE, "Restore    %s  into  %s", id, job->env);
    if (json_text(job->report, "chosen", NULL) != NULL)
        say_long(&o, ROLE_DIM, "Chosen", json_text(job->report, "chosen", ""), "");
    if (!restore_plan_is_one(job))
        lines_say(&o, ROLE_BAD, "%s is no plan of a restore", job->id);
    else if (job_state_is_live(job->state))
        say_waiting(&o, job);
    else if (plan == NULL)
        say_long(&o, ROLE_BAD, job_state_name(job->state),
                 job->error_text[0] != '\0' ? job->error_text : "no plan was made: see the job",
                 "");
    else
        say_plan(&o, v, plan);
}

static void put_effect(const struct plan_view *v, const json_t *plan, struct buf *out)
{
    int64_t keys = json_int(plan, "keys", 0);
    int64_t existing = json_int(plan, "existing", 0);
    int64_t created = keys_created(plan);
    int64_t gone = json_int(plan, "to_remove", 0);
    bool overwrite = strcmp(json_text(v->job->options, "policy", ""), "overwrite") == 0;
    char a[FORMAT_MAX];
    char b[FORMAT_MAX];

    if (restore_plan_empties(v->job))
        buf_put(out, "This DELETES all %s keys of %s and then writes %s keys.\n",
                count(a, target_keys(plan)), v->env, count(b, keys));
    else
        buf_put(out, "This writes into %s: %s new key%s; %s keys that exist %s.\n", v->env,
                count(a, created), created == 1 ? "" : "s", count(b, existing),
                overwrite ? "are REPLACED" : "stay as they are");
    if (gone > 0)
        buf_put(out, "Then it REMOVES about %s keys that the backup lacks.\n", count(a, gone));
    else if (json_flag(v->job->options, "exact", false))
        buf_put(out, "Keys that the backup lacks and that appear until then are REMOVED.\n");
    if (json_flag(v->job->options, "tune", false))
        buf_put(out, "Meanwhile no node evicts or stops writes; the settings come back after.\n");
}

void restore_plan_summary(const struct plan_view *v, struct buf *out)
{
    const json_t *plan = plan_of(v->job);
    size_t warnings = json_array_size(json_object_get(plan, "warnings"));
    char undo[LINE];

    put_effect(v, plan, out);
    buf_put(out, "From %s.\n", json_text(v->job->report, "backup_id", v->job->target));
    if (warnings > 0)
        buf_put(out, "%zu warning%s in the plan.\n", warnings,
                warnings == 1 ? " stands" : "s stand");
    undo_text(v, undo, sizeof(undo));
    buf_put(out, "Undo: %s.", undo);
}
