/*
 * buf.h - a growable byte string with a ceiling.
 *
 * Invariants: data is never NULL and data[len] is '\0'; bytes may contain NUL, so lengths come
 * from len. A buf embeds in its owner: init, use, release. Not thread-safe.
 */
#ifndef CORE_BASE_BUF_H
#define CORE_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/str.h"

struct buf {
    char *data;
    size_t len; /* bytes, without the terminator */
    size_t cap; /* bytes allocated, 0 while data is the shared empty string */
    size_t max; /* bytes; appending past it fails with ERROR_LIMIT */
};

void buf_init(struct buf *b, size_t max);
void buf_release(struct buf *b);
void buf_clear(struct buf *b);                                           /* keeps the memory */
bool buf_grow(struct buf *b, size_t more, struct error *err) MUST_CHECK; /* use buf_reserve */

/* Room for `more` bytes past len. */
static inline MUST_CHECK bool buf_reserve(struct buf *b, size_t more, struct error *err)
{
    return more < b->cap - b->len || buf_grow(b, more, err);
}

static inline MUST_CHECK bool buf_append(struct buf *b, struct str s, struct error *err)
{
    if (s.len == 0)
        return true;
    if (!buf_reserve(b, s.len, err))
        return false;
    memcpy(b->data + b->len, s.ptr, s.len);
    b->len += s.len;
    b->data[b->len] = '\0';
    return true;
}

bool buf_text(struct buf *b, const char *text, struct error *err) MUST_CHECK;
bool buf_byte(struct buf *b, char byte, struct error *err) MUST_CHECK;
bool buf_format(struct buf *b, struct error *err, const char *fmt, ...)
    PRINTF_LIKE(3, 4) MUST_CHECK;
/* For our own small text whose ceiling cannot be reached: aborts at the limit. */
void buf_put(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_drop_front(struct buf *b, size_t count); /* bytes; moves the rest down */
struct str buf_str(const struct buf *b);
/* Give the bytes away: the caller frees them, and b is empty and usable again. */
char *buf_take(struct buf *b, size_t *len);

#endif
