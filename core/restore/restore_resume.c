#include "core/restore/restore_resume.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/file.h"
#include "core/base/hex.h"
#include "core/base/json.h"
#include "core/codec/digest.h"
#include "core/record/key_bloom.h"
#include "core/restore/restore_ledger.h"

/* Journal steps: "restore-run" once a run, then "restore-node" for what restore_again.h knows, then
 * "restore-parts" as the run goes on; "restore-emptied", "restore-functions". All of them carry the
 * run's id, which task_step adds. */

#define NOT_FINISHED SIZE_MAX

struct earlier_run {
    char id[40];
    struct restore_history *history;
    struct slot_set doubt; /* against the servers of now */
    uint64_t ledger;       /* lines of the ledger that are older than it */
};

struct restore_resume {
    struct task *task;
    const struct manifest *manifest;
    char backup[SHA256_TEXT]; /* of the manifest and what it says of the parts */
    struct earlier_run *runs;
    size_t run_count, run_cap;
    size_t *finished_by;           /* per part: index into runs, or NOT_FINISHED */
    bool *failed;                  /* per part: keys of it failed or are unsure */
    struct slot_set all;           /* every slot, for parts with failures */
    struct restore_ledger *ledger; /* their keys */
    struct restore_result counts;
    int64_t origin_ms;
    int64_t existed;
    bool emptied;
    bool functions;
};

/* ---- which backup ---------------------------------------------------------------------------- */

/* An older tool's manifest says nothing about its parts, so their names and lengths count too. */
static void name_backup(struct source *source, char out[SHA256_TEXT])
{
    const struct manifest *m = source_manifest(source);
    struct sha256 *h = sha256_new();
    unsigned char sum[SHA256_SIZE];

    sha256_add(h, source_manifest_text(source));
    for (size_t i = 0; i < m->part_count; i++) {
        char line[400];
        int len =
            snprintf(line, sizeof(line), "\n%.300s %" PRIu64, m->parts[i].name, m->parts[i].bytes);

        sha256_add(h, (struct str){line, (size_t)len});
    }
    sha256_end(h, sum);
    sha256_free(h);
    (void)hex_encode(out, sum, sizeof(sum));
}

/* ---- reading the journal --------------------------------------------------------------------- */

static struct earlier_run *run_of(struct restore_resume *r, const json_t *step)
{
    const char *id = json_text(step, "run_id", "");

    for (size_t i = r->run_count; i > 0; i--)
        if (strcmp(r->runs[i - 1].id, id) == 0)
            return &r->runs[i - 1];
    return NULL;
}

static uint64_t count_of(const json_t *step, const char *name)
{
    int64_t n = json_int(step, name, 0);

    return n > 0 ? (uint64_t)n : 0;
}

static bool read_run(struct restore_resume *r, const json_t *step, struct error *err)
{
    struct earlier_run run = {.history = restore_history_new(), .ledger = count_of(step, "ledger")};

    if (strcmp(json_text(step, "backup", ""), r->backup) != 0) {
        restore_history_free(run.history);
        return error_set(err, ERROR_REFUSED, 0,
                         "%s is another backup, or has changed since this restore began with it",
                         json_text(step, "backup_id", "this"));
    }
    (void)str_copy(str_from(json_text(step, "run_id", "")), run.id, sizeof(run.id));
    ARRAY_PUSH(r->runs, r->run_count, r->run_cap) = run;
    if (r->run_count == 1) {
        r->origin_ms = json_int(step, "origin_ms", 0);
        r->existed = json_int(step, "existed", -1);
    }
    return true;
}

static bool read_node(struct restore_resume *r, const json_t *step, struct error *err)
{
    struct earlier_run *run = run_of(r, step);

    return run == NULL || restore_history_add(run->history, step, err);
}

static void add_counts(struct restore_result *sum, const json_t *step)
{
    const json_t *types = json_object_get(step, "by_type");

    sum->written += count_of(step, "written");
    sum->existing += count_of(step, "existing");
    sum->conflicts += count_of(step, "conflicts");
    sum->rewritten += count_of(step, "rewritten");
    sum->replaced += count_of(step, "replaced");
    sum->changed += count_of(step, "changed");
    sum->repeated += count_of(step, "repeated");
    sum->expired += count_of(step, "expired");
    for (size_t t = 0; t < RECORD_TYPES; t++)
        if (json_integer_value(json_array_get(types, t)) > 0)
            sum->by_type[t] += (uint64_t)json_integer_value(json_array_get(types, t));
}

static bool read_parts(struct restore_resume *r, const json_t *step, struct error *err)
{
    const json_t *list = json_object_get(step, "parts");
    const struct earlier_run *run = run_of(r, step);

    if (run == NULL)
        return error_set(err, ERROR_CORRUPT, 0, "the journal has parts of an unknown run");
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_int_t part = json_integer_value(json_array_get(list, i));

        if (part < 0 || (uint64_t)part >= r->manifest->part_count)
            return error_set(err, ERROR_CORRUPT, 0, "the journal has a part the backup lacks");
        r->finished_by[part] = (size_t)(run - r->runs);
        r->failed[part] = false;
    }
    list = json_object_get(step, "failed_parts");
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_int_t part = json_integer_value(json_array_get(list, i));

        if (part < 0 || (uint64_t)part >= r->manifest->part_count)
            return error_set(err, ERROR_CORRUPT, 0, "the journal has a part the backup lacks");
        r->failed[part] = true;
    }
    add_counts(&r->counts, step);
    return true;
}

static bool read_emptied(struct restore_resume *r, const json_t *step, struct error *err)
{
    (void)step;
    (void)err;
    r->emptied = true;
    return true;
}

static bool read_functions(struct restore_resume *r, const json_t *step, struct error *err)
{
    (void)err;
    r->functions = true;
    r->counts.functions = count_of(step, "functions");
    return true;
}

static const struct {
    const char *name;
    bool (*read)(struct restore_resume *r, const json_t *step, struct error *err);
} steps[] = {
    {"restore-run", read_run},
    {"restore-node", read_node},
    {"restore-parts", read_parts},
    {"restore-emptied", read_emptied},
    {"restore-functions", read_functions},
};

static bool read_steps(struct restore_resume *r, struct error *err)
{
    json_t *list = task_steps(r->task);
    size_t count = json_array_size(list);
    bool ok = true;

    for (size_t i = 0; i < count && ok; i++) {
        const json_t *step = json_array_get(list, i);
        const char *name = json_text(step, "step", "");

        for (size_t k = 0; k < COUNT_OF(steps) && ok; k++)
            if (strcmp(name, steps[k].name) == 0)
                ok = steps[k].read(r, step, err);
    }
    json_decref(list);
    return ok;
}

/* Of the runs that some part with failures was last finished by. */
static bool read_ledger(struct restore_resume *r, struct error *err)
{
    uint64_t from = UINT64_MAX;

    for (size_t i = 0; i < r->manifest->part_count; i++)
        if (r->failed[i] && r->runs[r->finished_by[i]].ledger < from)
            from = r->runs[r->finished_by[i]].ledger;
    return from == UINT64_MAX || restore_ledger_read(r->task, from, &r->ledger, err);
}

bool restore_resume_read(struct source *source, struct task *task, struct restore_resume **out,
                         struct error *err)
{
    struct restore_resume *r = mem_zero(1, sizeof(*r));

    r->task = task;
    r->manifest = source_manifest(source);
    r->existed = -1;
    r->finished_by = mem_zero(r->manifest->part_count, sizeof(*r->finished_by));
    r->failed = mem_zero(r->manifest->part_count, sizeof(*r->failed));
    for (size_t i = 0; i < r->manifest->part_count; i++)
        r->finished_by[i] = NOT_FINISHED;
    slot_set_fill(&r->all);
    name_backup(source, r->backup);
    if (!read_steps(r, err) || !read_ledger(r, err)) {
        restore_resume_free(r);
        return false;
    }
    *out = r;
    return true;
}

void restore_resume_free(struct restore_resume *r)
{
    if (r == NULL)
        return;
    for (size_t i = 0; i < r->run_count; i++)
        restore_history_free(r->runs[i].history);
    free(r->runs);
    free(r->finished_by);
    free(r->failed);
    restore_ledger_free(r->ledger);
    free(r);
}

/* ---- what follows from it -------------------------------------------------------------------- */

bool restore_resume_is_another_run(const struct restore_resume *r)
{
    return r->run_count > 0;
}

int64_t restore_resume_origin_ms(const struct restore_resume *r)
{
    return r->origin_ms;
}

int64_t restore_resume_existed(const struct restore_resume *r)
{
    return r->existed;
}

bool restore_resume_was_emptied(const struct restore_resume *r)
{
    return r->emptied;
}

bool restore_resume_has_functions(const struct restore_resume *r)
{
    return r->functions;
}

void restore_resume_judge(struct restore_resume *r, const struct restore_history *now)
{
    for (size_t i = 0; i < r->run_count; i++) {
        r->runs[i].doubt = (struct slot_set){0};
        (void)restore_history_differs(r->runs[i].history, now, &r->runs[i].doubt);
        (void)restore_history_evicted(r->runs[i].history, now, &r->runs[i].doubt);
    }
}

enum restore_part_state restore_resume_part(const struct restore_resume *r, size_t part,
                                            const struct slot_set **slots)
{
    const struct slot_set *doubt;

    if (slots != NULL)
        *slots = NULL;
    if (r->finished_by[part] == NOT_FINISHED)
        return RESTORE_PART_OPEN;
    doubt = r->failed[part] ? &r->all : &r->runs[r->finished_by[part]].doubt;
    if (slot_set_count(doubt) == 0)
        return RESTORE_PART_FINISHED;
    if (slots != NULL)
        *slots = doubt;
    return RESTORE_PART_LOOK;
}

bool restore_resume_wants(const struct restore_resume *r, size_t part, struct str key,
                          uint16_t slot)
{
    return slot_set_has(&r->runs[r->finished_by[part]].doubt, slot) ||
           (r->failed[part] && restore_ledger_has(r->ledger, key));
}

size_t restore_resume_count(const struct restore_resume *r, enum restore_part_state state)
{
    size_t n = 0;

    for (size_t i = 0; i < r->manifest->part_count; i++)
        n += restore_resume_part(r, i, NULL) == state;
    return n;
}

void restore_resume_add_counts(const struct restore_resume *r, struct restore_result *total)
{
    total->written += r->counts.written;
    total->existing += r->counts.existing;
    total->conflicts += r->counts.conflicts;
    total->rewritten += r->counts.rewritten;
    total->replaced += r->counts.replaced;
    total->changed += r->counts.changed;
    total->repeated += r->counts.repeated;
    total->expired += r->counts.expired;
    total->functions += r->counts.functions;
    for (size_t t = 0; t < RECORD_TYPES; t++)
        total->by_type[t] += r->counts.by_type[t];
}

#define EXISTED_NAME "existed.keys"

bool restore_existed_save(struct task *task, const struct restore_plan *plan, struct error *err)
{
    char *path;
    bool ok;

    if (task_dir(task) == NULL)
        return true;
    path = file_join(task_dir(task), EXISTED_NAME);
    ok = key_bloom_save(plan->existed, path, err);
    free(path);
    return ok;
}

bool restore_existed_load(struct task *task, struct restore_plan *plan, struct error *err)
{
    char *path;
    bool ok;

    if (task_dir(task) == NULL)
        return error_set(err, ERROR_NOT_FOUND, 0, "there is no job");
    path = file_join(task_dir(task), EXISTED_NAME);
    ok = key_bloom_load(path, &plan->existed, err);
    free(path);
    return ok;
}

/* ---- writing it ------------------------------------------------------------------------------ */

bool restore_resume_begin(struct restore_resume *r, const struct restore_history *now,
                          uint64_t existed, int64_t now_ms, struct error *err)
{
    json_t *step = json_object();
    json_t *nodes;
    bool ok;

    json_put_text(step, "backup", r->backup);
    json_put_text(step, "backup_id", r->manifest->backup_id);
    json_put_int(step, "origin_ms", r->origin_ms > 0 ? r->origin_ms : now_ms);
    json_put_int(step, "existed", (int64_t)existed);
    json_put_int(step, "ledger", (int64_t)task_ledger_count(r->task));
    ok = task_step(r->task, "restore-run", step, err);
    nodes = restore_history_docs(now);
    for (size_t i = 0; i < json_array_size(nodes) && ok; i++)
        ok = task_step(r->task, "restore-node", json_incref(json_array_get(nodes, i)), err);
    json_decref(nodes);
    return ok;
}

bool restore_resume_emptied(struct restore_resume *r, struct error *err)
{
    return task_step(r->task, "restore-emptied", NULL, err);
}

bool restore_resume_functions(struct restore_resume *r, uint64_t count, struct error *err)
{
    json_t *step = json_object();

    json_put_int(step, "functions", (int64_t)count);
    return task_step(r->task, "restore-functions", step, err);
}

static json_t *list_of(const size_t *parts, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_push(list, json_integer((json_int_t)parts[i]));
    return list;
}

bool restore_resume_finished(struct restore_resume *r, const struct restore_told *told,
                             struct error *err)
{
    const struct restore_result *sum = &told->sum;
    json_t *step = json_object();
    json_t *types = json_array();

    for (size_t t = 0; t < RECORD_TYPES; t++)
        json_push(types, json_integer((json_int_t)sum->by_type[t]));
    json_put(step, "parts", list_of(told->parts, told->count));
    json_put(step, "failed_parts", list_of(told->failed, told->failed_count));
    json_put_int(step, "written", (int64_t)sum->written);
    json_put_int(step, "existing", (int64_t)sum->existing);
    json_put_int(step, "conflicts", (int64_t)sum->conflicts);
    json_put_int(step, "rewritten", (int64_t)sum->rewritten);
    json_put_int(step, "replaced", (int64_t)sum->replaced);
    json_put_int(step, "changed", (int64_t)sum->changed);
    json_put_int(step, "repeated", (int64_t)sum->repeated);
    json_put_int(step, "expired", (int64_t)sum->expired);
    json_put_int(step, "failed", (int64_t)sum->failed);
    json_put_int(step, "unsure", (int64_t)sum->unsure);
    json_put(step, "by_type", types);
    return task_step(r->task, "restore-parts", step, err);
}
