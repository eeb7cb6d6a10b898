#include "core/backup/restore.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backup/pipeline.h"
#include "core/backup/restore_worker.h"
#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/base/escape.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/redis/cluster.h"
#include "core/redis/command.h"
#include "core/redis/info.h"

#define OUTAGE_MS 60000

static const char *const policy_names[] = {"fail-existing", "skip-existing", "overwrite"};
static const char *const ttl_names[] = {"remaining", "absolute", "none"};

const char *restore_policy_name(enum restore_policy p)
{
    return policy_names[p];
}

const char *restore_ttl_name(enum restore_ttl t)
{
    return ttl_names[t];
}

bool restore_ttl_parse(const char *word, enum restore_ttl *out)
{
    for (size_t i = 0; i < COUNT_OF(ttl_names); i++)
        if (strcmp(word, ttl_names[i]) == 0) {
            *out = (enum restore_ttl)i;
            return true;
        }
    return false;
}

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
    for (size_t i = 0; i < RESTORE_EXAMPLES; i++)
        free(plan->examples[i]);
    free(plan->warnings);
    free(plan->blockers);
    free(plan->nodes);
    free(plan);
}

/* ---- the target ------------------------------------------------------------------------------ */

static bool read_clock(struct cluster *c, struct restore_node *n, struct error *err)
{
    const struct reply *r;
    int64_t seconds;
    int64_t micros;

    if (!cluster_call_node(c, n->id, COMMAND(STR("TIME")), &r, err) ||
        !reply_want_array(r, "TIME", err))
        return false;
    if (r->count != 2 || !str_to_i64(r->elements[0].str, &seconds) ||
        !str_to_i64(r->elements[1].str, &micros))
        return error_set(err, ERROR_REPLY, 0, "%s: TIME is not a time", n->addr);
    n->clock_ahead_ms = seconds * 1000 + micros / 1000 - clock_real_ms();
    return true;
}

static bool read_node(struct cluster *c, const struct cluster_node *node, struct restore_node *n,
                      struct error *err)
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
    return read_clock(c, n, err);
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
            ok = read_node(c, &copy[i], &p->nodes[p->node_count++], err);
    free(copy);
    return ok;
}

/* ---- the archive ----------------------------------------------------------------------------- */

struct survey {
    struct cluster *cluster;
    struct pipeline *pipeline;
    struct restore_plan *plan;
    const struct restore_options *options;
    struct task *task;
    struct asked {
        char *name; /* for the examples */
        size_t at;  /* index of the reply that counts */
    } * asked;      /* the requests in the pipeline */
    size_t asked_count, asked_cap;
    struct error failed;
    uint64_t keys_done;
    uint64_t refused; /* keys that the user may not touch */
    uint32_t last_db; /* the highest that the backup has keys of */
};

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
    if (there == 0)
        return;
    if (s->plan->existing < RESTORE_EXAMPLES) {
        s->plan->examples[s->plan->existing] = asked->name;
        asked->name = NULL;
    }
    s->plan->existing++;
}

static void forget_asked(struct survey *s)
{
    for (size_t i = 0; i < s->asked_count; i++)
        free(s->asked[i].name);
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
    char shown[80];

    if ((other && !append_select(out, h->db, err)) ||
        !command_append(out, COMMAND(STR("EXISTS"), h->key), err) ||
        (other && !append_select(out, 0, err)))
        return false;
    pipeline_end(s->pipeline, slot, other ? 3 : 1, s->asked_count);
    ARRAY_PUSH(s->asked, s->asked_count, s->asked_cap) = (struct asked){
        .name = mem_copy_text(
            s->plan->existing < RESTORE_EXAMPLES ? escape_text(shown, sizeof(shown), h->key) : ""),
        .at = other ? 1 : 0};
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

/* Every line counts its bytes; a key of many lines counts once, at its first. */
static bool count_record(struct survey *s, const struct record *r, struct error *err)
{
    const struct record_head *h = record_head(r);
    struct restore_plan *p = s->plan;

    if (h->chunked && h->chunk_seq > 0)
        return true;
    p->keys++;
    p->by_type[h->type]++;
    count_owner(s, h->key);
    if (h->ttl_millis != RECORD_NO_TIME) {
        int64_t now = clock_real_ms() + (p->node_count > 0 ? p->nodes[0].clock_ahead_ms : 0);

        p->with_ttl++;
        if (h->expire_at_millis != RECORD_NO_TIME && h->expire_at_millis <= now)
            p->past_deadline++;
    }
    if (h->db > s->last_db)
        s->last_db = h->db;
    return ask_exists(s, h, err);
}

static bool survey_group(struct survey *s, struct source *source, const struct part_group *group,
                         struct error *err)
{
    struct record_stream *stream = record_stream_new(source, group, &s->options->filter);
    uint64_t total = source_manifest(source)->totals.keys;
    bool ok = true;

    while (ok) {
        const struct record *r;

        ok = record_stream_next(stream, &r, err);
        if (!ok || r == NULL)
            break;
        ok = count_record(s, r, err);
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
    if (o->policy == RESTORE_FAIL_EXISTING)
        block(p, mem_format("%s keys of the backup exist on the target (%s …): choose "
                            "--overwrite or --skip-existing",
                            n, p->examples[0]));
}

static void judge_memory(struct restore_plan *p, uint64_t bytes)
{
    for (size_t i = 0; i < p->node_count; i++) {
        const struct restore_node *n = &p->nodes[i];
        int64_t share =
            p->keys == 0 ? 0 : (int64_t)((double)bytes * (double)n->to_write / (double)p->keys);
        char room[FORMAT_MAX];
        char need[FORMAT_MAX];

        if (n->maxmemory <= 0 || n->used_memory < 0 || n->used_memory + share < n->maxmemory)
            continue;
        warn(p, mem_format("%s has %s of memory left, the backup brings at least %s", n->addr,
                           format_size(room, sizeof(room), n->maxmemory - n->used_memory),
                           format_size(need, sizeof(need), share)));
    }
}

static void judge(struct restore_plan *p, const struct restore_options *o, const struct source *s)
{
    const struct manifest *m = source_manifest(s);

    judge_existing(p, o);
    judge_memory(p, m->totals.bytes);
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
static bool check_databases(struct survey *s, struct error *err)
{
    struct restore_plan *p = s->plan;

    for (size_t i = 0; i < p->node_count && s->last_db > 0; i++) {
        struct conn *conn = cluster_node_conn(s->cluster, p->nodes[i].id, err);
        struct error why = {0};
        const struct reply *r;

        if (conn == NULL || !append_select(conn_out(conn), s->last_db, err) ||
            !append_select(conn_out(conn), 0, err) || !conn_appended(conn, 2, 0, err) ||
            !conn_next_reply(conn, &r, err))
            return error_wrap(err, "%s", p->nodes[i].addr);
        if (!reply_check(r, "SELECT", &why))
            block(p, mem_format("the backup has keys of database %" PRIu32 ", %s has none: %s",
                                s->last_db, p->nodes[i].addr, why.text));
        if (!conn_next_reply(conn, &r, err))
            return error_wrap(err, "%s", p->nodes[i].addr);
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

bool restore_survey(struct source *source, const struct redis_options *target,
                    const struct restore_options *options, struct task *task,
                    struct restore_plan **out, struct error *err)
{
    struct survey s = {.cluster = cluster_new(target),
                       .plan = mem_zero(1, sizeof(struct restore_plan)),
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
    if (!read_nodes(s.cluster, s.plan, err) || !run_survey(&s, source, err) ||
        !check_databases(&s, err))
        goto out;
    if (s.refused > 0)
        warn(s.plan, mem_format("this user may not touch %" PRIu64 " of the keys: they will fail",
                                s.refused));
    judge(s.plan, options, source);
    *out = s.plan;
    s.plan = NULL;
    ok = true;
out:
    restore_plan_free(s.plan);
    forget_asked(&s);
    free(s.asked);
    pipeline_free(s.pipeline);
    cluster_free(s.cluster);
    return ok;
}

/* ---- for people and programs ------------------------------------------------------------------
 */

static json_t *texts_json(char *const *texts, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count && texts[i] != NULL; i++)
        json_push(list, json_string(texts[i]));
    return list;
}

static json_t *nodes_json(const struct restore_plan *p)
{
    json_t *list = json_array();

    for (size_t i = 0; i < p->node_count; i++) {
        json_t *n = json_object();

        json_put_text(n, "id", p->nodes[i].id);
        json_put_text(n, "addr", p->nodes[i].addr);
        json_put_str(n, "version", str_from(p->nodes[i].version));
        json_put_int(n, "keys", p->nodes[i].keys);
        json_put_int(n, "used_memory", p->nodes[i].used_memory);
        json_put_int(n, "maxmemory", p->nodes[i].maxmemory);
        json_put_int(n, "to_write", (int64_t)p->nodes[i].to_write);
        json_push(list, n);
    }
    return list;
}

json_t *restore_plan_json(const struct restore_plan *plan, const struct restore_options *options,
                          const struct manifest *m)
{
    json_t *doc = json_object();
    json_t *types = json_object();

    json_put_text(doc, "backup_id", m->backup_id);
    json_put_text(doc, "policy", restore_policy_name(options->policy));
    json_put_text(doc, "ttl", restore_ttl_name(options->ttl));
    json_put_flag(doc, "stream_groups", !options->no_stream_groups);
    json_put_flag(doc, "flush_first", options->flush_first);
    json_put_int(doc, "keys", (int64_t)plan->keys);
    json_put_int(doc, "left_out", (int64_t)plan->left_out);
    for (int t = 0; t < RECORD_TYPES; t++) {
        const char *name = record_type_name((enum record_type)t);

        json_put_int(types, name == NULL ? "other" : name, (int64_t)plan->by_type[t]);
    }
    json_put(doc, "by_type", types);
    json_put_int(doc, "with_ttl", (int64_t)plan->with_ttl);
    json_put_int(doc, "past_deadline", (int64_t)plan->past_deadline);
    json_put_int(doc, "existing", (int64_t)plan->existing);
    json_put(doc, "existing_examples", texts_json(plan->examples, RESTORE_EXAMPLES));
    json_put(doc, "nodes", nodes_json(plan));
    json_put(doc, "warnings", texts_json(plan->warnings, plan->warning_count));
    json_put(doc, "blockers", texts_json(plan->blockers, plan->blocker_count));
    return doc;
}

void restore_plan_text(const struct restore_plan *plan, const struct restore_options *options,
                       const struct manifest *m, struct buf *out)
{
    char a[FORMAT_MAX];
    char b[FORMAT_MAX];

    buf_put(out, "Restore %s\n", m->backup_id);
    buf_put(out, "  %s keys, %s of them with a TTL (--ttl %s)\n",
            format_count(a, sizeof(a), (int64_t)plan->keys),
            format_count(b, sizeof(b), (int64_t)plan->with_ttl), restore_ttl_name(options->ttl));
    buf_put(out, "  %s keys exist on the target: %s\n",
            format_count(a, sizeof(a), (int64_t)plan->existing),
            options->flush_first                       ? "every primary is emptied first"
            : options->policy == RESTORE_OVERWRITE     ? "they are replaced"
            : options->policy == RESTORE_SKIP_EXISTING ? "they stay as they are"
                                                       : "none may");
    for (size_t i = 0; i < plan->node_count; i++)
        buf_put(out, "  %-21s %s keys now, %s to write (%s)\n", plan->nodes[i].addr,
                format_count(a, sizeof(a), plan->nodes[i].keys),
                format_count(b, sizeof(b), (int64_t)plan->nodes[i].to_write),
                plan->nodes[i].version);
    for (size_t i = 0; i < plan->warning_count; i++)
        buf_put(out, "  warning: %s\n", plan->warnings[i]);
    for (size_t i = 0; i < plan->blocker_count; i++)
        buf_put(out, "  refused: %s\n", plan->blockers[i]);
}
