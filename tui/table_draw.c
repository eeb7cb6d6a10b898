#include "tui/table_draw.h"

#include <stdio.h>
#include <string.h>

#include "tui/table_order.h"

#define PREFIX 2      /* cursor and mark */
#define WIDE_FROM 130 /* from here on what is usually left out takes the room that is left */

static bool may_show(const struct table *t, size_t column)
{
    return t->wide || !t->ops->columns[column].hidden;
}

/* Scrolled: the first column stays, then those from the scroll position on as far as they fit. */
static void pick_scrolled(const struct table *t, int width, struct table_layout *out)
{
    int used = t->ops->columns[0].width;

    out->column[out->count++] = 0;
    for (size_t i = t->scroll + 1; i < t->ops->columns_count; i++) {
        const struct table_column *column = &t->ops->columns[i];

        if (!may_show(t, i))
            continue;
        if (used + 1 + column->width > width && out->count > 1)
            break;
        used += 1 + column->width;
        out->column[out->count++] = i;
    }
}

/* The columns up to a priority, in their order, and the width that they need. */
static int pick_up_to(const struct table *t, int priority, bool all, struct table_layout *out)
{
    int used = 0;

    out->count = 0;
    for (size_t i = 0; i < t->ops->columns_count && out->count < TABLE_COLUMNS_MAX; i++) {
        const struct table_column *column = &t->ops->columns[i];

        if ((!all && !may_show(t, i)) || column->priority > priority)
            continue;
        used += column->width + (out->count > 0 ? 1 : 0);
        out->column[out->count++] = i;
    }
    return used;
}

static void pick_by_priority(const struct table *t, int width, struct table_layout *out)
{
    int highest = 0;
    int usual = 0;

    for (size_t i = 0; i < t->ops->columns_count; i++) {
        int priority = t->ops->columns[i].priority;

        highest = priority > highest ? priority : highest;
        usual = may_show(t, i) && priority > usual ? priority : usual;
    }
    for (int p = highest; width >= WIDE_FROM && p >= usual; p--)
        if (pick_up_to(t, p, true, out) <= width)
            return;
    while (pick_up_to(t, highest, false, out) > width && highest > 0)
        highest--;
}

static void share_spare(const struct table *t, int spare, struct table_layout *out)
{
    int shares = 0;

    for (size_t i = 0; i < out->count; i++)
        shares += t->ops->columns[out->column[i]].grow;
    for (size_t i = 0; i < out->count && shares > 0 && spare > 0; i++) {
        int grow = t->ops->columns[out->column[i]].grow;
        int part = spare * grow / shares;

        out->width[i] += part;
        spare -= part;
        shares -= grow;
    }
}

void table_lay_out(const struct table *t, int width, struct table_layout *out)
{
    int used = 0;

    memset(out, 0, sizeof(*out));
    if (t->scroll > 0)
        pick_scrolled(t, width, out);
    else
        pick_by_priority(t, width, out);
    for (size_t i = 0; i < out->count; i++) {
        out->width[i] = t->ops->columns[out->column[i]].width;
        used += out->width[i] + (i > 0 ? 1 : 0);
    }
    if (width > used)
        share_spare(t, width - used, out);
}

static void draw_heading(const struct table *t, const struct table_layout *layout, struct canvas *c,
                         struct rect at)
{
    struct rect cell = {at.x + PREFIX, at.y, 0, at.h};

    for (size_t i = 0; i < layout->count; i++) {
        const struct table_column *column = &t->ops->columns[layout->column[i]];
        char name[64];

        (void)snprintf(name, sizeof(name), "%s%s", column->name,
                       t->sort != (int)layout->column[i] ? ""
                       : t->inverted                     ? canvas_glyph_text(c, GLYPH_DOWN)
                                                         : canvas_glyph_text(c, GLYPH_UP));
        cell.w = layout->width[i];
        if (cell.x + cell.w > at.x + at.w)
            cell.w = at.x + at.w - cell.x;
        canvas_align(c, cell, ROLE_TITLE, column->align, str_from(name));
        cell.x += layout->width[i] + 1;
    }
}

static void draw_row(const struct table *t, const struct table_layout *layout, size_t row,
                     struct canvas *c, struct rect at)
{
    struct rect cell = {at.x + PREFIX, at.y, 0, at.h};

    for (size_t i = 0; i < layout->count && cell.x < at.x + at.w; i++) {
        struct table_cell content;

        table_cell_get(t, row, layout->column[i], &content);
        cell.w = layout->width[i];
        if (cell.x + cell.w > at.x + at.w)
            cell.w = at.x + at.w - cell.x;
        canvas_align(c, cell, content.role, t->ops->columns[layout->column[i]].align, content.text);
        cell.x += layout->width[i] + 1;
    }
}

static size_t first_row(const struct table *t, int rows)
{
    size_t top = t->seen->top;
    size_t page = rows > 0 ? (size_t)rows : 1;

    if (t->cursor < top)
        top = t->cursor;
    if (t->cursor >= top + page)
        top = t->cursor - page + 1;
    if (top + page > t->shown)
        top = t->shown > page ? t->shown - page : 0;
    return top;
}

static void draw_filter(const struct table *t, struct canvas *c, struct rect at, bool focused)
{
    (void)canvas_print(c, at, ROLE_KEY, "/");
    at.x++;
    at.w--;
    lineedit_draw(&t->filter, c, at, focused && t->filtering);
}

static void draw_empty(const struct table *t, struct canvas *c, struct rect at)
{
    if (t->filter.len > 0)
        (void)canvas_format(c, at, ROLE_DIM, "  no row matches \"%s\"; Esc clears the filter",
                            t->filter.text);
    else if (t->ops->empty != NULL) {
        struct rect text = {at.x + PREFIX, at.y, at.w - PREFIX, at.h};

        (void)canvas_wrap(c, text, ROLE_DIM, str_from(t->ops->empty));
    }
}

void table_draw_rows(const struct table *t, struct canvas *c, struct rect at, bool focused)
{
    struct table_layout layout;
    struct rect rows = at;
    struct rect heading = rect_take_top(&rows, 1);
    struct rect before = canvas_clip(c, at);

    table_lay_out(t, at.w - PREFIX, &layout);
    draw_heading(t, &layout, c, heading);
    if (t->filtering || t->filter.len > 0)
        draw_filter(t, c, rect_take_bottom(&rows, 1), focused);
    t->seen->page = rows.h;
    t->seen->area = rows;
    t->seen->top = first_row(t, rows.h);
    if (t->shown == 0)
        draw_empty(t, c, rows);
    for (int y = 0; y < rows.h && t->seen->top + (size_t)y < t->shown; y++) {
        size_t at_row = t->seen->top + (size_t)y;
        struct rect line = rect_row(rows, y);
        bool marked = table_is_marked(t, t->ops->id(t->model, t->order[at_row]));

        draw_row(t, &layout, t->order[at_row], c, line);
        if (marked)
            canvas_point(c, line.x + 1, line.y, ROLE_MARKED, '*');
        if (at_row == t->cursor) {
            canvas_point(c, line.x, line.y, ROLE_SELECTED, '>');
            if (focused)
                canvas_tint(c, line, ROLE_SELECTED);
        }
    }
    canvas_unclip(c, before);
}
