/*
 * tmpdir.h - a private directory for a test, gone when the test program ends.
 *
 * Made under $TMPDIR or /tmp with mode 0700. Removal runs at exit in the process that made it (not
 * in forked children) and follows no symbolic link. At most 64 directories a program.
 */
#ifndef TESTS_HARNESS_TMPDIR_H
#define TESTS_HARNESS_TMPDIR_H

#include <stdbool.h>
#include <stddef.h>

/* A new empty directory; the text lives until exit. Never NULL: aborts the test instead. */
const char *tmpdir_new(void);
/* dir "/" name, into a text that lives until exit. */
const char *tmpdir_path(const char *dir, const char *name);
/* Writes a whole file (aborts the test when it cannot). */
void tmpdir_write(const char *path, const void *data, size_t len);
/* A whole file, malloc-ed and NUL-terminated; NULL when it is not there. len may be NULL. */
char *tmpdir_read(const char *path, size_t *len);
/* Removes a tree; true when nothing of it is left. */
bool tmpdir_remove(const char *path);

#endif
