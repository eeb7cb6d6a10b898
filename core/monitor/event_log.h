/*
 * event_log.h - events of one environment on disk: events.jsonl, one JSON object a line, appended.
 *
 * Lines carry millisecond UTC times, one write for each batch (O_APPEND). Of several monitors
 * only one appends: see event_share.h. When the file passes 8 MiB it becomes events.1.jsonl (one
 * generation is kept). The writer belongs to the monitor thread, the reader to whoever opened it.
 */
#ifndef CORE_MONITOR_EVENT_LOG_H
#define CORE_MONITOR_EVENT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/monitor/events.h"

/* "<state_dir>/events/<env>.jsonl", freed by the caller; a name that is no plain file name has its
 * odd bytes as %XX. */
char *event_log_path(const char *state_dir, const char *env);
bool event_log_append(const char *path, const struct event *events, size_t count,
                      struct error *err) MUST_CHECK;

/* The last `limit` events, oldest first (0: all kept). A torn or foreign line is skipped and
 * counted in *skipped (may be NULL). A missing file is an empty list. */
bool event_log_read(const char *path, size_t limit, struct event_list *out, size_t *skipped,
                    struct error *err) MUST_CHECK;

/* Follow: whatever is appended after the follower was made (or after its last call). */
struct event_follow;
struct event_follow *event_follow_new(const char *path);
void event_follow_free(struct event_follow *f);
bool event_follow_next(struct event_follow *f, struct event_list *out,
                       struct error *err) MUST_CHECK;

#endif
