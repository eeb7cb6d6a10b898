#include "tui/gauge.h"

#include <string.h>

/* Columns filled: all of them only when nothing is left to do. */
static int filled(int width, uint64_t done, uint64_t total)
{
    int n;

    if (done >= total)
        return width;
    n = (int)((double)done / (double)total * width);
    return n >= width ? width - 1 : n;
}

void gauge_draw(struct canvas *c, struct rect at, enum role role, uint64_t done, uint64_t total)
{
    int width = at.w - 2;
    int full;

    if (width < 1 || at.h < 1)
        return;
    full = total == 0 ? 0 : filled(width, done, total);
    canvas_point(c, at.x, at.y, ROLE_BORDER, '[');
    for (int i = 0; i < width; i++) {
        int x = at.x + 1 + i;

        if (total == 0)
            canvas_point(c, x, at.y, ROLE_UNKNOWN, '?');
        else if (i < full)
            canvas_glyph(c, x, at.y, role, GLYPH_FULL);
        else
            canvas_glyph(c, x, at.y, ROLE_DIM, GLYPH_EMPTY);
    }
    canvas_point(c, at.x + at.w - 1, at.y, ROLE_BORDER, ']');
}

char *gauge_text(char *out, size_t size, int width, uint64_t done, uint64_t total, bool ascii)
{
    const char *full_sign = ascii ? "#" : "\xe2\x96\x88";
    const char *empty_sign = ascii ? "-" : "\xe2\x94\x80";
    int full = total == 0 ? 0 : filled(width - 2, done, total);
    size_t len = 0;

    out[0] = '\0';
    for (int i = 0; i < width; i++) {
        const char *sign = i == 0           ? "["
                           : i == width - 1 ? "]"
                           : total == 0     ? "?"
                           : i <= full      ? full_sign
                                            : empty_sign;
        size_t n = strlen(sign);

        if (len + n + 1 > size)
            break;
        memcpy(out + len, sign, n + 1);
        len += n;
    }
    return out;
}
