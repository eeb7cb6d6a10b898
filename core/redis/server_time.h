/*
 * server_time.h - how far a server's clock is before ours.
 *
 * Deadlines of keys are on the server's clock, so whoever judges them asks once and adds the
 * difference to clock_real_ms. Blocking; the thread that owns the struct cluster.
 */
#ifndef CORE_REDIS_SERVER_TIME_H
#define CORE_REDIS_SERVER_TIME_H

#include "core/redis/cluster.h"

/* id NULL: the owner of slot 0, or the first node there is. Negative when the server is behind. */
bool server_time_ahead(struct cluster *c, const char *id, int64_t *ahead_ms,
                       struct error *err) MUST_CHECK;

#endif
