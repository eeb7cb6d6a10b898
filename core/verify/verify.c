#include "core/verify/verify.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/verify/verify_search.h"
#include "core/verify/verify_worker.h"

#define WORKERS_MAX 4

static bool run_workers(struct verify_shared *s, struct error *err)
{
    pthread_t threads[WORKERS_MAX];
    size_t started = 0;

    task_stage(s->task, "verify");
    for (; started < s->worker_count; started++)
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

/* What comes when every record was looked at: whatever else the cluster holds, and who owns what.
 */
static bool look_around(struct verify_shared *s, struct error *err)
{
    struct cluster *c = cluster_new(s->target);
    bool ok = cluster_connect(c, true, err) && verify_search(s, c, err);

    if (ok)
        verify_sum_by_node(s, c);
    cluster_free(c);
    return ok;
}

static void begin(struct verify_shared *s, struct verify_report *out)
{
    const struct verify_options *o = s->options;

    *out = (struct verify_report){.rounds = 1, .seed = o->seed, .started_ms = clock_real_ms()};
    if (out->seed == 0)
        rng_bytes(&out->seed, sizeof(out->seed));
    out->seed &= INT64_MAX;
    s->rng.state = out->seed;
    s->draw_needs = o->sample;
    s->worker_count = s->group_count < WORKERS_MAX ? s->group_count : WORKERS_MAX;
    s->slots = mem_zero(SLOT_COUNT, sizeof(*s->slots));
    if (o->extra && o->extent != VERIFY_SAMPLE)
        s->seen = key_bloom_new(source_manifest(s->source)->totals.keys);
    pthread_mutex_init(&s->lock, NULL);
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

    s.groups = groups;
    begin(&s, out);
    ok = verify_look_at_target(&s, err) && count_keys(&s, err);
    if (options->extent == VERIFY_SAMPLE)
        s.total = s.draw_left < options->sample ? s.draw_left : options->sample;
    else if (options->extent == VERIFY_FULL && filter_is_open(&options->filter))
        s.total = source_manifest(source)->totals.keys;
    out->population = options->extent == VERIFY_SAMPLE ? s.draw_left : s.total;
    ok = ok && run_workers(&s, err) && look_around(&s, err);
    task_total(task, out->checked, out->checked);
    out->elapsed_ms = clock_mono_ms() - started;
    out->stopped = !ok;
    pthread_mutex_destroy(&s.lock);
    key_bloom_free(s.seen);
    free(s.before);
    free(s.slots);
    part_groups_free(groups, s.group_count);
    return ok;
}
