#include "tui/spark.h"

#include <math.h>

static double largest(const double *values, size_t count)
{
    double top = 0;

    for (size_t i = 0; i < count; i++)
        if (values[i] > top) /* false for NaN */
            top = values[i];
    return top;
}

/* 0 for zero, else 1 to levels. */
static int level(double value, double top, int levels)
{
    int n;

    if (!(value > 0) || !(top > 0))
        return 0;
    n = (int)ceil(value / top * levels);
    return n > levels ? levels : n < 1 ? 1 : n;
}

static uint32_t bar(enum spark_style style, double value, double top)
{
    static const char ascii[] = "_.-=+*#";

    if (isnan(value))
        return ' ';
    if (style == SPARK_ASCII)
        return (uint32_t)ascii[level(value, top, 6)];
    return 0x2581 + (uint32_t)(level(value, top, 8) > 0 ? level(value, top, 8) - 1 : 0);
}

/* Two samples per cell, four dots high each. */
static uint32_t dots(double left, double right, double top)
{
    static const uint32_t left_dots[5] = {0, 0x40, 0x44, 0x46, 0x47};
    static const uint32_t right_dots[5] = {0, 0x80, 0xa0, 0xb0, 0xb8};
    int l = isnan(left) ? 0 : level(left, top, 4);
    int r = isnan(right) ? 0 : level(right, top, 4);

    return 0x2800 + left_dots[l] + right_dots[r];
}

void spark_draw(struct canvas *c, struct rect at, enum role role, enum spark_style style,
                const double *values, size_t count, double top)
{
    size_t per_cell;
    size_t cells = at.w > 0 ? (size_t)at.w : 0;

    if (canvas_is_ascii(c))
        style = SPARK_ASCII;
    else if (style == SPARK_AUTO)
        style = SPARK_BLOCKS;
    per_cell = style == SPARK_BRAILLE ? 2 : 1;
    if (at.h < 1 || cells == 0)
        return;
    if (count > cells * per_cell) {
        values += count - cells * per_cell;
        count = cells * per_cell;
    }
    top = top > 0 ? top : largest(values, count);
    for (size_t i = 0; i < count; i += per_cell) {
        int x = at.x + (int)(cells - (count + per_cell - 1) / per_cell + i / per_cell);

        if (style == SPARK_BRAILLE)
            canvas_point(c, x, at.y, role,
                         dots(values[i], i + 1 < count ? values[i + 1] : (double)NAN, top));
        else
            canvas_point(c, x, at.y, role, bar(style, values[i], top));
    }
}
