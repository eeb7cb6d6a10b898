#include "views/screens/jobs_result.h"

#include <stdio.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "views/verbs/restore_remarks.h"

#define LINE 600

struct out {
    struct lines lines;
    size_t keys_max;
};

static const char *count_of(const json_t *doc, const char *member, char out[FORMAT_MAX])
{
    return format_count(out, FORMAT_MAX, json_int(doc, member, 0));
}

/* "differs 1  missing 2": every number in `doc` that is not 0. */
static void put_counts(char *line, size_t size, const json_t *doc)
{
    const char *name;
    json_t *value;
    char n[FORMAT_MAX];

    json_object_foreach(mem_unconst(doc), name, value)
    {
        size_t len = strlen(line);

        if (json_integer_value(value) > 0)
            (void)snprintf(line + len, size - len, "%s%s %s", len > 0 ? "  " : "", name,
                           format_count(n, sizeof(n), (int64_t)json_integer_value(value)));
    }
}

static void say_list(const struct out *o, enum role role, const char *label, const json_t *list)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item)
    {
        if (json_is_string(item))
            lines_say(&o->lines, role, "%s: %s", label, json_string_value(item));
    }
}

/* ---- verify ---------------------------------------------------------------------------------- */

static void say_keys(const struct out *o, const json_t *verify)
{
    const json_t *keys = json_object_get(verify, "keys");
    int64_t found = json_int(verify, "found", 0);
    char n[FORMAT_MAX];
    size_t i;
    json_t *key;

    json_array_foreach(keys, i, key)
    {
        if (i < o->keys_max)
            lines_say(&o->lines, ROLE_WARN, "%-10s %-6s %s  %s", json_text(key, "verdict", "?"),
                      json_text(key, "type", "?"), json_text(key, "key", "?"),
                      json_text(key, "detail", ""));
    }
    i = i < o->keys_max ? i : o->keys_max;
    if (found > (int64_t)i)
        lines_say(&o->lines, ROLE_DIM, "and %s more: failed.jsonl of the job names all",
                  format_count(n, sizeof(n), found - (int64_t)i));
}

static void say_verify(const struct out *o, const json_t *report)
{
    const json_t *verify = json_object_get(report, "verify");
    bool well = json_int(report, "findings", 0) == 0;
    int64_t stray = json_int(json_object_get(verify, "placement"), "stray", 0);
    char line[LINE] = "";
    char n[FORMAT_MAX];

    if (verify == NULL)
        return;
    put_counts(line, sizeof(line), json_object_get(verify, "verdicts"));
    lines_say(&o->lines, well ? ROLE_GOOD : ROLE_BAD, "%s",
              json_text(json_object_get(verify, "coverage"), "text", ""));
    lines_say(&o->lines, well ? ROLE_TEXT : ROLE_WARN, "checked %s:  %s",
              count_of(verify, "checked", n), line);
    if (stray > 0)
        lines_say(&o->lines, ROLE_BAD, "%s keys lie on a node that does not own their slot",
                  format_count(n, sizeof(n), stray));
    if (json_int(verify, "changing", 0) > 0)
        lines_say(&o->lines, ROLE_WARN,
                  "%s findings changed between rounds: clients write those keys",
                  count_of(verify, "changing", n));
    if (!json_flag(verify, "extra", false))
        lines_say(&o->lines, ROLE_DIM,
                  "keys that the backup lacks were not looked for (extra keys)");
    say_keys(o, verify);
}

/* ---- restore --------------------------------------------------------------------------------- */

static void say_plan(const struct out *o, const json_t *plan)
{
    const json_t *blockers = json_object_get(plan, "blockers");

    lines_say(&o->lines, ROLE_TEXT, "a plan only: nothing was changed");
    say_list(o, ROLE_BAD, "REFUSED", blockers);
    say_list(o, ROLE_WARN, "warning", json_object_get(plan, "warnings"));
}

static void say_restore(const struct out *o, const struct job_info *info)
{
    static const char *const members[] = {"written", "existing", "expired",
                                          "failed",  "left_out", "functions"};
    const json_t *done = json_object_get(info->report, "restore");
    const json_t *plan = json_object_get(info->report, "plan");
    json_t *shown;
    char line[LINE] = "";
    char n[FORMAT_MAX];

    if (done == NULL) {
        if (json_flag(info->options, "dry_run", false) && plan != NULL)
            say_plan(o, plan);
        else
            say_list(o, ROLE_BAD, "REFUSED", json_object_get(plan, "blockers"));
        return;
    }
    shown = json_object();
    for (size_t i = 0; i < COUNT_OF(members); i++)
        json_put_int(shown, members[i], json_int(done, members[i], 0));
    put_counts(line, sizeof(line), shown);
    json_decref(shown);
    lines_say(&o->lines, json_int(done, "failed", 0) > 0 ? ROLE_BAD : ROLE_GOOD, "%s",
              line[0] != '\0' ? line : "written 0");
    for (const struct restore_remark *m = restore_remarks; m->member != NULL; m++)
        if (json_int(done, m->member, 0) > 0)
            lines_say(&o->lines, ROLE_WARN, "%s: %s%s", m->text, count_of(done, m->member, n),
                      m->other ? "" : " keys");
    if (json_int(done, "untuned", 0) > 0)
        lines_say(&o->lines, ROLE_BAD,
                  "settings of --tune not put back: %s; rbconsole -e %s doctor --fix does it",
                  count_of(done, "untuned", n), info->env);
    say_list(o, ROLE_WARN, "warning", json_object_get(plan, "warnings"));
}

/* ---- backup and snapshot --------------------------------------------------------------------- */

/* How whole it is: of a backup's report, or of a snapshot with its totals. */
static void say_whole(const struct out *o, const json_t *doc, const json_t *totals)
{
    static const struct {
        const char *member;
        const char *text;
    } lost[] = {{"unreadable", "could not be read: failed.jsonl names them"},
                {"too_large", "are too large to be written: failed.jsonl names them"},
                {"fuzzy", "changed while they were read"}};
    bool complete = json_flag(doc, "complete", true);
    char n[FORMAT_MAX];
    char m[FORMAT_MAX];

    if (complete)
        lines_say(&o->lines, ROLE_GOOD, "complete%s: %s keys, %s of them with expiry",
                  json_flag(doc, "filtered", false) ? " for what the filter let through" : "",
                  count_of(totals, "keys", n), count_of(totals, "with_ttl", m));
    else
        lines_say(&o->lines, ROLE_BAD, "INCOMPLETE: %s",
                  json_text(doc, "reason", "no reason is given"));
    for (size_t i = 0; i < COUNT_OF(lost); i++)
        if (json_int(totals, lost[i].member, 0) > 0)
            lines_say(&o->lines, ROLE_WARN, "%s keys %s", count_of(totals, lost[i].member, n),
                      lost[i].text);
}

static void say_backup(const struct out *o, const json_t *report)
{
    static const char *const places[] = {"directory", "archive", "uploaded"};
    const json_t *where = json_object_get(report, "places");
    char line[LINE] = "";

    if (json_object_get(report, "keys") == NULL)
        return;
    say_whole(o, report, report);
    put_counts(line, sizeof(line), json_object_get(report, "by_type"));
    if (line[0] != '\0')
        lines_say(&o->lines, ROLE_TEXT, "%-10s %s", "types", line);
    for (size_t i = 0; i < COUNT_OF(places); i++)
        if (json_text(where, places[i], NULL) != NULL)
            lines_say(&o->lines, ROLE_TEXT, "%-10s %s", places[i], json_text(where, places[i], ""));
    say_list(o, ROLE_WARN, "warning", json_object_get(report, "warnings"));
}

static void say_snapshot(const struct out *o, const json_t *report)
{
    const json_t *snapshot = json_object_get(report, "snapshot");
    const json_t *totals = json_object_get(snapshot, "totals");

    if (snapshot == NULL)
        return;
    say_whole(o, snapshot, totals);
    lines_say(&o->lines, ROLE_TEXT, "content    %s", json_text(totals, "content", "-"));
    if (json_text(report, "file", NULL) != NULL)
        lines_say(&o->lines, ROLE_TEXT, "report     %s", json_text(report, "file", ""));
    say_list(o, ROLE_WARN, "warning", json_object_get(snapshot, "warnings"));
}

void jobs_result_lines(const struct job_info *info, size_t keys_max, line_sink add, void *arg)
{
    struct out o = {{add, arg}, keys_max};

    if (info->report == NULL || job_state_is_live(info->state))
        return;
    if (info->kind == JOB_VERIFY)
        say_verify(&o, info->report);
    else if (info->kind == JOB_RESTORE)
        say_restore(&o, info);
    else if (info->kind == JOB_BACKUP)
        say_backup(&o, info->report);
    else if (info->kind == JOB_SNAPSHOT)
        say_snapshot(&o, info->report);
}
