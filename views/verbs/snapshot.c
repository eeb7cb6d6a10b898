#include "core/snapshot/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/escape.h"
#include "core/base/file.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/value/key_sample.h"
#include "views/verbs/job_verb.h"
#include "views/verbs/key_filter.h"

#define PREFIXES_SHOWN 10

static bool check_rate(struct str value, struct error *err)
{
    uint64_t n;

    return str_is(value, "auto") || str_is(value, "none") || (str_to_u64(value, &n) && n > 0) ||
           error_set(err, ERROR_USAGE, 0, "it takes auto, none or a number of keys a second");
}

static const struct option_row rows[] = {
    {"output", 'o', OPTION_FILE, "FILE", "Where the report goes; else the job's directory."},
    {"keys", 0, OPTION_FLAG, NULL,
     "Also write every key with its digest into a file beside the report, sorted by slot, so that "
     "diff can name the keys that changed."},
    {"keys-file", 0, OPTION_FILE, "FILE",
     "The same under this name; compressed when it ends in .gz."},
    {"sample", 0, OPTION_INT, "N",
     "Put N keys with their digests into the report, always the same ones: the hash of the name "
     "decides.",
     .min = 1, .max = KEY_SAMPLE_MAX},
    KEY_FILTER_ROWS,
    {"from", 0, OPTION_CHOICE, "NODES",
     "Which nodes are read: primaries, replicas in sync, or auto: a replica if one is, else the "
     "primary.",
     .config_key = "backup.source", .choices = "primaries|replicas|auto"},
    {"rate", 0, OPTION_TEXT, "auto|none|N",
     "Keys a second; auto steps back when the nodes answer slower, and is what protected "
     "environments get.",
     .check = check_rate},
    {"max-memory", 0, OPTION_INT, "MIB", "Memory for buffers.", "256", .min = 64, .max = 65536},
    {"strict", 0, OPTION_FLAG, NULL, "Keys that changed while they were read are findings."},
    JOB_VERB_OUTAGE,
    JOB_VERB_REASON,
    {0}};

struct snapshot_verb {
    struct snapshot_options options;
    const char *rate;
    const char *output; /* as given, or NULL */
    const char *keys_file;
    bool keys;
};

static bool read_options(const struct invocation *inv, struct snapshot_verb *s, struct error *err)
{
    struct backup_options *o = &s->options.reading;

    s->output = option_text(inv, "output");
    s->keys_file = option_text(inv, "keys-file");
    s->keys = option_flag(inv, "keys") || s->keys_file != NULL;
    s->options.sample = (size_t)option_int(inv, "sample");
    s->rate = option_text(inv, "rate");
    if (s->rate != NULL && !str_to_u64(str_from(s->rate), &o->rate))
        o->rate = 0;
    o->env = inv->env->name;
    o->max_memory = (size_t)option_int(inv, "max-memory") << 20;
    o->strict = option_flag(inv, "strict");
    o->outage_timeout_ms = (int)option_int(inv, "outage-timeout") * 1000;
    o->slots = option_text(inv, "slots");
    if (!backup_from_parse(option_text(inv, "from"), &o->source))
        return error_set(err, ERROR_CONFIG, 0, "backup.source: %s is not known",
                         option_text(inv, "from"));
    return key_filter_read(inv, &o->filter, err);
}

static json_t *options_json(const struct invocation *inv, const struct snapshot_verb *s)
{
    json_t *doc = json_object();

    json_put_text(doc, "output", s->output);
    json_put_flag(doc, "keys", s->keys);
    json_put_text(doc, "keys_file", s->keys_file);
    json_put_int(doc, "sample", (int64_t)s->options.sample);
    json_put_text(doc, "from", backup_from_name(s->options.reading.source));
    json_put_text(doc, "rate", s->rate);
    json_put_flag(doc, "strict", s->options.reading.strict);
    key_filter_options(inv, doc);
    return doc;
}

/* "dir/x.json" -> "dir/x.keys.jsonl.gz" */
static char *keys_beside(const char *report)
{
    size_t len = strlen(report);

    if (str_ends(str_from(report), ".json"))
        len -= strlen(".json");
    return mem_format("%.*s.keys.jsonl.gz", (int)len, report);
}

/* A later diff may be started elsewhere: whole paths. */
static void put_path(json_t *result, const char *name, const char *path)
{
    char *whole = realpath(path, NULL);

    json_put_text(result, name, whole != NULL ? whole : path);
    free(whole);
}

static bool take(struct job_verb *v, struct task *t, json_t *result, struct error *err)
{
    struct snapshot_verb *s = v->ctx;
    struct snapshot_result done = {0};
    struct cluster *cluster = NULL;
    bool ok = connect_cluster(v->connection, true, &cluster, err) &&
              snapshot_run(cluster, &s->options, t, &done, err);

    if (ok) {
        put_path(result, "file", s->options.report_path);
        if (s->keys)
            put_path(result, "keys_file", s->options.keys_path);
        json_put(result, "snapshot", snapshot_summary(done.report));
        json_put_int(result, "findings", (int64_t)done.findings);
    }
    snapshot_result_release(&done);
    cluster_free(cluster);
    return ok;
}

static bool body(struct job_verb *v, struct task *t, json_t *result, struct error *err)
{
    struct snapshot_verb *s = v->ctx;
    struct backup_options *o = &s->options.reading;
    int64_t began = clock_mono_ms();
    char *report =
        s->output != NULL ? mem_copy_text(s->output) : file_join(task_dir(t), "snapshot.json");
    char *keys = !s->keys               ? NULL
                 : s->keys_file != NULL ? mem_copy_text(s->keys_file)
                                        : keys_beside(report);
    bool ok;

    task_stage(t, "connect");
    o->identity = (const char *const *)v->observed.identity.ids;
    o->identity_count = v->observed.identity.count;
    o->adaptive = s->rate != NULL ? strcmp(s->rate, "auto") == 0 : v->identity.protected;
    s->options.report_path = report;
    s->options.keys_path = keys;
    ok = take(v, t, result, err);
    json_put_int(result, "elapsed_ms", clock_mono_ms() - began);
    free(report);
    free(keys);
    return ok;
}

/* ---- for people -------------------------------------------------------------------------------
 */

static void print_row(const char *name, const json_t *row)
{
    char keys[FORMAT_MAX];
    char ttl[FORMAT_MAX];
    char bytes[FORMAT_MAX];
    char shown[64];

    printf("  %-28s %14s %14s %12s%s\n", escape_text(shown, sizeof(shown), str_from(name)),
           format_count(keys, sizeof(keys), json_int(row, "keys", 0)),
           format_count(ttl, sizeof(ttl), json_int(row, "with_ttl", 0)),
           format_size(bytes, sizeof(bytes), json_int(row, "bytes", 0)),
           json_flag(row, "at_least", false) ? "  at least" : "");
}

static void print_table(const char *title, const json_t *list, const char *name, size_t most)
{
    size_t count = json_array_size(list);

    printf("%-30s %14s %14s %12s\n", title, "keys", "with ttl", "data");
    for (size_t i = 0; i < count && i < most; i++) {
        const json_t *row = json_array_get(list, i);
        const char *text = json_text(row, name, "");

        print_row(text[0] != '\0' ? text : "(none)", row);
    }
    if (count > most)
        printf("  and %zu more in the report\n", count - most);
}

static void print_state(const json_t *snapshot)
{
    const json_t *totals = json_object_get(snapshot, "totals");
    const json_t *prefixes = json_object_get(snapshot, "prefixes");
    const json_t *other = json_object_get(prefixes, "other");

    print_table("type", json_object_get(snapshot, "types"), "type", SIZE_MAX);
    print_row("all", totals);
    print_table("prefix", json_object_get(prefixes, "list"), "prefix", PREFIXES_SHOWN);
    if (json_int(other, "keys", 0) > 0)
        print_row("(other)", other);
    print_table("node", json_object_get(snapshot, "nodes"), "addr", SIZE_MAX);
    printf("content %s\n", json_text(totals, "content", ""));
}

static void print_findings(const json_t *snapshot, const char *id)
{
    const json_t *totals = json_object_get(snapshot, "totals");
    long long unreadable =
        (long long)json_int(totals, "unreadable", 0) + (long long)json_int(totals, "too_large", 0);

    if (!json_flag(snapshot, "complete", true))
        (void)fprintf(stderr, "snapshot is INCOMPLETE: %s\n", json_text(snapshot, "reason", ""));
    if (unreadable > 0)
        (void)fprintf(stderr, "%lld keys could not be read: see failed.jsonl of %s\n", unreadable,
                      id);
    if (json_int(totals, "fuzzy", 0) > 0)
        (void)fprintf(stderr, "%lld keys changed while they were read\n",
                      (long long)json_int(totals, "fuzzy", 0));
}

static void print_result(const struct invocation *inv, const struct job_end *end)
{
    const json_t *report = job_verb_report(end);
    const json_t *snapshot = json_object_get(report, "snapshot");

    if (inv->json) {
        job_verb_print_json(end);
        return;
    }
    if (snapshot == NULL)
        return;
    if (!inv->quiet)
        print_state(snapshot);
    printf("Snapshot: %s\n", json_text(report, "file", ""));
    if (json_text(report, "keys_file", NULL) != NULL)
        printf("Keys: %s\n", json_text(report, "keys_file", ""));
    (void)fflush(stdout);
    print_findings(snapshot, end->id);
}

static int run(const struct invocation *inv, struct error *err)
{
    struct snapshot_verb s = {0};
    struct job_verb v = {
        .inv = inv, .kind = JOB_SNAPSHOT, .danger = DANGER_NONE, .body = body, .ctx = &s};
    struct job_end end = {0};
    json_t *options = NULL;
    int status;

    if (read_options(inv, &s, err)) {
        options = options_json(inv, &s);
        v.options = options;
        v.target = s.output != NULL ? s.output : "the state of the cluster";
        v.reason = option_text(inv, "reason");
        v.outage_timeout_ms = s.options.reading.outage_timeout_ms;
        status = job_verb_run(&v, &end, err);
        print_result(inv, &end);
        job_verb_print_end(&v, &end);
    } else {
        status = verb_fail(err);
    }
    job_end_release(&end);
    json_decref(options);
    key_filter_release(&s.options.reading.filter);
    return status;
}

const struct verb verb_snapshot = {
    .name = "snapshot",
    .summary = "Write down the state of the cluster: digests of all slots, tables, facts.",
    .options = rows,
    .notes =
        "Every key is read once and boiled down to a 128-bit digest; the report holds for each "
        "slot how many keys it has and the sum of their digests, so that two snapshots can be "
        "compared whatever shape or flavour the clusters have. It is read as exactly as a backup: "
        "slots that change their owner meanwhile are read again, and a snapshot that could not see "
        "a steady topology says that it is incomplete, names the slots and ends with status 1. "
        "What the user may not ask is named in the report. Prefixes go up to the first : / | or . "
        "of the name, with # for digits.",
    .examples = "rbconsole -e local snapshot -o before.json --keys\n"
                "rbconsole -e local snapshot --sample 10000 --match 'user:*'\n",
    .run = run,
};
