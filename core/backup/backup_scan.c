#include <stdio.h>
#include <string.h>

#include "core/backup/backup_private.h"
#include "core/backup/detector.h"
#include "core/base/clock.h"

#define PAUSE_STEP_MS 100
#define LOOK_MS 1000 /* between two looks at identity and slots */
#define SCAN_COUNT "1000"
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

static bool keep_pace(struct shard *s)
{
    uint64_t rate = task_rate(s->b->task);
    int64_t now = clock_mono_ms();
    int64_t until = now;
    int64_t took = s->scan.took_us;

    if (rate == 0)
        rate = s->b->o->rate;
    if (rate > 0) {
        uint64_t share = rate / s->b->active > 0 ? rate / s->b->active : 1;

        until = s->started_ms + (int64_t)(s->done * 1000 / share);
    }
    if (s->best_us == 0 || took < s->best_us)
        s->best_us = took;
    if (s->b->o->adaptive && took > 4 * s->best_us && took > s->best_us + 5000 &&
        now + took / 1000 > until)
        until = now + took / 1000;
    return sleep_until(s, until);
}

bool shard_wait(struct shard *s)
{
    int64_t now = clock_mono_ms();

    if (s->outage_deadline == 0) {
        s->outage_deadline = now + backup_outage_ms(s->b);
        s->outage_step_ms = OUTAGE_FIRST_MS;
        task_note(s->b->task, TASK_WARN, "%.60s: waiting, it says: %s", s->name, s->later_why);
        task_row_state(s->b->task, s->row, "waiting");
    }
    if (now >= s->outage_deadline) {
        s->outage = true;
        return shard_changed(s, "for %lld s it went on saying: %s",
                             (long long)(backup_outage_ms(s->b) / 1000), s->later_why);
    }
    s->outage_step_ms =
        s->outage_step_ms * 2 < OUTAGE_MOST_MS ? s->outage_step_ms * 2 : OUTAGE_MOST_MS;
    return sleep_until(s, now + s->outage_step_ms);
}

void shard_waited(struct shard *s)
{
    if (s->outage_deadline != 0)
        task_row_state(s->b->task, s->row, "reading");
    s->outage_deadline = 0;
}

/* ---- scan -------------------------------------------------------------------------------------
 */

static bool is_wanted(struct shard *s, struct str key, uint16_t *slot)
{
    *slot = s->cluster ? slot_of_key(key) : SLOT_NONE;
    if (record_is_temp(key) || (s->cluster && !slot_set_has(&s->want, *slot)))
        return false;
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
    s->scan.asked = true;
    s->scan.again = false;
    s->scan.asked_us = clock_mono_us();
    return shard_send(
               s, COMMAND(STR("SCAN"), str_from(s->scan.cursor), STR("COUNT"), STR(SCAN_COUNT))) &&
           shard_send(s, COMMAND(STR("ROLE"))) && shard_send(s, COMMAND(STR("TIME")));
}

bool shard_scan_take(struct shard *s)
{
    struct scan *scan = &s->scan;
    const struct reply *r;

    scan->asked = false;
    scan->count = 0;
    arena_clear(&scan->keys);
    if (!shard_next(s, &r))
        return false;
    scan->took_us = clock_mono_us() - scan->asked_us;
    scan->again = shard_put_off(s, r);
    if ((!scan->again && !take_keys(s, r)) || !shard_next(s, &r))
        return false;
    /* Too busy to say its role: the next answer, or the look at the end, will tell. */
    if (DETECTOR_ROLE && !shard_put_off(s, r) &&
        (r->type != REPLY_ARRAY || r->count == 0 || !reply_is(&r->elements[0], "master")))
        return shard_changed(s, "it is no primary any more");
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

bool shard_read_database(struct shard *s)
{
    bool last;

    fingerprints_clear(s->seen);
    (void)snprintf(s->scan.cursor, sizeof(s->scan.cursor), "0");
    if (!scan_first(s))
        return false;
    do {
        size_t count;
        struct item *items = take_batch(s, &count);

        last = s->scan.done;
        if ((!last && !shard_scan_ask(s)) || !shard_read_batch(s, items, count))
            return false;
        if (!last && s->scan.again && (!shard_wait(s) || !scan_first(s)))
            return false;
        s->done += count;
        task_row(s->b->task, s->row, s->name, s->done, s->total > s->done ? s->total : s->done);
        if (!keep_pace(s))
            return false;
        if (clock_mono_ms() - s->looked_ms >= LOOK_MS && !shard_compare(s))
            return false;
    } while (!last);
    return true;
}
