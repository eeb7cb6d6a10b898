/*
 * table_draw.h - a table on the canvas: which columns fit, headings, rows. Used by table.c only.
 */
#ifndef TUI_TABLE_DRAW_H
#define TUI_TABLE_DRAW_H

#include "tui/table.h"

void table_draw_rows(const struct table *t, struct canvas *c, struct rect at, bool focused);

/* The columns shown in `width` and how wide each is. */
struct table_layout {
    size_t count;
    size_t column[TABLE_COLUMNS_MAX];
    int width[TABLE_COLUMNS_MAX];
};
void table_lay_out(const struct table *t, int width, struct table_layout *out);

#endif
