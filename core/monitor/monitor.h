/*
 * monitor.h - watches one environment: a thread that asks every node at every interval and
 * publishes snapshots.
 *
 * Start, read and stop from one thread (the UI's or a verb's); monitor_snapshot and the request
 * functions from any. No call waits for the network, except monitor_stop, which waits at most about
 * 100 ms for the thread to end. Any one seed that answers is enough: the rest is discovered.
 */
#ifndef CORE_MONITOR_MONITOR_H
#define CORE_MONITOR_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/monitor/health.h"
#include "core/monitor/snapshot.h"
#include "core/redis/options.h"

struct monitor;

struct monitor_options {
    const struct redis_options *redis; /* must outlive the monitor; its timeouts are not used */
    int64_t interval_ms;               /* 0: 1,000; least 100 */
    int64_t timeout_ms;                /* of one poll; 0: twice the interval, 500 to 2,000 */
    struct health_limits limits;       /* zeroed: the defaults */
    const char *event_log; /* path from event_log_path(), copied; NULL: nothing is stored */
};

/* NULL on failure: no seed, no thread. */
struct monitor *monitor_start(const struct monitor_options *options, struct error *err) MUST_CHECK;
void monitor_stop(struct monitor *m); /* NULL is fine; frees */
/* A reference to the newest snapshot; never NULL (the first one has no nodes and state CONNECTING).
 */
struct snapshot *monitor_snapshot(struct monitor *m);
int monitor_fd(const struct monitor *m); /* readable when there is a newer one */
void monitor_take_notice(struct monitor *m);
void monitor_refresh(struct monitor *m); /* poll every node now */
void monitor_set_interval(struct monitor *m, int64_t interval_ms);

#endif
