#include "tui/canvas_mem.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/buf.h"

#define TEXT_LIMIT ((size_t)64 * 1024 * 1024)

static void put_utf8(struct buf *out, uint32_t point)
{
    char bytes[4];
    size_t n = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    struct error err;

    for (size_t i = n - 1; i > 0; i--) {
        bytes[i] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    bytes[0] = (char)(lead[n == 1 ? 0 : n] | point);
    if (!buf_append(out, (struct str){bytes, n}, &err))
        abort();
}

static void put_row(const struct canvas *c, int y, struct buf *out)
{
    size_t start = out->len;

    for (int x = 0; x < canvas_area(c).w; x++) {
        const struct cell *cell = canvas_cell(c, x, y);

        for (size_t i = 0; cell->width > 0 && i < TEXT_POINTS && cell->point[i] != 0; i++)
            put_utf8(out, cell->point[i]);
    }
    while (out->len > start && out->data[out->len - 1] == ' ')
        out->data[--out->len] = '\0';
}

char *canvas_mem_row(const struct canvas *c, int y)
{
    struct buf out;

    buf_init(&out, TEXT_LIMIT);
    put_row(c, y, &out);
    return buf_take(&out, NULL);
}

char *canvas_mem_text(const struct canvas *c)
{
    struct buf out;

    buf_init(&out, TEXT_LIMIT);
    for (int y = 0; y < canvas_area(c).h; y++) {
        put_row(c, y, &out);
        buf_put(&out, "\n");
    }
    return buf_take(&out, NULL);
}

char *canvas_mem_roles(const struct canvas *c)
{
    struct rect area = canvas_area(c);
    char *out = mem_alloc((size_t)(area.w + 1) * (size_t)area.h + 1);
    char *p = out;

    for (int y = 0; y < area.h; y++) {
        for (int x = 0; x < area.w; x++)
            *p++ = (char)('a' + canvas_cell(c, x, y)->role);
        *p++ = '\n';
    }
    *p = '\0';
    return out;
}

bool canvas_mem_find(const struct canvas *c, const char *text, int *x, int *y)
{
    for (int row = 0; row < canvas_area(c).h; row++) {
        char *line = canvas_mem_row(c, row);
        char *at = strstr(line, text);

        if (at != NULL) {
            if (x != NULL)
                *x = text_width((struct str){line, (size_t)(at - line)}, false);
            if (y != NULL)
                *y = row;
        }
        free(line);
        if (at != NULL)
            return true;
    }
    return false;
}
