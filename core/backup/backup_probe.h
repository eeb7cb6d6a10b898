/*
 * backup_probe.h - a thread that asks each node that is read for a PING twenty times a second: what
 * other clients feel of the backup, and of everything else.
 *
 * Made and freed by the leader around one round; workers ask for their node's rest at any time.
 */
#ifndef CORE_BACKUP_BACKUP_PROBE_H
#define CORE_BACKUP_BACKUP_PROBE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/pace.h"
#include "core/redis/conn.h"

struct probe;

/* Takes the connections (not opened; NULL: this one is not asked). */
struct probe *probe_start(struct conn **conns, size_t count);
void probe_stop(struct probe *p); /* NULL is fine; ends within the time of one PING */
/* How long node `index` should rest after busy_us of work. *now (may be NULL): what it was judged
 * by. */
int64_t probe_rest(struct probe *p, size_t index, int64_t busy_us, struct pace_auto *now);

#endif
