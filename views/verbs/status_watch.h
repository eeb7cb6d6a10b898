/*
 * status_watch.h - for verbs: a monitor of the selected environment, and waiting for its answers.
 *
 * Main thread. The watch owns the connection options and the monitor.
 */
#ifndef VIEWS_VERBS_STATUS_WATCH_H
#define VIEWS_VERBS_STATUS_WATCH_H

#include "core/monitor/monitor.h"
#include "views/connect.h"

struct status_watch {
    struct connection *connection;
    struct monitor *monitor;
};

/* interval_ms 0: the configured one. store: append events to the environment's log. */
bool status_watch_open(struct status_watch *w, const struct invocation *inv, int64_t interval_ms,
                       bool store, struct error *err) MUST_CHECK;
void status_watch_close(struct status_watch *w);
/* The first snapshot in which every node has answered or failed; NULL when nothing answers, with
 * ERROR_UNREACHABLE or ERROR_AUTH and what was tried. The caller unrefs. */
struct snapshot *status_watch_first(struct status_watch *w, struct error *err);
/* Sets ERROR_AUTH: what this user is not allowed to see. Always false. */
bool status_watch_refused(const struct snapshot *s, struct error *err);
/* The next newer snapshot within timeout_ms, or NULL. */
struct snapshot *status_watch_next(struct status_watch *w, uint64_t after, int timeout_ms);
/* Path of the event log, freed by the caller. */
char *status_watch_log(const struct invocation *inv, struct error *err);
/* 0 all well, 1 findings of WARN or worse, from the state. */
int status_exit(const struct snapshot *s);
/* "<what> <text>" for each finding on its own line, worst first. */
void status_print_findings(const struct snapshot *s);
/* Write doc with a newline to stdout; takes it. */
void status_print_json(json_t *doc, bool pretty);

#endif
