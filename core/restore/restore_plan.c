#include "core/restore/restore.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/redis/cluster.h"
#include "core/redis/command.h"
#include "core/redis/info.h"
#include "core/redis/server_time.h"
#include "core/restore/restore_exact.h"
#include "core/restore/restore_fit.h"
#include "core/restore/restore_repeat.h"
#include "core/restore/restore_resume.h"
#include "core/restore/restore_survey.h"
#include "core/restore/restore_worker.h"

#define RECORD_BYTES 64 /* of a short one */

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
    if (!restore_repeat_is_whole(p->repeat))
        warn(p,
             mem_copy_text("so many keys stand in the backup more than once that not all of them "
                           "are kept in mind: of some an earlier record may stay"));
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
static bool check_database(struct restore_survey *s, const struct restore_node *n,
                           struct error *err)
{
    struct conn *conn = cluster_node_conn(s->cluster, n->id, err);
    struct error refused = {0};
    const struct reply *r;

    if (conn == NULL || !restore_append_select(conn_out(conn), s->last_db, err) ||
        !restore_append_select(conn_out(conn), 0, err) || !conn_appended(conn, 2, 0, err) ||
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

static bool check_databases(struct restore_survey *s, struct error *err)
{
    struct restore_plan *p = s->plan;

    for (size_t i = 0; i < p->node_count && s->last_db > 0; i++) {
        struct backoff wait;
        struct error why = {0};

        backoff_init(&wait, s->target->outage_timeout_ms > 0 ? s->target->outage_timeout_ms
                                                             : RESTORE_OUTAGE_MS);
        while (!check_database(s, &p->nodes[i], &why))
            if (why.code == ERROR_AUTH || why.code == ERROR_CANCELLED ||
                !backoff_wait(&wait, &s->target->cancel, &why, &why)) {
                *err = why;
                return error_wrap(err, "%s", p->nodes[i].addr);
            }
    }
    return true;
}

static bool count_extra(struct restore_survey *s, struct error *err)
{
    struct restore_exact x = {.source = s->source,
                              .target = s->target,
                              .options = s->options,
                              .task = s->task,
                              .cluster = s->plan->cluster};
    bool ok = restore_exact_run(&x, err);

    s->plan->to_remove = x.found;
    memcpy(s->plan->removed, x.examples, sizeof(s->plan->removed));
    return ok;
}

/* About how many; an older tool's manifest does not say. */
static uint64_t keys_of(const struct manifest *m)
{
    uint64_t bytes = 0;

    if (m->totals.keys > 0)
        return m->totals.keys;
    for (size_t i = 0; i < m->part_count; i++)
        bytes += m->parts[i].bytes;
    return bytes / RECORD_BYTES;
}

/* What earlier runs of the same job left for this one. */
static bool look_back(struct restore_survey *s, struct error *err)
{
    struct restore_plan *p = s->plan;
    const struct manifest *m = source_manifest(s->source);
    struct restore_history *now = NULL;
    struct error why = {0};

    if (!restore_resume_read(s->source, s->task, &p->resume, err))
        return false;
    p->repeat = restore_repeat_new(keys_of(m));
    p->resumed = restore_resume_is_another_run(p->resume);
    p->parts = m->part_count;
    if (!p->resumed) {
        p->existed = key_bloom_new(keys_of(m));
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
    struct restore_survey s = {.source = source,
                               .cluster = cluster_new(target),
                               .target = target,
                               .options = options,
                               .task = task,
                               .plan = mem_zero(1, sizeof(struct restore_plan))};
    bool ok = false;

    if (!cluster_connect(s.cluster, false, err))
        goto out;
    s.plan->cluster = cluster_mode(s.cluster) == REDIS_MODE_CLUSTER;
    if (!read_nodes(s.cluster, s.plan, err) || !look_back(&s, err) ||
        !restore_survey_parts(&s, err) || !check_databases(&s, err))
        goto out;
    if (s.refused > 0)
        warn(s.plan, mem_format("this user may not touch %" PRIu64 " of the keys: they will fail",
                                s.refused));
    judge(s.plan, options, source);
    if (options->exact && s.plan->blocker_count == 0 && !count_extra(&s, err))
        goto out;
    *out = s.plan;
    s.plan = NULL;
    ok = true;
out:
    restore_plan_free(s.plan);
    cluster_free(s.cluster);
    return ok;
}
