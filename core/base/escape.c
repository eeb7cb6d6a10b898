#include "core/base/escape.h"

#include <stdio.h>
#include <string.h>

size_t escape_decode(struct str s, uint32_t *point)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n;
    uint32_t value;

    if (s.len == 0)
        return 0;
    if (p[0] < 0x80) {
        *point = p[0];
        return 1;
    }
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (s.len < n)
        return 0;
    value = p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (p[i] & 0x3fu);
    }
    if (value < least[n] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *point = value;
    return n;
}

/* Ranges that move a cursor, turn text round, or show nothing. */
static const struct {
    uint32_t from, to;
} hidden[] = {
    {0x0, 0x1f},      {0x7f, 0x9f},     {0xad, 0xad},       {0x34f, 0x34f},     {0x600, 0x605},
    {0x61c, 0x61c},   {0x6dd, 0x6dd},   {0x70f, 0x70f},     {0x115f, 0x1160},   {0x17b4, 0x17b5},
    {0x180b, 0x180f}, {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},   {0x3164, 0x3164},
    {0xe000, 0xf8ff}, {0xfdd0, 0xfdef}, {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},
    {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0x10ffff},
};

bool escape_is_visible(uint32_t point)
{
    for (size_t i = 0; i < COUNT_OF(hidden); i++)
        if (point >= hidden[i].from && point <= hidden[i].to)
            return false;
    return (point & 0xfffe) != 0xfffe;
}

bool escape_append(struct buf *out, struct str raw, struct error *err)
{
    size_t at = 0;

    while (at < raw.len) {
        uint32_t point = 0;
        size_t n = escape_decode(str_slice(raw, at, raw.len), &point);

        if (n > 0 && escape_is_visible(point)) {
            if (!buf_append(out, str_slice(raw, at, at + n), err))
                return false;
            at += n;
            continue;
        }
        n = n == 0 ? 1 : n;
        for (size_t i = 0; i < n; i++)
            if (!buf_format(out, err, "\\x%02x", (unsigned)(unsigned char)raw.ptr[at + i]))
                return false;
        at += n;
    }
    return true;
}

char *escape_text(char *out, size_t size, struct str raw)
{
    static const char more[] = "\xe2\x80\xa6"; /* an ellipsis */
    size_t at = 0;
    size_t len = 0;
    size_t safe = 0; /* the last length that leaves room for the ellipsis */

    while (at < raw.len) {
        uint32_t point = 0;
        char piece[20] = "";
        size_t n = escape_decode(str_slice(raw, at, raw.len), &point);
        size_t width;

        if (n > 0 && escape_is_visible(point)) {
            memcpy(piece, raw.ptr + at, n);
        } else {
            n = 1;
            (void)snprintf(piece, sizeof(piece), "\\x%02x", (unsigned)(unsigned char)raw.ptr[at]);
        }
        width = strlen(piece);
        if (len + sizeof(more) <= size)
            safe = len;
        if (len + width + 1 > size) {
            if (safe + sizeof(more) <= size)
                memcpy(out + safe, more, sizeof(more));
            else
                out[len < size ? len : size - 1] = '\0';
            return out;
        }
        memcpy(out + len, piece, width);
        len += width;
        at += n;
    }
    out[len] = '\0';
    return out;
}
