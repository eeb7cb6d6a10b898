/*
 * backup_order.h - servers that keep one table for each slot and walk them in order (Redis 7.4,
 * Valkey 8 and later, in cluster mode): there the low 14 bits of a SCAN cursor are the slot, so
 * that progress is known by slot, slots that are not wanted are passed over, and what has been read
 * can be called finished long before the pass ends.
 *
 * Nothing documents those cursors, so each answer is checked: a key of a slot outside the cursors'
 * range ends the pass, and the node is read again the plain way. On other servers everything here
 * counts keys only. Belongs to the worker of its shard.
 */
#ifndef CORE_BACKUP_BACKUP_ORDER_H
#define CORE_BACKUP_BACKUP_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/redis/reply.h"
#include "core/redis/slot.h"

struct shard;

struct order {
    bool on;            /* cursors follow the slots, as far as we saw */
    bool one;           /* a single database: slots that were read are finished */
    uint32_t asked;     /* slot of the cursor that was asked with */
    uint32_t upto;      /* the newest answer ends before this slot */
    uint32_t read;      /* all wanted slots before this one were read */
    uint32_t sure;      /* … and nothing had changed at a look since then */
    uint32_t told;      /* … and the sink knows that they are finished */
    uint32_t *keys;     /* by slot, as the pass began; NULL: not known */
    uint64_t before;    /* keys of wanted slots before `read` */
    uint64_t since;     /* wanted keys listed since `read` changed */
    uint64_t listed;    /* wanted keys listed in all */
    int64_t flushed_ms; /* when the sink last put everything away */
};

/* Ask how many keys each wanted slot holds; adds them to the shard's total. databases: how many
 * there are on this node. */
bool order_begin(struct shard *s, size_t databases);
void order_release(struct shard *s);
/* A database is about to be scanned: the first cursor. */
void order_first(struct shard *s);
/* The answer to a SCAN: check it, and pass over slots that are not wanted (changes the cursor and
 * whether it is the last answer). */
bool order_take(struct shard *s, const struct reply *keys);
/* The batch of the answer that ended before `upto` was read, `listed` wanted keys. */
void order_read(struct shard *s, uint32_t upto, size_t listed);
/* After a look that found nothing changed: tell the sink what is finished. last: the pass is. */
bool order_settle(struct shard *s, bool last);
/* The bar: keys by slot where slots are known. */
void order_progress(const struct shard *s);

#endif
