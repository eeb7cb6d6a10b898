/*
 * jobdir.h - one job's directory as its own process writes it.
 *
 * A directory is put together under a hidden name with its lock held and job.json in it, and then
 * renamed to its id: rename refuses a taken id, so nobody ever sees a job without a lock. Small
 * files are replaced by rename, journals appended; whatever the moment of death, the directory
 * reads as one true state. Files are 0600, or 0660 where the state directory is shared by a group
 * (set-gid and group-writable). Any thread may append; the rest belongs to the job's main thread
 * and its pulse.
 */
#ifndef CORE_JOBS_JOBDIR_H
#define CORE_JOBS_JOBDIR_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/error.h"
#include "core/base/str.h"
#include "core/jobs/kind.h"

#define JOB_RUN_ID_MAX 33 /* 32 hex digits and the terminator */

/* Called before each change of the directory with the name of what is about to happen, for tests
 * that end the process between any two of them. */
typedef void (*jobdir_hook)(void *ctx, const char *what);

struct jobdir {
    char id[JOB_ID_MAX];
    char *path;  /* $STATE/jobs/B-0001 */
    int lock_fd; /* flock held while this is open */
    bool shared; /* group may read and write */
    jobdir_hook hook;
    void *hook_ctx;
};

/* Make a new directory of that kind; *job gets "id" set and is written as job.json. */
bool jobdir_create(struct jobdir *d, const char *state_dir, enum job_kind kind, json_t *job,
                   struct error *err) MUST_CHECK;
/* Take the lock of an existing one. ERROR_LOCKED while the job lives, ERROR_NOT_FOUND. */
bool jobdir_open(struct jobdir *d, const char *state_dir, const char *id,
                 struct error *err) MUST_CHECK;
void jobdir_close(struct jobdir *d); /* gives the lock back */

/* Replace one file; sync: on disk when this returns. */
bool jobdir_replace(struct jobdir *d, const char *name, const json_t *doc, bool sync,
                    struct error *err) MUST_CHECK;
/* An O_APPEND descriptor; a torn last line of an earlier run is closed with a newline first. */
int jobdir_open_append(struct jobdir *d, const char *name, struct error *err);
bool jobdir_append(struct jobdir *d, int fd, struct str line, struct error *err) MUST_CHECK;
bool jobdir_sync(struct jobdir *d, int fd, struct error *err) MUST_CHECK;

/* "$STATE/jobs"; freed by the caller. */
char *jobdir_root(const char *state_dir);
/* "$STATE/jobs/<id>"; NULL unless id is a well-formed job id. */
char *jobdir_path(const char *state_dir, const char *id);
/* The state directory and its folder `name`, made when missing with the modes above. */
bool jobdir_prepare(const char *state_dir, const char *name, struct error *err) MUST_CHECK;
bool jobdir_is_shared(const char *state_dir);
/* Does a living process hold the lock of the directory? Never waits. */
bool jobdir_is_locked(const char *path);

#endif
