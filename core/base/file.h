/*
 * file.h - whole files and directories, written so that a crash leaves the old or the new one.
 *
 * Files are created 0600 and directories 0700 (umask may only take away). Paths are our own or
 * the operator's, never taken from an archive. Errors: ERROR_NOT_FOUND when missing, else
 * ERROR_STORAGE with errno as detail. Blocking: jobs, tests and start-up only.
 */
#ifndef CORE_BASE_FILE_H
#define CORE_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/error.h"

bool file_read(const char *path, struct buf *out,
               struct error *err) MUST_CHECK; /* up to out->max */
/* The same of what others may have put there: a link, a pipe or a device is ERROR_CORRUPT. */
bool file_read_plain(const char *path, struct buf *out, struct error *err) MUST_CHECK;
/* Temporary file beside it, fsync, rename, fsync of the directory. */
bool file_write_atomic(const char *path, struct str data, struct error *err) MUST_CHECK;
/* The same without any fsync: for progress that is written several times a second. */
bool file_replace(const char *path, struct str data, struct error *err) MUST_CHECK;
bool file_append(const char *path, struct str data, bool sync, struct error *err) MUST_CHECK;
bool file_write_all(int fd, struct str data, struct error *err) MUST_CHECK;
bool file_make_dirs(const char *path, struct error *err) MUST_CHECK;
bool file_remove_tree(const char *path, struct error *err) MUST_CHECK; /* follows no links */
bool file_sync_dir(const char *path, struct error *err) MUST_CHECK;
bool file_exists(const char *path);
int64_t file_size(const char *path); /* -1 when it cannot be read */
/* "a/b" joined with exactly one slash; freed by the caller. */
char *file_join(const char *dir, const char *name);
/* Names in a directory, sorted, without "." and ".."; each and the array freed by the caller. */
bool file_list(const char *dir, char ***names, size_t *count, struct error *err) MUST_CHECK;
void file_list_free(char **names, size_t count);

#endif
