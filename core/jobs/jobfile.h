/*
 * jobfile.h - the few file operations of a state directory that may be shared by a group.
 *
 * Like core/base/file, but with a mode the umask does not cut (0660 where the group shares), and
 * flock with a deadline. Replacing is a temporary file, then rename: the old or the new one is
 * there, never half. Blocking.
 */
#ifndef CORE_JOBS_JOBFILE_H
#define CORE_JOBS_JOBFILE_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/str.h"

/* 0660 below a directory that its group shares (set-gid and group-writable), else 0600. */
mode_t jobfile_mode_like(const char *dir);
/* One JSON document and a newline; sync: file and directory on disk when it returns. */
bool jobfile_replace(const char *path, const json_t *doc, mode_t mode, bool sync,
                     struct error *err) MUST_CHECK;
/* The two halves of jobfile_replace, for those who watch what happens in between. */
bool jobfile_write_temp(const char *temp, const json_t *doc, mode_t mode, bool sync,
                        struct error *err) MUST_CHECK;
bool jobfile_rename(const char *temp, const char *path, bool sync, struct error *err) MUST_CHECK;
/* O_APPEND and O_CLOEXEC, created with mode; -1 on failure. A torn last line is closed first. */
int jobfile_open_append(const char *path, mode_t mode, struct error *err);
/* LOCK_SH or LOCK_EX, tried until wait_ms have passed. */
bool jobfile_flock(int fd, int operation, int wait_ms);
/* Where the last line starts in a file of that size, and whether a newline ends it. */
bool jobfile_last_line(int fd, struct buf *line, bool *ended, struct error *err) MUST_CHECK;
/* A directory with mode 0700, or 2770 where its parent is shared; fine when it exists. */
bool jobfile_make_dir(const char *path, bool shared, struct error *err) MUST_CHECK;

#endif
