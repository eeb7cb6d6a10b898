/*
 * watch.h - all jobs, always: a thread that follows $STATE/jobs and publishes immutable lists.
 *
 * It hears local writers through inotify and looks by itself once a second (inotify is deaf to
 * other machines); what did not change is not read again, so hundreds of old jobs cost a stat each.
 * The UI thread calls watch_latest and watch_send, which never touch the disk; watch_fd is readable
 * when a newer list or note is there. start and free: the thread that owns it.
 */
#ifndef CORE_JOBS_WATCH_H
#define CORE_JOBS_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/jobs/control.h"
#include "core/jobs/info.h"

struct watch;

/* An immutable list, newest job first. */
struct watch_list {
    struct job_list jobs;
    size_t live;          /* starting, running, paused, cancelling */
    int64_t real_ms;      /* when it was read */
    struct error trouble; /* code ERROR_NONE, or why the directory cannot be read */
};

struct watch *watch_start(const char *state_dir, struct error *err) MUST_CHECK;
void watch_free(struct watch *w); /* stops the thread; lists that are held stay valid */
int watch_fd(const struct watch *w);
/* Makes watch_fd unreadable and returns the newest list with a reference; never NULL. */
struct watch_list *watch_latest(struct watch *w);
struct watch_list *watch_list_ref(const struct watch_list *list);
void watch_list_unref(struct watch_list *list); /* NULL is fine */

/* Queue an order to a job; the thread sends it. */
void watch_send(struct watch *w, const char *id, enum control_order order, uint64_t value,
                const char *by);
/* The oldest order that could not be sent, if any: its job and why. */
bool watch_failure(struct watch *w, char id[JOB_ID_MAX], struct error *why);
/* Ask for the journal tail of one job (NULL: of none): it is followed and kept in memory, at most
 * WATCH_LINES lines. */
void watch_follow(struct watch *w, const char *id);

#define WATCH_LINES 400
#define WATCH_TEXT 240
struct watch_line {
    uint64_t number; /* rises by one per line of this follow, from 1 */
    int64_t real_ms;
    char level[8];
    char text[WATCH_TEXT]; /* escaped, cut */
};
/* Lines newer than `after` of the followed job, oldest first; returns how many. */
size_t watch_lines(struct watch *w, const char *id, uint64_t after, struct watch_line *out,
                   size_t max);

#endif
