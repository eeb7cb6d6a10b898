/*
 * restore_again.h - were writes taken back by a failover? Private to core/restore/restore*.
 *
 * Replication is asynchronous: a primary that dies takes acknowledged writes with it, and one that
 * starts again may have lost everything. So the owner of each slot and its replication history are
 * noted before the first write and compared after the last one, and by a resumed run with what the
 * run before it noted; the keys of slots where either changed are looked at once more. Blocking,
 * one thread.
 */
#ifndef CORE_RESTORE_RESTORE_AGAIN_H
#define CORE_RESTORE_RESTORE_AGAIN_H

#include <jansson.h>

#include "core/redis/cluster.h"

struct restore_history;

/* Who owns which slot now, with which history. Waits through an outage as target says. */
bool restore_history_take(struct cluster *c, const struct redis_options *target,
                          struct restore_history **out, struct error *err) MUST_CHECK;
void restore_history_free(struct restore_history *h); /* NULL is fine */
/* Slots whose owner or history is another one in `now`; false when there are none. */
bool restore_history_differs(const struct restore_history *before,
                             const struct restore_history *now, struct slot_set *slots);
/* Slots of servers that have evicted keys in between. */
bool restore_history_evicted(const struct restore_history *before,
                             const struct restore_history *now, struct slot_set *slots);

/* Keys that servers threw away to make room, between two looks. */
struct restore_evicted {
    int64_t keys;
    uint64_t untold; /* servers of which nobody can tell */
};
/* Adds what owners of slots did that are the same servers in both; the others' slots differ. From
 * look to look: a server that does not tell counts once for all of them. */
void restore_history_add_evicted(const struct restore_history *before, struct restore_history *now,
                                 struct restore_evicted *sum);

/* For the journal: objects of bounded size, one after another, each to be given to
 * restore_history_add again. */
json_t *restore_history_docs(const struct restore_history *h);
struct restore_history *restore_history_new(void);
/* ERROR_CORRUPT when it is no such object. */
bool restore_history_add(struct restore_history *h, const json_t *doc,
                         struct error *err) MUST_CHECK;

#endif
