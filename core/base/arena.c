#include "core/base/arena.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

#define BLOCK_BYTES ((size_t)16 * 1024)
#define ALIGNMENT _Alignof(max_align_t)

struct arena_block {
    struct arena_block *next;
    size_t size; /* bytes of data */
    _Alignas(max_align_t) char data[];
};

static struct arena_block *new_block(struct arena *a, size_t size)
{
    struct arena_block *b = mem_alloc(sizeof(*b) + size);

    b->size = size;
    a->total += size;
    return b;
}

void arena_release(struct arena *a)
{
    struct arena_block *b = a->head;

    while (b != NULL) {
        struct arena_block *next = b->next;

        free(b);
        b = next;
    }
    *a = (struct arena){0};
}

void arena_clear(struct arena *a)
{
    struct arena_block *keep = a->head;
    struct arena rest;

    if (keep == NULL)
        return;
    rest = (struct arena){.head = keep->next};
    arena_release(&rest);
    keep->next = NULL;
    a->used = 0;
    a->total = keep->size;
}

static void *take(struct arena *a, size_t size)
{
    size_t need = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *p;

    if (need < size || need > SIZE_MAX / 2)
        abort(); /* sizes from outside pass a limit before they get here */
    if (a->head == NULL || need > a->head->size - a->used) {
        size_t size_wanted = need > BLOCK_BYTES / 4 ? need : BLOCK_BYTES;
        struct arena_block *b = new_block(a, size_wanted);

        if (size_wanted != BLOCK_BYTES && a->head != NULL) {
            /* A large piece gets a block of its own behind the one still being filled. */
            b->next = a->head->next;
            a->head->next = b;
            return b->data;
        }
        b->next = a->head;
        a->head = b;
        a->used = 0;
    }
    p = a->head->data + a->used;
    a->used += need;
    return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
    return memset(take(a, size), 0, size);
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / 2 / size)
        abort();
    return arena_alloc(a, count * size);
}

struct str arena_str(struct arena *a, struct str s)
{
    return (struct str){arena_text(a, s), s.len};
}

char *arena_text(struct arena *a, struct str s)
{
    char *copy = take(a, s.len + 1);

    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}

char *arena_format(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_list again;
    int n;
    char *text;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    text = arena_alloc(a, n < 0 ? 1 : (size_t)n + 1);
    if (n > 0)
        (void)vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return text;
}
