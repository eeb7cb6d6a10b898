#include "core/snapshot/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/rng.h"
#include "core/snapshot/snapshot_private.h"
#include "core/snapshot/snapshot_read.h"

#define MEMORY ((size_t)256 << 20)
#define LOOK_KEYS 4096 /* keys between two looks at whether to stop */

/* ---- tables -----------------------------------------------------------------------------------
 */

void snapshot_tables_init(struct snapshot_tables *t, size_t sample)
{
    t->sums = slot_sums_new();
    t->prefixes = prefixes_new();
    t->sample = sample > 0 ? key_sample_new(sample) : NULL;
}

void snapshot_tables_release(struct snapshot_tables *t)
{
    slot_sums_free(t->sums);
    prefixes_free(t->prefixes);
    key_sample_free(t->sample);
    *t = (struct snapshot_tables){0};
}

void snapshot_tables_add(struct snapshot_tables *t, const struct key_facts *k)
{
    slot_sums_add(t->sums, k);
    prefixes_add(t->prefixes, k);
    if (t->sample != NULL)
        key_sample_offer(t->sample, k);
}

/* ---- adding up --------------------------------------------------------------------------------
 */

/* No pass may have left out a key that another one would have taken. */
static void limit_sample(struct snapshot_run *run)
{
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        if (run->counting[slot] != NULL)
            key_sample_limit(run->total.sample,
                             key_sample_below(run->counting[slot]->tables.sample));
}

static void add_samples(struct snapshot_run *run)
{
    if (run->total.sample == NULL)
        return;
    limit_sample(run);
    for (size_t i = 0; i < run->pass_count; i++) {
        const struct key_sample *from = run->passes[i]->tables.sample;

        for (size_t k = 0; k < key_sample_count(from); k++) {
            const struct key_facts *facts = key_sample_at(from, k);

            if (run->counting[facts->slot] == run->passes[i])
                key_sample_offer(run->total.sample, facts);
        }
    }
}

static void add_tables(struct snapshot_run *run)
{
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        const struct snapshot_pass *p = run->counting[slot];

        if (p == NULL)
            continue;
        slot_sums_take(run->total.sums, p->tables.sums, (uint16_t)slot);
        prefixes_take(run->total.prefixes, p->tables.prefixes, (uint16_t)slot);
    }
    add_samples(run);
}

/* The spool's next key, without taking it. */
static bool look_ahead(struct snapshot_pass *p, struct error *err)
{
    if (p->facts_there || p->at_end)
        return true;
    if (!key_spool_next(p->spool, &p->facts, &p->at_end, err))
        return false;
    p->facts_there = !p->at_end;
    return true;
}

/* What the spool of the slot's pass has of it; what it has of slots that do not count goes. */
static bool add_spooled(struct snapshot_run *run, uint16_t slot, struct keys_writer *w,
                        struct error *err)
{
    struct snapshot_pass *p = run->counting[slot];
    uint64_t seen = 0;

    if (p == NULL || p->spool == NULL)
        return true;
    for (;;) {
        if (!look_ahead(p, err) || (++seen % LOOK_KEYS == 0 && !task_checkpoint(run->task, err)))
            return false;
        if (p->at_end || p->facts.slot > slot)
            return true;
        p->facts_there = false;
        if (p->facts.slot < slot)
            continue;
        snapshot_tables_add(&run->total, &p->facts);
        if (w != NULL && !keys_writer_add(w, &p->facts, err))
            return false;
        run->keys_written += w != NULL;
    }
}

bool snapshot_add_up(struct snapshot_run *run, struct error *err)
{
    struct keys_writer *w = NULL;
    bool ok = true;

    task_stage(run->task, "add up");
    add_tables(run);
    if (run->o->keys_path != NULL)
        ok = keys_writer_open(run->o->keys_path, run->run_id, &w, err);
    for (unsigned slot = 0; ok && slot < SLOT_COUNT; slot++)
        ok = add_spooled(run, (uint16_t)slot, w, err);
    if (ok && w != NULL)
        ok = keys_writer_finish(w, err);
    keys_writer_free(w);
    if (run->total.sample != NULL)
        key_sample_sort(run->total.sample);
    return ok;
}

/* ---- the whole --------------------------------------------------------------------------------
 */

static bool save(const char *path, const json_t *report, struct error *err)
{
    struct buf text;
    bool ok;

    buf_init(&text, SNAPSHOT_BYTES_MAX);
    ok = json_print(report, false, &text, err) && buf_byte(&text, '\n', err) &&
         file_write_atomic(path, buf_str(&text), err);
    buf_release(&text);
    return ok || error_wrap(err, "save the snapshot");
}

static bool read_cluster(struct cluster *cluster, struct snapshot_run *run,
                         struct backup_result *reading, struct error *err)
{
    struct backup_options o = run->o->reading;

    o.sink = (struct backup_sink){&snapshot_sink_ops, run};
    run->by_slot = cluster_mode(cluster) == REDIS_MODE_CLUSTER;
    return backup_run(cluster, &o, run->task, reading, err);
}

struct snapshot_run *snapshot_run_new(const struct snapshot_options *options, struct task *task)
{
    struct snapshot_run *run = mem_zero(1, sizeof(*run));
    const char *dir = task_dir(task);

    run->o = options;
    run->task = task;
    run->memory = options->reading.max_memory != 0 ? options->reading.max_memory : MEMORY;
    (void)str_copy(str_from(dir != NULL ? dir : "/tmp"), run->dir, sizeof(run->dir));
    (void)rng_hex(run->run_id, 32);
    (void)pthread_mutex_init(&run->mutex, NULL);
    snapshot_tables_init(&run->total, options->sample);
    return run;
}

void snapshot_run_free(struct snapshot_run *run)
{
    for (size_t i = 0; i < run->pass_count; i++)
        snapshot_pass_free(run->passes[i]);
    free(run->passes); /* NOLINT(bugprone-multi-level-implicit-pointer-conversion) */
    snapshot_tables_release(&run->total);
    (void)pthread_mutex_destroy(&run->mutex);
    free(run);
}

bool snapshot_run(struct cluster *cluster, const struct snapshot_options *options,
                  struct task *task, struct snapshot_result *out, struct error *err)
{
    struct snapshot_run *run = snapshot_run_new(options, task);
    struct backup_result reading = {0};
    json_t *report = NULL;
    bool ok;

    *out = (struct snapshot_result){0};
    run->reading = &reading;
    ok = read_cluster(cluster, run, &reading, err) && snapshot_add_up(run, err);
    if (ok) {
        json_t *facts = json_object();

        task_stage(task, "facts");
        snapshot_facts(cluster, task, facts);
        report = snapshot_report(run, facts);
        json_decref(facts);
        ok = task_checkpoint(task, err) && save(options->report_path, report, err);
    }
    if (ok) {
        out->report = report;
        out->findings = reading.findings;
    } else {
        json_decref(report);
    }
    backup_result_release(&reading);
    snapshot_run_free(run);
    return ok;
}

void snapshot_result_release(struct snapshot_result *r)
{
    json_decref(r->report);
    *r = (struct snapshot_result){0};
}
