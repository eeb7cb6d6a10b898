/*
 * latest.h - the place where the monitor leaves its newest snapshot; newest wins, nothing queues.
 *
 * Any thread. The mutex guards the pointer only. fd becomes readable when something newer was
 * published; latest_take_notice makes it quiet again.
 */
#ifndef CORE_MONITOR_LATEST_H
#define CORE_MONITOR_LATEST_H

#include <stdbool.h>

#include "core/base/error.h"
#include "core/monitor/snapshot.h"

struct latest;

struct latest *latest_new(struct error *err) MUST_CHECK; /* NULL: no eventfd to be had */
void latest_free(struct latest *l);
void latest_publish(struct latest *l, struct snapshot *fresh); /* takes the reference */
struct snapshot *latest_acquire(struct latest *l); /* a new reference, NULL before the first */
int latest_fd(const struct latest *l);             /* for poll(), owned by latest */
void latest_take_notice(struct latest *l);

#endif
