/*
 * secret.h - passwords and keys: held in one place, wiped on release, never formatted.
 *
 * The bytes are reached only through secret_reveal(), which is easy to search for. Copying a
 * struct secret by assignment is forbidden. NULL data means "not set". One thread.
 */
#ifndef CORE_BASE_SECRET_H
#define CORE_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/base/str.h"

struct secret {
    char *data;
    size_t len;
};

void secret_set(struct secret *s, struct str value); /* copies; replaces and wipes the old one */
void secret_copy(struct secret *to, const struct secret *from);
void secret_release(struct secret *s); /* wipes */
bool secret_is_set(const struct secret *s);
struct str secret_reveal(const struct secret *s);
/* Read a file of at most 64 KiB, strip one trailing newline (CR LF too). ERROR_CONFIG when it is
 * missing, empty, or writable by others; *loose is set when others may read it. */
bool secret_load(struct secret *s, const char *path, bool *loose, struct error *err) MUST_CHECK;
void secret_wipe(void *p, size_t len); /* not optimised away */

#endif
