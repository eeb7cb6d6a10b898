#include "core/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

static char empty[1]; /* never written: cap stays 0 while data points here */

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.data = empty, .max = max};
}

void buf_release(struct buf *b)
{
    if (b->cap != 0)
        free(b->data);
    buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    if (b->cap != 0)
        b->data[0] = '\0';
}

bool buf_grow(struct buf *b, size_t more, struct error *err)
{
    size_t cap = b->cap < 64 ? 64 : b->cap;

    if (more > b->max - b->len)
        return error_set(err, ERROR_LIMIT, 0, "%zu more bytes would pass the limit of %zu", more,
                         b->max);
    if (b->len + more + 1 <= b->cap)
        return true;
    while (cap < b->len + more + 1)
        cap += cap / 2;
    if (b->max < cap - 1)
        cap = b->max + 1;
    b->data = mem_resize(b->cap != 0 ? b->data : NULL, cap, 1);
    b->cap = cap;
    b->data[b->len] = '\0';
    return true;
}

bool buf_text(struct buf *b, const char *text, struct error *err)
{
    return buf_append(b, str_from(text), err);
}

bool buf_byte(struct buf *b, char byte, struct error *err)
{
    return buf_append(b, (struct str){&byte, 1}, err);
}

static PRINTF_LIKE(3, 0) bool format(struct buf *b, struct error *err, const char *fmt, va_list ap)
{
    va_list again;
    bool ok = true;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    if (n < 0)
        ok = error_set(err, ERROR_INTERNAL, 0, "cannot format text");
    else if (n > 0)
        ok = buf_reserve(b, (size_t)n, err);
    if (ok && n > 0) {
        (void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
    return ok;
}

bool buf_format(struct buf *b, struct error *err, const char *fmt, ...)
{
    va_list ap;
    bool ok;

    va_start(ap, fmt);
    ok = format(b, err, fmt, ap);
    va_end(ap);
    return ok;
}

void buf_put(struct buf *b, const char *fmt, ...)
{
    struct error err = {0};
    va_list ap;
    bool ok;

    va_start(ap, fmt);
    ok = format(b, &err, fmt, ap);
    va_end(ap);
    if (!ok)
        abort(); /* the caller promised that this text fits */
}

void buf_drop_front(struct buf *b, size_t count)
{
    if (count >= b->len) {
        buf_clear(b);
        return;
    }
    memmove(b->data, b->data + count, b->len - count + 1);
    b->len -= count;
}

struct str buf_str(const struct buf *b)
{
    return (struct str){b->data, b->len};
}

char *buf_take(struct buf *b, size_t *len)
{
    char *data = b->cap != 0 ? b->data : mem_zero(1, 1);

    if (len != NULL)
        *len = b->len;
    buf_init(b, b->max);
    return data;
}
