/*
 * event_share.h - one log of events for all the monitors of one environment: one of them writes,
 * the others follow what it wrote.
 *
 * The writer holds a flock on "<log>.lock" and touches that file every second. When it ends, the
 * next one takes over at once; when it is stopped (Ctrl-Z) or looks at its cluster much less often
 * than another one would, that one takes its place. What a follower saw and the old writer did not
 * store any more is stored by the new one, so an event is in the log once. Monitor thread only.
 */
#ifndef CORE_MONITOR_EVENT_SHARE_H
#define CORE_MONITOR_EVENT_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/monitor/events.h"

struct event_share;

/* path is that of the log, copied; interval_ms how often this monitor asks its nodes. */
struct event_share *event_share_new(const char *path, int64_t interval_ms);
void event_share_free(struct event_share *s); /* gives the pen away; NULL is fine */
void event_share_set_interval(struct event_share *s, int64_t interval_ms);

/* Call at every round, and at least every EVENT_SHARE_MS. Takes over what this monitor found
 * (own->count becomes 0) and appends to shown what is new in the log: own events when we write,
 * those of the writer otherwise. false: the disk failed; own events are shown all the same. */
bool event_share_step(struct event_share *s, struct event_list *own, struct event_list *shown,
                      struct error *err) MUST_CHECK;
bool event_share_writes(const struct event_share *s);

#define EVENT_SHARE_MS 250

#endif
