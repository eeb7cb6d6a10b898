#include "core/backup/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backup/verify_worker.h"
#include "core/base/clock.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/redis/cluster.h"
#include "core/redis/command.h"

#define WORKERS_MAX 4

/* ---- the run --------------------------------------------------------------------------------- */

static bool read_clock(struct cluster *c, int64_t *ahead_ms, struct error *err)
{
    const struct cluster_node *owner = cluster_owner(c, 0);
    const struct cluster_node *nodes;
    size_t count = cluster_nodes(c, &nodes);
    const struct reply *r;
    int64_t seconds;
    int64_t micros;

    if (owner == NULL && count == 0)
        return error_set(err, ERROR_UNREACHABLE, 0, "the cluster has no nodes");
    if (!cluster_call_node(c, owner != NULL ? owner->id : nodes[0].id, COMMAND(STR("TIME")), &r,
                           err) ||
        !reply_want_array(r, "TIME", err))
        return false;
    if (r->count != 2 || !str_to_i64(r->elements[0].str, &seconds) ||
        !str_to_i64(r->elements[1].str, &micros))
        return error_set(err, ERROR_REPLY, 0, "TIME is not a time");
    *ahead_ms = seconds * 1000 + micros / 1000 - clock_real_ms();
    return true;
}

static bool look_at_target(struct verify_shared *s, struct error *err)
{
    struct cluster *c = cluster_new(s->target);
    bool ok = cluster_connect(c, false, err) && read_clock(c, &s->clock_ahead_ms, err);

    s->cluster = ok && cluster_mode(c) == REDIS_MODE_CLUSTER;
    cluster_free(c);
    return ok;
}

static bool run_workers(struct verify_shared *s, struct error *err)
{
    pthread_t threads[WORKERS_MAX];
    size_t count = s->group_count < WORKERS_MAX ? s->group_count : WORKERS_MAX;
    size_t started = 0;

    task_stage(s->task, "verify");
    for (; started < count; started++)
        if (pthread_create(&threads[started], NULL, verify_worker_run, s) != 0) {
            atomic_store(&s->stop, true);
            error_set(&s->failed, ERROR_INTERNAL, 0, "cannot start a thread");
            break;
        }
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (!atomic_load(&s->stop))
        return true;
    *err = s->failed;
    return false;
}

/* How many keys the sample is drawn from; what a filter leaves is not known beforehand. */
static bool count_keys(struct verify_shared *s, struct error *err)
{
    const struct filter *filter = &s->options->filter;

    s->draw_left = source_manifest(s->source)->totals.keys;
    if (s->options->extent != VERIFY_SAMPLE || (filter_is_open(filter) && s->draw_left > 0))
        return true;
    s->draw_left = 0;
    task_stage(s->task, "count");
    for (size_t i = 0; i < s->group_count; i++) {
        struct record_stream *stream = record_stream_new(s->source, &s->groups[i], filter);
        const struct record *r = NULL;
        bool ok = true;

        while (ok && (ok = task_checkpoint(s->task, err) && record_stream_next(stream, &r, err)) &&
               r != NULL)
            if (!record_head(r)->chunked || record_head(r)->chunk_seq == 0)
                s->draw_left++;
        record_stream_free(stream);
        if (!ok)
            return false;
    }
    return true;
}

bool verify_run(struct source *source, const struct redis_options *target,
                const struct verify_options *options, struct task *task, struct verify_report *out,
                struct error *err)
{
    int64_t started = clock_mono_ms();
    struct verify_shared s = {.source = source,
                              .target = target,
                              .options = options,
                              .task = task,
                              .read_ms = source_manifest(source)->finished_ms,
                              .report = out};
    struct part_group *groups = part_groups(source_manifest(source), &s.group_count);
    bool ok;

    *out = (struct verify_report){.rounds = 1, .seed = options->seed};
    if (out->seed == 0)
        rng_bytes(&out->seed, sizeof(out->seed));
    out->seed &= INT64_MAX;
    s.rng.state = out->seed;
    s.groups = groups;
    s.draw_needs = options->sample;
    pthread_mutex_init(&s.lock, NULL);
    ok = look_at_target(&s, err) && count_keys(&s, err);
    if (options->extent == VERIFY_SAMPLE)
        s.total = s.draw_left < options->sample ? s.draw_left : options->sample;
    else if (options->extent == VERIFY_FULL && filter_is_open(&options->filter))
        s.total = source_manifest(source)->totals.keys;
    ok = ok && run_workers(&s, err);
    if (ok && options->extra)
        ok = verify_look_for_extra(&s, err);
    task_total(task, out->checked, out->checked);
    out->elapsed_ms = clock_mono_ms() - started;
    pthread_mutex_destroy(&s.lock);
    part_groups_free(groups, s.group_count);
    return ok;
}

/* ---- the report ------------------------------------------------------------------------------ */

void verify_report_release(struct verify_report *r)
{
    for (size_t i = 0; i < r->finding_count; i++)
        free(r->findings[i].key);
    free(r->findings);
    *r = (struct verify_report){0};
}

uint64_t verify_report_findings(const struct verify_report *r)
{
    return r->checked - r->verdicts[VERIFY_SAME] - r->verdicts[VERIFY_EXPIRED] +
           r->verdicts[VERIFY_EXTRA] + r->misplaced;
}

/* The order of the line and of every table. */
static const enum verify_verdict order[] = {VERIFY_SAME,      VERIFY_DIFFERS, VERIFY_MISSING,
                                            VERIFY_EXTRA,     VERIFY_EXPIRED, VERIFY_TTL,
                                            VERIFY_UNREADABLE};

char *verify_report_line(const struct verify_report *r, char *out, size_t size)
{
    size_t at;

    (void)snprintf(out, size, "checked=%" PRIu64, r->checked);
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        at = strlen(out);
        (void)snprintf(out + at, size - at, " %s=%" PRIu64, verify_verdict_name(order[i]),
                       r->verdicts[order[i]]);
    }
    return out;
}

static json_t *verdicts_json(const uint64_t *verdicts)
{
    json_t *doc = json_object();

    for (size_t i = 0; i < COUNT_OF(order); i++)
        json_put_int(doc, verify_verdict_name(order[i]), (int64_t)verdicts[order[i]]);
    return doc;
}

static const char *type_word(enum record_type type)
{
    const char *name = record_type_name(type);

    return name == NULL ? "other" : name;
}

static json_t *findings_json(const struct verify_report *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->finding_count; i++) {
        json_t *one = json_object();

        json_put_text(one, "key", r->findings[i].key);
        json_put_text(one, "type", type_word(r->findings[i].type));
        json_put_text(one, "verdict", verify_verdict_name(r->findings[i].verdict));
        json_put_text(one, "detail", r->findings[i].detail);
        json_push(list, one);
    }
    return list;
}

json_t *verify_report_json(const struct verify_report *r, const struct verify_options *options,
                           const struct manifest *m)
{
    static const char *const extents[] = {"sample", "subset", "full"};
    json_t *doc = json_object();
    json_t *types = json_object();
    json_t *deadlines = json_object();

    json_put_text(doc, "backup_id", m->backup_id);
    json_put_text(doc, "extent", extents[options->extent]);
    json_put_int(doc, "checked", (int64_t)r->checked);
    json_put_flag(doc, "extra", options->extra);
    json_put(doc, "verdicts", verdicts_json(r->verdicts));
    for (int t = 0; t < RECORD_TYPES; t++)
        json_put(types, type_word((enum record_type)t), verdicts_json(r->by_type[t]));
    json_put(doc, "by_type", types);
    json_put_int(deadlines, "none", (int64_t)r->deadlines[VERIFY_DEADLINE_NONE]);
    json_put_int(deadlines, "original", (int64_t)r->deadlines[VERIFY_DEADLINE_ORIGINAL]);
    json_put_int(deadlines, "moved", (int64_t)r->deadlines[VERIFY_DEADLINE_MOVED]);
    json_put(doc, "deadlines", deadlines);
    json_put_int(doc, "misplaced", (int64_t)r->misplaced);
    json_put_int(doc, "seed", (int64_t)r->seed);
    json_put_int(doc, "rounds", (int64_t)r->rounds);
    json_put_int(doc, "tolerance_ms", options->tolerance_ms);
    json_put_int(doc, "elapsed_ms", r->elapsed_ms);
    json_put(doc, "keys", findings_json(r));
    return doc;
}

/* A key in a table cell: '|' would end it. */
static void put_cell(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++)
        buf_put(out, *text == '|' || *text == '`' ? "\\%c" : "%c", *text);
}

void verify_report_markdown(const struct verify_report *r, const struct manifest *m,
                            struct buf *out)
{
    char line[300];

    buf_put(out, "# Verification of %s\n\n", m->backup_id);
    buf_put(out, "%s\n\n", verify_report_line(r, line, sizeof(line)));
    buf_put(out, "| type | same | differs | missing | extra | expired | ttl | unreadable |\n");
    buf_put(out, "|---|---|---|---|---|---|---|---|\n");
    for (int t = 0; t < RECORD_TYPES; t++) {
        const uint64_t *v = r->by_type[t];

        buf_put(out,
                "| %s | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64
                " | %" PRIu64 " | %" PRIu64 " |\n",
                type_word((enum record_type)t), v[VERIFY_SAME], v[VERIFY_DIFFERS],
                v[VERIFY_MISSING], v[VERIFY_EXTRA], v[VERIFY_EXPIRED], v[VERIFY_TTL],
                v[VERIFY_UNREADABLE]);
    }
    if (r->finding_count == 0)
        return;
    buf_put(out, "\n| key | type | verdict | detail |\n|---|---|---|---|\n");
    for (size_t i = 0; i < r->finding_count; i++) {
        buf_put(out, "| ");
        put_cell(out, r->findings[i].key);
        buf_put(out, " | %s | %s | ", type_word(r->findings[i].type),
                verify_verdict_name(r->findings[i].verdict));
        put_cell(out, r->findings[i].detail);
        buf_put(out, " |\n");
    }
}
