#include "core/verify/verify_worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/clock.h"

#define ROUND_PAUSE_MS 1000
#define PAUSE_SLICE_MS 100
#define AGAIN_MAX 1000000 /* keys that are looked at again; with more, something else is wrong */
#define TABLE_ITEMS 10000 /* of one value; larger ones are compared by sums of ranges */
#define WEIGHT_ELEMENT 100
#define BATCH_BYTES ((size_t)4 << 20)
#define MEMORY ((size_t)256 << 20)

size_t verify_memory(const struct verify_shared *s)
{
    size_t all = s->options->max_memory != 0 ? s->options->max_memory : MEMORY;

    return all / 4 / (s->worker_count > 0 ? s->worker_count : 1);
}

int64_t verify_outage_ms(const struct verify_shared *s)
{
    return s->target->outage_timeout_ms > 0 ? s->target->outage_timeout_ms : VERIFY_OUTAGE_MS;
}

bool verify_draw(struct verify_shared *s)
{
    bool taken;

    pthread_mutex_lock(&s->lock);
    if (s->draw_left == 0) {
        taken = s->draw_needs > 0; /* the manifest counted fewer keys than there are */
    } else {
        taken = rng_next(&s->rng) % s->draw_left < s->draw_needs;
        s->draw_left--;
    }
    if (taken)
        s->draw_needs--;
    pthread_mutex_unlock(&s->lock);
    return taken;
}

/* ---- a batch ----------------------------------------------------------------------------------
 */

static void settle(struct verify_worker *w, struct verify_check *c)
{
    char detail[200] = "";
    enum verify_deadline saw;
    enum verify_verdict verdict = verify_judge(w->s, c, &saw, detail, sizeof(detail));
    uint64_t now = c->compared ? c->print : 0;

    if (verify_is_finding(verdict) && !w->last_round && w->again_count < AGAIN_MAX) {
        /* A client may be writing it: look once more later. */
        ARRAY_PUSH(w->again, w->again_count, w->again_cap) =
            (struct verify_again){c->position, now};
    } else {
        c->changing = w->round > 1 && verify_is_finding(verdict) && c->was != now;
        if (c->changing) {
            size_t len = strlen(detail);

            (void)snprintf(detail + len, sizeof(detail) - len,
                           "%sit changed since the round before", len > 0 ? "; " : "");
        }
        verify_settle(w->s, c, verdict, saw, detail);
    }
    if (w->round == 1)
        w->seen++;
}

static bool read_batch(struct verify_worker *w, struct error *err)
{
    bool ok = w->count == 0 || (verify_read_facts(w, err) && verify_read_values(w, err));

    for (size_t i = 0; i < w->count && ok; i++)
        if (verify_worth_reading(&w->checks[i]) && verify_is_large(&w->checks[i]))
            ok = verify_read_large(w->s, w->cluster, &w->checks[i], err);
    for (size_t i = 0; i < w->count && ok; i++)
        ok = verify_compare(w, &w->checks[i], err);
    return ok;
}

static bool flush(struct verify_worker *w, struct error *err)
{
    bool ok = read_batch(w, err);

    for (size_t i = 0; i < w->count; i++) {
        if (ok)
            settle(w, &w->checks[i]);
        value_sum_clear(w->checks[i].saved);
        value_sum_clear(w->checks[i].live);
    }
    w->count = 0;
    w->bytes = 0;
    arena_clear(&w->names);
    task_row(w->s->task, w->row, w->group->shard, w->seen, w->expected);
    task_total(w->s->task, atomic_load(&w->s->checked), w->s->total);
    return ok && task_checkpoint(w->s->task, err);
}

/* ---- records ----------------------------------------------------------------------------------
 */

static bool is_wanted(struct verify_worker *w, const struct record_head *h)
{
    const struct verify_options *o = w->s->options;

    switch (o->extent) {
    case VERIFY_FULL:
        return true;
    case VERIFY_SUBSET:
        return slot_of_key(h->key) % o->subsets == o->subset - 1;
    case VERIFY_SAMPLE:
        break;
    }
    return verify_draw(w->s);
}

bool verify_sum_lines(const struct verify_shared *s, struct record_stream *stream,
                      struct verify_check *c, const struct record *r, bool *whole,
                      struct error *err)
{
    for (uint64_t seq = 0;; seq++) {
        const struct record_head *h = record_head(r);

        value_sum_add(c->saved, r, !s->options->no_stream_groups);
        c->timed = c->timed || record_deadlines(r) > 0;
        *whole = !h->chunked || h->chunk_last;
        if (*whole)
            return true;
        if (!task_checkpoint(s->task, err) || !record_stream_next(stream, &r, err))
            return false;
        if (r == NULL)
            return true;
        h = record_head(r);
        if (!h->chunked || h->chunk_seq != seq + 1 || !str_equal(h->key, c->key)) {
            record_stream_seek(stream, record_stream_position(stream));
            return true;
        }
    }
}

/* What this value and the live one will take, about; the bytes pass through buffers of servers. */
static size_t weight(const struct record *r)
{
    const struct record_head *h = record_head(r);

    if (h->type == RECORD_STRING)
        return record_string(r).len;
    return record_count(r) * WEIGHT_ELEMENT;
}

static void start_check(struct verify_worker *w, struct verify_check *c, const struct record *r,
                        uint64_t was)
{
    const struct record_head *h = record_head(r);

    *c = (struct verify_check){.position = record_stream_position(w->stream),
                               .key = arena_str(&w->names, h->key),
                               .head = *h,
                               .saved = c->saved,
                               .live = c->live,
                               .large = h->chunked,
                               .skip = h->db != 0 ? 1 : 0,
                               .was = was};
    c->head.key = c->key;
    c->misplaced = h->slot != SLOT_NONE && h->slot != slot_of_key(h->key);
    if (c->saved == NULL) {
        c->saved = value_sum_new();
        c->live = value_sum_new();
        value_sum_limit(c->saved, TABLE_ITEMS);
        value_sum_limit(c->live, TABLE_ITEMS);
    }
}

static bool add_check(struct verify_worker *w, const struct record *r, uint64_t was,
                      struct error *err)
{
    struct verify_check *c = &w->checks[w->count];
    bool whole;

    start_check(w, c, r, was);
    w->bytes += weight(r);
    if (!verify_sum_lines(w->s, w->stream, c, r, &whole, err))
        return false;
    if (whole)
        w->count++;
    return (w->count < VERIFY_BATCH && !c->large && w->bytes < BATCH_BYTES) || flush(w, err);
}

static bool first_round(struct verify_worker *w, struct error *err)
{
    for (;;) {
        const struct record *r;
        const struct record_head *h;

        if (atomic_load(&w->s->stop))
            return error_set(err, ERROR_CANCELLED, 0, "another worker stopped");
        if (!task_checkpoint(w->s->task, err) || !record_stream_next(w->stream, &r, err))
            return false;
        if (r == NULL)
            return flush(w, err);
        h = record_head(r);
        if ((h->chunked && h->chunk_seq != 0) || !is_wanted(w, h))
            continue;
        if (!add_check(w, r, 0, err))
            return false;
    }
}

/* Clients need time to end what they do to a key. */
static bool pause_between(struct verify_worker *w, struct error *err)
{
    int64_t until = clock_after(ROUND_PAUSE_MS);

    while (clock_mono_ms() < until) {
        if (atomic_load(&w->s->stop))
            return error_set(err, ERROR_CANCELLED, 0, "another worker stopped");
        if (!task_checkpoint(w->s->task, err) ||
            !cancel_sleep(&w->s->target->cancel, PAUSE_SLICE_MS, err))
            return false;
    }
    return true;
}

static bool next_round(struct verify_worker *w, struct error *err)
{
    struct verify_again *list = w->again;
    size_t count = w->again_count;
    bool ok = pause_between(w, err);

    w->again = NULL;
    w->again_count = 0;
    w->again_cap = 0;
    for (size_t i = 0; i < count && ok; i++) {
        const struct record *r;

        record_stream_seek(w->stream, list[i].position);
        ok = record_stream_next(w->stream, &r, err);
        if (ok && r != NULL)
            ok = add_check(w, r, list[i].was, err);
    }
    free(list);
    return ok && flush(w, err);
}

/* Only where everything is looked at; superseded records make it a little less. */
static uint64_t expected_keys(const struct verify_shared *s, const struct part_group *group)
{
    uint64_t keys = 0;

    if (s->options->extent != VERIFY_FULL || !filter_is_open(&s->options->filter))
        return 0;
    for (size_t i = 0; i < group->count; i++)
        keys += source_manifest(s->source)->parts[group->parts[i]].keys;
    return keys;
}

static bool check_group(struct verify_worker *w, const struct part_group *group, struct error *err)
{
    unsigned rounds = w->s->options->rounds < 1 ? 1 : w->s->options->rounds;
    bool ok;

    w->stream = record_stream_new(w->s->source, group, &w->s->options->filter);
    w->group = group;
    w->round = 1;
    w->last_round = rounds == 1;
    w->row = (size_t)(group - w->s->groups);
    w->seen = 0;
    w->expected = expected_keys(w->s, group);
    ok = first_round(w, err);
    for (w->round = 2; ok && w->round <= rounds && w->again_count > 0; w->round++) {
        w->last_round = w->round == rounds;
        pthread_mutex_lock(&w->s->lock);
        if (w->s->report->rounds < w->round)
            w->s->report->rounds = w->round;
        w->s->report->looked_again += w->round == 2 ? w->again_count : 0;
        pthread_mutex_unlock(&w->s->lock);
        ok = next_round(w, err);
    }
    record_stream_free(w->stream);
    return ok;
}

static bool check_groups(struct verify_worker *w, struct error *err)
{
    if (!cluster_connect(w->cluster, true, err))
        return false;
    for (;;) {
        size_t i = atomic_fetch_add(&w->s->next_group, 1);

        if (i >= w->s->group_count)
            return true;
        if (!check_group(w, &w->s->groups[i], err))
            return false;
    }
}

void *verify_worker_run(void *shared)
{
    struct verify_shared *s = shared;
    struct verify_worker *w = mem_zero(1, sizeof(*w));
    struct error err = {0};

    w->s = s;
    w->cluster = cluster_new(s->target);
    verify_read_init(w);
    if (!check_groups(w, &err)) {
        pthread_mutex_lock(&s->lock);
        if (!atomic_exchange(&s->stop, true))
            s->failed = err;
        pthread_mutex_unlock(&s->lock);
    }
    for (size_t i = 0; i < VERIFY_BATCH; i++) {
        value_sum_free(w->checks[i].saved);
        value_sum_free(w->checks[i].live);
    }
    verify_read_release(w);
    arena_release(&w->names);
    arena_release(&w->scratch);
    free(w->again);
    cluster_free(w->cluster);
    free(w);
    return NULL;
}
