#include "core/diff/diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/config/state_dir.h"
#include "core/config/who.h"
#include "core/diff/diff_findings.h"
#include "core/diff/diff_text.h"
#include "core/jobs/job.h"
#include "views/verbs/diff_operand.h"
#include "views/verbs/key_filter.h"
#include "views/verbs/verb.h"

#define REPORT_MAX ((size_t)256 << 20)

/* clang-format off */
static const struct option_row rows[] = {
    {"markdown", 0, OPTION_FLAG, NULL, "Print Markdown, for a ticket or a wiki page."},
    {"output", 'o', OPTION_FILE, "FILE",
     "Save the difference: Markdown when FILE ends in .md, else JSON."},
    {"limit", 0, OPTION_INT, "N", "Name at most N keys for each verdict.", "100", .min = 0,
     .max = DIFF_LIMIT_MAX},
    {"ttl-tolerance-ms", 0, OPTION_INT, "MS", "Deadlines this far apart are the same.", "1000",
     .min = 0, .max = 86400000},
    {"max-memory", 0, OPTION_INT, "MIB", "Memory to use; less means more passes.", "256",
     .min = 64, .max = 65536},
    KEY_FILTER_ROWS,
    {"any", 0, OPTION_FLAG, NULL,
     "With latest: also of another environment or cluster, filtered, or without manifest."},
    {"s3-uri", 0, OPTION_TEXT, "URI", "Where in S3 backups are.",
     .config_key = "storage.s3_uri"},
    {"backup-dir", 0, OPTION_DIR, "DIR", "Directory of local backups.",
     .config_key = "storage.backup_dir"},
    {"verify-key-file", 0, OPTION_FILE, "FILE", "The manifests must be signed with this key.",
     .flags = OPTION_SECRET},
    {0}};
/* clang-format on */

struct diff_verb {
    const struct invocation *inv;
    const char *state_dir;
    struct diff_options options;
    struct diff_operand sides[2];
};

/* ---- the job --------------------------------------------------------------------------------- */

static bool save(const struct invocation *inv, const json_t *doc, struct error *err)
{
    const char *path = option_text(inv, "output");
    struct buf text;
    bool ok = true;

    if (path == NULL)
        return true;
    buf_init(&text, REPORT_MAX);
    if (str_ends(str_from(path), ".md"))
        diff_text(doc, DIFF_MARKDOWN, &text);
    else
        ok = json_print(doc, true, &text, err);
    ok = ok && file_write_atomic(path, buf_str(&text), err);
    buf_release(&text);
    return ok || error_wrap(err, "save the difference");
}

static struct diff_side *side_of(const struct diff_operand *o)
{
    if (o->what == DIFF_BACKUP)
        return diff_side_backup(o->source, o->name);
    return diff_side_snapshot(o->snapshot, o->keys_path, o->name);
}

static json_t *compare_data(struct diff_verb *v, struct task *t, struct error *err)
{
    struct diff_side *a = side_of(&v->sides[0]);
    struct diff_side *b = side_of(&v->sides[1]);
    struct diff_report report = {0};
    json_t *doc = NULL;

    if (diff_run(a, b, &v->options, t, &report, err))
        doc = diff_report_json(&report, a, b, &v->options);
    diff_report_release(&report);
    diff_side_free(a);
    diff_side_free(b);
    return doc;
}

static bool is_filtered(const struct invocation *inv)
{
    return option_given(inv, "match") || option_given(inv, "type") || option_given(inv, "slots");
}

static json_t *compare(struct diff_verb *v, struct task *t, struct error *err)
{
    const struct diff_operand *a = &v->sides[0];
    const struct diff_operand *b = &v->sides[1];

    if ((a->what == DIFF_VERIFICATION) != (b->what == DIFF_VERIFICATION)) {
        (void)error_set(err, ERROR_USAGE, 0, "%s is %s and %s is %s: these cannot be compared",
                        v->inv->operands[0], diff_what_name(a->what), v->inv->operands[1],
                        diff_what_name(b->what));
        return NULL;
    }
    if (a->what != DIFF_VERIFICATION)
        return compare_data(v, t, err);
    if (is_filtered(v->inv)) {
        (void)error_set(err, ERROR_USAGE, 0,
                        "--match, --type and --slots are for backups and snapshots, not for the "
                        "reports of verifications");
        return NULL;
    }
    return diff_verifications(a->report, a->name, b->report, b->name, v->options.limit, err);
}

static void tell_choice(const struct diff_verb *v, struct task *t, size_t side)
{
    const struct diff_operand *o = &v->sides[side];

    task_note(t, TASK_INFO, "%s: %s is %s%s%s", side == 0 ? "A" : "B", o->name,
              diff_what_name(o->what), o->why[0] != '\0' ? ": " : "", o->why);
    if (o->why[0] != '\0' && !v->inv->quiet && !v->inv->json)
        (void)fprintf(stderr, "%s: %s\n", side == 0 ? "A" : "B", o->why);
}

static bool body(struct task *t, void *ctx, json_t *result, struct error *err)
{
    struct diff_verb *v = ctx;
    json_t *doc = NULL;
    bool ok = true;

    task_stage(t, "open");
    for (size_t i = 0; i < 2 && ok; i++) {
        ok = diff_operand_open(v->inv, v->inv->operands[i], v->state_dir, t, &v->sides[i], err);
        if (ok)
            tell_choice(v, t, i);
    }
    ok = ok && (doc = compare(v, t, err)) != NULL && save(v->inv, doc, err);
    if (doc != NULL) {
        json_put_int(result, "findings", json_int(doc, "findings", 0));
        json_put_int(result, "elapsed_ms", json_int(doc, "elapsed_ms", 0));
        json_put(result, "diff", doc);
    }
    for (size_t i = 0; i < 2; i++)
        diff_operand_release(&v->sides[i]);
    return ok;
}

/* ---- the verb -------------------------------------------------------------------------------- */

static json_t *options_json(const struct diff_verb *v)
{
    json_t *doc = json_object();

    json_put_text(doc, "a", v->inv->operands[0]);
    json_put_text(doc, "b", v->inv->operands[1]);
    json_put_int(doc, "limit", (int64_t)v->options.limit);
    json_put_int(doc, "ttl_tolerance_ms", v->options.tolerance_ms);
    key_filter_options(v->inv, doc);
    return doc;
}

static void watch(void *ctx, enum job_state state, const struct progress *p)
{
    char done[FORMAT_MAX];
    char total[FORMAT_MAX];

    (void)ctx;
    (void)fprintf(
        stderr, "\r\033[K%s %s %s/%s keys", job_state_name(state), p->stage,
        format_count(done, sizeof(done), (int64_t)p->total.done),
        p->total.total == 0 ? "?" : format_count(total, sizeof(total), (int64_t)p->total.total));
    (void)fflush(stderr);
}

static bool wants_bar(const struct invocation *inv)
{
    return !inv->quiet && !inv->json && !option_given(inv, "job-fd") && isatty(STDERR_FILENO) == 1;
}

static void print_buf(struct buf *text)
{
    (void)fwrite(text->data, 1, text->len, stdout);
    buf_release(text);
}

static void print_result(const struct diff_verb *v, const struct job_end *end)
{
    const json_t *doc = json_object_get(json_object_get(end->result, "report"), "diff");
    struct error ignored = {0};
    struct buf text;

    if (v->inv->json ? end->result == NULL : doc == NULL)
        return;
    buf_init(&text, REPORT_MAX);
    if (!v->inv->json)
        diff_text(doc, option_flag(v->inv, "markdown") ? DIFF_MARKDOWN : DIFF_PLAIN, &text);
    else if (!json_print(end->result, true, &text, &ignored))
        buf_clear(&text);
    print_buf(&text);
}

static int run_job(struct diff_verb *v, struct error *err)
{
    char what[2 * 200 + 8];
    struct who who;
    json_t *options = options_json(v);
    struct job_end end = {0};
    bool bar = wants_bar(v->inv);
    struct job_spec spec = {
        .kind = JOB_DIFF,
        .state_dir = v->state_dir,
        .env = v->inv->env != NULL ? v->inv->env->name : NULL,
        .target = what,
        .options = options,
        .id_fd = option_given(v->inv, "job-fd") ? (int)option_int(v->inv, "job-fd") : -1,
        .watcher = bar ? watch : NULL,
        .exit_now = v->inv->exit_now};
    int status;

    who_now(&who);
    spec.who = (struct job_operator){.user = who.user,
                                     .sudo_user = who.sudo_user[0] == '\0' ? NULL : who.sudo_user,
                                     .ssh = who.ssh[0] == '\0' ? NULL : who.ssh};
    (void)snprintf(what, sizeof(what), "%.200s -> %.200s", v->inv->operands[0],
                   v->inv->operands[1]);
    status = job_run(&spec, body, v, &end, err);
    if (bar)
        (void)fprintf(stderr, "\r\033[K");
    print_result(v, &end);
    job_end_release(&end);
    json_decref(options);
    return status;
}

static int run(const struct invocation *inv, struct error *err)
{
    struct diff_verb v = {.inv = inv};
    int status;

    v.options.limit = (uint64_t)option_int(inv, "limit");
    v.options.tolerance_ms = option_int(inv, "ttl-tolerance-ms");
    v.options.max_memory = (uint64_t)option_int(inv, "max-memory") << 20;
    if (key_filter_read(inv, &v.options.filter, err) &&
        state_dir_open(inv->config, &v.state_dir, err))
        status = run_job(&v, err);
    else
        status = verb_fail(err);
    key_filter_release(&v.options.filter);
    return status;
}

const struct verb verb_diff = {
    .name = "diff",
    .summary = "Compare two backups, two snapshots, one of each, or two verifications.",
    .operands = "A B",
    .operands_min = 2,
    .operands_max = 2,
    .options = rows,
    .flags = VERB_NO_ENV,
    .notes =
        "A and B are each one of: a path (the directory or archive of a backup, the report of a "
        "snapshot, a report that verify has saved); the id of a job (B-0001, S-0001, V-0001); the "
        "id of a backup, looked for in the backup directory and then in S3; latest, the newest "
        "usable backup of the environment in the backup directory and else in S3; s3:ID, local:ID, "
        "s3:latest or local:latest, which look in one of the two only; "
        "s3://bucket/prefix/ID.tar.gz. "
        "Put ./ in front of a file whose name looks like an id.\n"
        "Keys are the same, differ, have another expiry (ttl), were removed (in A only), added (in "
        "B only), or expired as their deadline says before B was read. Where a side is incomplete, "
        "a key that it lacks is unsure, not removed. Slots that one side has not read are not "
        "compared. Of two snapshots without keys (snapshot --keys) the slots are compared, and the "
        "keys of their sample.\n"
        "Exit status 1 when they differ: in keys, contents or expiries, in function libraries, and "
        "of two snapshots also in what they say about the cluster; of two verifications in their "
        "findings. The last line counts: a=N b=N same=N differs=N ttl=N removed=N added=N "
        "expired=N unsure=N.",
    .examples = "rbconsole -e local diff redis-backup-local-20250818T060635Z-28e5 latest\n"
                "rbconsole diff S-0001 S-0002 --markdown -o change.md\n"
                "rbconsole diff before.json after.json --json\n",
    .run = run,
};
