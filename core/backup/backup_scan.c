#include <stdio.h>
#include <string.h>

#include "core/backup/backup_private.h"
#include "core/base/clock.h"
#include "core/base/detector.h"

#define PAUSE_STEP_MS 100
#define LOOK_MS 1000 /* between two looks at identity and slots */
#define SCAN_COUNT 1000
#define SCAN_COUNT_GENTLE 250 /* rate auto: shorter turns for the others */
#define OUTAGE_FIRST_MS 50
#define OUTAGE_MOST_MS 1000

/* ---- pace -------------------------------------------------------------------------------------
 */

static bool sleep_until(struct shard *s, int64_t mono_ms)
{
    struct error err = {0};

    for (;;) {
        int64_t left = mono_ms - clock_mono_ms();

        if (!task_checkpoint(s->b->task, &err))
            return shard_failed(s, &err);
        if (left <= 0)
            return true;
        clock_sleep_ms(left < PAUSE_STEP_MS ? left : PAUSE_STEP_MS);
    }
}

static uint64_t rate_now(const struct backup *b)
{
    uint64_t rate = task_rate(b->task);

    return rate != 0 ? rate : b->o->rate;
}

/* The bar says when a node is given way to, the journal what it was judged by. */
static void tell_way(struct shard *s, const struct pace_auto *judged)
{
    bool gives_way = judged->rest > 0;

    if (gives_way == s->gives_way)
        return;
    s->gives_way = gives_way;
    task_row_state(s->b->task, s->row, gives_way ? "giving way" : "reading");
    if (gives_way && !s->gave_way)
        task_note(s->b->task, TASK_INFO,
                  "%.60s answers a PING in %.1f ms instead of %.1f: it is read more slowly",
                  s->name, (double)judged->now_us / 1000, (double)judged->best_us / 1000);
    s->gave_way = true;
}

/* After a batch of so many keys: as long as the rate and the node's other clients ask for. */
static bool keep_pace(struct shard *s, size_t keys)
{
    struct backup *b = s->b;
    uint64_t rate = rate_now(b);
    int64_t now = clock_mono_us();
    int64_t until = now;
    struct pace_auto judged;

    if (rate > 0) {
        pthread_mutex_lock(&b->pace_mutex);
        until = pace_take(&b->pace, keys, rate, now);
        pthread_mutex_unlock(&b->pace_mutex);
    }
    if (b->probe != NULL) {
        int64_t rested = now + probe_rest(b->probe, s->index, now - s->worked_us, &judged);

        until = rested > until ? rested : until;
        tell_way(s, &judged);
    }
    if (!sleep_until(s, until / 1000))
        return false;
    s->worked_us = clock_mono_us();
    return true;
}

/* Whoever looks at the job sees what it waits for, all the while. */
static bool wait_until(struct shard *s, int64_t until)
{
    char why[200];

    (void)snprintf(why, sizeof(why), "%.60s: %s", s->name, s->later_why);
    for (;;) {
        int64_t now = clock_mono_ms();
        int64_t slice = now + PAUSE_STEP_MS;

        if (now >= until)
            return true;
        task_waits(s->b->task, why, s->outage_deadline - now);
        if (!sleep_until(s, slice < until ? slice : until))
            return false;
    }
}

bool shard_wait(struct shard *s)
{
    int64_t now = clock_mono_ms();

    if (s->outage_deadline == 0) {
        s->outage_deadline = now + backup_outage_ms(s->b);
        s->outage_step_ms = OUTAGE_FIRST_MS;
        task_row_state(s->b->task, s->row, "waiting");
    }
    if (now >= s->outage_deadline) {
        s->outage = true;
        return shard_changed(s, "for %lld s it went on saying: %s",
                             (long long)(backup_outage_ms(s->b) / 1000), s->later_why);
    }
    s->outage_step_ms =
        s->outage_step_ms * 2 < OUTAGE_MOST_MS ? s->outage_step_ms * 2 : OUTAGE_MOST_MS;
    return wait_until(s, now + s->outage_step_ms);
}

void shard_waited(struct shard *s)
{
    if (s->outage_deadline != 0)
        task_row_state(s->b->task, s->row, "reading");
    task_goes_on(s->b->task);
    s->outage_deadline = 0;
}

/* ---- scan -------------------------------------------------------------------------------------
 */

static bool is_wanted(struct shard *s, struct str key, uint16_t *slot)
{
    *slot = s->cluster ? slot_of_key(key) : SLOT_NONE;
    if (record_is_temp(key) || (s->cluster && !slot_set_has(&s->want, *slot)))
        return false;
    s->scan.listed++;
    return filter_takes_key(&s->b->o->filter, key, *slot) && fingerprints_add(s->seen, key);
}

static bool take_keys(struct shard *s, const struct reply *r)
{
    struct scan *scan = &s->scan;
    const struct reply *list;
    struct error err = {0};

    if (!reply_check(r, "SCAN", &err))
        return reply_error_action(reply_error_of(r)) == REPLY_FATAL
                   ? shard_failed(s, &err)
                   : shard_changed(s, "%s", err.text);
    if (r->type != REPLY_ARRAY || r->count != 2 || r->elements[1].type != REPLY_ARRAY ||
        !str_copy(r->elements[0].str, scan->cursor, sizeof(scan->cursor)))
        return shard_changed(s, "SCAN was answered with something else");
    scan->done = strcmp(scan->cursor, "0") == 0;
    list = &r->elements[1];
    if (!order_take(s, list))
        return false;
    scan->items = arena_array(&scan->keys, list->count + 1, sizeof(*scan->items));
    for (size_t i = 0; i < list->count; i++) {
        uint16_t slot;

        if (list->elements[i].type != REPLY_STRING || !is_wanted(s, list->elements[i].str, &slot))
            continue;
        scan->items[scan->count++] =
            (struct item){.key = arena_str(&scan->keys, list->elements[i].str),
                          .slot = slot,
                          .deadline = RECORD_NO_TIME};
    }
    return true;
}

/* ROLE and TIME ride along: a demoted primary would go on answering SCAN. */
bool shard_scan_ask(struct shard *s)
{
    char count[16];

    (void)snprintf(count, sizeof(count), "%u",
                   pace_batch(rate_now(s->b), s->b->active,
                              s->b->o->adaptive ? SCAN_COUNT_GENTLE : SCAN_COUNT));
    s->scan.asked = true;
    s->scan.again = false;
    return shard_send(
               s, COMMAND(STR("SCAN"), str_from(s->scan.cursor), STR("COUNT"), str_from(count))) &&
           shard_send(s, COMMAND(STR("ROLE"))) && shard_send(s, COMMAND(STR("TIME")));
}

bool shard_scan_take(struct shard *s)
{
    struct scan *scan = &s->scan;
    const struct reply *r;

    scan->asked = false;
    scan->count = 0;
    scan->listed = 0;
    arena_clear(&scan->keys);
    if (!shard_next(s, &r))
        return false;
    scan->again = shard_put_off(s, r);
    if ((!scan->again && !take_keys(s, r)) || !shard_next(s, &r))
        return false;
    /* Too busy to say its role: the next answer, or the look at the end, will tell. */
    if (DETECTOR_ROLE && !shard_put_off(s, r) && !shard_role_fits(s, r))
        return false;
    if (!shard_next(s, &r))
        return false;
    shard_take_time(s, r);
    return true;
}

/* Until there is an answer: the server may be loading or busy. */
static bool scan_first(struct shard *s)
{
    do {
        if (!shard_scan_ask(s) || !shard_scan_take(s) || (s->scan.again && !shard_wait(s)))
            return false;
    } while (s->scan.again);
    shard_waited(s);
    return true;
}

/* The newest answer becomes the batch to read; its memory is kept until the next time. */
static struct item *take_batch(struct shard *s, size_t *count)
{
    struct item *items = s->scan.items;
    struct arena read = s->keys;

    *count = s->scan.count;
    s->keys = s->scan.keys;
    s->scan.keys = read;
    return items;
}

/* A batch was read: what comes between two of them. */
static bool between_batches(struct shard *s, uint32_t upto, size_t listed, size_t count)
{
    order_read(s, upto, listed);
    order_progress(s);
    if (!keep_pace(s, count))
        return false;
    return clock_mono_ms() - s->looked_ms < LOOK_MS ||
           (shard_compare(s) && shard_check_fields(s) && order_settle(s, false));
}

bool shard_read_database(struct shard *s)
{
    bool last;

    fingerprints_clear(s->seen);
    order_first(s);
    s->worked_us = clock_mono_us();
    if (!scan_first(s))
        return false;
    do {
        uint32_t upto = s->order.upto;
        size_t listed = s->scan.listed;
        size_t count;
        struct item *items = take_batch(s, &count);

        last = s->scan.done;
        if ((!last && !shard_scan_ask(s)) || !shard_read_batch(s, items, count))
            return false;
        if (!last && s->scan.again && (!shard_wait(s) || !scan_first(s)))
            return false;
        if (!between_batches(s, upto, listed, count))
            return false;
    } while (!last);
    return shard_check_fields(s);
}
