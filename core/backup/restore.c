#include "core/backup/restore.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backup/restore_functions.h"
#include "core/backup/restore_worker.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/redis/command.h"
#include "core/redis/info.h"

#define WORKERS_MAX 4
#define FLUSH_TIMEOUT_MS 120000

/* ---- before ---------------------------------------------------------------------------------- */

static bool remove_keys(struct conn *conn, const struct reply *names, uint64_t *swept,
                        struct error *err)
{
    struct buf *out = conn_out(conn);
    size_t count = 0;
    const struct reply *r;

    /* The names live in the reply that the next read drops, so all of them are written first. */
    for (size_t i = 0; i < names->count; i++) {
        if (!record_is_temp(names->elements[i].str))
            continue;
        if (!command_append(out, COMMAND(STR("UNLINK"), names->elements[i].str), err))
            return false;
        count++;
    }
    if (count > 0 && !conn_appended(conn, count, 0, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        int64_t gone;

        if (!conn_next_reply(conn, &r, err) || !reply_want_i64(r, "UNLINK", &gone, err))
            return false;
        *swept += (uint64_t)gone;
    }
    return true;
}

/* Temporary keys of runs that died. The caller holds the cluster's lock, so no run is alive. */
static bool sweep_node(struct cluster *c, const char *id, struct task *task, uint64_t *swept,
                       struct error *err)
{
    struct conn *conn = cluster_node_conn(c, id, err);
    char cursor[24] = "0";
    const struct reply *r;

    if (conn == NULL)
        return false;
    do {
        if (!task_checkpoint(task, err) ||
            !conn_call(conn,
                       COMMAND(STR("SCAN"), str_from(cursor), STR("MATCH"),
                               ((struct str){RECORD_TEMP_PREFIX "*", RECORD_TEMP_PREFIX_LEN + 1}),
                               STR("COUNT"), STR("1000")),
                       0, &r, err) ||
            !reply_want_array(r, "SCAN", err))
            return false;
        if (r->count != 2 || r->elements[1].type != REPLY_ARRAY ||
            !str_copy(r->elements[0].str, cursor, sizeof(cursor)))
            return error_set(err, ERROR_REPLY, 0, "SCAN answered something else");
        if (!remove_keys(conn, &r->elements[1], swept, err))
            return false;
    } while (strcmp(cursor, "0") != 0);
    return true;
}

static bool sweep(struct restore_shared *s, struct cluster *c, struct restore_result *out,
                  struct error *err)
{
    task_stage(s->task, "sweep");
    for (size_t i = 0; i < s->plan->node_count; i++)
        if (!sweep_node(c, s->plan->nodes[i].id, s->task, &out->swept, err))
            return error_wrap(err, "look for left-over temporary keys on %s",
                              s->plan->nodes[i].addr);
    if (out->swept > 0)
        task_note(s->task, TASK_WARN, "removed %" PRIu64 " temporary keys of an earlier run",
                  out->swept);
    return true;
}

static bool flush_target(struct restore_shared *s, struct cluster *c, struct error *err)
{
    for (size_t i = 0; i < s->plan->node_count; i++) {
        const struct restore_node *n = &s->plan->nodes[i];
        struct conn *conn = cluster_node_conn(c, n->id, err);
        json_t *detail = json_object();
        const struct reply *r;

        json_put_text(detail, "node", n->addr);
        if (!task_step(s->task, "flush", detail, err))
            return false;
        if (conn == NULL || !conn_call_words(conn, "FLUSHALL", FLUSH_TIMEOUT_MS, &r, err) ||
            !reply_want_ok(r, "FLUSHALL", err))
            return error_wrap(err, "empty %s", n->addr);
        task_note(s->task, TASK_WARN, "emptied %s", n->addr);
    }
    return true;
}

/* Which row of the plan a slot's keys count for. */
static void map_rows(struct restore_shared *s, struct cluster *c)
{
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        const struct cluster_node *owner = cluster_owner(c, slot);

        s->row_of_slot[slot] = UINT16_MAX;
        for (size_t i = 0; owner != NULL && i < s->plan->node_count; i++)
            if (strcmp(s->plan->nodes[i].id, owner->id) == 0)
                s->row_of_slot[slot] = (uint16_t)i;
    }
}

static bool prepare(struct restore_shared *s, struct cluster *c, struct restore_result *out,
                    struct error *err)
{
    const struct manifest *m = source_manifest(s->source);

    if (!cluster_connect(c, true, err))
        return false;
    map_rows(s, c);
    for (size_t i = 0; i < s->plan->node_count; i++)
        task_row(s->task, i, s->plan->nodes[i].addr, 0, s->plan->nodes[i].to_write);
    if (s->options->flush_first && !flush_target(s, c, err))
        return false;
    if (!sweep(s, c, out, err))
        return false;
    if (m->functions && (s->options->trust_dump || source_signed(s->source)))
        return restore_functions(s, c, &out->functions, err);
    return true;
}

/* ---- the run --------------------------------------------------------------------------------- */

static bool run_workers(struct restore_shared *s, struct error *err)
{
    pthread_t threads[WORKERS_MAX];
    size_t count = s->options->workers > 0 ? s->options->workers : s->group_count;
    size_t started = 0;

    if (count > WORKERS_MAX)
        count = WORKERS_MAX;
    task_stage(s->task, "restore");
    for (; started < count; started++)
        if (pthread_create(&threads[started], NULL, restore_worker_run, s) != 0) {
            atomic_store(&s->stop, true);
            error_set(&s->failed, ERROR_INTERNAL, 0, "cannot start a thread");
            break;
        }
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < s->plan->node_count; i++)
        task_row(s->task, i, s->plan->nodes[i].addr, atomic_load(&s->row_done[i]),
                 s->plan->nodes[i].to_write);
    if (!atomic_load(&s->stop))
        return true;
    *err = s->failed;
    return false;
}

/* Servers that evict while we write throw away what was just restored. */
static bool count_evicted(struct restore_shared *s, struct cluster *c, int64_t *evicted,
                          struct error *err)
{
    *evicted = 0;
    for (size_t i = 0; i < s->plan->node_count; i++) {
        const struct restore_node *n = &s->plan->nodes[i];
        const struct reply *r;
        struct str text;
        struct info info;

        if (cluster_find(c, n->id) == NULL)
            continue; /* it was replaced: its counters say nothing about the new primary */
        if (!cluster_call_node(c, n->id, COMMAND(STR("INFO")), &r, err) ||
            !reply_want_string(r, "INFO", &text, err))
            return error_wrap(err, "%s", n->addr);
        info_parse(&info, text);
        if (info.evicted_keys > n->evicted && n->evicted >= 0)
            *evicted += info.evicted_keys - n->evicted;
    }
    return true;
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
                               .row_of_slot = mem_zero(SLOT_COUNT, sizeof(uint16_t)),
                               .row_done = mem_zero(plan->node_count, sizeof(_Atomic uint64_t))};
    struct cluster *c = cluster_new(target);
    struct part_group *groups = part_groups(source_manifest(source), &s.group_count);
    struct error late = {0};
    bool ok;

    *out = (struct restore_result){0};
    s.groups = groups;
    s.clock_ahead_ms = plan->node_count > 0 ? plan->nodes[0].clock_ahead_ms : 0;
    pthread_mutex_init(&s.lock, NULL);
    ok = plan->blocker_count == 0 || error_set(err, ERROR_CONFLICT, 0, "%s", plan->blockers[0]);
    ok = ok && prepare(&s, c, &s.total, err) && run_workers(&s, err);
    if (s.total.written > 0 && !count_evicted(&s, c, &s.total.evicted, &late))
        task_note(task, TASK_WARN, "cannot tell whether keys were evicted: %s", late.text);
    if (s.total.evicted > 0)
        task_note(task, TASK_ERROR, "the servers evicted %" PRId64 " keys during the restore",
                  s.total.evicted);
    *out = s.total;
    out->elapsed_ms = clock_mono_ms() - started;
    pthread_mutex_destroy(&s.lock);
    part_groups_free(groups, s.group_count);
    cluster_free(c);
    temp_key_table_free(s.temps);
    free(s.row_of_slot);
    free(s.row_done);
    return ok;
}

uint64_t restore_result_findings(const struct restore_result *r)
{
    return r->failed + r->unsure + (uint64_t)r->evicted;
}

json_t *restore_result_json(const struct restore_result *r)
{
    json_t *doc = json_object();
    json_t *types = json_object();

    json_put_int(doc, "written", (int64_t)r->written);
    json_put_int(doc, "existing", (int64_t)r->existing);
    json_put_int(doc, "expired", (int64_t)r->expired);
    json_put_int(doc, "left_out", (int64_t)r->left_out);
    json_put_int(doc, "failed", (int64_t)r->failed);
    json_put_int(doc, "unsure", (int64_t)r->unsure);
    json_put_int(doc, "swept", (int64_t)r->swept);
    json_put_int(doc, "functions", (int64_t)r->functions);
    json_put_int(doc, "evicted", r->evicted);
    json_put_int(doc, "elapsed_ms", r->elapsed_ms);
    for (int t = 0; t < RECORD_TYPES; t++) {
        const char *name = record_type_name((enum record_type)t);

        json_put_int(types, name == NULL ? "other" : name, (int64_t)r->by_type[t]);
    }
    json_put(doc, "by_type", types);
    return doc;
}
