/*
 * alloc.h - memory that is always there: running out restores the terminal and aborts.
 *
 * Any size that came from outside must have passed a limit before it gets here. Freed with
 * free(). Thread-safe.
 */
#ifndef CORE_BASE_ALLOC_H
#define CORE_BASE_ALLOC_H

#include <stddef.h>

#include "core/base/str.h"

void *mem_alloc(size_t size);              /* uninitialised; size 0 gives a unique pointer */
void *mem_zero(size_t count, size_t size); /* zeroed, overflow-checked */
void *mem_resize(void *p, size_t count, size_t size);
char *mem_copy_text(const char *text); /* NULL gives NULL */
char *mem_copy_str(struct str s);      /* terminated; may hold NUL bytes inside */
char *mem_format(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Called once before abort(), to give the terminal back. NULL clears. Main thread, at start. */
void mem_on_exhausted(void (*restore)(void));

/* p without its const, for C interfaces that forgot theirs. */
static inline void *mem_unconst(const void *p)
{
    union {
        const void *in;
        void *out;
    } both = {.in = p};

    return both.out;
}

#endif
