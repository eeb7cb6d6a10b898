#include "core/base/alloc.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Atomic(void (*)(void)) restore_hook;

void mem_on_exhausted(void (*restore)(void))
{
    atomic_store(&restore_hook, restore);
}

static NORETURN void give_up(void)
{
    static const char text[] = "rbconsole: out of memory\n";
    void (*restore)(void) = atomic_load(&restore_hook);

    if (restore != NULL)
        restore();
    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0) {
        /* Nowhere left to say it. */
    }
    abort();
}

void *mem_alloc(size_t size)
{
    void *p = malloc(size == 0 ? 1 : size);

    if (p == NULL)
        give_up();
    return p;
}

void *mem_zero(size_t count, size_t size)
{
    void *p = calloc(count == 0 ? 1 : count, size == 0 ? 1 : size);

    if (p == NULL)
        give_up();
    return p;
}

void *mem_resize(void *p, size_t count, size_t size)
{
    void *fresh = reallocarray(p, count == 0 ? 1 : count, size == 0 ? 1 : size);

    if (fresh == NULL)
        give_up();
    return fresh;
}

char *mem_copy_text(const char *text)
{
    return text == NULL ? NULL : mem_copy_str(str_from(text));
}

char *mem_copy_str(struct str s)
{
    char *copy = mem_alloc(s.len + 1);

    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}

char *mem_format(const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        give_up();
    return text;
}
