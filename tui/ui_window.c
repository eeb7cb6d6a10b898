#include <stdlib.h>

#include "core/base/alloc.h"
#include "tui/pager.h"
#include "tui/ui_private.h"

/* Windows around a widget: a form, or text to read. */

struct form_window {
    struct overlay overlay; /* first */
    struct ui_form ask;
    struct form form;
    struct error err;
};

static void draw_form(const struct overlay *o, const struct ui *ui UNUSED, struct canvas *c,
                      struct rect area)
{
    const struct form_window *w = (const struct form_window *)o;
    struct rect wants = form_wants(&w->form);
    struct rect in = ui_window(c, area, wants.w + 4, wants.h + 4, w->ask.spec->title,
                               "Tab moves, Esc cancels", false);

    in = (struct rect){in.x + 1, in.y, in.w - 2, in.h};
    if (w->err.code != ERROR_NONE)
        (void)canvas_wrap(c, rect_take_bottom(&in, 2), ROLE_BAD, str_from(w->err.text));
    form_draw(&w->form, c, in);
}

static void form_key(struct overlay *o, struct ui *ui, uint32_t key)
{
    struct form_window *w = (struct form_window *)o;

    (void)w->form.widget.ops->key(&w->form, key);
    if (w->form.cancelled) {
        ui_pop_overlay(ui, o);
    } else if (w->form.accepted) {
        w->form.accepted = false;
        w->err.code = ERROR_NONE;
        if (w->ask.accepted(w->ask.owner, &w->form, &w->err))
            ui_pop_overlay(ui, o);
    }
}

static void release_form(struct overlay *o)
{
    struct form_window *w = (struct form_window *)o;

    form_release(&w->form);
    free(w);
}

static const struct overlay_ops form_ops = {
    .draw = draw_form, .key = form_key, .release = release_form};

struct form *ui_form(struct ui *ui, const struct ui_form *ask)
{
    struct form_window *w = mem_zero(1, sizeof(*w));

    w->overlay = (struct overlay){.ops = &form_ops, .owner = ask->owner};
    w->ask = *ask;
    form_init(&w->form, ask->spec);
    ui_push_overlay(ui, &w->overlay);
    return &w->form;
}

struct text_window {
    struct overlay overlay; /* first */
    struct pager pager;
    char *title;
};

static void draw_text(const struct overlay *o, const struct ui *ui UNUSED, struct canvas *c,
                      struct rect area)
{
    const struct text_window *w = (const struct text_window *)o;
    int h = (int)w->pager.count + 3;
    struct rect in =
        ui_window(c, area, area.w > 110 ? 110 : area.w - 2, h > area.h - 2 ? area.h - 2 : h,
                  w->title, "/ search  Esc closes", false);

    pager_draw(&w->pager, c, in, true);
}

static void text_key(struct overlay *o, struct ui *ui, uint32_t key)
{
    struct text_window *w = (struct text_window *)o;
    const struct action *a = pager_widget.actions;
    struct error err;

    if (pager_widget.grabs(&w->pager)) {
        (void)pager_widget.key(&w->pager, key);
        return;
    }
    if (key == TK_ESC || key == 'q' || key == (TK_CTRL | 'c') || key == TK_ENTER) {
        ui_pop_overlay(ui, o);
        return;
    }
    for (; a->id != NULL; a++)
        if (ui_has_key(ui, a, key)) {
            if (!a->run(&w->pager, (struct str){"", 0}, &err))
                ui_toast(ui, TOAST_INFO, "%s", err.text);
            return;
        }
}

static void release_text(struct overlay *o)
{
    struct text_window *w = (struct text_window *)o;

    pager_release(&w->pager);
    free(w->title);
    free(w);
}

static const struct overlay_ops text_ops = {
    .draw = draw_text, .key = text_key, .release = release_text};

void ui_text(struct ui *ui, const char *title, struct str text)
{
    struct text_window *w = mem_zero(1, sizeof(*w));

    w->overlay =
        (struct overlay){.ops = &text_ops, .owner = ui_top(ui) != NULL ? ui_top(ui)->state : NULL};
    w->title = mem_copy_text(title);
    pager_init(&w->pager, false);
    pager_set_text(&w->pager, text);
    ui_push_overlay(ui, &w->overlay);
}
