#include "core/restore/restore.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/detector.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/redis/command.h"
#include "core/redis/info.h"
#include "core/restore/restore_again.h"
#include "core/restore/restore_exact.h"
#include "core/restore/restore_functions.h"
#include "core/restore/restore_resume.h"
#include "core/restore/restore_sweep.h"
#include "core/restore/restore_tune.h"
#include "core/restore/restore_worker.h"

#define FLUSH_TIMEOUT_MS 120000
#define PASSES_MAX 4 /* after the first */

/* ---- before ---------------------------------------------------------------------------------- */

/* Temporary keys of runs that died. */
static bool sweep_before(struct restore_shared *s, struct cluster *c, uint64_t *swept,
                         struct error *err)
{
    task_stage(s->task, "sweep");
    if (!restore_sweep(s, c, swept, err))
        return false;
    if (*swept > 0)
        task_note(s->task, TASK_WARN, "removed %" PRIu64 " temporary keys of an earlier run",
                  *swept);
    return true;
}

/* FLUSHALL ASYNC frees in the background, so that no node is taken for dead; its memory has to be
 * back before the restore needs it. */
static bool await_freed(struct restore_shared *s, struct cluster *c, const char *id,
                        struct error *err)
{
    int64_t deadline = clock_after(FLUSH_TIMEOUT_MS);

    while (clock_mono_ms() < deadline) {
        const struct reply *r;
        struct str text;
        struct str left;

        if (!task_checkpoint(s->task, err) ||
            !cluster_call_node(c, id, COMMAND(STR("INFO"), STR("memory")), &r, err) ||
            !reply_want_string(r, "INFO", &text, err))
            return false;
        if (!info_field(text, "lazyfree_pending_objects", &left) || str_is(left, "0"))
            return true;
        if (!cancel_sleep(&s->target->cancel, 100, err))
            return false;
    }
    task_note(s->task, TASK_WARN, "the server still frees what was flushed");
    return true;
}

static bool flush_node(struct restore_shared *s, struct cluster *c, const struct restore_node *n,
                       struct error *err)
{
    const struct reply *r;

    /* Nothing was written yet, so it may be sent twice. */
    return cluster_call_node(c, n->id, COMMAND(STR("FLUSHALL"), STR("ASYNC")), &r, err) &&
           reply_want_ok(r, "FLUSHALL", err) && await_freed(s, c, n->id, err);
}

static bool flush_target(struct restore_shared *s, struct cluster *c, struct error *err)
{
    for (size_t i = 0; i < s->plan->node_count; i++) {
        const struct restore_node *n = &s->plan->nodes[i];
        json_t *detail = json_object();

        json_put_text(detail, "node", n->addr);
        if (!task_step(s->task, "flush", detail, err))
            return false;
        if (!flush_node(s, c, n, err))
            return error_wrap(err, "empty %s", n->addr);
        task_note(s->task, TASK_WARN, "emptied %s", n->addr);
    }
    return true;
}

static bool prepare(struct restore_shared *s, struct cluster *c, struct restore_result *out,
                    struct error *err)
{
    const struct manifest *m = source_manifest(s->source);

    if (!cluster_connect(c, true, err))
        return false;
    s->row_of_slot = restore_rows_of(s->plan, c);
    for (size_t i = 0; i < s->plan->node_count; i++)
        task_row(s->task, i, s->plan->nodes[i].addr, 0, s->plan->nodes[i].to_write);
    if (s->options->flush_first && !restore_resume_was_emptied(s->resume) &&
        (!flush_target(s, c, err) || !restore_resume_emptied(s->resume, err)))
        return false;
    if (!sweep_before(s, c, &out->swept, err))
        return false;
    if (!m->functions || restore_resume_has_functions(s->resume) ||
        (!s->options->trust_dump && !source_signed(s->source)))
        return true;
    return restore_functions(s, c, out, err) &&
           (out->failed > 0 || restore_resume_functions(s->resume, out->functions, err));
}

/* What this run has to know of the time before it. */
static bool remember(struct restore_shared *s, struct error *err)
{
    const struct restore_plan *p = s->plan;

    s->resume = p->resume;
    s->repeat = p->repeat;
    s->existed = p->existed;
    s->resumed = p->resumed;
    s->existed_any = !s->options->flush_first &&
                     (p->resumed ? restore_resume_existed(p->resume) != 0 : p->existing > 0);
    if (!p->resumed)
        return !s->existed_any || restore_existed_save(s->task, p, err);
    if (restore_resume_origin_ms(p->resume) < s->started_ms)
        s->late_ms = s->started_ms - restore_resume_origin_ms(p->resume);
    restore_resume_add_counts(p->resume, &s->total);
    task_note(s->task, TASK_INFO,
              "goes on: %zu of %zu parts are finished, %zu of them are looked at again",
              p->parts_finished + p->parts_doubtful, p->parts, p->parts_doubtful);
    return true;
}

/* ---- the run --------------------------------------------------------------------------------- */

static bool run_workers(struct restore_shared *s, struct error *err)
{
    pthread_t threads[RESTORE_WORKERS_MAX];
    size_t count = s->worker_count;
    size_t started = 0;

    struct restore_lane *lanes = restore_lanes_new(s, &s->lane_count);

    s->lanes = lanes;
    atomic_store(&s->next_group, 0);
    for (; started < count; started++)
        if (pthread_create(&threads[started], NULL, restore_worker_run, s) != 0) {
            atomic_store(&s->stop, true);
            error_set(&s->failed, ERROR_INTERNAL, 0, "cannot start a thread");
            break;
        }
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    restore_lanes_free(lanes, s->lane_count);
    s->lanes = NULL;
    for (size_t i = 0; i < s->plan->node_count; i++)
        task_row(s->task, i, NULL, atomic_load(&s->row_done[i]), s->plan->nodes[i].to_write);
    if (!atomic_load(&s->stop))
        return true;
    *err = s->failed;
    return false;
}

/* A replica that became primary may know keys being built whose renaming it never heard of. */
static void sweep_after(struct restore_shared *s, struct cluster *c)
{
    struct error why = {0};
    uint64_t swept = 0;

    if (s->again == NULL)
        return;
    if (!restore_sweep(s, c, &swept, &why))
        task_note(s->task, TASK_WARN,
                  "temporary keys may be left behind until the next restore: %s", why.text);
    else if (swept > 0)
        task_note(s->task, TASK_INFO, "removed %" PRIu64 " temporary keys that a failover left",
                  swept);
}

/* A key that may not be removed counts once, however many passes meet it. */
static bool remove_extra(struct restore_shared *s, uint64_t *refused, struct error *err)
{
    struct restore_exact x = {.source = s->source,
                              .target = s->target,
                              .options = s->options,
                              .task = s->task,
                              .cluster = s->plan->cluster,
                              .remove = true};
    bool ok;

    if (!s->options->exact)
        return true;
    ok = restore_exact_run(&x, err);
    s->total.removed += x.removed;
    s->total.failed += x.failed > *refused ? x.failed - *refused : 0;
    *refused = x.failed > *refused ? x.failed : *refused;
    for (size_t i = 0; i < RESTORE_EXAMPLES; i++)
        free(x.examples[i]);
    if (x.removed > 0)
        task_note(s->task, TASK_WARN,
                  "removed %" PRIu64 " keys that the backup lacks: removed.jsonl", x.removed);
    return ok;
}

/* Servers that evict while we write throw away what was just restored. */
static void note_evicted(struct restore_shared *s, const struct restore_history *before,
                         struct restore_history *now)
{
    struct restore_evicted sum = {0};

    if (!DETECTOR_EVICTED)
        return;
    restore_history_add_evicted(before, now, &sum);
    s->total.evicted += sum.keys;
    s->total.uncounted += sum.untold;
}

/* What a failover during the run took away is written once more, and what it brought back is
 * removed once more; that pass may meet another one. The removal may be long: it is part of it.
 * *last: the newest look at the owners of slots, the caller's to free. */
static bool run_passes(struct restore_shared *s, struct cluster *c, struct restore_history **last,
                       struct error *err)
{
    uint64_t refused = 0; /* keys that may not be removed */
    bool ok = restore_history_take(c, s->target, last, err);

    if (ok) {
        restore_resume_judge(s->resume, *last);
        ok = restore_resume_begin(s->resume, *last, s->existed_any ? s->plan->existing : 0,
                                  s->started_ms, err);
    }
    task_stage(s->task, "restore");
    for (int pass = 0; ok; pass++) {
        struct restore_history *now = NULL;
        struct slot_set slots = {0};
        bool shaken;

        ok = run_workers(s, err) && remove_extra(s, &refused, err) &&
             restore_history_take(c, s->target, &now, err);
        if (!ok)
            return false;
        shaken = restore_history_differs(*last, now, &slots);
        note_evicted(s, *last, now);
        restore_history_free(*last);
        *last = now;
        if (!shaken)
            break;
        if (pass == PASSES_MAX)
            return error_set(err, ERROR_UNREACHABLE, 0,
                             "primaries changed during each of %d passes: what a failover took "
                             "away may be missing",
                             PASSES_MAX + 1);
        task_note(s->task, TASK_WARN,
                  "%u slots have another primary or history than at the start: their keys are "
                  "looked at again",
                  slot_set_count(&slots));
        task_stage(s->task, "again");
        s->shaken = slots;
        s->again = &s->shaken;
    }
    if (ok)
        sweep_after(s, c);
    return ok;
}

/* Once more at the very end: settings of --tune that come back may let servers evict. After a
 * failure nobody waits for a node that is away. */
static void count_evicted(struct restore_shared *s, struct cluster *c,
                          const struct restore_history *last, bool patient)
{
    struct redis_options target = *s->target;
    struct restore_history *now = NULL;
    struct slot_set slots = {0};
    struct error why = {0};

    if (!DETECTOR_EVICTED || s->total.written == 0 || last == NULL)
        return;
    if (!patient)
        target.outage_timeout_ms = 1;
    if (!restore_history_take(c, &target, &now, &why)) {
        s->total.uncounted += patient ? 1 : 0;
    } else {
        note_evicted(s, last, now);
        if (restore_history_differs(last, now, &slots) && s->total.uncounted++ == 0)
            (void)error_set(&why, ERROR_UNREACHABLE, 0,
                            "a primary was replaced or started again at the end");
    }
    restore_history_free(now);
    if (s->total.uncounted > 0)
        task_note(s->task, TASK_WARN,
                  "nobody can tell whether keys were evicted%s%s: check the restore with verify",
                  why.code != ERROR_NONE ? ": " : "", why.text);
}

bool restore_run(struct source *source, const struct redis_options *target,
                 const struct restore_options *options, const struct restore_plan *plan,
                 struct task *task, struct restore_result *out, struct error *err)
{
    int64_t started = clock_mono_ms();
    struct restore_shared s = {.source = source,
                               .target = target,
                               .options = options,
                               .plan = plan,
                               .task = task,
                               .temps = temp_key_table_new(),
                               .read_ms = source_manifest(source)->finished_ms,
                               .row_done = mem_zero(plan->node_count, sizeof(_Atomic uint64_t))};
    struct cluster *c = cluster_new(target);
    struct part_group *groups = part_groups(source_manifest(source), &s.group_count);
    struct restore_tune *tune = NULL;
    struct restore_tune_end tuned = {0};
    struct restore_history *last = NULL;
    bool ok;

    *out = (struct restore_result){0};
    s.groups = groups;
    s.started_ms = clock_real_ms();
    s.worker_count = options->workers > 0 ? options->workers : s.group_count;
    if (s.worker_count > RESTORE_WORKERS_MAX)
        s.worker_count = RESTORE_WORKERS_MAX;
    s.clock_ahead_ms = plan->node_count > 0 ? plan->nodes[0].clock_ahead_ms : 0;
    s.pace = options->unpaced ? NULL : restore_pace_new(plan, target, task);
    pthread_mutex_init(&s.lock, NULL);
    ok = plan->blocker_count == 0 || error_set(err, ERROR_CONFLICT, 0, "%s", plan->blockers[0]);
    ok =
        ok && remember(&s, err) && (!options->tune || restore_tune_begin(target, task, &tune, err));
    ok = ok && prepare(&s, c, &s.total, err) && run_passes(&s, c, &last, err);
    restore_tune_finish(tune, &tuned);
    s.total.untuned = tuned.left;
    count_evicted(&s, c, last, ok);
    restore_history_free(last);
    if (ok && s.total.evicted > 0)
        ok = error_set(err, ERROR_STORAGE, 0,
                       "the servers evicted %" PRId64 " keys during the restore: part of what was "
                       "written is gone. Give them more memory, then run it again",
                       s.total.evicted);
    s.total.left_out = plan->left_out;
    *out = s.total;
    out->elapsed_ms = clock_mono_ms() - started;
    pthread_mutex_destroy(&s.lock);
    restore_pace_free(s.pace);
    part_groups_free(groups, s.group_count);
    cluster_free(c);
    temp_key_table_free(s.temps);
    free(s.row_of_slot);
    free(s.row_done);
    return ok;
}

uint64_t restore_result_findings(const struct restore_result *r)
{
    return r->failed + r->conflicts + r->unsure + r->changed + r->untuned + r->uncounted +
           (uint64_t)r->evicted;
}

json_t *restore_result_json(const struct restore_result *r)
{
    json_t *doc = json_object();
    json_t *types = json_object();

    json_put_int(doc, "written", (int64_t)r->written);
    json_put_int(doc, "existing", (int64_t)r->existing);
    json_put_int(doc, "conflicts", (int64_t)r->conflicts);
    json_put_int(doc, "rewritten", (int64_t)r->rewritten);
    json_put_int(doc, "replaced", (int64_t)r->replaced);
    json_put_int(doc, "changed", (int64_t)r->changed);
    json_put_int(doc, "repeated", (int64_t)r->repeated);
    json_put_int(doc, "removed", (int64_t)r->removed);
    json_put_int(doc, "expired", (int64_t)r->expired);
    json_put_int(doc, "left_out", (int64_t)r->left_out);
    json_put_int(doc, "failed", (int64_t)r->failed);
    json_put_int(doc, "unsure", (int64_t)r->unsure);
    json_put_int(doc, "swept", (int64_t)r->swept);
    json_put_int(doc, "functions", (int64_t)r->functions);
    json_put_int(doc, "untuned", (int64_t)r->untuned);
    json_put_int(doc, "evicted", r->evicted);
    json_put_int(doc, "uncounted", (int64_t)r->uncounted);
    json_put_int(doc, "elapsed_ms", r->elapsed_ms);
    for (int t = 0; t < RECORD_TYPES; t++) {
        const char *name = record_type_name((enum record_type)t);

        json_put_int(types, name == NULL ? "other" : name, (int64_t)r->by_type[t]);
    }
    json_put(doc, "by_type", types);
    return doc;
}
