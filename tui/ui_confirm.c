#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "tui/ui_private.h"

#define IDLE_MS 60000
#define WRONG_MAX 2

enum place { AT_NAME, AT_REASON, AT_CANCEL, AT_ACCEPT, PLACES };

struct confirm {
    struct overlay overlay; /* first */
    struct ui_confirm ask;
    char *title, *text, *command, *accept, *typed;
    struct lineedit name, reason;
    enum place at;
    int wrong;
    int64_t idle_until;
    struct error err;
    struct ui_row row; /* of a generic question: what to run */
    struct ui *ui;
};

static bool has_place(const struct confirm *d, enum place place)
{
    return place == AT_NAME ? d->typed != NULL : place == AT_REASON ? d->ask.ask_reason : true;
}

/* NULL when it may be accepted now, else what is missing. */
static const char *obstacle(const struct confirm *d)
{
    const char *why = d->ask.check != NULL ? d->ask.check(d->ask.owner) : NULL;

    if (why != NULL)
        return why;
    if (d->typed != NULL && !str_is(lineedit_str(&d->name), d->typed))
        return "the name is not complete";
    if (d->ask.ask_reason && str_trim(lineedit_str(&d->reason)).len == 0)
        return "a reason is needed";
    return NULL;
}

static void draw_field(struct canvas *c, struct rect at, const char *label, const char *name,
                       const struct lineedit *e, bool focused)
{
    int used = canvas_format(c, at, ROLE_DIALOG, "%s%s ", label, name);

    used = used > at.w - 12 ? at.w - 12 : used;
    lineedit_draw(e, c, (struct rect){at.x + used, at.y, at.w - used, 1}, focused);
}

static void draw_buttons(const struct confirm *d, struct canvas *c, struct rect at)
{
    const char *why = obstacle(d);
    bool accept = d->at == AT_ACCEPT;
    int used = canvas_print(c, at, d->at == AT_CANCEL ? ROLE_SELECTED : ROLE_KEY,
                            d->at == AT_CANCEL ? ">[ Cancel ]<" : " [ Cancel ] ");
    struct rect rest = {at.x + used + 3, at.y, at.w - used - 3, 1};

    used = canvas_format(c, rest,
                         accept          ? ROLE_SELECTED
                         : why != NULL   ? ROLE_DIM
                         : d->ask.danger ? ROLE_DANGER
                                         : ROLE_KEY,
                         accept ? ">[ %s ]<" : " [ %s ] ", d->accept);
    if (why != NULL)
        (void)canvas_format(c, (struct rect){rest.x + used + 2, rest.y, rest.w - used - 2, 1},
                            ROLE_WARN, "off: %s", why);
}

static int text_rows(const struct confirm *d, int width)
{
    return canvas_wrap(NULL, (struct rect){0, 0, width, 1000}, ROLE_DIALOG, str_from(d->text));
}

/* Heading, the whole command, a blank. */
static int command_rows(const struct confirm *d, int width)
{
    return d->command == NULL ? 0
                              : 2 + canvas_wrap(NULL, (struct rect){0, 0, width - 2, 1000},
                                                ROLE_DIALOG, str_from(d->command));
}

static void draw_command(const struct confirm *d, struct canvas *c, struct rect at)
{
    if (d->command == NULL)
        return;
    (void)canvas_print(c, rect_take_top(&at, 1), ROLE_DIM, "The same without this screen:");
    at.x += 2;
    at.w -= 2;
    (void)canvas_wrap(c, at, ROLE_DIALOG, str_from(d->command));
}

static void draw(const struct overlay *o, const struct ui *ui UNUSED, struct canvas *c,
                 struct rect area)
{
    const struct confirm *d = (const struct confirm *)o;
    int w = area.w < 84 ? area.w : 84;
    int h = 5 + text_rows(d, w - 4) + command_rows(d, w - 4) + (d->typed != NULL ? 1 : 0) +
            (d->ask.ask_reason ? 1 : 0) + (d->err.code != ERROR_NONE ? 2 : 0);
    struct rect in = ui_window(c, area, w, h, d->title, "Enter = Cancel", d->ask.danger);
    struct rect buttons;

    in.x++;
    in.w -= 2;
    buttons = rect_take_bottom(&in, 1);
    if (d->err.code != ERROR_NONE)
        (void)canvas_wrap(c, rect_take_bottom(&in, 2), ROLE_BAD, str_from(d->err.text));
    if (d->ask.ask_reason)
        draw_field(c, rect_take_bottom(&in, 1), "Reason (goes to the audit log):", "", &d->reason,
                   d->at == AT_REASON);
    if (d->typed != NULL) {
        char label[200];

        (void)snprintf(label, sizeof(label), "Type the name  %s  :", d->typed);
        draw_field(c, rect_take_bottom(&in, 1), label, "", &d->name, d->at == AT_NAME);
    }
    draw_command(d, c, rect_take_bottom(&in, command_rows(d, w - 4)));
    (void)canvas_wrap(c, in, ROLE_DIALOG, str_from(d->text));
    draw_buttons(d, c, buttons);
}

static void step(struct confirm *d, int by)
{
    do {
        d->at = (enum place)(((int)d->at + by + PLACES) % PLACES);
    } while (!has_place(d, d->at));
}

static void accept(struct confirm *d, struct ui *ui)
{
    const char *why = obstacle(d);

    if (why != NULL) {
        bool name_wrong = d->typed != NULL && !str_is(lineedit_str(&d->name), d->typed);

        d->wrong += name_wrong ? 1 : 0;
        (void)error_set(&d->err, ERROR_REFUSED, 0, "%s", why);
        if (d->wrong >= WRONG_MAX) {
            ui_toast(ui, TOAST_WARN, "cancelled: the name was wrong twice");
            ui_pop_overlay(ui, &d->overlay);
        }
        return;
    }
    d->err.code = ERROR_NONE;
    if (d->row.action != NULL) {
        struct ui_row row = d->row;

        ui_pop_overlay(ui, &d->overlay);
        ui_run_row(ui, &row, (struct str){"", 0});
    } else if (d->ask.accepted(d->ask.owner, str_trim(lineedit_str(&d->reason)), &d->err)) {
        ui_pop_overlay(ui, &d->overlay);
    }
}

static void enter(struct confirm *d, struct ui *ui)
{
    if (d->at == AT_ACCEPT)
        accept(d, ui);
    else if (d->at == AT_CANCEL)
        ui_pop_overlay(ui, &d->overlay);
    else
        step(d, 1); /* from the last field this leads to Cancel, never to the button that acts */
}

static void key(struct overlay *o, struct ui *ui, uint32_t pressed)
{
    struct confirm *d = (struct confirm *)o;

    d->idle_until = clock_after(IDLE_MS);
    if (pressed == TK_ESC || pressed == (TK_CTRL | 'c'))
        ui_pop_overlay(ui, o);
    else if (pressed == TK_ENTER)
        enter(d, ui);
    else if (pressed == TK_TAB || pressed == TK_DOWN)
        step(d, 1);
    else if (pressed == TK_BACKTAB || pressed == TK_UP)
        step(d, -1);
    else if (d->at == AT_NAME)
        (void)lineedit_key(&d->name, pressed);
    else if (d->at == AT_REASON)
        (void)lineedit_key(&d->reason, pressed);
    else if (pressed == TK_LEFT || pressed == TK_RIGHT)
        d->at = d->at == AT_CANCEL ? AT_ACCEPT : AT_CANCEL;
}

static void tick(struct overlay *o, struct ui *ui)
{
    struct confirm *d = (struct confirm *)o;

    if (clock_left_ms(d->idle_until) > 0)
        return;
    ui_toast(ui, TOAST_INFO, "%s: closed, no key for a minute; nothing was done", d->title);
    ui_pop_overlay(ui, o);
}

static void release(struct overlay *o)
{
    struct confirm *d = (struct confirm *)o;

    if (d->ask.closed != NULL)
        d->ask.closed(d->ask.owner);
    free(d->title);
    free(d->text);
    free(d->command);
    free(d->accept);
    free(d->typed);
    free(d);
}

static const struct overlay_ops confirm_ops = {
    .draw = draw, .key = key, .tick = tick, .release = release};

static struct confirm *make(struct ui *ui, const struct ui_confirm *ask)
{
    struct confirm *d = mem_zero(1, sizeof(*d));

    d->overlay = (struct overlay){.ops = &confirm_ops, .owner = ask->owner};
    d->ask = *ask;
    d->ui = ui;
    d->title = mem_copy_text(ask->title);
    d->text = mem_copy_text(ask->text != NULL ? ask->text : "");
    d->command = mem_copy_text(ask->command);
    d->accept = mem_copy_text(ask->accept != NULL ? ask->accept : "Yes");
    d->typed = mem_copy_text(ask->typed);
    d->idle_until = clock_after(IDLE_MS);
    d->at = AT_CANCEL;
    if (d->typed != NULL || ask->ask_reason)
        d->at = d->typed != NULL ? AT_NAME : AT_REASON;
    ui_push_overlay(ui, &d->overlay);
    return d;
}

void ui_confirm(struct ui *ui, const struct ui_confirm *ask)
{
    (void)make(ui, ask);
}

void ui_confirm_row(struct ui *ui, const struct ui_row *row)
{
    const char *why = ui_row_blocked(ui, row);
    struct confirm *d;

    if (why != NULL) {
        ui_toast(ui, TOAST_WARN, "%s: %s", row->action->label, why);
        return;
    }
    d = make(ui, &(struct ui_confirm){.title = row->action->label,
                                      .text = row->action->help,
                                      .accept = row->action->label,
                                      .owner = ui_top(ui)->state,
                                      .danger = (row->action->flags & ACTION_WRITES) != 0});
    d->row = *row;
}
