#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "tui/ui_private.h"

static enum view_layout layout_of(struct rect area)
{
    if (area.w >= 120 && area.h >= 36)
        return LAYOUT_FULL;
    return area.w >= 80 && area.h >= 24 ? LAYOUT_STACKED : LAYOUT_STRIP;
}

struct rect ui_window(struct canvas *c, struct rect area, int w, int h, const char *title,
                      const char *note, bool danger)
{
    struct rect at = rect_center(area, w, h);

    canvas_fill(c, at, ROLE_DIALOG);
    return canvas_box(c, at, danger ? ROLE_DANGER : ROLE_FOCUS, title, note);
}

/* ---- footer: a screen's own keys as far as there is room, the manager's always ---- */

#define FOOTER_ITEMS 40
#define FOOTER_GAP 2

struct footer {
    struct {
        char key[KEY_NAME_MAX];
        const char *label;
        bool pinned;
    } items[FOOTER_ITEMS];
    size_t count;
};

static int item_width(const struct footer *f, size_t i)
{
    return text_width(str_from(f->items[i].key), true) + 1 +
           text_width(str_from(f->items[i].label), false) + FOOTER_GAP;
}

static void add_footer(struct footer *f, const char *key, const char *label, bool pinned)
{
    if (f->count >= FOOTER_ITEMS || key[0] == '\0')
        return;
    (void)str_copy(str_from(key), f->items[f->count].key, KEY_NAME_MAX);
    f->items[f->count].label = label;
    f->items[f->count++].pinned = pinned;
}

static void gather_footer(const struct ui *ui, struct footer *f)
{
    struct ui_row rows[UI_ROWS_MAX];
    size_t count = ui_rows(ui, rows);

    for (size_t i = 0; i < count; i++) {
        char key[KEY_NAME_MAX];

        if ((rows[i].action->flags & ACTION_FOOTER) != 0 && ui_row_blocked(ui, &rows[i]) == NULL)
            add_footer(f, ui_first_key(ui, rows[i].action, key, sizeof(key)), rows[i].action->label,
                       (rows[i].action->flags & ACTION_PINNED) != 0);
    }
    add_footer(f, "1-9,0", "screens", true);
}

static void draw_footer(const struct ui *ui, struct canvas *c, struct rect at)
{
    struct footer f = {.count = 0};
    int room = at.w + FOOTER_GAP;

    gather_footer(ui, &f);
    canvas_fill(c, at, ROLE_FOOTER);
    for (size_t i = 0; i < f.count; i++)
        room -= f.items[i].pinned ? item_width(&f, i) : 0;
    for (size_t i = 0; i < f.count && at.w > 0; i++) {
        int width = item_width(&f, i);
        int used;

        if (width - FOOTER_GAP > at.w || (!f.items[i].pinned && width > room))
            continue;
        room -= f.items[i].pinned ? 0 : width;
        used = canvas_print(c, at, ROLE_KEY, f.items[i].key) + 1;
        (void)canvas_print(c, (struct rect){at.x + used, at.y, at.w - used, 1}, ROLE_FOOTER,
                           f.items[i].label);
        at.x += width;
        at.w -= width;
    }
}

static void draw_crumbs(const struct ui *ui, struct canvas *c, struct rect at)
{
    for (size_t i = 0; i < ui->page_count && at.w > 4; i++) {
        const struct ui_page *page = &ui->pages[i];
        char extra[80] = "";
        int used;

        if (page->ops->crumb != NULL)
            page->ops->crumb(page->state, extra, sizeof(extra));
        used = canvas_format(c, at, i + 1 == ui->page_count ? ROLE_TITLE : ROLE_DIM, "<%s%s%s> ",
                             page->ops->id, extra[0] != '\0' ? " " : "", extra);
        at.x += used;
        at.w -= used;
    }
    if (ui->frozen)
        (void)canvas_print(c, at, ROLE_ARMED, " this screen stands still: Z goes on ");
}

/* The newest message; an error that waits for a key comes before those that pass by themselves. */
static const struct toast *toast_to_show(const struct ui *ui)
{
    const struct toast *best = NULL;

    for (size_t i = 0; i < ui->toast_count; i++)
        if (best == NULL || ui->toasts[i].level >= best->level)
            best = &ui->toasts[i];
    return best;
}

static enum role toast_role(enum toast_level level)
{
    static const enum role roles[] = {[TOAST_INFO] = ROLE_INFO,
                                      [TOAST_GOOD] = ROLE_GOOD,
                                      [TOAST_WARN] = ROLE_WARN,
                                      [TOAST_ERROR] = ROLE_BAD};

    return roles[level];
}

static const char *toast_word(enum toast_level level)
{
    static const char *const words[] = {[TOAST_INFO] = "",
                                        [TOAST_GOOD] = "OK  ",
                                        [TOAST_WARN] = "NOTE  ",
                                        [TOAST_ERROR] = "ERROR  "};

    return words[level];
}

/* How many rows the message needs: long errors must be readable in full. */
static int toast_rows(const struct ui *ui, int width)
{
    const struct toast *t = toast_to_show(ui);
    struct rect at = {0, 0, width - 9, 4};
    int rows;

    if (t == NULL || width < 20)
        return 1;
    rows = canvas_wrap(NULL, at, ROLE_TEXT, str_from(t->text));
    return rows > 4 ? 4 : rows < 1 ? 1 : rows;
}

static void draw_toast(const struct toast *t, struct canvas *c, struct rect at)
{
    enum role role = toast_role(t->level);
    int used = canvas_format(c, at, role, " %s", toast_word(t->level));
    struct rect text = {at.x + used, at.y, at.w - used, at.h};

    (void)canvas_wrap(c, text, role, str_from(t->text));
}

static void draw_bottom(const struct ui *ui, struct canvas *c, struct rect at)
{
    const struct toast *t = toast_to_show(ui);

    if (t != NULL)
        draw_toast(t, c, at);
    else
        draw_crumbs(ui, c, at);
}

void ui_draw(struct ui *ui, struct canvas *c)
{
    struct rect area = canvas_area(c);
    enum view_layout layout = layout_of(area);
    int header_rows = ui->setup.header_rows != NULL ? ui->setup.header_rows(ui->setup.app) : 1;
    const struct ui_page *page = ui_top(ui);
    struct rect before;

    canvas_clear(c);
    ui->dirty = false;
    if (ui->setup.header != NULL)
        ui->setup.header(ui->setup.app, c, rect_take_top(&area, header_rows), layout);
    if (area.h > 2)
        draw_footer(ui, c, rect_take_bottom(&area, 1));
    if (area.h > 1)
        draw_bottom(ui, c,
                    rect_take_bottom(&area, layout == LAYOUT_STRIP ? 1 : toast_rows(ui, area.w)));
    before = canvas_clip(c, area);
    if (page != NULL && !rect_is_empty(area))
        page->ops->draw(page->state, c, area, layout);
    canvas_unclip(c, before);
    for (size_t i = 0; i < ui->overlay_count; i++) {
        canvas_hide_cursor(c);
        ui->overlays[i]->ops->draw(ui->overlays[i], ui, c, canvas_area(c));
    }
}
