/*
 * restore_lag.h - how many more bytes one primary may be sent before a replica of it is in danger
 * of being dropped. Private to core/restore/restore*; pure: one INFO reply after another, any
 * clock.
 *
 * A primary keeps what a replica has not taken yet in an output buffer and drops the replica when
 * that passes client-output-buffer-limit; the replica then copies everything anew, while the writes
 * that made it fall behind go on: a loop. So the bytes outstanding to each replica stay below a
 * safe part of the limit: to one that is online, to one that is in the middle of a full sync, and
 * to one whose link broke a moment ago (it comes back without a full sync while the backlog still
 * holds what it missed). A replica that takes nothing for too long is waited for no more.
 */
#ifndef CORE_RESTORE_RESTORE_LAG_H
#define CORE_RESTORE_RESTORE_LAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/redis/info.h"

#define LAG_SAFE_PART 2 /* half of the limit */
#define LAG_LEAST ((int64_t)64 << 10)
#define LAG_MOST ((int64_t)128 << 20)
#define LAG_STEP_MS 500   /* the longest that one look counts for patience */
#define LAG_GONE_MS 10000 /* patience for a replica whose link broke */
#define LAG_SYNC_TIMES 10 /* a full sync may take that many times the patience */
#define LAG_NAME 72

/* client-output-buffer-limit of the class replica; 0 = none. */
struct lag_limits {
    int64_t hard, soft;
};

/* The servers' own default: what to take where CONFIG GET is refused. */
extern const struct lag_limits lag_limits_default;

/* "normal 0 0 0 slave 268435456 67108864 60 pubsub …"; false when there is no such class. */
bool lag_limits_parse(struct str text, struct lag_limits *out) MUST_CHECK;
/* Bytes that may be outstanding to one replica. Servers take a hard limit below the backlog's size
 * for that size. */
int64_t lag_limits_safe(const struct lag_limits *limits, int64_t backlog_size);

enum lag_state { LAG_ONLINE, LAG_SYNCING, LAG_GONE };

struct lag_replica {
    char name[LAG_NAME]; /* "127.0.0.1:7004" */
    enum lag_state state;
    int64_t offset;   /* taken so far; while it syncs: the primary's when that was first seen */
    int64_t stuck_ms; /* it held the writers up for that long without taking anything */
    bool given_up;    /* not waited for until it has caught up */
    bool listed;      /* in the reply that is being looked at */
};

/* Zero is an empty one. */
struct lag_row {
    struct lag_limits limits; /* set by the owner before the first look */
    struct lag_replica replicas[INFO_REPLICAS_MAX];
    size_t count;
    int64_t offset; /* the primary's at the last look */
    int64_t looked_ms;
    bool begun;
};

struct lag_verdict {
    int64_t room;   /* bytes that may follow until the next look; may be negative */
    int64_t most;   /* room with nothing outstanding */
    size_t waiting; /* index of the replica that is nearest to its limit; LAG_NOBODY */
    size_t online;
    char note[240]; /* for the journal, empty mostly */
};

#define LAG_NOBODY SIZE_MAX

/* One INFO replication of the primary. patience_ms: for a replica that takes nothing. now_ms: a
 * monotonic clock. */
void lag_look(struct lag_row *row, const struct info *info, int64_t patience_ms, int64_t now_ms,
              struct lag_verdict *out);

#endif
