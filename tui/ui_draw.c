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

static int footer_item(struct canvas *c, struct rect at, const char *key, const char *label)
{
    int used;

    if (text_width(str_from(key), true) + text_width(str_from(label), false) + 2 > at.w)
        return 0;
    used = canvas_print(c, at, ROLE_KEY, key);
    at.x += used + 1;
    at.w -= used + 1;
    return used + 3 + canvas_print(c, at, ROLE_FOOTER, label);
}

static void draw_footer(const struct ui *ui, struct canvas *c, struct rect at)
{
    struct ui_row rows[UI_ROWS_MAX];
    size_t count = ui_rows(ui, rows);

    canvas_fill(c, at, ROLE_FOOTER);
    for (size_t i = 0; i < count && at.w > 0; i++) {
        char key[KEY_NAME_MAX];
        int used;

        if ((rows[i].action->flags & ACTION_FOOTER) == 0 || ui_row_blocked(ui, &rows[i]) != NULL)
            continue;
        if (ui_first_key(ui, rows[i].action, key, sizeof(key))[0] == '\0')
            continue;
        used = footer_item(c, at, key, rows[i].action->label);
        at.x += used;
        at.w -= used;
    }
    (void)footer_item(c, at, "1-9,0", "screens");
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
        (void)canvas_print(c, at, ROLE_ARMED, " FROZEN: Z goes on ");
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
