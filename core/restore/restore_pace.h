/*
 * restore_pace.h - holds the writers of a restore back while a replica is behind, so that none is
 * pushed into a full sync, and ends the run when a server begins to evict. Private to
 * core/restore/restore*.
 *
 * Shared by the workers. Before bytes are written for a row of the plan (a primary), wait; then
 * enter, write, read the replies, leave. A worker that finds no room looks at the primary itself,
 * over its own connection, which must have no reply pending. What the primary cannot be asked about
 * (no connection, INFO refused) holds nobody up: the write meets the outage itself. How room is
 * judged: restore_lag.h.
 */
#ifndef CORE_RESTORE_RESTORE_PACE_H
#define CORE_RESTORE_RESTORE_PACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/redis/cluster.h"
#include "core/restore/restore.h"

struct restore_pace;

/* One row per node of the plan, which outlives it, as options and task do. */
struct restore_pace *restore_pace_new(const struct restore_plan *plan,
                                      const struct redis_options *target, struct task *task);
void restore_pace_free(struct restore_pace *p); /* NULL is fine; no worker is left */

/* Bytes that one batch should stay below; a single larger value goes when nothing else does. */
size_t restore_pace_batch(struct restore_pace *p);

struct restore_pace_turn {
    struct cluster *cluster;  /* the worker's own */
    const _Atomic bool *stop; /* another worker failed */
    size_t row;               /* of the plan */
    uint16_t slot;            /* any slot of the row: its owner is the one to ask */
    uint64_t bytes;
};

/* Until there is room. ERROR_CANCELLED; ERROR_STORAGE: the server evicts keys. */
bool restore_pace_wait(struct restore_pace *p, const struct restore_pace_turn *turn,
                       struct error *err) MUST_CHECK;
void restore_pace_enter(struct restore_pace *p, size_t row, uint64_t bytes);
void restore_pace_leave(struct restore_pace *p, size_t row, uint64_t bytes);

#endif
