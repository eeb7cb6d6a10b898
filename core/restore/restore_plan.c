#include "core/restore/restore.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/base/escape.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/redis/cluster.h"
#include "core/redis/command.h"
#include "core/redis/info.h"
#include "core/redis/pipeline.h"
#include "core/redis/server_time.h"
#include "core/restore/restore_exact.h"
#include "core/restore/restore_fit.h"
#include "core/restore/restore_repeat.h"
#include "core/restore/restore_resume.h"
#include "core/restore/restore_worker.h"

#define OUTAGE_MS 60000

static void warn(struct restore_plan *p, char *text)
{
    ARRAY_PUSH(p->warnings, p->warning_count, p->warning_cap) = text;
}

static void block(struct restore_plan *p, char *text)
{
    ARRAY_PUSH(p->blockers, p->blocker_count, p->blocker_cap) = text;
}

void restore_plan_free(struct restore_plan *plan)
{
    if (plan == NULL)
        return;
    for (size_t i = 0; i < plan->warning_count; i++)
        free(plan->warnings[i]);
    for (size_t i = 0; i < plan->blocker_count; i++)
        free(plan->blockers[i]);
    for (size_t i = 0; i < RESTORE_EXAMPLES; i++) {
        free(plan->examples[i]);
        free(plan->removed[i]);
    }
    restore_resume_free(plan->resume);
    restore_repeat_free(plan->repeat);
    key_bloom_free(plan->existed);
    free(plan->warnings);
    free(plan->blockers);
    free(plan->nodes);
    free(plan);
}

/* ---- the target ------------------------------------------------------------------------------ */

static bool read_node(struct cluster *c, struct restore_plan *p, const struct cluster_node *node,
                      struct restore_node *n, struct error *err)
{
    const struct reply *r;
    struct str text;
    struct info info;

    (void)str_copy(str_from(node->id), n->id, sizeof(n->id));
    address_text(n->addr, sizeof(n->addr), &node->address);
    if (!cluster_call_node(c, n->id, COMMAND(STR("INFO")), &r, err) ||
        !reply_want_string(r, "INFO", &text, err))
        return error_wrap(err, "%s", n->addr);
    info_parse(&info, text);
    (void)snprintf(n->version, sizeof(n->version), "%.*s %.*s", (int)info.flavour.len,
                   info.flavour.ptr, (int)info.version.len, info.version.ptr);
    n->keys = info.keys;
    n->used_memory = info.used_memory;
    n->maxmemory = info.maxmemory;
    n->evicted = info.evicted_keys;
    return restore_fit_node(c, p, n, text, err) &&
           server_time_ahead(c, n->id, &n->clock_ahead_ms, err);
}

static bool read_nodes(struct cluster *c, struct restore_plan *p, struct error *err)
{
    const struct cluster_node *nodes;
    size_t count = cluster_nodes(c, &nodes);
    struct cluster_node *copy = mem_zero(count, sizeof(*copy));
    bool ok = true;

    if (count > 0)
        memcpy(copy, nodes, count * sizeof(*copy)); /* a call may refresh the list */
    p->nodes = mem_zero(count, sizeof(*p->nodes));
    for (size_t i = 0; i < count && ok; i++)
        if (copy[i].role == NODE_ROLE_PRIMARY && copy[i].slots > 0)
            ok = read_node(c, p, &copy[i], &p->nodes[p->node_count++], err);
    free(copy);
    return ok;
}

/* ---- the archive ----------------------------------------------------------------------------- */

struct survey {
    struct cluster *cluster;
    struct pipeline *pipeline;
    struct restore_plan *plan;
    const struct redis_options *target;
    const struct restore_options *options;
    struct task *task;
    struct asked {
        struct str key; /* in names */
        uint32_t db;
        size_t at; /* index of the reply that counts */
    } * asked;     /* the requests in the pipeline */
    size_t asked_count, asked_cap;
    struct arena names;
    struct error failed;
    uint64_t keys_done;
    uint64_t refused; /* keys that the user may not touch */
    uint32_t last_db; /* the highest that the backup has keys of */
};

/* Of a resumed job the keys that were there before its first run are existing ones; the others it
 * wrote itself, or a client did meanwhile, as may happen during any run. */
static void note_there(struct survey *s, const struct asked *asked)
{
    struct restore_plan *p = s->plan;
    char shown[80];

    if (p->resumed && (restore_resume_existed(p->resume) == 0 ||
                       (p->existed != NULL && !key_bloom_has(p->existed, asked->db, asked->key)))) {
        p->since++;
        return;
    }
    if (!p->resumed)
        (void)key_bloom_add(p->existed, asked->db, asked->key);
    if (p->existing < RESTORE_EXAMPLES)
        p->examples[p->existing] = mem_copy_text(escape_text(shown, sizeof(shown), asked->key));
    p->existing++;
}

static void on_exists(void *arg, const struct pipeline_reply *r)
{
    struct survey *s = arg;
    struct asked *asked = &s->asked[r->tag];
    struct error why = {0};
    int64_t there = 0;

    if (r->index != asked->at)
        return; /* SELECT: whether that works is asked once, for all */
    if (!reply_want_i64(r->reply, "EXISTS", &there, &why)) {
        if (restore_is_key_refused(&why))
            s->refused++;
        else
            s->failed = why;
        return;
    }
    if (there != 0)
        note_there(s, asked);
}

static void forget_asked(struct survey *s)
{
    arena_clear(&s->names);
    s->asked_count = 0;
}

static bool flush_exists(struct survey *s, struct error *err)
{
    bool ok = pipeline_flush(s->pipeline, err);

    forget_asked(s);
    if (ok && s->failed.code != ERROR_NONE) {
        *err = s->failed;
        return false;
    }
    return ok;
}

static bool append_select(struct buf *out, uint32_t db, struct error *err)
{
    return command_begin(out, 2, err) && command_arg_text(out, "SELECT", err) &&
           command_arg_u64(out, db, err);
}

static bool ask_exists(struct survey *s, const struct record_head *h, struct error *err)
{
    uint16_t slot = s->plan->cluster ? slot_of_key(h->key) : 0;
    struct buf *out = pipeline_begin(s->pipeline);
    bool other = h->db != 0;

    if ((other && !append_select(out, h->db, err)) ||
        !command_append(out, COMMAND(STR("EXISTS"), h->key), err) ||
        (other && !append_select(out, 0, err)))
        return false;
    pipeline_end(s->pipeline, slot, other ? 3 : 1, s->asked_count);
    ARRAY_PUSH(s->asked, s->asked_count, s->asked_cap) =
        (struct asked){.key = arena_str(&s->names, h->key), .db = h->db, .at = other ? 1 : 0};
    return !pipeline_full(s->pipeline) || flush_exists(s, err);
}

static void count_owner(struct survey *s, struct str key)
{
    const struct cluster_node *owner =
        cluster_owner(s->cluster, s->plan->cluster ? slot_of_key(key) : 0);

    for (size_t i = 0; owner != NULL && i < s->plan->node_count; i++)
        if (strcmp(s->plan->nodes[i].id, owner->id) == 0)
            s->plan->nodes[i].to_write++;
}

/* A key of many lines counts once, at its first, but needs memory for each. state: of its part. */
static bool count_record(struct survey *s, const struct record *r, enum restore_part_state state,
                         struct error *err)
{
    const struct record_head *h = record_head(r);
    struct restore_plan *p = s->plan;

    if (state == RESTORE_PART_OPEN)
        restore_fit_count(s->cluster, p, r);
    if (h->chunked && h->chunk_seq > 0)
        return true;
    p->keys++;
    p->by_type[h->type]++;
    restore_repeat_note(p->repeat, h->db, h->key);
    if (state == RESTORE_PART_OPEN)
        count_owner(s, h->key);
    if (h->ttl_millis != RECORD_NO_TIME) {
        int64_t now = clock_real_ms() + (p->node_count > 0 ? p->nodes[0].clock_ahead_ms : 0);

        p->with_ttl++;
        if (h->expire_at_millis != RECORD_NO_TIME && h->expire_at_millis <= now)
            p->past_deadline++;
    }
    if (h->db > s->last_db)
        s->last_db = h->db;
    /* A key in an open slot may be on either side; the plan refuses it. */
    if (p->cluster && slot_set_has(&p->needs.open, slot_of_key(h->key)))
        return true;
    return state != RESTORE_PART_OPEN || ask_exists(s, h, err);
}

static bool survey_group(struct survey *s, struct source *source, const struct part_group *group,
                         struct error *err)
{
    struct record_stream *stream = record_stream_new(source, group, &s->options->filter);
    uint64_t total = source_manifest(source)->totals.keys;
    bool ok = true;

    while (ok) {
        const struct record *r;
        size_t part;

        ok = record_stream_next(stream, &r, err);
        if (!ok || r == NULL)
            break;
        part = group->parts[record_stream_position(stream).part];
        ok = count_record(s, r, restore_resume_part(s->plan->resume, part, NULL), err);
        if (ok && ++s->keys_done % 1000 == 0)
            task_row(s->task, 0, "archive", s->keys_done, total);
        ok = ok && task_checkpoint(s->task, err);
    }
    if (ok)
        ok = flush_exists(s, err);
    s->plan->left_out += record_stream_left_out(stream);
    record_stream_free(stream);
    return ok;
}

/* ---- what follows from it -------------------------------------------------------------------- */

static void judge_existing(struct restore_plan *p, const struct restore_options *o)
{
    char n[FORMAT_MAX];

    if (p->existing == 0 || o->flush_first)
        return;
    format_count(n, sizeof(n), (int64_t)p->existing);
    if (o->policy == RESTORE_FAIL_EXISTING && !p->resumed)
        block(p, mem_format("%s keys of the backup exist on the target (%s …): choose "
                            "--overwrite or --skip-existing",
                            n, p->examples[0]));
}

/* Nothing is removed because a backup does not hold it for another reason than that it was gone. */
static void judge_exact(struct restore_plan *p, const struct restore_options *o,
                        const struct manifest *m)
{
    uint64_t lost = m->totals.unreadable + m->totals.too_large;

    if (!o->exact)
        return;
    if (m->format_version == 0)
        block(p, mem_copy_text("--exact with a backup of another tool: its manifest does not say "
                               "what it left out"));
    else if (!m->complete)
        block(p, mem_copy_text("--exact with an incomplete backup: what it lacks would be removed. "
                               "Restore it with --overwrite alone"));
    else if (lost > 0)
        block(p, mem_format("--exact with a backup that could not hold %" PRIu64
                            " keys: they would be removed",
                            lost));
}

static void judge(struct restore_plan *p, const struct restore_options *o, const struct source *s)
{
    const struct manifest *m = source_manifest(s);

    judge_existing(p, o);
    judge_exact(p, o, m);
    restore_fit_judge(p, o, m, o->trust_dump || source_signed(s));
    if (m->format_version > 0 && !m->complete)
        warn(p, mem_format("the backup is incomplete: %s",
                           m->reason[0] == '\0' ? "no reason was recorded" : m->reason));
    if (m->format_version > 0 && !m->complete && o->flush_first)
        block(p, mem_copy_text("--flush-first with an incomplete backup: what it lacks would be "
                               "lost. Restore it with --overwrite instead"));
    if (o->flush_first && !filter_is_open(&o->filter))
        warn(p, mem_copy_text("--flush-first empties everything, also what the filter leaves out"));
    if (o->ttl == RESTORE_TTL_REMAINING && p->past_deadline > 0)
        warn(p, mem_format("%" PRIu64 " keys whose deadline is over come back to life "
                           "(--ttl absolute leaves them out)",
                           p->past_deadline));
    if (o->ttl == RESTORE_TTL_NONE && p->with_ttl > 0)
        warn(p, mem_format("%" PRIu64 " keys lose their expiry", p->with_ttl));
    if (p->by_type[RECORD_OPAQUE] > 0 && !o->trust_dump && !source_signed(s))
        block(p, mem_format("%" PRIu64 " keys are DUMP payloads, which a server must not be fed "
                            "from an untrusted archive: give --trust-dump",
                            p->by_type[RECORD_OPAQUE]));
    if (m->functions && !o->trust_dump && !source_signed(s))
        warn(p, mem_copy_text("the functions of the backup are left out: they are code, give "
                              "--trust-dump to load them"));
}

/* A SELECT that fails in the middle would write into database 0: so it is tried before. */
static bool check_database(struct survey *s, const struct restore_node *n, struct error *err)
{
    struct conn *conn = cluster_node_conn(s->cluster, n->id, err);
    struct error refused = {0};
    const struct reply *r;

    if (conn == NULL || !append_select(conn_out(conn), s->last_db, err) ||
        !append_select(conn_out(conn), 0, err) || !conn_appended(conn, 2, 0, err) ||
        !conn_next_reply(conn, &r, err))
        return false;
    (void)!reply_check(r, "SELECT", &refused);
    if (!conn_next_reply(conn, &r, err))
        return false;
    if (refused.code != ERROR_NONE)
        block(s->plan, mem_format("the backup has keys of database %" PRIu32 ", %s has none: %s",
                                  s->last_db, n->addr, refused.text));
    return true;
}

static bool check_databases(struct survey *s, struct error *err)
{
    struct restore_plan *p = s->plan;

    for (size_t i = 0; i < p->node_count && s->last_db > 0; i++) {
        struct backoff wait;
        struct error why = {0};

        backoff_init(&wait,
                     s->target->outage_timeout_ms > 0 ? s->target->outage_timeout_ms : OUTAGE_MS);
        while (!check_database(s, &p->nodes[i], &why))
            if (why.code == ERROR_AUTH || why.code == ERROR_CANCELLED ||
                !backoff_wait(&wait, &s->target->cancel, &why, &why)) {
                *err = why;
                return error_wrap(err, "%s", p->nodes[i].addr);
            }
    }
    return true;
}

static bool run_survey(struct survey *s, struct source *source, struct error *err)
{
    size_t count;
    struct part_group *groups = part_groups(source_manifest(source), &count);
    bool ok = true;

    task_stage(s->task, "survey");
    task_row(s->task, 0, "archive", 0, source_manifest(source)->totals.keys);
    for (size_t i = 0; i < count && ok; i++)
        ok = survey_group(s, source, &groups[i], err);
    if (ok)
        task_row(s->task, 0, "archive", s->keys_done, s->keys_done);
    part_groups_free(groups, count);
    return ok;
}

static bool count_extra(struct survey *s, struct source *source, struct error *err)
{
    struct restore_exact x = {.source = source,
                              .target = s->target,
                              .options = s->options,
                              .task = s->task,
                              .cluster = s->plan->cluster};
    bool ok = restore_exact_run(&x, err);

    s->plan->to_remove = x.found;
    memcpy(s->plan->removed, x.examples, sizeof(s->plan->removed));
    return ok;
}

/* What earlier runs of the same job left for this one. */
static bool look_back(struct survey *s, struct source *source, struct error *err)
{
    struct restore_plan *p = s->plan;
    uint64_t keys = source_manifest(source)->totals.keys;
    struct restore_history *now = NULL;
    struct error why = {0};

    if (!restore_resume_read(source, s->task, &p->resume, err))
        return false;
    p->repeat = restore_repeat_new(keys);
    p->resumed = restore_resume_is_another_run(p->resume);
    p->parts = source_manifest(source)->part_count;
    if (!p->resumed) {
        p->existed = key_bloom_new(keys);
        return true;
    }
    if (!restore_history_take(s->cluster, s->target, &now, err))
        return false;
    restore_resume_judge(p->resume, now);
    restore_history_free(now);
    p->parts_finished = restore_resume_count(p->resume, RESTORE_PART_FINISHED);
    p->parts_doubtful = restore_resume_count(p->resume, RESTORE_PART_LOOK);
    if (restore_resume_existed(p->resume) != 0 && !restore_existed_load(s->task, p, &why))
        warn(p, mem_format("which keys were there before the first run is not known any more: %s",
                           why.text));
    return true;
}

bool restore_survey(struct source *source, const struct redis_options *target,
                    const struct restore_options *options, struct task *task,
                    struct restore_plan **out, struct error *err)
{
    struct survey s = {.cluster = cluster_new(target),
                       .plan = mem_zero(1, sizeof(struct restore_plan)),
                       .target = target,
                       .options = options,
                       .task = task};
    struct pipeline_handler handler = {on_exists, &s};
    bool ok = false;

    s.pipeline = pipeline_new(s.cluster, &handler,
                              target->outage_timeout_ms > 0 ? target->outage_timeout_ms : OUTAGE_MS,
                              &target->cancel);
    if (!cluster_connect(s.cluster, false, err))
        goto out;
    s.plan->cluster = cluster_mode(s.cluster) == REDIS_MODE_CLUSTER;
    if (!read_nodes(s.cluster, s.plan, err) || !look_back(&s, source, err) ||
        !run_survey(&s, source, err) || !check_databases(&s, err))
        goto out;
    if (s.refused > 0)
        warn(s.plan, mem_format("this user may not touch %" PRIu64 " of the keys: they will fail",
                                s.refused));
    judge(s.plan, options, source);
    if (options->exact && s.plan->blocker_count == 0 && !count_extra(&s, source, err))
        goto out;
    *out = s.plan;
    s.plan = NULL;
    ok = true;
out:
    restore_plan_free(s.plan);
    arena_release(&s.names);
    free(s.asked);
    pipeline_free(s.pipeline);
    cluster_free(s.cluster);
    return ok;
}
