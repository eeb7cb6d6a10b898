#include "core/backup/backup_order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backup/backup_private.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"

#define COUNTS_AT_ONCE 1000
#define FLUSH_MS 60000 /* a slow backup puts its parts away at least so often */
#define REDIS_ORDERED 70400
#define VALKEY_ORDERED 80000

/* ---- how many keys ----------------------------------------------------------------------------
 */

static bool ask_counts(struct shard *s, uint32_t *at, size_t *asked)
{
    char number[8];

    for (*asked = 0; *at < SLOT_COUNT && *asked < COUNTS_AT_ONCE; ++*at) {
        if (!slot_set_has(&s->want, (uint16_t)*at))
            continue;
        (void)snprintf(number, sizeof(number), "%u", (unsigned)*at);
        if (!shard_send(s, COMMAND(STR("CLUSTER"), STR("COUNTKEYSINSLOT"), str_from(number))))
            return false;
        ++*asked;
    }
    return true;
}

/* *known: every answer was a number. */
static bool count_keys(struct shard *s, bool *known)
{
    uint32_t at = 0;
    uint32_t slot = 0;
    const struct reply *r;
    size_t asked;

    *known = true;
    while (at < SLOT_COUNT && *known) {
        if (!ask_counts(s, &at, &asked))
            return false;
        for (; asked > 0; slot++) {
            if (!slot_set_has(&s->want, (uint16_t)slot))
                continue;
            if (!shard_next(s, &r))
                return false;
            asked--;
            if (r->type == REPLY_INTEGER && r->integer >= 0 && r->integer < UINT32_MAX)
                s->order.keys[slot] = (uint32_t)r->integer;
            else
                *known = false;
        }
    }
    return true;
}

bool order_begin(struct shard *s, size_t databases)
{
    struct order *o = &s->order;
    const struct capability *c = &s->capability;
    uint64_t total = 0;
    bool known = false;

    o->one = databases <= 1;
    o->flushed_ms = clock_mono_ms();
    o->on = s->cluster && !s->b->plain_cursors &&
            (capability_at_least(c, FLAVOUR_REDIS, REDIS_ORDERED) ||
             capability_at_least(c, FLAVOUR_VALKEY, VALKEY_ORDERED));
    if (!s->cluster || !o->one || (!o->on && slot_set_equal(&s->want, &s->view.owned)))
        return true; /* of all its slots the node has said how many keys there are */
    o->keys = mem_zero(SLOT_COUNT, sizeof(*o->keys));
    if (!count_keys(s, &known))
        return false;
    if (!known) {
        order_release(s);
        return true;
    }
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        total += o->keys[slot];
    s->total = total;
    return true;
}

void order_release(struct shard *s)
{
    free(s->order.keys);
    s->order.keys = NULL;
}

/* ---- cursors ----------------------------------------------------------------------------------
 */

/* The first wanted slot from `from` on; SLOT_COUNT: none. */
static uint32_t next_wanted(const struct shard *s, uint32_t from)
{
    uint16_t first;
    uint16_t last;

    return slot_set_next_range(&s->want, &from, &first, &last) ? first : SLOT_COUNT;
}

static void set_cursor(struct shard *s, uint32_t slot)
{
    (void)snprintf(s->scan.cursor, sizeof(s->scan.cursor), "%u", (unsigned)slot);
}

void order_first(struct shard *s)
{
    struct order *o = &s->order;
    uint32_t slot = o->on ? next_wanted(s, 0) : 0;

    if (slot == SLOT_COUNT)
        slot = 0;
    set_cursor(s, slot);
    o->asked = slot;
    o->upto = slot;
}

static bool is_out_of_order(const struct shard *s, const struct reply *keys, uint32_t last)
{
    for (size_t i = 0; i < keys->count; i++) {
        uint16_t slot = slot_of_key(keys->elements[i].str);

        if (slot < s->order.asked || slot > last)
            return true;
    }
    return false;
}

bool order_take(struct shard *s, const struct reply *keys)
{
    struct order *o = &s->order;
    uint64_t cursor;
    uint32_t slot;
    uint32_t next;

    if (!o->on)
        return true;
    slot = s->scan.done || !str_to_u64(str_from(s->scan.cursor), &cursor)
               ? SLOT_COUNT - 1
               : (uint32_t)(cursor % SLOT_COUNT);
    if (slot < o->asked || is_out_of_order(s, keys, slot)) {
        s->disorder = true;
        return shard_changed(s, "its cursors do not follow the slots: it is read the plain way");
    }
    o->upto = s->scan.done ? SLOT_COUNT : slot;
    if (!s->scan.done && !slot_set_has(&s->want, (uint16_t)slot)) {
        next = next_wanted(s, slot);
        o->upto = next;
        s->scan.done = next == SLOT_COUNT;
        slot = next;
        set_cursor(s, next);
    }
    o->asked = slot;
    return true;
}

void order_read(struct shard *s, uint32_t upto, size_t listed)
{
    struct order *o = &s->order;

    o->listed += listed;
    o->since += listed;
    if (!o->on || upto <= o->read)
        return;
    for (uint32_t slot = o->read; o->keys != NULL && slot < upto; slot++)
        o->before += o->keys[slot];
    o->read = upto;
    o->since = 0;
}

/* ---- what is finished -------------------------------------------------------------------------
 */

bool order_settle(struct shard *s, bool last)
{
    struct order *o = &s->order;
    const struct sink_ops *ops = s->b->sink.ops;
    struct slot_set done = {0};
    struct error err = {0};
    bool flush = clock_mono_ms() - o->flushed_ms >= FLUSH_MS;

    o->sure = last ? SLOT_COUNT : o->on && o->one ? o->read : 0;
    if (ops->settled == NULL || (o->sure <= o->told && !flush))
        return true;
    for (uint32_t slot = o->told; slot < o->sure; slot++)
        if (slot_set_has(&s->want, (uint16_t)slot) && !slot_set_has(&s->dirty, (uint16_t)slot))
            slot_set_add(&done, (uint16_t)slot);
    if (o->sure > o->told)
        o->told = o->sure;
    if (flush)
        o->flushed_ms = clock_mono_ms();
    return ops->settled(s->sink, &done, s->tally, flush, &err) || shard_failed(s, &err);
}

/* ---- the bar ----------------------------------------------------------------------------------
 */

void order_progress(const struct shard *s)
{
    const struct order *o = &s->order;
    uint64_t done = o->listed;
    uint64_t total = s->total;

    if (o->on && o->keys != NULL) {
        uint64_t here = o->read < SLOT_COUNT ? o->keys[o->read] : 0;

        done = o->before + (o->since < here ? o->since : here);
    }
    task_row(s->b->task, s->row, s->name, done, total > done ? total : done);
}
