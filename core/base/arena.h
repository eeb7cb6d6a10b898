/*
 * arena.h - things built and dropped together live here and are freed at once.
 *
 * Pointers stay valid until arena_release or arena_clear; nothing is freed alone. Alignment suits
 * any type. A struct arena embeds in its owner; zeroed memory is a valid empty arena. One thread.
 */
#ifndef CORE_BASE_ARENA_H
#define CORE_BASE_ARENA_H

#include <stddef.h>

#include "core/base/str.h"

struct arena_block;

struct arena {
    struct arena_block *head;
    size_t used;  /* bytes handed out in head */
    size_t total; /* bytes of all blocks */
};

void arena_release(struct arena *a);
void arena_clear(struct arena *a);               /* keeps one block for reuse */
void *arena_alloc(struct arena *a, size_t size); /* zeroed */
void *arena_array(struct arena *a, size_t count, size_t size);
struct str arena_str(struct arena *a, struct str s); /* copy, NUL-terminated after len */
char *arena_text(struct arena *a, struct str s);
char *arena_format(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
