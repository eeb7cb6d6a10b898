/*
 * ui_private.h - what the files of the screen manager share: ui.c (stack and keys), ui_draw.c,
 * ui_keymap.c, ui_actions.c, and one file per kind of window that lies over a view.
 */
#ifndef TUI_UI_PRIVATE_H
#define TUI_UI_PRIVATE_H

#include "core/base/map.h"
#include "tui/lineedit.h"
#include "tui/ui.h"

#define UI_ROWS_MAX 320
#define UI_KEYS_MAX 8
#define UI_TOASTS 4

/* An open view. */
struct ui_page {
    const struct view_ops *ops;
    void *state;
    char *arg;
};

struct overlay;
struct table;

struct overlay_ops {
    void (*draw)(const struct overlay *o, const struct ui *ui, struct canvas *c, struct rect area);
    void (*key)(struct overlay *o, struct ui *ui, uint32_t key);
    void (*tick)(struct overlay *o, struct ui *ui); /* once a second; may be NULL */
    void (*release)(struct overlay *o);             /* frees o */
};

/* A window over the view: first member of each kind. */
struct overlay {
    const struct overlay_ops *ops;
    void *owner; /* the view's state; the window goes when the view does. NULL: the manager's */
};

struct toast {
    enum toast_level level;
    int64_t until; /* monotonic; CLOCK_NEVER: until a key */
    char text[400];
};

struct ui {
    struct ui_setup setup;
    struct map *keys;          /* id -> struct ui_keys *, only rebound ones */
    struct action *place_rows; /* one per place: "view.jobs" */
    size_t place_count;
    struct ui_page *pages; /* the last one is on top */
    size_t page_count, page_cap;
    struct ui_page *closing; /* closed, freed when no view code is running */
    size_t closing_count, closing_cap;
    struct overlay **overlays;
    size_t overlay_count, overlay_cap;
    struct overlay **fading; /* as closing, for overlays */
    size_t fading_count, fading_cap;
    struct toast toasts[UI_TOASTS];
    size_t toast_count;
    struct history history;
    int depth;              /* of running view code */
    int64_t interrupted_ms; /* last Ctrl-c at the root */
    bool dirty, frozen, leaving, pasting;
};

struct ui_keys {
    uint32_t key[UI_KEYS_MAX];
    size_t count;
};

/* An action that can be run now, with what it runs on. */
struct ui_row {
    const struct action *action;
    void *state;
    const char *group; /* heading in help: "Jobs", "Table", "Everywhere", "Screens" */
};

/* ---- ui.c ---- */
struct ui_page *ui_top(const struct ui *ui);            /* NULL before the first view */
struct widget *ui_focus_of(const struct ui_page *page); /* the widget that has its keys, or NULL */
/* All live rows: the view's, its widget's, the application's, the manager's, the places. */
size_t ui_rows(const struct ui *ui, struct ui_row rows[UI_ROWS_MAX]);
/* NULL when the row can run now, else why not. */
const char *ui_row_blocked(const struct ui *ui, const struct ui_row *row);
void ui_run_row(struct ui *ui, const struct ui_row *row, struct str arg);
void ui_push_overlay(struct ui *ui, struct overlay *o);
void ui_pop_overlay(struct ui *ui, struct overlay *o);
void ui_enter_code(struct ui *ui); /* around calls into views and callbacks */
void ui_leave_code(struct ui *ui);
void ui_swap(struct ui *ui); /* the last view */

/* ---- ui_keymap.c ---- */
void ui_action_keys(const struct ui *ui, const struct action *action, struct ui_keys *out);
bool ui_has_key(const struct ui *ui, const struct action *action, uint32_t key);
/* "F5, r": for help. Returns out. */
char *ui_keys_text(const struct ui *ui, const struct action *action, char *out, size_t size);
/* The first key, for the footer; "" when there is none. */
char *ui_first_key(const struct ui *ui, const struct action *action, char *out, size_t size);

/* ---- ui_actions.c ---- */
extern const struct action ui_actions[];
extern const struct widget_ops *const ui_widgets[]; /* those with actions; ends with NULL */

/* ---- windows ---- */
void ui_open_help(struct ui *ui);
void ui_open_palette(struct ui *ui, const char *start);
void ui_open_actions(struct ui *ui);
/* The columns of the table that has the keys; NULL when none has. */
struct table *ui_table_in_focus(const struct ui *ui);
void ui_open_sort(struct ui *ui);
void ui_confirm_row(struct ui *ui, const struct ui_row *row);
/* A cleared frame of about w by h in the middle of area. Returns the inside. */
struct rect ui_window(struct canvas *c, struct rect area, int w, int h, const char *title,
                      const char *note, bool danger);

#endif
