#include "tui/pager.h"
#include "tui/table.h"
#include "tui/ui_private.h"

const struct widget_ops *const ui_widgets[] = {&table_widget, &pager_widget, NULL};

static bool help(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    ui_open_help(state);
    return true;
}

static bool palette(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    ui_open_palette(state, "");
    return true;
}

static bool actions_menu(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    ui_open_actions(state);
    return true;
}

/* Greyed where there is nothing to choose from, so that no key opens an empty menu. */
static const char *no_actions(const void *state)
{
    struct ui_row rows[UI_ROWS_MAX];
    size_t count = ui_rows(state, rows);

    for (size_t i = 0; i < count; i++)
        if ((rows[i].action->flags & (ACTION_MENU | ACTION_WRITES)) != 0)
            return NULL;
    return "this screen has no actions";
}

static bool sort_menu(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    ui_open_sort(state);
    return true;
}

static const char *no_table(const void *state)
{
    return ui_table_in_focus(state) == NULL ? "there is no table here" : NULL;
}

static bool widget_back(const struct ui_page *page)
{
    struct widget *w = page->ops->focus != NULL ? page->ops->focus(page->state) : NULL;

    return w != NULL && w->ops->back != NULL && w->ops->back(w);
}

/* Esc closes what is open inside the view before it leaves the view; at the root it stays. */
static bool back(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct ui *ui = state;
    struct ui_page *page = ui_top(ui);

    if (page != NULL && page->ops->back != NULL && page->ops->back(page->state))
        return true;
    if (page != NULL && widget_back(page))
        return true;
    if (ui->page_count > 1)
        ui_back(ui);
    return true;
}

static bool close_view(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct ui *ui = state;
    struct ui_page *page = ui_top(ui);

    if (page == NULL || page->ops->back == NULL || !page->ops->back(page->state))
        ui_back(ui);
    return true;
}

static bool leave(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    ui_leave(state, true);
    return true;
}

static bool last(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    ui_swap(state);
    return true;
}

static bool freeze(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct ui *ui = state;

    ui->frozen = !ui->frozen;
    return true;
}

const struct action ui_actions[] = {
    {"help", "? F1", "Help", "Every key and command that works here, with what it does.",
     .command = "help", .flags = ACTION_FOOTER | ACTION_PINNED, .run = help},
    {"actions", "F9 a", "Actions", "The menu of what can be changed here.",
     .flags = ACTION_FOOTER | ACTION_PINNED, .blocked = no_actions, .run = actions_menu},
    {"sort", "F6", "Sort", "Choose the column to sort by.", .command = "sort",
     .flags = ACTION_FOOTER, .blocked = no_table, .run = sort_menu},
    {"command", ":", "Command", "Type a command; Tab completes, Up brings back earlier ones.",
     .flags = ACTION_FOOTER | ACTION_PINNED, .run = palette},
    {"back", "Esc Backspace", "Back",
     "Close what is open, clear the filter, then go to the screen before.", .flags = ACTION_REPEAT,
     .run = back},
    {"close", "q", "Back", "Close this screen; on the last one leave the console.",
     .flags = ACTION_FOOTER | ACTION_PINNED, .run = close_view},
    {"quit", "Q F10", "Quit", "Leave the console; jobs go on without it.", .command = "quit",
     .run = leave},
    {"last", "-", "Last", "Back to the screen that was shown before this one.", .run = last},
    {"freeze", "Z", "Freeze", "Let the screen stand still, or go on; polling goes on either way.",
     .command = "freeze", .run = freeze},
    {0},
};

static size_t places_of(const struct ui_setup *setup)
{
    size_t n = 0;

    while (setup->places[n].view != NULL)
        n++;
    return n;
}

const struct action *ui_table(const struct ui_setup *setup, size_t i, const char **name)
{
    static const struct action none[] = {{0}};
    size_t places = places_of(setup);
    const struct action *rows;

    *name = "Everywhere";
    if (i < 2) {
        rows = i == 0 ? ui_actions : setup->globals;
    } else if (i - 2 < places) {
        *name = setup->places[i - 2].view->title;
        rows = setup->places[i - 2].view->actions;
    } else {
        if (i - 2 - places >= COUNT_OF(ui_widgets) - 1)
            return NULL;
        *name = ui_widgets[i - 2 - places]->name;
        rows = ui_widgets[i - 2 - places]->actions;
    }
    return rows != NULL ? rows : none;
}
