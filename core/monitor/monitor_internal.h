/*
 * monitor_internal.h - the inside of struct monitor, shared by monitor.c, discover.c and build*.c.
 *
 * Everything but the atomics, `latest` and `wake_fd` belongs to the monitor thread.
 */
#ifndef CORE_MONITOR_MONITOR_INTERNAL_H
#define CORE_MONITOR_MONITOR_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/monitor/event_share.h"
#include "core/monitor/events.h"
#include "core/monitor/latest.h"
#include "core/monitor/monitor.h"
#include "core/monitor/target.h"

#define TARGETS_MAX 4096
#define VIEWS_PER_ROUND 48 /* CLUSTER NODES asked of at most so many nodes in one round */

struct monitor {
    /* constant after start */
    const struct redis_options *redis;
    struct conn_options conn, sentinel_conn;
    int64_t timeout_ms;
    bool timeout_fixed;
    struct health_limits limits;
    char *event_log; /* NULL: nothing is stored */
    char *master_name;
    struct latest *latest;
    pthread_t thread;
    int wake_fd;
    atomic_bool stop, refresh;
    atomic_llong interval_ms;
    /* of the thread */
    enum redis_mode mode;
    struct target **targets;
    size_t target_count, target_cap;
    struct events *events;
    struct event_list fresh;  /* not yet shown nor stored */
    struct event_list recent; /* the newest SNAPSHOT_EVENTS, numbered by told */
    struct event_share *share;
    uint64_t told;
    int64_t share_ms; /* when to look at the log again */
    bool log_broken;
    int64_t started_ms, round_ms, publish_ms;
    uint64_t round, number;
    bool dirty; /* an answer came, or an event, since the last snapshot */
    struct series series[MONITOR_SERIES];
};

/* ---- discover.c ---- */
void discover_seeds(struct monitor *m);
/* Bring the list of targets in line with what the answers name. */
void discover_targets(struct monitor *m);
struct target *discover_find(const struct monitor *m, const char *id);
struct target *discover_find_name(const struct monitor *m, const char *name);
/* Sentinel: what most of the answering Sentinels say of the group. NULL: none does. */
const struct sentinel_instance *discover_master(const struct monitor *m);

/* ---- build.c, build_sums.c, build_sentinel.c ---- */
struct snapshot *build_snapshot(struct monitor *m);
/* "host:port" of the primary by the Sentinels' word; false when none of them answers. */
bool build_named_primary(const struct monitor *m, char *name);
/* Role and life of a server as the Sentinels see it. */
void build_ask_sentinels(const struct monitor *m, struct monitor_node *n);
void build_sums(struct snapshot *s);
void build_state(const struct monitor *m, struct snapshot *s);
/* One sample of every series, from the newest snapshot's sums and the targets' rates. */
void build_sample(struct monitor *m, const struct snapshot *s);
bool build_is_stale(const struct monitor *m, const struct target *t, int64_t now_ms);

#endif
