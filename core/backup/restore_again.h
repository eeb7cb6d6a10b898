/*
 * restore_again.h - were writes taken back by a failover? Private to core/backup/restore*.
 *
 * Replication is asynchronous: a primary that dies takes acknowledged writes with it, and one that
 * starts again may have lost everything. So the owner of each slot and its replication history are
 * noted before the first write and compared after the last one; the keys of slots where either
 * changed are written once more. Blocking, one thread.
 */
#ifndef CORE_BACKUP_RESTORE_AGAIN_H
#define CORE_BACKUP_RESTORE_AGAIN_H

#include "core/redis/cluster.h"

struct restore_history;

/* Who owns which slot now, with which history. Waits through an outage as target says. */
bool restore_history_take(struct cluster *c, const struct redis_options *target,
                          struct restore_history **out, struct error *err) MUST_CHECK;
void restore_history_free(struct restore_history *h); /* NULL is fine */
/* Slots whose owner or history is another one in `now`; false when there are none. */
bool restore_history_differs(const struct restore_history *before,
                             const struct restore_history *now, struct slot_set *slots);

#endif
