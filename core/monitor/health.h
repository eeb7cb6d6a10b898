/*
 * health.h - rules that turn a snapshot into findings: what is wrong, how bad, what to do.
 *
 * One table row per rule; pure, so each rule is tested on a made-up snapshot. Severity CRIT: data
 * or service is lost or about to be; WARN: redundancy or margin is gone; INFO: worth knowing.
 */
#ifndef CORE_MONITOR_HEALTH_H
#define CORE_MONITOR_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"

struct snapshot;

enum health_severity { HEALTH_INFO, HEALTH_WARN, HEALTH_CRIT };

struct finding {
    enum health_severity severity;
    const char *rule;   /* "slots-uncovered": stable, for JSON and filters */
    uint16_t node;      /* index into the snapshot's nodes, UINT16_MAX for the cluster */
    const char *text;   /* "5461 slots have no owner: 0-5460", escaped */
    const char *advice; /* "start 127.0.0.1:7001 again, or fail over to one of its replicas" */
};

struct health_limits {
    int64_t lag_warn_ms;       /* default 10,000 */
    unsigned memory_warn_pct;  /* default 90 */
    unsigned clients_warn_pct; /* default 90 */
    unsigned backlog_warn_pct; /* default 50 */
};

#define HEALTH_LIMITS_DEFAULT ((struct health_limits){10000, 90, 90, 50})

/* Findings live in the arena, worst first. Returns how many. */
size_t health_judge(const struct snapshot *s, const struct health_limits *limits, struct arena *a,
                    struct finding **out);
const char *health_severity_name(enum health_severity severity); /* "info" "warn" "crit" */

#endif
