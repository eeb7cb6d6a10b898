#include "core/jobs/jobfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"

#define DOCUMENT_MAX ((size_t)64 << 20)
#define FLOCK_STEP_MS 20
#define TAIL_STEP 4096

mode_t jobfile_mode_like(const char *dir)
{
    struct stat st;
    bool shared = stat(dir, &st) == 0 && (st.st_mode & S_ISGID) != 0 && (st.st_mode & S_IWGRP) != 0;
    return shared ? 0660 : 0600;
}

static bool fill(int fd, const json_t *doc, bool sync, const char *name, struct error *err)
{
    struct buf text;
    buf_init(&text, DOCUMENT_MAX);
    bool ok = json_print(doc, true, &text, err) && file_write_all(fd, buf_str(&text), err);
    buf_release(&text);
    if (!ok)
        return error_wrap(err, "write %s", name);
    if (sync && fsync(fd) != 0)
        return error_set_errno(err, ERROR_STORAGE, errno, "flush %s", name);
    return true;
}

bool jobfile_write_temp(const char *temp, const json_t *doc, mode_t mode, bool sync,
                        struct error *err)
{
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return error_set_errno(err, ERROR_STORAGE, errno, "create %s", temp);
    /* The umask may have taken the group's part away. A file of a colleague keeps its mode. */
    (void)fchmod(fd, mode);
    bool ok = fill(fd, doc, sync, temp, err);
    if (close(fd) != 0 && ok)
        ok = error_set_errno(err, ERROR_STORAGE, errno, "close %s", temp);
    if (!ok)
        (void)unlink(temp);
    return ok;
}

static bool sync_parent(const char *path, struct error *err)
{
    size_t cut = str_find_last(str_from(path), '/');
    char *dir = mem_copy_str(str_slice(str_from(path), 0, cut));
    bool ok = file_sync_dir(dir, err);
    free(dir);
    return ok;
}

bool jobfile_rename(const char *temp, const char *path, bool sync, struct error *err)
{
    if (rename(temp, path) != 0) {
        int number = errno;
        (void)unlink(temp);
        return error_set_errno(err, ERROR_STORAGE, number, "replace %s", path);
    }
    return !sync || sync_parent(path, err);
}

bool jobfile_replace(const char *path, const json_t *doc, mode_t mode, bool sync, struct error *err)
{
    size_t cut = str_find_last(str_from(path), '/');
    char *temp = mem_format("%.*s/.%s.tmp", (int)cut, path, path + cut + 1);
    bool ok =
        jobfile_write_temp(temp, doc, mode, sync, err) && jobfile_rename(temp, path, sync, err);
    free(temp);
    return ok;
}

static bool close_torn_line(int fd, const char *path, struct error *err)
{
    struct stat st;
    char last = '\n';
    if (fstat(fd, &st) != 0 || (st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) != 1))
        return error_set_errno(err, ERROR_STORAGE, errno, "read the end of %s", path);
    return last == '\n' || file_write_all(fd, STR("\n"), err);
}

int jobfile_open_append(const char *path, mode_t mode, struct error *err)
{
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) {
        (void)error_set_errno(err, ERROR_STORAGE, errno, "open %s", path);
        return -1;
    }
    (void)fchmod(fd, mode);
    if (!close_torn_line(fd, path, err)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

bool jobfile_flock(int fd, int operation, int wait_ms)
{
    int64_t deadline = clock_after(wait_ms);
    for (;;) {
        if (flock(fd, operation | LOCK_NB) == 0)
            return true;
        if ((errno != EWOULDBLOCK && errno != EINTR) || clock_left_ms(deadline) == 0)
            return false;
        clock_sleep_ms(FLOCK_STEP_MS);
    }
}

/* Walk back from the end to the newline before the last line. */
static bool find_start(int fd, off_t end, off_t *start, struct error *err)
{
    char piece[TAIL_STEP];
    while (end > 0) {
        off_t from = end > TAIL_STEP ? end - TAIL_STEP : 0;
        ssize_t got = pread(fd, piece, (size_t)(end - from), from);
        if (got != end - from)
            return error_set_errno(err, ERROR_STORAGE, got < 0 ? errno : EIO, "read the last line");
        size_t at = str_find_last((struct str){piece, (size_t)got}, '\n');
        if (at < (size_t)got) {
            *start = from + (off_t)at + 1;
            return true;
        }
        end = from;
    }
    *start = 0;
    return true;
}

bool jobfile_last_line(int fd, struct buf *line, bool *ended, struct error *err)
{
    struct stat st;
    char last = '\n';
    off_t start = 0;
    buf_clear(line);
    *ended = true;
    if (fstat(fd, &st) != 0)
        return error_set_errno(err, ERROR_STORAGE, errno, "look at the last line");
    if (st.st_size == 0)
        return true;
    if (pread(fd, &last, 1, st.st_size - 1) != 1)
        return error_set_errno(err, ERROR_STORAGE, errno, "read the last line");
    *ended = last == '\n';
    off_t end = *ended ? st.st_size - 1 : st.st_size;
    if (!find_start(fd, end, &start, err) || !buf_reserve(line, (size_t)(end - start), err))
        return false;
    ssize_t got = pread(fd, line->data, (size_t)(end - start), start);
    if (got != end - start)
        return error_set_errno(err, ERROR_STORAGE, got < 0 ? errno : EIO, "read the last line");
    line->len = (size_t)got;
    line->data[line->len] = '\0';
    return true;
}

bool jobfile_make_dir(const char *path, bool shared, struct error *err)
{
    mode_t mode = shared ? 02770 : 0700;
    if (mkdir(path, mode) != 0)
        return errno == EEXIST || error_set_errno(err, ERROR_STORAGE, errno, "make %s", path);
    if (shared && chmod(path, mode) != 0)
        return error_set_errno(err, ERROR_STORAGE, errno, "share %s", path);
    return true;
}
