#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "tui/ui_private.h"

/* The help overlay: made from the rows that are live at this moment, filtered by typing, and Enter
 * runs the row. */

struct help {
    struct overlay overlay; /* first */
    struct ui_row rows[UI_ROWS_MAX];
    size_t count;
    size_t shown[UI_ROWS_MAX];
    size_t shown_count, at;
    bool filtering;
    struct lineedit filter;
    int *page; /* rows that fitted at the last draw */
};

static bool matches(const struct help *h, const struct ui *ui, const struct ui_row *row)
{
    struct str needle = lineedit_str(&h->filter);
    const char *texts[] = {row->action->label, row->action->help, row->action->id,
                           row->action->command};
    char keys[80];

    if (needle.len == 0)
        return true;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct str text = str_from(texts[i]);

        if (text.len > 0 && text_search(text, needle) < text.len)
            return true;
    }
    return text_search(str_from(ui_keys_text(ui, row->action, keys, sizeof(keys))), needle) <
           strlen(keys);
}

static void build(struct help *h, const struct ui *ui)
{
    h->shown_count = 0;
    for (size_t i = 0; i < h->count; i++)
        if (matches(h, ui, &h->rows[i]))
            h->shown[h->shown_count++] = i;
    if (h->at >= h->shown_count)
        h->at = h->shown_count > 0 ? h->shown_count - 1 : 0;
}

static void draw_line(const struct help *h, const struct ui *ui, size_t shown, struct canvas *c,
                      struct rect at)
{
    const struct ui_row *row = &h->rows[h->shown[shown]];
    const char *why = ui_row_blocked(ui, row);
    bool first = shown == 0 || strcmp(h->rows[h->shown[shown - 1]].group, row->group) != 0;
    bool wide = at.w > 90;
    int group = wide ? 14 : 0;
    struct rect rest = {at.x + group + 18, at.y, at.w - group - 18, 1};
    char keys[80];

    if (wide && first)
        (void)canvas_print(c, (struct rect){at.x, at.y, group - 1, 1}, ROLE_TITLE, row->group);
    (void)canvas_print(c, (struct rect){at.x + group, at.y, 17, 1},
                       why != NULL ? ROLE_DIM : ROLE_KEY,
                       ui_keys_text(ui, row->action, keys, sizeof(keys)));
    if (keys[0] == '\0')
        (void)canvas_format(c, (struct rect){at.x + group, at.y, 17, 1}, ROLE_KEY, ":%s",
                            row->action->command != NULL ? row->action->command : row->action->id);
    (void)canvas_format(c, rest, why != NULL ? ROLE_DIM : ROLE_DIALOG, "%-10s %s%s%s%s",
                        row->action->label, why != NULL ? "(" : "", why != NULL ? why : "",
                        why != NULL ? ") " : "", row->action->help);
    if (shown == h->at)
        canvas_tint(c, at, ROLE_SELECTED);
}

static void draw(const struct overlay *o, const struct ui *ui, struct canvas *c, struct rect area)
{
    const struct help *h = (const struct help *)o;
    const struct ui_page *page = ui_top(ui);
    char title[120];
    struct rect in, line;
    size_t top;

    (void)snprintf(title, sizeof(title), "Help: %s%s%s", page != NULL ? page->ops->title : "",
                   ui->setup.version != NULL ? "   rbconsole " : "",
                   ui->setup.version != NULL ? ui->setup.version : "");
    in = ui_window(c, area, area.w - 4, area.h - 4, title, "/ find  Enter runs it  Esc closes",
                   false);
    in.x++;
    in.w -= 2;
    if (page != NULL && page->ops->help != NULL && in.h > 8)
        (void)canvas_wrap(c, rect_take_top(&in, 2), ROLE_DIALOG, str_from(page->ops->help));
    if (in.h > 10)
        (void)canvas_wrap(
            c, rect_take_bottom(&in, 2), ROLE_DIM,
            STR("Lower-case keys and F-keys only look, open a menu or steer your own job. What "
                "changes data is in F9 / a or a : command, needs read-write, and asks first."));
    if (h->filtering || h->filter.len > 0) {
        line = rect_take_bottom(&in, 1);
        (void)canvas_print(c, line, ROLE_KEY, "/");
        lineedit_draw(&h->filter, c, (struct rect){line.x + 1, line.y, line.w - 1, 1},
                      h->filtering);
    }
    *h->page = in.h;
    top = (int)h->at >= in.h ? h->at - (size_t)in.h + 1 : 0;
    for (int y = 0; y < in.h && top + (size_t)y < h->shown_count; y++)
        draw_line(h, ui, top + (size_t)y, c, rect_row(in, y));
    if (h->shown_count == 0)
        (void)canvas_print(c, rect_row(in, 0), ROLE_DIM, "no key or command matches");
}

static void run(struct help *h, struct ui *ui)
{
    struct ui_row row;

    if (h->shown_count == 0)
        return;
    row = h->rows[h->shown[h->at]];
    ui_pop_overlay(ui, &h->overlay);
    if (row.action->usage != NULL)
        ui_open_palette(ui, row.action->command != NULL ? row.action->command : row.action->id);
    else if ((row.action->flags & ACTION_CONFIRM) != 0)
        ui_confirm_row(ui, &row);
    else
        ui_run_row(ui, &row, (struct str){"", 0});
}

static void move(struct help *h, int by)
{
    int to = (int)h->at + by;
    int last = h->shown_count > 0 ? (int)h->shown_count - 1 : 0;

    h->at = to < 0 ? 0 : to > last ? (size_t)last : (size_t)to;
}

static void filter_key(struct help *h, struct ui *ui, uint32_t pressed)
{
    if (pressed == TK_ESC || pressed == (TK_CTRL | 'c')) {
        h->filtering = false;
        lineedit_clear(&h->filter);
    } else if (pressed == TK_ENTER) {
        h->filtering = false;
    } else if (pressed == TK_DOWN || pressed == TK_UP) {
        move(h, pressed == TK_DOWN ? 1 : -1);
    } else {
        (void)lineedit_key(&h->filter, pressed);
    }
    build(h, ui);
}

static const struct {
    uint32_t key;
    int rows, pages;
} moves[] = {
    {'j', 1, 0},
    {TK_DOWN, 1, 0},
    {'k', -1, 0},
    {TK_UP, -1, 0},
    {TK_PGDN, 0, 1},
    {' ', 0, 1},
    {TK_PGUP, 0, -1},
    {'g', -UI_ROWS_MAX, 0},
    {'G', UI_ROWS_MAX, 0},
    {TK_HOME, -UI_ROWS_MAX, 0},
    {TK_END, UI_ROWS_MAX, 0},
};

static void key(struct overlay *o, struct ui *ui, uint32_t pressed)
{
    struct help *h = (struct help *)o;

    if (h->filtering) {
        filter_key(h, ui, pressed);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(moves); i++)
        if (moves[i].key == pressed) {
            move(h, moves[i].rows + moves[i].pages * *h->page);
            return;
        }
    if (pressed == '/' || pressed == TK_F1 + 2 || pressed == TK_F1 + 3) {
        h->filtering = true;
        lineedit_clear(&h->filter);
        build(h, ui);
    } else if (pressed == TK_ENTER) {
        run(h, ui);
    } else if (pressed == TK_ESC && h->filter.len > 0) {
        filter_key(h, ui, pressed);
    } else if (pressed == TK_ESC || pressed == 'q' || pressed == '?' || pressed == TK_F1 ||
               pressed == (TK_CTRL | 'c')) {
        ui_pop_overlay(ui, o);
    }
}

static void release(struct overlay *o)
{
    struct help *h = (struct help *)o;

    free(h->page);
    free(h);
}

static const struct overlay_ops help_ops = {.draw = draw, .key = key, .release = release};

void ui_open_help(struct ui *ui)
{
    struct help *h = mem_zero(1, sizeof(*h));

    h->overlay =
        (struct overlay){.ops = &help_ops, .owner = ui_top(ui) != NULL ? ui_top(ui)->state : NULL};
    h->page = mem_zero(1, sizeof(*h->page));
    h->count = ui_rows(ui, h->rows);
    build(h, ui);
    ui_push_overlay(ui, &h->overlay);
}
