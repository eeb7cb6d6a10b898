#include "core/verify/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "views/verbs/backup_source.h"
#include "views/verbs/job_verb.h"
#include "views/verbs/key_filter.h"
#include "views/verbs/last_restore.h"

#define REPORT_MAX ((size_t)64 << 20)

/* "2/10": the second of ten. */
static bool parse_subset(struct str text, uint32_t *n, uint32_t *t)
{
    size_t slash = str_find(text, '/');

    return slash < text.len && str_to_u32(str_slice(text, 0, slash), n) &&
           str_to_u32(str_slice(text, slash + 1, text.len), t) && *n >= 1 && *n <= *t &&
           *t <= SLOT_COUNT;
}

static bool check_subset(struct str text, struct error *err)
{
    uint32_t n;
    uint32_t t;

    return parse_subset(text, &n, &t) ||
           error_set(err, ERROR_USAGE, 0, "must look like 2/10, the second of ten");
}

static const struct option_row rows[] = {
    BACKUP_SOURCE_ROWS,
    {"sample", 0, OPTION_INT, "N", "Look at N keys drawn at random.", "1000", .min = 1,
     .max = 1000000000, .group = "extent"},
    {"subset", 0, OPTION_TEXT, "N/T",
     "Look at every key of each T-th slot; N from 1 to T covers all in T runs.", .group = "extent",
     .check = check_subset},
    {"full", 0, OPTION_FLAG, NULL, "Look at every key.", .group = "extent"},
    {"extra", 0, OPTION_FLAG, NULL,
     "Also name the keys that the cluster has and the backup lacks."},
    {"ttl-tolerance-ms", 0, OPTION_INT, "MS", "How far a deadline may be off.", "30000", .min = 0,
     .max = 86400000},
    {"rounds", 0, OPTION_INT, "N", "Look again at keys that do not agree, a second apart.", "3",
     .min = 1, .max = 100},
    {"no-stream-groups", 0, OPTION_FLAG, NULL, "Leave consumer groups out of the comparison."},
    KEY_FILTER_ROWS,
    {"max-memory", 0, OPTION_INT, "MIB", "Memory for buffers.", "256", .min = 64, .max = 65536},
    {"report", 0, OPTION_FILE, "FILE",
     "Save the report: Markdown when FILE ends in .md, else JSON."},
    JOB_VERB_OUTAGE,
    JOB_VERB_REASON,
    {0}};

static bool read_options(const struct invocation *inv, struct verify_options *o, struct error *err)
{
    const char *subset = option_text(inv, "subset");

    o->extent = option_flag(inv, "full") ? VERIFY_FULL
                : subset != NULL         ? VERIFY_SUBSET
                                         : VERIFY_SAMPLE;
    o->sample = (uint64_t)option_int(inv, "sample");
    if (subset != NULL && !parse_subset(str_from(subset), &o->subset, &o->subsets))
        return error_set(err, ERROR_USAGE, 0, "--subset must look like 2/10");
    o->tolerance_ms = option_int(inv, "ttl-tolerance-ms");
    o->rounds = (unsigned)option_int(inv, "rounds");
    o->extra = option_flag(inv, "extra");
    o->max_memory = (size_t)option_int(inv, "max-memory") << 20;
    o->no_stream_groups = option_flag(inv, "no-stream-groups");
    return backup_source_check(inv, err) && key_filter_read(inv, &o->filter, err);
}

static json_t *options_json(const struct invocation *inv, const struct verify_options *o)
{
    static const char *const extents[] = {"sample", "subset", "full"};
    json_t *doc = json_object();

    backup_source_options(inv, doc);
    json_put_text(doc, "extent", extents[o->extent]);
    if (o->extent == VERIFY_SAMPLE)
        json_put_int(doc, "sample", (int64_t)o->sample);
    if (o->extent == VERIFY_SUBSET)
        json_put_text(doc, "subset", option_text(inv, "subset"));
    json_put_int(doc, "ttl_tolerance_ms", o->tolerance_ms);
    json_put_int(doc, "rounds", (int64_t)o->rounds);
    json_put_flag(doc, "extra", o->extra);
    json_put_int(doc, "max_memory_mib", (int64_t)(o->max_memory >> 20));
    key_filter_options(inv, doc);
    return doc;
}

static bool save_report(const char *path, const struct verify_report *r,
                        const struct verify_options *o, const struct manifest *m, struct error *err)
{
    struct buf text;
    bool ok = true;

    if (path == NULL)
        return true;
    buf_init(&text, REPORT_MAX);
    if (str_ends(str_from(path), ".md")) {
        verify_report_markdown(r, o, m, &text);
    } else {
        json_t *doc = verify_report_json(r, o, m);

        ok = json_print(doc, true, &text, err);
        json_decref(doc);
    }
    ok = ok && file_write_atomic(path, buf_str(&text), err);
    buf_release(&text);
    return ok || error_wrap(err, "save the report");
}

static bool compare(struct job_verb *v, struct source *source, struct task *t, json_t *result,
                    struct error *err)
{
    struct verify_options *o = v->ctx;
    const struct manifest *m = source_manifest(source);
    struct verify_report report = {0};
    char restore_id[JOB_ID_MAX];
    bool ok;

    last_restore_find(v->state_dir, v->inv->env->name, m->backup_id, &o->restored, restore_id);
    if (o->restored.known) {
        task_note(t, TASK_INFO, "expiry is judged by restore %s", restore_id);
        json_put_text(result, "restore", restore_id);
    }
    ok = verify_run(source, connection_options(v->connection), o, t, &report, err);
    json_put(result, "verify", verify_report_json(&report, o, m));
    json_put_int(result, "elapsed_ms", report.elapsed_ms);
    json_put_int(result, "findings", (int64_t)verify_report_findings(&report));
    ok = ok && save_report(option_text(v->inv, "report"), &report, o, m, err);
    verify_report_release(&report);
    return ok;
}

static bool body(struct job_verb *v, struct task *t, json_t *result, struct error *err)
{
    struct backup_source from;
    bool ok;

    if (!backup_source_begin(v->inv, &v->observed.identity, t, &from, result, err))
        return false;
    ok = compare(v, from.source, t, result, err);
    backup_source_release(&from);
    return ok;
}

static void print_keys(const json_t *keys)
{
    size_t i;
    const json_t *one;

    json_array_foreach(keys, i, one)
    {
        printf("%s\t%s\t%s\t%s\n", json_text(one, "verdict", ""), json_text(one, "type", ""),
               json_text(one, "key", ""), json_text(one, "detail", ""));
    }
}

/* "0 of 1,000 keys drawn at random from 250,000 …", and what else a line of counts does not say. */
static void print_remarks(const json_t *report)
{
    const json_t *coverage = json_object_get(report, "coverage");
    const json_t *placement = json_object_get(report, "placement");
    long long stray = (long long)json_int(placement, "stray", 0);
    long long found = (long long)json_int(report, "found", 0);
    size_t named = json_array_size(json_object_get(report, "keys"));

    if (found > (long long)named)
        printf("%zu of %lld findings are named above; failed.jsonl of the job has all\n", named,
               found);
    if (stray > 0)
        printf("%lld keys lie on a node that does not own their slot\n", stray);
    printf("%s\n", json_text(coverage, "text", ""));
}

static void print_line(const json_t *report)
{
    static const char *const words[] = {"same",    "differs", "missing",   "extra",
                                        "expired", "ttl",     "unreadable"};
    const json_t *verdicts = json_object_get(report, "verdicts");

    printf("checked=%lld", (long long)json_int(report, "checked", 0));
    for (size_t i = 0; i < COUNT_OF(words); i++)
        printf(" %s=%lld", words[i], (long long)json_int(verdicts, words[i], 0));
    printf("\n");
}

static void print_result(const struct invocation *inv, const struct job_end *end)
{
    const json_t *report = json_object_get(job_verb_report(end), "verify");

    if (report == NULL)
        return;
    if (inv->json) {
        job_verb_print_json(end);
        return;
    }
    print_keys(json_object_get(report, "keys"));
    print_remarks(report);
    print_line(report);
}

static int run(const struct invocation *inv, struct error *err)
{
    struct verify_options o = {0};
    struct job_verb v = {.inv = inv, .kind = JOB_VERIFY, .body = body, .ctx = &o};
    struct job_end end = {0};
    json_t *options = NULL;
    char what[300];
    int status;

    backup_source_describe(inv, what, sizeof(what));
    if (!read_options(inv, &o, err)) {
        key_filter_release(&o.filter);
        return verb_fail(err);
    }
    options = options_json(inv, &o);
    v.options = options;
    v.target = what;
    v.reason = option_text(inv, "reason");
    v.outage_timeout_ms = (int)option_int(inv, "outage-timeout") * 1000;
    status = job_verb_run(&v, &end, err);
    print_result(inv, &end);
    job_verb_print_end(&v, &end);
    job_end_release(&end);
    json_decref(options);
    key_filter_release(&o.filter);
    return status;
}

const struct verb verb_verify = {
    .name = "verify",
    .summary = "Compare a backup with the live cluster.",
    .options = rows,
    .notes = "Each key that is not as the backup has it is one line: verdict, type, key, detail; "
             "misplaced is a copy on a node that does not own its slot. Then comes what was looked "
             "at and what that is worth. The last line counts: checked=N same=N differs=N "
             "missing=N extra=N expired=N ttl=N "
             "unreadable=N. Exit status 1 when anything is wrong. A deadline may lie between the "
             "original one and the one that a restore gave; when a restore of this backup is "
             "among the jobs, its own times are used.",
    .examples = "rbconsole -e local verify --from-s3 latest --sample 2000\n"
                "rbconsole -e local verify -i ./backups/redis-backup-local-20250818T060635Z-28e5 "
                "--full --report report.md\n",
    .run = run,
};
