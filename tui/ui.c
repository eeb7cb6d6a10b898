#include "tui/ui.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/clock.h"
#include "tui/ui_private.h"

#define INTERRUPT_MS 1000

static bool go_place(void *state, struct str arg, struct error *err);

/* Places become action rows, so that keys, help and rebinding treat them like all others. */
static void make_place_rows(struct ui *ui)
{
    while (ui->setup.places[ui->place_count].view != NULL)
        ui->place_count++;
    ui->place_rows = mem_zero(ui->place_count + 1, sizeof(*ui->place_rows));
    for (size_t i = 0; i < ui->place_count; i++) {
        const struct ui_place *place = &ui->setup.places[i];

        ui->place_rows[i] = (struct action){
            .id = mem_format("view.%s", place->view->id),
            .keys = place->key != NULL ? place->key : "",
            .label = place->view->title,
            .help = place->view->help,
            .command = place->view->id,
            .run = go_place,
        };
    }
}

struct ui *ui_new(const struct ui_setup *setup)
{
    struct ui *ui = mem_zero(1, sizeof(*ui));

    ui->setup = *setup;
    ui->keys = map_new();
    ui->dirty = true;
    make_place_rows(ui);
    return ui;
}

static void close_page(struct ui_page *page)
{
    if (page->ops->close != NULL)
        page->ops->close(page->state);
    free(page->state);
    free(page->arg);
}

static void sweep(struct ui *ui)
{
    if (ui->depth > 0)
        return;
    for (size_t i = 0; i < ui->fading_count; i++)
        ui->fading[i]->ops->release(ui->fading[i]);
    ui->fading_count = 0;
    for (size_t i = 0; i < ui->closing_count; i++)
        close_page(&ui->closing[i]);
    ui->closing_count = 0;
}

void ui_enter_code(struct ui *ui)
{
    ui->depth++;
}

void ui_leave_code(struct ui *ui)
{
    ui->depth--;
    sweep(ui);
}

void ui_close_all(struct ui *ui)
{
    while (ui->overlay_count > 0)
        ui_pop_overlay(ui, ui->overlays[ui->overlay_count - 1]);
    while (ui->page_count > 0)
        ARRAY_PUSH(ui->closing, ui->closing_count, ui->closing_cap) = ui->pages[--ui->page_count];
    ui->frozen = false;
    ui->depth = 0;
    sweep(ui);
}

void ui_free(struct ui *ui)
{
    if (ui == NULL)
        return;
    ui_close_all(ui);
    for (size_t i = 0; i < ui->place_count; i++)
        free(mem_unconst(ui->place_rows[i].id));
    free(ui->place_rows);
    free(ui->pages);
    free(ui->closing);
    free(ui->overlays);
    free(ui->fading);
    map_free(ui->keys, free);
    history_release(&ui->history);
    free(ui);
}

struct ui_page *ui_top(const struct ui *ui)
{
    return ui->page_count > 0 ? &ui->pages[ui->page_count - 1] : NULL;
}

struct widget *ui_focus_of(const struct ui_page *page)
{
    return page->ops->focus != NULL ? page->ops->focus(page->state) : NULL;
}

static size_t add_rows(struct ui_row *rows, size_t count, const struct action *table, void *state,
                       const char *group)
{
    for (; table != NULL && table->id != NULL && count < UI_ROWS_MAX; table++)
        rows[count++] = (struct ui_row){table, state, group};
    return count;
}

size_t ui_rows(const struct ui *ui, struct ui_row rows[UI_ROWS_MAX])
{
    struct ui_page *page = ui_top(ui);
    void *self = mem_unconst(ui);
    size_t n = 0;

    if (page != NULL) {
        struct widget *widget = ui_focus_of(page);

        n = add_rows(rows, n, page->ops->actions, page->state, page->ops->title);
        if (widget != NULL)
            n = add_rows(rows, n, widget->ops->actions, widget, widget->ops->name);
    }
    n = add_rows(rows, n, ui->setup.globals, ui->setup.app, "Everywhere");
    n = add_rows(rows, n, ui_actions, self, "Everywhere");
    return add_rows(rows, n, ui->place_rows, self, "Screens");
}

const char *ui_row_blocked(const struct ui *ui, const struct ui_row *row)
{
    const char *why = NULL;

    if ((row->action->flags & ACTION_WRITES) != 0 && ui->setup.write_blocked != NULL)
        why = ui->setup.write_blocked(ui->setup.app);
    if (why == NULL && row->action->blocked != NULL)
        why = row->action->blocked(row->state);
    return why;
}

void ui_run_row(struct ui *ui, const struct ui_row *row, struct str arg)
{
    const struct action *action = row->action;
    const char *why = ui_row_blocked(ui, row);
    struct error err = {ERROR_NONE, 0, ""};
    bool done;

    ui->dirty = true;
    if (why != NULL) {
        ui_toast(ui, TOAST_WARN, "%s: %s", action->label, why);
        return;
    }
    ui_enter_code(ui);
    if (action->run == go_place)
        done = ui_go(ui, action->command, NULL, &err);
    else
        done = action->run(row->state, arg, &err);
    if (!done)
        ui_error(ui, &err);
    if (ui->setup.ran != NULL && (action->flags & ACTION_REPEAT) == 0)
        ui->setup.ran(ui->setup.app, action, arg);
    ui_leave_code(ui);
}

static bool go_place(void *state UNUSED, struct str arg UNUSED, struct error *err)
{
    return error_set(err, ERROR_INTERNAL, 0, "places are opened by the manager");
}

/* ---- views ---- */

static const struct view_ops *find_view(const struct ui *ui, const char *id)
{
    for (size_t i = 0; i < ui->place_count; i++)
        if (strcmp(ui->setup.places[i].view->id, id) == 0)
            return ui->setup.places[i].view;
    return NULL;
}

static void raise_page(struct ui *ui, size_t index)
{
    struct ui_page page = ui->pages[index];

    memmove(ui->pages + index, ui->pages + index + 1,
            (ui->page_count - index - 1) * sizeof(*ui->pages));
    ui->pages[ui->page_count - 1] = page;
    if (page.ops->update != NULL)
        page.ops->update(page.state);
}

void ui_swap(struct ui *ui)
{
    if (ui->page_count > 1)
        raise_page(ui, ui->page_count - 2);
}

bool ui_go(struct ui *ui, const char *view_id, const char *arg, struct error *err)
{
    const struct view_ops *ops = find_view(ui, view_id);
    struct ui_page page = {.ops = ops};
    struct view_context context = {.ui = ui, .app = ui->setup.app};
    bool ok;

    ui->dirty = true;
    if (ops == NULL)
        return error_set(err, ERROR_NOT_FOUND, 0, "there is no screen called %s", view_id);
    for (size_t i = 0; i < ui->page_count; i++)
        if (ui->pages[i].ops == ops && (arg == NULL || strcmp(ui->pages[i].arg, arg) == 0)) {
            raise_page(ui, i);
            return true;
        }
    page.state = mem_zero(1, ops->state_size > 0 ? ops->state_size : 1);
    page.arg = mem_copy_text(arg != NULL ? arg : "");
    context.arg = page.arg;
    ui_enter_code(ui);
    ok = ops->open == NULL || ops->open(page.state, &context, err);
    if (ok) {
        ARRAY_PUSH(ui->pages, ui->page_count, ui->page_cap) = page;
        if (ops->update != NULL)
            ops->update(page.state);
    } else {
        free(page.state);
        free(page.arg);
    }
    ui_leave_code(ui);
    return ok;
}

bool ui_start(struct ui *ui, const char *id, struct error *err)
{
    return ui_go(ui, id != NULL ? id : ui->setup.places[0].view->id, NULL, err);
}

static void drop_overlays_of(struct ui *ui, const void *owner)
{
    for (size_t i = ui->overlay_count; i > 0; i--)
        if (ui->overlays[i - 1]->owner == owner)
            ui_pop_overlay(ui, ui->overlays[i - 1]);
}

void ui_back(struct ui *ui)
{
    ui->dirty = true;
    if (ui->page_count <= 1) {
        ui_leave(ui, true);
        return;
    }
    drop_overlays_of(ui, ui_top(ui)->state);
    ARRAY_PUSH(ui->closing, ui->closing_count, ui->closing_cap) = ui->pages[--ui->page_count];
    raise_page(ui, ui->page_count - 1); /* the one below has news to take in */
    sweep(ui);
}

static bool leave_now(void *owner, struct str reason UNUSED, struct error *err UNUSED)
{
    ((struct ui *)owner)->leaving = true;
    return true;
}

void ui_leave(struct ui *ui, bool ask)
{
    const char *question =
        ask && ui->setup.leave_question != NULL ? ui->setup.leave_question(ui->setup.app) : NULL;

    if (question == NULL) {
        ui->leaving = true;
        return;
    }
    ui_confirm(ui, &(struct ui_confirm){.title = "Leave the console?",
                                        .text = question,
                                        .accept = "Leave",
                                        .accepted = leave_now,
                                        .owner = ui});
}

bool ui_leaving(const struct ui *ui)
{
    return ui->leaving;
}

/* ---- overlays ---- */

void ui_push_overlay(struct ui *ui, struct overlay *o)
{
    /* NOLINTNEXTLINE(bugprone-sizeof-expression) */
    ARRAY_PUSH(ui->overlays, ui->overlay_count, ui->overlay_cap) = o;
    ui->dirty = true;
}

void ui_pop_overlay(struct ui *ui, struct overlay *o)
{
    for (size_t i = 0; i < ui->overlay_count; i++)
        if (ui->overlays[i] == o) {
            memmove(ui->overlays + i, ui->overlays + i + 1,
                    (ui->overlay_count - i - 1) * sizeof(struct overlay *));
            ui->overlay_count--;
            /* NOLINTNEXTLINE(bugprone-sizeof-expression) */
            ARRAY_PUSH(ui->fading, ui->fading_count, ui->fading_cap) = o;
            ui->dirty = true;
            return;
        }
}

/* ---- keys ---- */

static void drop_sticky(struct ui *ui)
{
    size_t kept = 0;

    for (size_t i = 0; i < ui->toast_count; i++)
        if (ui->toasts[i].until != CLOCK_NEVER)
            ui->toasts[kept++] = ui->toasts[i];
    ui->toast_count = kept;
}

static bool key_to_rows(struct ui *ui, uint32_t key)
{
    struct ui_row rows[UI_ROWS_MAX];
    size_t count = ui_rows(ui, rows);

    for (size_t i = 0; i < count; i++)
        if (ui_has_key(ui, rows[i].action, key)) {
            if ((rows[i].action->flags & ACTION_CONFIRM) != 0)
                ui_confirm_row(ui, &rows[i]);
            else
                ui_run_row(ui, &rows[i], (struct str){"", 0});
            return true;
        }
    return false;
}

static void interrupted(struct ui *ui)
{
    int64_t now = clock_mono_ms();

    if (now - ui->interrupted_ms < INTERRUPT_MS)
        ui_leave(ui, true);
    else
        ui_toast(ui, TOAST_INFO, "Ctrl-c again leaves the console; q goes back");
    ui->interrupted_ms = now;
}

static void key_to_view(struct ui *ui, uint32_t key)
{
    struct ui_page *page = ui_top(ui);
    struct widget *focus = page != NULL ? ui_focus_of(page) : NULL;
    char name[KEY_NAME_MAX];

    if (focus != NULL && focus->ops->grabs != NULL && focus->ops->grabs(focus) &&
        focus->ops->key(focus, key))
        return;
    if (ui->pasting || key == TK_UNKNOWN || key == TK_NONE)
        return;
    if (key == (TK_CTRL | 'c')) {
        interrupted(ui);
        return;
    }
    if (key_to_rows(ui, key))
        return;
    if (page != NULL && page->ops->key != NULL && page->ops->key(page->state, key))
        return;
    ui_toast(ui, TOAST_INFO, "%s does nothing here; ? shows the keys",
             key_name(name, sizeof(name), key));
}

void ui_key(struct ui *ui, uint32_t key)
{
    ui->dirty = true;
    drop_sticky(ui);
    ui_enter_code(ui);
    if (ui->overlay_count > 0) {
        struct overlay *o = ui->overlays[ui->overlay_count - 1];

        o->ops->key(o, ui, key);
    } else {
        key_to_view(ui, key);
    }
    ui_leave_code(ui);
}

void ui_mouse(struct ui *ui, const struct key_mouse *mouse)
{
    struct ui_page *page = ui_top(ui);
    struct widget *focus = page != NULL ? ui_focus_of(page) : NULL;

    ui->dirty = true;
    if (ui->overlay_count == 0 && mouse->button != 0 && focus != NULL && focus->ops->mouse != NULL)
        (void)focus->ops->mouse(focus, mouse);
}

void ui_paste(struct ui *ui, bool on)
{
    ui->pasting = on;
}

void ui_update(struct ui *ui)
{
    struct ui_page *page = ui_top(ui);
    int64_t now = clock_mono_ms();
    size_t kept = 0;

    ui->dirty = true;
    for (size_t i = 0; i < ui->toast_count; i++)
        if (ui->toasts[i].until > now)
            ui->toasts[kept++] = ui->toasts[i];
    ui->toast_count = kept;
    ui_enter_code(ui);
    for (size_t i = ui->overlay_count; i > 0; i--)
        if (i <= ui->overlay_count && ui->overlays[i - 1]->ops->tick != NULL)
            ui->overlays[i - 1]->ops->tick(ui->overlays[i - 1], ui);
    if (ui->overlay_count == 0 && !ui->frozen && page != NULL && page->ops->update != NULL)
        page->ops->update(page->state);
    ui_leave_code(ui);
}

bool ui_dirty(const struct ui *ui)
{
    return ui->dirty;
}

void ui_touch(struct ui *ui)
{
    ui->dirty = true;
}

bool ui_is_frozen(const struct ui *ui)
{
    return ui->frozen;
}

const char *ui_view_id(const struct ui *ui)
{
    return ui->page_count > 0 ? ui_top(ui)->ops->id : "";
}
