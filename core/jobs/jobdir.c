#include "core/jobs/jobdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/rng.h"
#include "core/jobs/jobfile.h"

/* A reader that probes the lock holds it for a moment: so long does taking it try. */
#define LOCK_WAIT_MS 500

static void announce(struct jobdir *d, const char *what)
{
    if (d->hook != NULL)
        d->hook(d->hook_ctx, what);
}

static mode_t mode_of(const struct jobdir *d)
{
    return d->shared ? 0660 : 0600;
}

bool jobdir_is_shared(const char *state_dir)
{
    return jobfile_mode_like(state_dir) == 0660;
}

char *jobdir_root(const char *state_dir)
{
    return file_join(state_dir, "jobs");
}

char *jobdir_path(const char *state_dir, const char *id)
{
    enum job_kind kind = JOB_BACKUP;
    uint32_t number = 0;
    if (!job_id_parse(str_from(id), &kind, &number))
        return NULL;
    char *root = jobdir_root(state_dir);
    char *path = file_join(root, id);
    free(root);
    return path;
}

bool jobdir_prepare(const char *state_dir, const char *name, struct error *err)
{
    if (!file_make_dirs(state_dir, err))
        return error_wrap(err, "state directory");
    char *path = file_join(state_dir, name);
    bool ok = jobfile_make_dir(path, jobdir_is_shared(state_dir), err);
    free(path);
    return ok;
}

/* ---- creation ---------------------------------------------------------------------------------
 */

static int open_lock(const char *dir, int flags, mode_t mode, struct error *err)
{
    char *path = file_join(dir, "lock");
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, mode);
    if (fd < 0) {
        enum error_code code = errno == ENOENT ? ERROR_NOT_FOUND : ERROR_STORAGE;
        (void)error_set_errno(err, code, errno, "open %s", path);
    } else if ((flags & O_CREAT) != 0) {
        (void)fchmod(fd, mode);
    }
    free(path);
    return fd;
}

/* One more than the highest number that is taken. */
static bool next_number(const char *root, enum job_kind kind, uint32_t *next, struct error *err)
{
    char **names = NULL;
    size_t count = 0;
    if (!file_list(root, &names, &count, err))
        return false;
    *next = 1;
    for (size_t i = 0; i < count; i++) {
        enum job_kind its = JOB_BACKUP;
        uint32_t number = 0;
        if (job_id_parse(str_from(names[i]), &its, &number) && its == kind && number >= *next &&
            number < UINT32_MAX)
            *next = number + 1;
    }
    file_list_free(names, count);
    return true;
}

static bool publish(struct jobdir *d, const char *root, enum job_kind kind, json_t *job,
                    struct error *err)
{
    uint32_t number = 0;
    if (!next_number(root, kind, &number, err))
        return false;
    for (;;) {
        (void)job_id_format(d->id, kind, number);
        json_put_text(job, "id", d->id);
        if (!jobdir_replace(d, "job.json", job, true, err))
            return false;
        char *path = file_join(root, d->id);
        announce(d, "publish the directory");
        if (rename(d->path, path) == 0) {
            free(d->path);
            d->path = path;
            return file_sync_dir(root, err);
        }
        int failed = errno;
        free(path);
        if ((failed != EEXIST && failed != ENOTEMPTY && failed != ENOTDIR) || number == UINT32_MAX)
            return error_set_errno(err, ERROR_STORAGE, failed, "make the job directory %s", d->id);
        number++;
    }
}

static bool create_hidden(struct jobdir *d, struct error *err)
{
    announce(d, "make the directory");
    if (!jobfile_make_dir(d->path, d->shared, err))
        return false;
    announce(d, "create the lock");
    d->lock_fd = open_lock(d->path, O_CREAT | O_EXCL, mode_of(d), err);
    if (d->lock_fd < 0)
        return false;
    announce(d, "take the lock");
    return jobfile_flock(d->lock_fd, LOCK_EX, LOCK_WAIT_MS) ||
           error_set_errno(err, ERROR_STORAGE, errno, "lock %s (does its file system know flock?)",
                           d->path);
}

/* What could not be published leaves nothing behind; prune sweeps what even this cannot remove. */
static void discard(struct jobdir *d)
{
    struct error ignored = {0};
    if (!file_remove_tree(d->path, &ignored))
        log_write(LOG_LEVEL_WARN, "jobs", "%s", ignored.text);
    jobdir_close(d);
}

bool jobdir_create(struct jobdir *d, const char *state_dir, enum job_kind kind, json_t *job,
                   struct error *err)
{
    char unique[17];
    char *root = jobdir_root(state_dir);
    d->lock_fd = -1;
    d->path = NULL;
    bool ok = jobdir_prepare(state_dir, "jobs", err);
    if (ok) {
        d->shared = jobdir_is_shared(state_dir);
        d->path = mem_format("%s/.new-%s", root, rng_hex(unique, 16));
        ok = create_hidden(d, err) && publish(d, root, kind, job, err);
    }
    if (!ok && d->path != NULL)
        discard(d);
    free(root);
    return ok;
}

/* ---- an existing one --------------------------------------------------------------------------
 */

/* prune renames a directory away while it holds the lock: what we locked must still be there. */
static bool still_there(int fd, const char *dir)
{
    struct stat ours;
    struct stat theirs;
    char *path = file_join(dir, "lock");
    bool same = fstat(fd, &ours) == 0 && stat(path, &theirs) == 0 && ours.st_ino == theirs.st_ino &&
                ours.st_dev == theirs.st_dev;
    free(path);
    return same;
}

bool jobdir_open(struct jobdir *d, const char *state_dir, const char *id, struct error *err)
{
    d->lock_fd = -1;
    d->path = jobdir_path(state_dir, id);
    if (d->path == NULL)
        return error_set(err, ERROR_NOT_FOUND, 0, "\"%s\" is no job id (like B-0001)", id);
    (void)str_copy(str_from(id), d->id, sizeof(d->id));
    d->shared = jobdir_is_shared(state_dir);
    d->lock_fd = open_lock(d->path, 0, mode_of(d), err);
    if (d->lock_fd < 0)
        (void)error_wrap(err, "job %s", id);
    else if (!jobfile_flock(d->lock_fd, LOCK_EX, LOCK_WAIT_MS))
        (void)error_set(err, ERROR_LOCKED, 0, "job %s is running", id);
    else if (!still_there(d->lock_fd, d->path))
        (void)error_set(err, ERROR_NOT_FOUND, 0, "job %s was removed", id);
    else
        return true;
    jobdir_close(d);
    return false;
}

void jobdir_close(struct jobdir *d)
{
    if (d->lock_fd >= 0) {
        (void)close(d->lock_fd);
        d->lock_fd = -1;
    }
    free(d->path);
    d->path = NULL;
}

bool jobdir_is_locked(const char *path)
{
    char *lock = file_join(path, "lock");
    int fd = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    free(lock);
    if (fd < 0)
        return false;
    bool held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    (void)close(fd);
    return held;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

bool jobdir_replace(struct jobdir *d, const char *name, const json_t *doc, bool sync,
                    struct error *err)
{
    char what[64];
    char *path = file_join(d->path, name);
    char *temp = mem_format("%s/.%s.tmp", d->path, name);
    (void)snprintf(what, sizeof(what), "write %s", name);
    announce(d, what);
    bool ok = jobfile_write_temp(temp, doc, mode_of(d), sync, err);
    if (ok) {
        (void)snprintf(what, sizeof(what), "rename %s", name);
        announce(d, what);
        ok = jobfile_rename(temp, path, sync, err);
    }
    free(temp);
    free(path);
    return ok;
}

int jobdir_open_append(struct jobdir *d, const char *name, struct error *err)
{
    char *path = file_join(d->path, name);
    announce(d, "open a journal");
    int fd = jobfile_open_append(path, mode_of(d), err);
    free(path);
    return fd;
}

bool jobdir_append(struct jobdir *d, int fd, struct str line, struct error *err)
{
    announce(d, "append a line");
    return file_write_all(fd, line, err);
}

bool jobdir_sync(struct jobdir *d, int fd, struct error *err)
{
    announce(d, "flush a journal");
    return fsync(fd) == 0 || error_set_errno(err, ERROR_STORAGE, errno, "flush the journal");
}
