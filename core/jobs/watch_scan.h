/*
 * watch_scan.h - the reading half of watch: which jobs there are, and what changed since last time.
 *
 * Used by the watch thread alone. A directory is read again only when one of its files has another
 * inode, size or time, or when its job lived and its lock is free now.
 */
#ifndef CORE_JOBS_WATCH_SCAN_H
#define CORE_JOBS_WATCH_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "core/jobs/info.h"

struct file_stamp {
    uint64_t inode;
    int64_t size;
    struct timespec changed;
};

struct scan_entry {
    char id[JOB_ID_MAX];
    struct job_info *info;
    struct file_stamp job, progress, result;
    int wd; /* inotify watch while it lives; -1 */
    bool seen;
};

struct scan {
    char *state_dir, *root;
    struct scan_entry *entries; /* sorted by id as file_list sorts */
    size_t count, cap;
    int inotify_fd; /* -1: without */
    int root_wd;
    uint64_t reads; /* directories read so far: what tests look at */
};

void scan_init(struct scan *s, const char *state_dir);
void scan_release(struct scan *s);
/* full: look for new and removed jobs too. *changed: something is different now. */
bool scan_run(struct scan *s, bool full, bool *changed, struct error *err) MUST_CHECK;
/* A list with references of its own, newest first. */
void scan_list(const struct scan *s, struct job_list *out);
/* Take all waiting inotify events; *root: one of them was about the root directory. */
bool scan_drain(struct scan *s, bool *root);

#endif
