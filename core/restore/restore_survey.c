#include "core/restore/restore_survey.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/base/escape.h"
#include "core/redis/command.h"
#include "core/restore/restore_fit.h"
#include "core/restore/restore_repeat.h"
#include "core/restore/restore_resume.h"
#include "core/restore/restore_worker.h"

#define PARTS_BYTES ((uint64_t)64 << 20) /* of parts that are in memory at once */
#define TELL_RECORDS 1000

/* What the workers share. */
struct pass {
    struct restore_survey *survey;
    struct redis_options target; /* ends waiting also when another worker has failed */
    uint16_t *row_of_slot;       /* as the map was when the pass began */
    uint64_t total;              /* keys, as the manifest says */
    _Atomic size_t next_part;
    _Atomic uint64_t done;
    _Atomic bool stop;
    pthread_mutex_t lock; /* guards failed, examples and the survey's counts */
    struct error failed;  /* the first */
    struct example {
        struct record_position here; /* part of the manifest */
        char *text;
    } examples[RESTORE_EXAMPLES]; /* the first ones of the backup */
};

struct worker {
    struct pass *pass;
    struct cluster *cluster;
    struct pipeline *pipeline;
    struct restore_plan own; /* its counts */
    struct asked {
        struct str key; /* in names */
        uint32_t db;
        size_t at; /* index of the reply that counts */
        struct record_position here;
        bool answered;
    } * asked; /* the requests in the pipeline */
    size_t asked_count, asked_cap;
    struct arena names;
    struct error failed; /* met in a reply */
    struct example examples[RESTORE_EXAMPLES];
    uint64_t records;
    uint64_t refused;
    uint32_t last_db;
};

/* ---- which keys are there -------------------------------------------------------------------- */

static bool is_before(struct record_position a, struct record_position b)
{
    return a.part < b.part || (a.part == b.part && a.offset < b.offset);
}

/* Keep the first ones, in order; `text` is taken. */
static void add_example(struct example *list, struct record_position here, char *text)
{
    for (size_t i = 0; i < RESTORE_EXAMPLES && text != NULL; i++)
        if (list[i].text == NULL || is_before(here, list[i].here)) {
            struct example moved = list[i];

            list[i] = (struct example){here, text};
            here = moved.here;
            text = moved.text;
        }
    free(text);
}

static bool is_example(const struct example *list, struct record_position here)
{
    const struct example *last = &list[RESTORE_EXAMPLES - 1];

    return last->text == NULL || is_before(here, last->here);
}

/* Of a resumed job the keys that were there before its first run are existing ones; the others it
 * wrote itself, or a client did meanwhile, as may happen during any run. */
static void note_there(struct worker *w, const struct asked *asked)
{
    struct restore_plan *p = &w->own;
    char shown[80];

    if (p->resumed && (restore_resume_existed(p->resume) == 0 ||
                       (p->existed != NULL && !key_bloom_has(p->existed, asked->db, asked->key)))) {
        p->since++;
        return;
    }
    if (!p->resumed)
        (void)key_bloom_add(p->existed, asked->db, asked->key);
    if (is_example(w->examples, asked->here))
        add_example(w->examples, asked->here,
                    mem_copy_text(escape_text(shown, sizeof(shown), asked->key)));
    p->existing++;
}

static void on_exists(void *arg, const struct pipeline_reply *r)
{
    struct worker *w = arg;
    struct asked *asked = &w->asked[r->tag];
    struct error why = {0};
    int64_t there = 0;

    if (r->index != asked->at)
        return; /* SELECT: whether that works is asked once, for all */
    if (asked->answered)
        return; /* sent again because a reply behind this one was lost */
    asked->answered = true;
    if (!reply_want_i64(r->reply, "EXISTS", &there, &why)) {
        if (restore_is_key_refused(&why))
            w->refused++;
        else
            w->failed = why;
        return;
    }
    if (there != 0)
        note_there(w, asked);
}

static bool flush_exists(struct worker *w, struct error *err)
{
    bool ok = pipeline_flush(w->pipeline, err);

    arena_clear(&w->names);
    w->asked_count = 0;
    if (ok && w->failed.code != ERROR_NONE) {
        *err = w->failed;
        return false;
    }
    return ok;
}

static bool ask_exists(struct worker *w, const struct record_head *h, uint16_t slot,
                       struct record_position here, struct error *err)
{
    struct buf *out = pipeline_begin(w->pipeline);
    bool other = h->db != 0;

    if ((other && !restore_append_select(out, h->db, err)) ||
        !command_append(out, COMMAND(STR("EXISTS"), h->key), err) ||
        (other && !restore_append_select(out, 0, err)))
        return false;
    pipeline_end(w->pipeline, slot, other ? 3 : 1, w->asked_count);
    ARRAY_PUSH(w->asked, w->asked_count, w->asked_cap) = (struct asked){
        .key = arena_str(&w->names, h->key), .db = h->db, .at = other ? 1 : 0, .here = here};
    return !pipeline_full(w->pipeline) || flush_exists(w, err);
}

/* ---- a record -------------------------------------------------------------------------------- */

static void count_expiry(struct restore_plan *p, const struct record_head *h)
{
    int64_t now;

    if (h->ttl_millis == RECORD_NO_TIME)
        return;
    now = clock_real_ms() + (p->node_count > 0 ? p->nodes[0].clock_ahead_ms : 0);
    p->with_ttl++;
    if (h->expire_at_millis != RECORD_NO_TIME && h->expire_at_millis <= now)
        p->past_deadline++;
}

/* A key of many lines counts once, at its first, but needs memory for each. open: its part was not
 * finished by an earlier run. */
static bool count_record(struct worker *w, const struct record *r, struct record_position here,
                         bool open, struct error *err)
{
    const struct record_head *h = record_head(r);
    struct restore_plan *p = &w->own;
    uint16_t slot = p->cluster ? record_slot(h) : 0;
    uint16_t row = w->pass->row_of_slot[slot];
    struct restore_node *owner = row == UINT16_MAX ? NULL : &p->nodes[row];

    if (open)
        restore_fit_count(p, r, slot, owner);
    if (h->chunked && h->chunk_seq > 0)
        return true;
    p->keys++;
    p->by_type[h->type]++;
    restore_repeat_note(p->repeat, h->db, h->key);
    if (open && owner != NULL)
        owner->to_write++;
    count_expiry(p, h);
    if (h->db > w->last_db)
        w->last_db = h->db;
    /* A key in an open slot may be on either side; the plan refuses it. */
    if (p->cluster && slot_set_has(&p->needs.open, slot))
        return true;
    return !open || ask_exists(w, h, slot, here, err);
}

/* ---- a worker -------------------------------------------------------------------------------- */

static void tell(struct worker *w)
{
    uint64_t done = atomic_fetch_add(&w->pass->done, w->records) + w->records;

    task_row(w->pass->survey->task, 0, "archive", done, w->pass->total);
    w->records = 0;
}

static bool survey_part(struct worker *w, size_t part, struct error *err)
{
    struct restore_survey *s = w->pass->survey;
    const struct part_group alone = {.parts = &part, .count = 1};
    struct record_stream *stream = record_stream_new(s->source, &alone, &s->options->filter);
    bool open = restore_resume_part(w->own.resume, part, NULL) == RESTORE_PART_OPEN;
    bool ok = true;

    while (ok && !atomic_load(&w->pass->stop)) {
        struct record_position here = {.part = part};
        const struct record *r;

        ok = record_stream_next(stream, &r, err);
        if (!ok || r == NULL)
            break;
        here.offset = record_stream_position(stream).offset;
        ok = count_record(w, r, here, open, err);
        if (++w->records == TELL_RECORDS)
            tell(w);
        ok = ok && task_checkpoint(s->task, err);
    }
    w->own.left_out += record_stream_left_out(stream);
    record_stream_free(stream);
    return ok;
}

static bool survey_parts(struct worker *w, struct error *err)
{
    struct pass *pass = w->pass;
    size_t count = source_manifest(pass->survey->source)->part_count;

    if (!cluster_connect(w->cluster, true, err))
        return false;
    while (!atomic_load(&pass->stop)) {
        size_t part = atomic_fetch_add(&pass->next_part, 1);

        if (part >= count)
            break;
        if (!survey_part(w, part, err))
            return false;
    }
    return flush_exists(w, err);
}

/* What the counts are about, without counts. */
static struct restore_plan own_plan(const struct restore_plan *p)
{
    struct restore_plan own = {.nodes = mem_zero(p->node_count, sizeof(*p->nodes)),
                               .node_count = p->node_count,
                               .cluster = p->cluster,
                               .resumed = p->resumed,
                               .resume = p->resume,
                               .repeat = p->repeat,
                               .existed = p->existed,
                               .needs.open = p->needs.open};

    if (p->node_count > 0)
        memcpy(own.nodes, p->nodes, p->node_count * sizeof(*p->nodes));
    for (size_t i = 0; i < p->node_count; i++)
        own.nodes[i].to_write = own.nodes[i].need_memory = 0;
    return own;
}

static void add_plan(struct restore_plan *to, const struct restore_plan *from)
{
    to->keys += from->keys;
    to->left_out += from->left_out;
    for (size_t t = 0; t < RECORD_TYPES; t++)
        to->by_type[t] += from->by_type[t];
    to->with_ttl += from->with_ttl;
    to->past_deadline += from->past_deadline;
    to->existing += from->existing;
    to->since += from->since;
    for (size_t i = 0; i < to->node_count; i++) {
        to->nodes[i].to_write += from->nodes[i].to_write;
        to->nodes[i].need_memory += from->nodes[i].need_memory;
    }
    restore_fit_add(&to->needs, &from->needs);
}

/* The lock is held. */
static void add_worker(struct pass *pass, struct worker *w)
{
    struct restore_survey *s = pass->survey;

    add_plan(s->plan, &w->own);
    s->refused += w->refused;
    s->last_db = w->last_db > s->last_db ? w->last_db : s->last_db;
    for (size_t i = 0; i < RESTORE_EXAMPLES; i++)
        add_example(pass->examples, w->examples[i].here, w->examples[i].text);
}

static void *worker_run(void *arg)
{
    struct pass *pass = arg;
    struct worker w = {.pass = pass, .own = own_plan(pass->survey->plan)};
    struct pipeline_handler handler = {on_exists, &w};
    const struct redis_options *target = &pass->target;
    struct error err = {0};
    bool ok;

    w.cluster = cluster_new(target);
    w.pipeline =
        pipeline_new(w.cluster, &handler,
                     target->outage_timeout_ms > 0 ? target->outage_timeout_ms : RESTORE_OUTAGE_MS,
                     &target->cancel);
    ok = survey_parts(&w, &err);
    tell(&w);
    (void)pthread_mutex_lock(&pass->lock);
    add_worker(pass, &w);
    if (!ok && !atomic_exchange(&pass->stop, true))
        pass->failed = err;
    (void)pthread_mutex_unlock(&pass->lock);
    pipeline_free(w.pipeline);
    cluster_free(w.cluster);
    arena_release(&w.names);
    free(w.asked);
    free(w.own.nodes);
    return NULL;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static bool is_over(void *arg)
{
    const struct pass *pass = arg;

    return atomic_load(&pass->stop) || cancel_asked(&pass->survey->target->cancel);
}

static void tell_wait(void *arg, const struct error *why, int64_t left_ms)
{
    const struct pass *pass = arg;
    const struct cancel *cancel = &pass->survey->target->cancel;

    if (cancel->told != NULL)
        cancel->told(cancel->arg, why, left_ms);
}

/* Where clients are to be spared one asks, as nobody holds the questions back. */
static size_t worker_count(const struct restore_survey *s)
{
    const struct manifest *m = source_manifest(s->source);
    const struct restore_options *o = s->options;
    size_t count = o->workers > 0 ? o->workers : RESTORE_WORKERS_MAX;
    uint64_t largest = 0;

    if (o->adaptive || o->rate > 0)
        return 1;
    if (count > RESTORE_WORKERS_MAX)
        count = RESTORE_WORKERS_MAX;
    for (size_t i = 0; i < m->part_count; i++)
        largest = m->parts[i].bytes > largest ? m->parts[i].bytes : largest;
    while (count > 1 && (count > m->part_count || largest > PARTS_BYTES / count))
        count--;
    return count;
}

static void run_workers(struct pass *pass)
{
    pthread_t threads[RESTORE_WORKERS_MAX];
    size_t count = worker_count(pass->survey);
    size_t started = 0;

    for (; started < count; started++)
        if (pthread_create(&threads[started], NULL, worker_run, pass) != 0)
            break;
    for (size_t i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL);
    if (started == 0) {
        atomic_store(&pass->stop, true);
        (void)!error_set(&pass->failed, ERROR_INTERNAL, 0, "cannot start a thread");
    }
}

bool restore_survey_parts(struct restore_survey *s, struct error *err)
{
    struct pass pass = {.survey = s,
                        .target = *s->target,
                        .row_of_slot = restore_rows_of(s->plan, s->cluster),
                        .total = source_manifest(s->source)->totals.keys};
    uint64_t done;

    pass.target.cancel = (struct cancel){.asked = is_over, .arg = &pass, .told = tell_wait};
    (void)pthread_mutex_init(&pass.lock, NULL);
    task_stage(s->task, "survey");
    task_row(s->task, 0, "archive", 0, pass.total);
    run_workers(&pass);
    (void)pthread_mutex_destroy(&pass.lock);
    free(pass.row_of_slot);
    for (size_t i = 0; i < RESTORE_EXAMPLES; i++)
        s->plan->examples[i] = pass.examples[i].text;
    if (atomic_load(&pass.stop)) {
        *err = pass.failed;
        return false;
    }
    done = atomic_load(&pass.done);
    task_row(s->task, 0, "archive", done, done);
    return true;
}
