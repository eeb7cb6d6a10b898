/* What leaves the view on top (saved, copied), and the messages below it. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "tui/canvas_mem.h"
#include "tui/table.h"
#include "tui/ui_private.h"

bool ui_selected(const struct ui *ui, struct buf *out, struct error *err)
{
    const struct ui_page *page = ui_top(ui);
    const struct widget *w = page != NULL ? ui_focus_of(page) : NULL;

    if (w == NULL || w->ops->selected == NULL || !w->ops->selected(w, out))
        return error_set(err, ERROR_NOT_FOUND, 0, "nothing is selected here; Y copies the screen");
    return true;
}

struct table *ui_table_in_focus(const struct ui *ui)
{
    const struct ui_page *page = ui_top(ui);
    struct widget *w = page != NULL ? ui_focus_of(page) : NULL;

    return w != NULL && w->ops == &table_widget ? (struct table *)w : NULL;
}

bool ui_save(struct ui *ui, bool json, char **text, struct error *err)
{
    struct ui_page *page = ui_top(ui);
    struct canvas *c;

    if (page == NULL)
        return error_set(err, ERROR_NOT_FOUND, 0, "no screen is open");
    if (page->ops->save != NULL)
        return page->ops->save(page->state, json, text, err);
    if (json)
        return error_set(err, ERROR_UNSUPPORTED, 0, "this screen has no JSON form");
    c = canvas_new(160, 60, false);
    page->ops->draw(page->state, c, canvas_area(c), LAYOUT_FULL);
    *text = canvas_mem_text(c);
    canvas_free(c);
    return true;
}

/* ---- messages ---- */

static void add_toast(struct ui *ui, enum toast_level level, int64_t until, const char *text)
{
    struct toast *t;

    if (ui->toast_count == UI_TOASTS) {
        memmove(ui->toasts, ui->toasts + 1, (UI_TOASTS - 1) * sizeof(ui->toasts[0]));
        ui->toast_count--;
    }
    t = &ui->toasts[ui->toast_count++];
    t->level = level;
    t->until = until;
    (void)str_copy(str_from(text), t->text, sizeof(t->text));
    ui->dirty = true;
}

void ui_toast(struct ui *ui, enum toast_level level, const char *fmt, ...)
{
    static const int64_t lasts_ms[] = {
        [TOAST_INFO] = 4000, [TOAST_GOOD] = 6000, [TOAST_WARN] = 8000, [TOAST_ERROR] = 0};
    char text[400];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    add_toast(ui, level, level == TOAST_ERROR ? CLOCK_NEVER : clock_after(lasts_ms[level]), text);
}

void ui_error(struct ui *ui, const struct error *err)
{
    add_toast(ui, TOAST_ERROR, CLOCK_NEVER, err->text);
}
