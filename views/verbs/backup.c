#include "core/backup/backup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/config/state_dir.h"
#include "core/jobs/info.h"
#include "core/store/catalog.h"
#include "views/verbs/job_verb.h"

static bool check_slots(struct str value, struct error *err)
{
    struct slot_set set = {0};

    return slot_set_parse(&set, value, err);
}

static bool check_rate(struct str value, struct error *err)
{
    uint64_t n;

    return str_is(value, "auto") || str_is(value, "none") || (str_to_u64(value, &n) && n > 0) ||
           error_set(err, ERROR_USAGE, 0, "it takes auto, none or a number of keys a second");
}

static bool check_job(struct str value, struct error *err)
{
    enum job_kind kind;
    uint32_t number;

    return job_id_parse(value, &kind, &number) ||
           error_set(err, ERROR_USAGE, 0, "it takes the id of a job, as B-0001");
}

static const struct option_row rows[] = {
    {"match", 0, OPTION_TEXT, "GLOB", "Only keys that match.", .flags = OPTION_REPEAT},
    {"type", 0, OPTION_TEXT, "TYPE", "Only keys of this type.",
     .choices = "string|hash|list|set|zset|stream", .flags = OPTION_REPEAT},
    {"slots", 0, OPTION_TEXT, "RANGES", "Only keys in these slots, as 0-5460,9000.",
     .check = check_slots},
    {"from", 0, OPTION_CHOICE, "NODES",
     "Which nodes are read: primaries; replicas (waits for one in order); auto, a replica that is "
     "at most 10 s behind, else the primary. The primaries say who owns what in any case.",
     .config_key = "backup.source", .choices = "primaries|replicas|auto"},
    {"chunk-keys", 0, OPTION_INT, "N", "Keys in one part, at most.",
     .config_key = "backup.chunk_keys", .min = 1, .max = 1000000},
    {"chunk-bytes", 0, OPTION_INT, "N", "Bytes in one part, at most (one line may pass it).",
     .config_key = "backup.chunk_bytes", .min = 65536, .max = 67108864},
    {"rate", 0, OPTION_TEXT, "auto|none|N",
     "Keys a second; auto steps back when the nodes answer slower, and is what protected "
     "environments get.",
     .check = check_rate},
    {"max-memory", 0, OPTION_INT, "MIB", "Memory for buffers.", "256", .min = 64, .max = 65536},
    {"backup-dir", 0, OPTION_DIR, "DIR", "Where local backups go.",
     .config_key = "storage.backup_dir"},
    {"s3-uri", 0, OPTION_TEXT, "URI", "Where in S3; else the configuration's.",
     .config_key = "storage.s3_uri"},
    {"no-upload", 0, OPTION_FLAG, NULL, "Nothing goes to S3.", .group = "upload"},
    {"stream", 0, OPTION_FLAG, NULL, "To S3 only, nothing on disk.", .group = "upload"},
    {"no-dir", 0, OPTION_FLAG, NULL, "On disk the archive alone, without the unpacked tree."},
    {"level", 0, OPTION_INT, "N", "Compression, 1 (quick) to 9 (small).", "6", .min = 1, .max = 9},
    {"strict", 0, OPTION_FLAG, NULL, "Keys that changed while they were read are findings."},
    {"resume", 0, OPTION_TEXT, "JOB",
     "Go on with a backup that ended early, with its options: what it finished is checked and "
     "kept. Only --rate, --max-memory, --outage-timeout, --sign-key-file and --reason may be given "
     "besides. Not for --stream, of which nothing is kept.",
     .check = check_job},
    {"sign-key-file", 0, OPTION_FILE, "FILE", "Sign the manifest with this key.",
     .flags = OPTION_SECRET},
    JOB_VERB_OUTAGE,
    JOB_VERB_REASON,
    {0}};

struct backup_verb {
    struct backup_options options;
    struct backup_id id;
    struct secret key;
    const char **match;
    const char **types;
    const char *s3_uri; /* NULL: no upload */
    bool quiet;         /* --json: lines go into the report only */
    const char *rate;
    json_t *places;
    json_t *job; /* --resume: job.json of the earlier runs, owner of the texts from it */
    char *dir;   /* the backup directory as an absolute path */
};

static const char **collect(const struct invocation *inv, const char *name, size_t *count)
{
    const char **list;

    *count = option_count(inv, name);
    list = calloc(*count + 1, sizeof(*list));
    for (size_t i = 0; list != NULL && i < *count; i++)
        list[i] = option_text_at(inv, name, i);
    return list;
}

/* One line as each place becomes true. */
static void written(void *arg, enum archive_place place, const char *where)
{
    static const struct {
        const char *label;
        const char *member;
    } places[] = {[ARCHIVE_TREE] = {"Backup written", "directory"},
                  [ARCHIVE_FILE] = {"Archive", "archive"},
                  [ARCHIVE_UPLOAD] = {"Uploaded", "uploaded"}};
    struct backup_verb *b = arg;

    json_put_text(b->places, places[place].member, where);
    if (b->quiet)
        return;
    printf("%s: %s\n", places[place].label, where);
    (void)fflush(stdout);
}

/* A resumed job may be started from another directory. */
static char *absolute(const char *path)
{
    char here[4096];

    if (path == NULL || path[0] == '/' || getcwd(here, sizeof(here)) == NULL)
        return mem_copy_text(path);
    return file_join(here, str_starts(str_from(path), "./") ? path + 2 : path);
}

static bool read_places(const struct invocation *inv, struct backup_verb *b, struct error *err)
{
    struct archive_options *a = &b->options.archive;
    bool stream = option_flag(inv, "stream");

    b->dir = absolute(option_text(inv, "backup-dir"));
    a->dir = b->dir;
    a->tree = !stream && !option_flag(inv, "no-dir");
    a->file = !stream;
    a->level = (int)option_int(inv, "level");
    if (!option_flag(inv, "no-upload"))
        b->s3_uri = option_text(inv, "s3-uri");
    if (stream && b->s3_uri == NULL)
        return error_set(err, ERROR_USAGE, 0,
                         "--stream needs somewhere to go: give --s3-uri, S3_URI or storage.s3_uri");
    return true;
}

static bool read_key(const struct invocation *inv, struct backup_verb *b, struct error *err)
{
    bool loose = false;

    if (option_text(inv, "sign-key-file") == NULL)
        return true;
    b->options.archive.sign_key = &b->key;
    if (!secret_load(&b->key, option_text(inv, "sign-key-file"), &loose, err))
        return false;
    if (loose)
        (void)fprintf(stderr, "warning: others may read %s\n", option_text(inv, "sign-key-file"));
    return true;
}

/* What this run says itself, resumed or not. */
static void read_run_options(const struct invocation *inv, struct backup_verb *b)
{
    struct backup_options *o = &b->options;

    b->quiet = inv->json;
    b->places = json_object();
    o->env = inv->env->name;
    o->max_memory = (size_t)option_int(inv, "max-memory") << 20;
    o->outage_timeout_ms = (int)option_int(inv, "outage-timeout") * 1000;
    o->archive.written = written;
    o->archive.written_arg = b;
    b->rate = option_text(inv, "rate");
}

static void read_rate(struct backup_verb *b)
{
    if (b->rate == NULL || !str_to_u64(str_from(b->rate), &b->options.rate))
        b->options.rate = 0;
}

static bool read_options(const struct invocation *inv, struct backup_verb *b, struct error *err)
{
    struct backup_options *o = &b->options;

    o->chunk_keys = (uint64_t)option_int(inv, "chunk-keys");
    o->chunk_bytes = (uint64_t)option_int(inv, "chunk-bytes");
    o->strict = option_flag(inv, "strict");
    b->match = collect(inv, "match", &o->filter.match_count);
    b->types = collect(inv, "type", &o->filter.type_count);
    o->filter.match = b->match;
    o->filter.types = b->types;
    o->slots = option_text(inv, "slots");
    if (o->slots != NULL && !filter_set_slots(&o->filter, o->slots, err))
        return false;
    if (!backup_from_parse(option_text(inv, "from"), &o->source))
        return error_set(err, ERROR_CONFIG, 0, "--from takes primaries, replicas or auto");
    if (!backup_id_make(inv->env->name, clock_real_ms(), &b->id))
        return error_set(err, ERROR_CONFIG, 0,
                         "the environment's name cannot be part of a backup's name: %s",
                         inv->env->name);
    o->archive.id = b->id.text;
    return read_places(inv, b, err) && read_key(inv, b, err);
}

/* ---- --resume: the options of the job's first run ----------------------------------------------
 */

/* All but what a run says itself is the job's: given again it is either the same or wrong. */
static bool check_no_others(const struct invocation *inv, struct error *err)
{
    static const char *const own[] = {"resume", "rate",          "max-memory", "outage-timeout",
                                      "reason", "sign-key-file", "job-fd"};

    for (const struct option_row *row = rows; row->name != NULL; row++) {
        bool mine = false;

        for (size_t i = 0; i < COUNT_OF(own); i++)
            mine = mine || strcmp(row->name, own[i]) == 0;
        if (!mine && option_given(inv, row->name))
            return error_set(err, ERROR_USAGE, 0,
                             "--%s cannot be given with --resume: the job keeps its options",
                             row->name);
    }
    return true;
}

static const char **list_of(const json_t *list, size_t *count)
{
    const char **out = mem_zero(json_array_size(list) + 1, sizeof(*out));

    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_is_string(json_array_get(list, i)))
            out[(*count)++] = json_string_value(json_array_get(list, i));
    return out;
}

/* Its end must be one that a later run can do something about. */
static bool check_job_state(const char *state_dir, const char *id, const struct backup_verb *b,
                            struct error *err)
{
    struct job_info *info = job_info_read(state_dir, id, err);
    enum job_state state;
    const char *env = json_text(b->job, "env", "");

    if (info == NULL)
        return false;
    state = info->state;
    job_info_unref(info);
    if (strcmp(env, b->options.env) != 0)
        return error_set(err, ERROR_USAGE, 0, "%s is a job of environment %s: give -e %s", id, env,
                         env);
    return state != JOB_FINDINGS ||
           error_set(err, ERROR_REFUSED, 0,
                     "%s wrote its backup and ended with findings: there is nothing to resume, "
                     "start a new backup",
                     id);
}

static bool take_options(struct backup_verb *b, const json_t *from, struct error *err)
{
    struct backup_options *o = &b->options;
    const char *backup_id = json_text(from, "backup_id", "");

    if (!backup_id_parse(str_from(backup_id), &b->id))
        return error_set(err, ERROR_CORRUPT, 0, "the job's file names no backup");
    o->archive.id = b->id.text;
    o->archive.dir = json_text(from, "backup_dir", NULL);
    if (o->archive.dir == NULL)
        return error_set(err, ERROR_USAGE, 0,
                         "that backup was streamed (--stream): nothing of it is kept to go on "
                         "with, start a new one");
    o->archive.file = true;
    o->archive.tree = !json_flag(from, "no_dir", false);
    o->archive.level = (int)json_int(from, "level", 6);
    o->chunk_keys = (uint64_t)json_int(from, "chunk_keys", 0);
    o->chunk_bytes = (uint64_t)json_int(from, "chunk_bytes", 0);
    o->strict = json_flag(from, "strict", false);
    o->slots = json_text(from, "slots", NULL);
    b->s3_uri = json_text(from, "s3_uri", NULL);
    if (b->rate == NULL)
        b->rate = json_text(from, "rate", NULL);
    b->match = list_of(json_object_get(from, "match"), &o->filter.match_count);
    b->types = list_of(json_object_get(from, "type"), &o->filter.type_count);
    o->filter.match = b->match;
    o->filter.types = b->types;
    if (!backup_from_parse(json_text(from, "from", "primaries"), &o->source))
        o->source = BACKUP_FROM_PRIMARIES;
    return o->slots == NULL || filter_set_slots(&o->filter, o->slots, err);
}

static bool read_resumed(const struct invocation *inv, struct backup_verb *b, struct error *err)
{
    const char *id = option_text(inv, "resume");
    const char *state_dir;

    if (!check_no_others(inv, err) || !state_dir_open(inv->config, &state_dir, err))
        return false;
    b->job = job_load(state_dir, id, err);
    if (b->job == NULL || !check_job_state(state_dir, id, b, err) ||
        !take_options(b, json_object_get(b->job, "options"), err))
        return false;
    b->options.resume = true;
    if (json_flag(json_object_get(b->job, "options"), "signed", false) &&
        option_text(inv, "sign-key-file") == NULL)
        return error_set(err, ERROR_USAGE, 0, "%s signs its manifest: give --sign-key-file again",
                         id);
    return read_key(inv, b, err);
}

static json_t *texts(const char *const *list, size_t count)
{
    json_t *out = json_array();

    for (size_t i = 0; i < count; i++)
        json_push(out, json_string(list[i]));
    return out;
}

static json_t *options_json(const struct backup_verb *b)
{
    const struct backup_options *o = &b->options;
    json_t *doc = json_object();

    json_put_text(doc, "backup_id", b->id.text);
    json_put(doc, "match", texts(o->filter.match, o->filter.match_count));
    json_put(doc, "type", texts(o->filter.types, o->filter.type_count));
    json_put_text(doc, "slots", o->slots);
    json_put_int(doc, "chunk_keys", (int64_t)o->chunk_keys);
    json_put_int(doc, "chunk_bytes", (int64_t)o->chunk_bytes);
    json_put_text(doc, "rate", b->rate);
    json_put_text(doc, "from", backup_from_name(o->source));
    json_put_text(doc, "backup_dir", o->archive.file ? o->archive.dir : NULL);
    json_put_flag(doc, "no_dir", !o->archive.tree);
    json_put_text(doc, "s3_uri", b->s3_uri);
    json_put_int(doc, "level", o->archive.level);
    json_put_flag(doc, "strict", o->strict);
    json_put_flag(doc, "signed", o->archive.sign_key != NULL);
    return doc;
}

static bool run_engine(struct job_verb *v, struct backup_verb *b, struct task *t, json_t *result,
                       struct error *err)
{
    struct backup_result done = {0};
    struct cluster *cluster = NULL;
    bool ok = connect_cluster(v->connection, true, &cluster, err) &&
              backup_run(cluster, &b->options, t, &done, err);

    if (done.manifest != NULL)
        backup_report(&done, result);
    backup_result_release(&done);
    cluster_free(cluster);
    return ok;
}

static bool is_cancelled(void *task)
{
    return task_cancelled(task);
}

static bool open_store(const struct config_scope *scope, const struct job_verb *v, struct task *t,
                       struct error *err)
{
    struct backup_verb *b = v->ctx;
    struct store_options options;

    if (b->s3_uri == NULL)
        return true;
    connect_store_options(scope, &options);
    options.never_replace = v->resume == NULL; /* a resumed run finishes what it began */
    options.s3.cancelled = is_cancelled;
    options.s3.cancel_ctx = t;
    return store_open(b->s3_uri, &options, &b->options.archive.store, err);
}

static bool body(struct job_verb *v, struct task *t, json_t *result, struct error *err)
{
    struct backup_verb *b = v->ctx;
    struct config_scope scope = {v->inv->config, v->inv->env};
    int64_t began = clock_mono_ms();
    bool ok;

    task_stage(t, "connect");
    b->options.identity = (const char *const *)v->observed.identity.ids;
    b->options.identity_count = v->observed.identity.count;
    b->options.adaptive = b->rate != NULL ? strcmp(b->rate, "auto") == 0 : v->identity.protected;
    ok = open_store(&scope, v, t, err) && run_engine(v, b, t, result, err);
    json_put(result, "places", json_incref(b->places));
    json_put_int(result, "elapsed_ms", clock_mono_ms() - began);
    store_free(b->options.archive.store);
    b->options.archive.store = NULL;
    return ok;
}

/* What is wrong, on stderr: stdout is for the three lines. */
static void print_findings(const struct job_end *end)
{
    const json_t *report = job_verb_report(end);

    if (report == NULL)
        return;
    if (!json_flag(report, "complete", true))
        (void)fprintf(stderr, "backup is INCOMPLETE: %s\n", json_text(report, "reason", ""));
    if (json_int(report, "unreadable", 0) > 0)
        (void)fprintf(stderr, "%lld keys could not be read: see failed.jsonl of %s\n",
                      (long long)json_int(report, "unreadable", 0), end->id);
    if (json_int(report, "too_large", 0) > 0)
        (void)fprintf(stderr, "%lld keys are too large to be written: see failed.jsonl of %s\n",
                      (long long)json_int(report, "too_large", 0), end->id);
    if (json_int(report, "fuzzy", 0) > 0)
        (void)fprintf(stderr, "%lld keys changed while they were read\n",
                      (long long)json_int(report, "fuzzy", 0));
}

static void print_json(const struct job_end *end)
{
    struct error ignored = {0};
    struct buf out;

    if (end->result == NULL)
        return;
    buf_init(&out, (size_t)16 << 20);
    if (json_print(end->result, true, &out, &ignored))
        (void)fwrite(out.data, 1, out.len, stdout);
    buf_release(&out);
}

static int run(const struct invocation *inv, struct error *err)
{
    struct backup_verb b = {0};
    struct job_verb v = {
        .inv = inv, .kind = JOB_BACKUP, .danger = DANGER_NONE, .body = body, .ctx = &b};
    struct job_end end = {0};
    json_t *options = NULL;
    int status;

    read_run_options(inv, &b);
    v.resume = option_text(inv, "resume");
    if (v.resume != NULL ? read_resumed(inv, &b, err) : read_options(inv, &b, err)) {
        read_rate(&b);
        options = options_json(&b);
        v.options = options;
        v.target = b.id.text;
        v.reason = option_text(inv, "reason");
        v.outage_timeout_ms = b.options.outage_timeout_ms;
        status = job_verb_run(&v, &end, err);
        if (inv->json)
            print_json(&end);
        else
            print_findings(&end);
        job_verb_print_end(&v, &end);
    } else {
        status = verb_fail(err);
    }
    job_end_release(&end);
    json_decref(options);
    json_decref(b.places);
    json_decref(b.job);
    free(b.dir);
    secret_release(&b.key);
    free(b.match);
    free(b.types);
    return status;
}

const struct verb verb_backup = {
    .name = "backup",
    .summary = "Write all keys of the cluster into an archive, on disk and in S3.",
    .options = rows,
    .notes =
        "All primaries are read side by side. Slots that change their owner meanwhile are read "
        "again; a backup that could not see a steady topology says that it is incomplete and "
        "ends with status 1. Keys that could not be read are in the job's failed.jsonl. A backup "
        "that ends early (an outage longer than --outage-timeout: status 3; storage: 6; cancelled: "
        "5; killed) keeps what it has finished under names that end in .partial, and `--resume "
        "JOB` goes on with it, also with its upload: parts that the bucket holds are not sent "
        "again; "
        "`doctor --fix` removes it instead.",
    .examples = "rbconsole -e local backup\n"
                "rbconsole -e local backup --match 'user:*' --no-upload\n"
                "rbconsole -e local backup --resume B-0001\n",
    .run = run,
};
