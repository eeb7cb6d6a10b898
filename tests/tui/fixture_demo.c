#include "tests/tui/fixture_demo.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "tui/gauge.h"
#include "tui/table.h"
#include "tui/term.h"
#include "tui/ui.h"

#define ROW(text)              \
    {                          \
        text, sizeof(text) - 1 \
    }
static const struct str demo_rows[] = {
    ROW("apple"),
    ROW("\033[31mred\a\r\n"),
    ROW("\xed\x95\x9c\xea\xb8\x80 key"), /* Korean */
    ROW("\xc2\x9b"
        "31m c1"),
    ROW("bad \xff\xfe"),
    ROW("\xe2\x80\xae"
        "turned"),
    ROW("\033]0;title\a"),
};

static size_t demo_count(const void *model)
{
    (void)model;
    return sizeof(demo_rows) / sizeof(demo_rows[0]);
}

static void demo_cell(const void *model, size_t row, size_t column, struct table_cell *out)
{
    (void)model;
    if (column == 0)
        out->text = demo_rows[row];
    else
        out->text = str_from(gauge_text(out->scratch, sizeof(out->scratch), 12, row, 6, true));
    out->role = row == 4 ? ROLE_BAD : ROLE_TEXT;
}

static struct str demo_id(const void *model, size_t row)
{
    (void)model;
    return demo_rows[row];
}

static const struct table_column demo_columns[] = {{.name = "KEY", .width = 24, .grow = 1},
                                                   {.name = "DONE", .width = 12}};
static const struct table_ops demo_table = {.columns = demo_columns,
                                            .columns_count = 2,
                                            .count = demo_count,
                                            .cell = demo_cell,
                                            .id = demo_id,
                                            .empty = "nothing"};

struct demo_state {
    struct table table;
};

static bool demo_open(void *state, const struct view_context *at, struct error *err)
{
    (void)at;
    (void)err;
    table_init(&((struct demo_state *)state)->table, &demo_table, state, -1);
    return true;
}

static void demo_close(void *state)
{
    table_release(&((struct demo_state *)state)->table);
}

static void demo_draw(const void *state, struct canvas *c, struct rect at, enum view_layout layout)
{
    static const char *const names[] = {"strip", "stacked", "full"};
    const struct demo_state *s = state;
    char status[120];
    struct rect in = canvas_box(c, at, ROLE_FOCUS, names[layout],
                                table_status(&s->table, status, sizeof(status)));

    table_draw(&s->table, c, in, true);
}

static struct widget *demo_focus(void *state)
{
    return &((struct demo_state *)state)->table.widget;
}

static bool demo_crash(void *state, struct str arg, struct error *err)
{
    (void)state;
    (void)arg;
    (void)err;
    abort();
}

static const struct action demo_actions[] = {
    {"demo.crash", "X", "Crash", "End this program with an abort.", .run = demo_crash},
    {0},
};

static const struct view_ops demo_view = {.id = "demo",
                                          .title = "Demo",
                                          .help = "A table of odd names.",
                                          .state_size = sizeof(struct demo_state),
                                          .actions = demo_actions,
                                          .open = demo_open,
                                          .close = demo_close,
                                          .draw = demo_draw,
                                          .focus = demo_focus};

static const struct ui_place demo_places[] = {{"1", &demo_view}, {NULL, NULL}};

struct demo {
    struct ui *ui;
    struct loop *loop;
    struct term *term;
    struct pace pace;
};

static void demo_tick(void *owner)
{
    struct demo *d = owner;

    ui_update(d->ui);
    pace_dirty(&d->pace, false);
}

static void demo_event(struct demo *d, const struct term_event *e)
{
    pace_dirty(&d->pace, true);
    if (e->kind == TERM_EVENT_KEY && e->key != (TK_CTRL | 'z'))
        ui_key(d->ui, e->key);
    else if (e->kind == TERM_EVENT_STOP || e->kind == TERM_EVENT_KEY)
        term_suspend(d->term);
    else if (e->kind == TERM_EVENT_PASTE || e->kind == TERM_EVENT_PASTE_END)
        ui_paste(d->ui, e->kind == TERM_EVENT_PASTE);
    else if (e->kind == TERM_EVENT_LEAVE)
        ui_leave(d->ui, false);
}

static void demo_step(struct demo *d)
{
    struct term_event e;
    int64_t now = clock_mono_ms();
    int64_t until = pace_next(&d->pace);

    if (now >= until) {
        ui_draw(d->ui, term_canvas(d->term));
        if (term_present(d->term))
            pace_drawn(&d->pace, now);
        else
            d->pace.last_ms = now;
    }
    until = pace_next(&d->pace);
    loop_step(d->loop, until < term_deadline(d->term) ? until : term_deadline(d->term));
    while (!ui_leaving(d->ui) && term_next(d->term, &e))
        demo_event(d, &e);
}

int demo_main(bool ascii)
{
    struct ui_setup setup = {.places = demo_places, .version = "demo"};
    struct demo d = {.pace = {.interval_ms = 250}};
    struct error err = {ERROR_NONE, 0, ""};
    bool cjk;
    bool utf8 = text_start(&cjk);
    const char *no_color = getenv("NO_COLOR");
    struct term_options options = {.type = getenv("TERM"),
                                   .theme = theme_builtin("default"),
                                   .no_color = no_color != NULL && no_color[0] != '\0',
                                   .ascii = ascii || !utf8};

    if (!loop_new(&d.loop, &err) || !term_start(&d.term, d.loop, &options, &err)) {
        fprintf(stderr, "%s\n", err.text);
        loop_free(d.loop);
        return 2;
    }
    d.ui = ui_new(&setup);
    if (!ui_bind(d.ui, NULL, &err) || !ui_start(d.ui, NULL, &err))
        return 7;
    if (term_note(d.term) != NULL)
        ui_toast(d.ui, TOAST_WARN, "%s", term_note(d.term));
    loop_every(d.loop, 1000, demo_tick, &d);
    pace_dirty(&d.pace, true);
    while (!ui_leaving(d.ui))
        demo_step(&d);
    term_stop(d.term);
    ui_free(d.ui);
    loop_free(d.loop);
    printf("left in peace\n");
    return 0;
}
