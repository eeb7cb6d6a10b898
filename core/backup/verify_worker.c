#include "core/backup/verify_worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backup/pipeline.h"
#include "core/backup/value_read.h"
#include "core/backup/value_sum.h"
#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/base/escape.h"
#include "core/redis/command.h"

#define BATCH 250
#define LARGE_ITEMS 5000
#define LARGE_BYTES (1 << 20)
#define ROUND_PAUSE_MS 1000
#define AGAIN_MAX 1000000 /* keys that are looked at again; with more, something else is wrong */

struct worker {
    struct verify_shared *s;
    struct cluster *cluster;
    struct pipeline *facts;
    struct pipeline *values;
    struct record_stream *stream;
    struct arena names;
    struct arena scratch;
    struct buf line;
    struct record *record;
    struct verify_check checks[BATCH];
    size_t count;
    struct record_position *again; /* keys for the next round */
    size_t again_count, again_cap;
    bool last_round;
    bool repeating;
    size_t row;        /* of the group at work */
    uint64_t seen;     /* keys of it that were looked at */
    uint64_t expected; /* 0: not known */
};

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

/* ---- replies ----------------------------------------------------------------------------------
 */

/* TYPE, PTTL, and for types that have one the length. */
static void on_fact(void *arg, const struct pipeline_reply *r)
{
    struct worker *w = arg;
    struct verify_check *c = &w->checks[r->tag];
    int64_t number;

    if (r->index < c->skip)
        return; /* SELECT: where it fails the keys are not there */
    if (r->index == c->skip) {
        c->why = (struct error){0};
        c->length = -1;
        if (reply_check(r->reply, "TYPE", &c->why)) {
            c->there = !str_is(r->reply->str, "none");
            c->live_type = record_type_of(r->reply->str);
        }
        return;
    }
    if (r->index == c->skip + 2) { /* WRONGTYPE: the type says it already */
        c->length = r->reply->type == REPLY_INTEGER ? r->reply->integer : -1;
        return;
    }
    if (r->index != c->skip + 1 || !reply_want_i64(r->reply, "PTTL", &number, &c->why))
        return;
    if (number == -2)
        c->there = false;
    c->deadline_ms = number < 0 ? RECORD_NO_TIME : clock_real_ms() + w->s->clock_ahead_ms + number;
}

static void on_value(void *arg, const struct pipeline_reply *r)
{
    struct worker *w = arg;
    struct verify_check *c = &w->checks[r->tag];
    struct record_head head;
    enum value_outcome outcome;

    if (r->index != c->skip)
        return;
    c->why = (struct error){0};
    if (!reply_check(r->reply, "read", &c->why))
        return;
    record_head_init(&head);
    head.key = c->key;
    head.type = c->head.type;
    head.type_name =
        head.type == RECORD_OPAQUE ? STR("opaque") : str_from(record_type_name(head.type));
    head.hyperloglog = c->head.hyperloglog;
    buf_clear(&w->line);
    outcome = value_write(&w->line, &head, r->reply, &w->scratch, &c->why);
    if (outcome == VALUE_GONE) {
        c->there = false;
        return;
    }
    if (outcome == VALUE_TOO_LARGE)
        error_set(&c->why, ERROR_LIMIT, 0, "too large to be read at once");
    if (outcome != VALUE_WRITTEN || !record_parse(w->record, str_trim(buf_str(&w->line)), &c->why))
        return;
    value_sum_clear(c->live);
    value_sum_add(c->live, w->record, !w->s->options->no_stream_groups);
    c->has_value = true;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static const char *length_command(enum record_type type)
{
    static const char *const names[RECORD_TYPES] = {
        [RECORD_STRING] = "STRLEN", [RECORD_HASH] = "HLEN",  [RECORD_LIST] = "LLEN",
        [RECORD_SET] = "SCARD",     [RECORD_ZSET] = "ZCARD", [RECORD_STREAM] = "XLEN",
    };

    return names[type];
}

static uint16_t slot_of(const struct worker *w, struct str key)
{
    return w->s->cluster ? slot_of_key(key) : 0;
}

/* Keys of another database stand between two SELECTs. */
static bool append_select(struct buf *out, const struct verify_check *c, uint32_t db, size_t *n,
                          struct error *err)
{
    if (c->head.db == 0)
        return true;
    ++*n;
    return command_begin(out, 2, err) && command_arg_text(out, "SELECT", err) &&
           command_arg_u64(out, db, err);
}

static bool ask_facts(struct worker *w, struct error *err)
{
    for (size_t i = 0; i < w->count; i++) {
        const struct verify_check *c = &w->checks[i];
        const char *length = length_command(c->head.type);
        struct buf *out = pipeline_begin(w->facts);
        size_t n = length != NULL ? 3 : 2;

        if (!append_select(out, c, c->head.db, &n, err) ||
            !command_append(out, COMMAND(STR("TYPE"), c->key), err) ||
            !command_append(out, COMMAND(STR("PTTL"), c->key), err))
            return false;
        if (length != NULL && !command_append(out, COMMAND(str_from(length), c->key), err))
            return false;
        if (!append_select(out, c, 0, &n, err))
            return false;
        pipeline_end(w->facts, slot_of(w, c->key), n, i);
    }
    return pipeline_flush(w->facts, err);
}

static bool worth_reading(const struct verify_check *c)
{
    return c->there && c->why.code == ERROR_NONE && c->live_type == c->head.type;
}

static bool is_large(const struct verify_check *c)
{
    int64_t limit = c->head.type == RECORD_STRING ? LARGE_BYTES : LARGE_ITEMS;

    return c->large || c->timed || c->length > limit;
}

static bool ask_values(struct worker *w, struct error *err)
{
    for (size_t i = 0; i < w->count; i++) {
        const struct verify_check *c = &w->checks[i];
        struct buf *out;
        size_t n = 1;

        if (!worth_reading(c) || is_large(c))
            continue;
        out = pipeline_begin(w->values);
        if (!append_select(out, c, c->head.db, &n, err) ||
            !value_command(out, c->head.type, c->key, err) || !append_select(out, c, 0, &n, err))
            return false;
        pipeline_end(w->values, slot_of(w, c->key), n, i);
    }
    return pipeline_flush(w->values, err);
}

static void settle(struct worker *w, struct verify_check *c)
{
    char detail[160] = "";
    enum verify_deadline saw;
    enum verify_verdict verdict = verify_judge(w->s, c, &saw, detail, sizeof(detail));

    if (verdict != VERIFY_SAME && verdict != VERIFY_EXPIRED && !w->last_round &&
        w->again_count < AGAIN_MAX)
        /* A client may be writing it: look once more later. */
        ARRAY_PUSH(w->again, w->again_count, w->again_cap) = c->position;
    else
        verify_settle(w->s, c, verdict, saw, detail);
    if (!w->repeating)
        w->seen++;
}

static bool flush(struct worker *w, struct error *err)
{
    bool ok = w->count == 0 || (ask_facts(w, err) && ask_values(w, err));

    for (size_t i = 0; i < w->count && ok; i++)
        if (worth_reading(&w->checks[i]) && is_large(&w->checks[i]))
            ok = verify_read_large(w->s, w->cluster, &w->checks[i], err);
    for (size_t i = 0; i < w->count && ok; i++)
        settle(w, &w->checks[i]);
    w->count = 0;
    arena_clear(&w->names);
    task_row(w->s->task, w->row, w->s->groups[w->row].shard, w->seen, w->expected);
    task_total(w->s->task, atomic_load(&w->s->checked), w->s->total);
    return ok && task_checkpoint(w->s->task, err);
}

/* ---- records ----------------------------------------------------------------------------------
 */

static bool is_wanted(struct worker *w, const struct record_head *h)
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

/* Add up all lines of the key; a run that was taken back gives *whole false. */
static bool sum_lines(struct worker *w, struct verify_check *c, const struct record *r, bool *whole,
                      struct error *err)
{
    for (uint64_t seq = 0;; seq++) {
        const struct record_head *h = record_head(r);

        value_sum_add(c->saved, r, !w->s->options->no_stream_groups);
        c->timed = c->timed || record_deadlines(r) > 0;
        *whole = !h->chunked || h->chunk_last;
        if (*whole)
            return true;
        if (!record_stream_next(w->stream, &r, err))
            return false;
        if (r == NULL)
            return true;
        h = record_head(r);
        if (!h->chunked || h->chunk_seq != seq + 1 || !str_equal(h->key, c->key)) {
            record_stream_seek(w->stream, record_stream_position(w->stream));
            return true;
        }
    }
}

static bool add_check(struct worker *w, const struct record *r, struct error *err)
{
    const struct record_head *h = record_head(r);
    struct verify_check *c = &w->checks[w->count];
    bool whole;

    c->position = record_stream_position(w->stream);
    c->key = arena_str(&w->names, h->key);
    c->head = *h;
    c->head.key = c->key;
    c->skip = h->db != 0 ? 1 : 0;
    c->large = h->chunked;
    c->timed = false;
    c->misplaced = h->slot != SLOT_NONE && h->slot != slot_of_key(h->key);
    c->has_value = false;
    c->there = false;
    c->why = (struct error){0};
    if (c->saved == NULL)
        c->saved = value_sum_new();
    if (c->live == NULL)
        c->live = value_sum_new();
    value_sum_clear(c->saved);
    if (!sum_lines(w, c, r, &whole, err))
        return false;
    if (whole)
        w->count++;
    return w->count < BATCH || flush(w, err);
}

static bool first_round(struct worker *w, struct error *err)
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
        if (!add_check(w, r, err))
            return false;
    }
}

static bool next_round(struct worker *w, struct error *err)
{
    struct record_position *list = w->again;
    size_t count = w->again_count;
    bool ok = cancel_sleep(&w->s->target->cancel, ROUND_PAUSE_MS, err);

    w->again = NULL;
    w->again_count = 0;
    w->again_cap = 0;
    for (size_t i = 0; i < count && ok; i++) {
        const struct record *r;

        record_stream_seek(w->stream, list[i]);
        ok = record_stream_next(w->stream, &r, err);
        if (ok && r != NULL)
            ok = add_check(w, r, err);
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

static bool check_group(struct worker *w, const struct part_group *group, struct error *err)
{
    unsigned rounds = w->s->options->rounds < 1 ? 1 : w->s->options->rounds;
    bool ok;

    w->stream = record_stream_new(w->s->source, group, &w->s->options->filter);
    w->last_round = rounds == 1;
    w->repeating = false;
    w->row = (size_t)(group - w->s->groups);
    w->seen = 0;
    w->expected = expected_keys(w->s, group);
    ok = first_round(w, err);
    for (unsigned round = 2; ok && round <= rounds && w->again_count > 0; round++) {
        w->last_round = round == rounds;
        w->repeating = true;
        ok = next_round(w, err);
        pthread_mutex_lock(&w->s->lock);
        if (w->s->report->rounds < round)
            w->s->report->rounds = round;
        pthread_mutex_unlock(&w->s->lock);
    }
    record_stream_free(w->stream);
    return ok;
}

static bool check_groups(struct worker *w, struct error *err)
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

static struct pipeline *new_pipeline(struct worker *w,
                                     void (*reply)(void *, const struct pipeline_reply *))
{
    const struct redis_options *target = w->s->target;
    struct pipeline_handler handler = {reply, w};

    return pipeline_new(w->cluster, &handler,
                        target->outage_timeout_ms > 0 ? target->outage_timeout_ms
                                                      : VERIFY_OUTAGE_MS,
                        &target->cancel);
}

void *verify_worker_run(void *shared)
{
    struct verify_shared *s = shared;
    struct worker *w = mem_zero(1, sizeof(*w));
    struct error err = {0};

    w->s = s;
    w->cluster = cluster_new(s->target);
    w->record = record_new();
    w->facts = new_pipeline(w, on_fact);
    w->values = new_pipeline(w, on_value);
    buf_init(&w->line, RECORD_LINE_MAX * 2);
    if (!check_groups(w, &err)) {
        pthread_mutex_lock(&s->lock);
        if (!atomic_exchange(&s->stop, true))
            s->failed = err;
        pthread_mutex_unlock(&s->lock);
    }
    for (size_t i = 0; i < BATCH; i++) {
        value_sum_free(w->checks[i].saved);
        value_sum_free(w->checks[i].live);
    }
    pipeline_free(w->facts);
    pipeline_free(w->values);
    record_free(w->record);
    buf_release(&w->line);
    arena_release(&w->names);
    arena_release(&w->scratch);
    free(w->again);
    cluster_free(w->cluster);
    free(w);
    return NULL;
}
