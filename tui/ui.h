/*
 * ui.h - the screen manager: a stack of views with header, footer, messages, menus, dialogs, help
 * and the `:` palette over them.
 *
 * Knows nothing of Redis or of the terminal: keys go in, a canvas comes out, so tests and --script
 * drive it without a terminal. UI thread only; no call waits for anything.
 */
#ifndef TUI_UI_H
#define TUI_UI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "tui/form.h"
#include "tui/view.h"

/* One row per screen: adding a screen is adding its row. */
struct ui_place {
    const char *key; /* "1"; NULL: palette only */
    const struct view_ops *view;
};

enum toast_level { TOAST_INFO, TOAST_GOOD, TOAST_WARN, TOAST_ERROR };

struct ui_setup {
    const struct ui_place *places; /* ends with an all-zero row; the first one opens at start */
    const struct action *globals;  /* the application's own actions; state = app. May be NULL */
    void *app;
    /* The line at the top (at.h is 1, or 2 with a warning line below it): the application draws it.
     */
    void (*header)(const void *app, struct canvas *c, struct rect at, enum view_layout layout);
    int (*header_rows)(const void *app); /* NULL: 1 */
    /* NULL: writing is possible; else why not: "read-only: arm with :rw 20m REASON". */
    const char *(*write_blocked)(const void *app);
    /* Called before leaving; NULL: leave. Else a question to confirm: "2 jobs go on without you".
     */
    const char *(*leave_question)(const void *app);
    /* Every action that ran, for the log. May be NULL. */
    void (*ran)(void *app, const struct action *action, struct str arg);
    const char *version; /* shown in the help overlay */
    bool slow;           /* no animation */
};

struct ui;

struct ui *ui_new(const struct ui_setup *setup);
void ui_free(struct ui *ui); /* closes the views */
/* Rebind: {"jobs.cancel": "x", "view.cluster": ["1", "F11"], "jobs.pause": []}. ERROR_CONFIG names
 * both actions of a clash, an unknown id (with the nearest) or an unknown key. NULL or {} checks
 * the built-in keys only. */
bool ui_bind(struct ui *ui, const json_t *keys, struct error *err) MUST_CHECK;
/* The i-th table of rows that `setup` leads to, for written documentation: the manager's own, the
 * application's, each screen's, each widget's. NULL past the end. *name: its heading. */
const struct action *ui_table(const struct ui_setup *setup, size_t i, const char **name);
/* Open the first place, or the one called `id`. */
bool ui_start(struct ui *ui, const char *id, struct error *err) MUST_CHECK;

/* Close every view and window: what they hold belongs to something that goes away. Until the next
 * ui_start nothing else may be called. Not from view code. */
void ui_close_all(struct ui *ui);

/* ---- what the loop calls ---- */
void ui_key(struct ui *ui, uint32_t key);
void ui_mouse(struct ui *ui, const struct key_mouse *mouse);
void ui_paste(struct ui *ui, bool on); /* keys that follow are text, never commands */
void ui_update(struct ui *ui);         /* new data, or a second passed */
void ui_draw(struct ui *ui, struct canvas *c);
bool ui_dirty(const struct ui *ui); /* something changed since the last draw */
bool ui_leaving(const struct ui *ui);

/* ---- what views call ---- */
void ui_touch(struct ui *ui); /* draw again */
/* Open a view on top (or go back to it when it is open with the same arg). arg may be NULL. */
bool ui_go(struct ui *ui, const char *view_id, const char *arg, struct error *err);
void ui_back(struct ui *ui); /* close the view on top; at the last one asks to leave */
void ui_leave(struct ui *ui, bool ask);
void ui_toast(struct ui *ui, enum toast_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);
void ui_error(struct ui *ui, const struct error *err); /* stays until a key is pressed */
bool ui_is_frozen(const struct ui *ui);                /* Z: the screen stands still */
/* The content of the view on top, as JSON or as text; of a view without save(): its screen as text.
 * *text is owned by the caller. */
bool ui_save(struct ui *ui, bool json, char **text, struct error *err) MUST_CHECK;
/* The selected thing of the view on top as text, for the clipboard. ERROR_NOT_FOUND: none is. */
bool ui_selected(const struct ui *ui, struct buf *out, struct error *err) MUST_CHECK;
const char *ui_view_id(const struct ui *ui);         /* the view on top */
void ui_run_command(struct ui *ui, struct str line); /* as if typed after `:` */

/* ---- dialogs ---- */
struct ui_confirm {
    const char *title;   /* "RESTORE over prd" */
    const char *text;    /* what it does, what is lost, how to undo; '\n' between lines. Copied */
    const char *command; /* the same thing on the command line; NULL: none. Copied */
    const char *accept;  /* the button: "Restore" */
    const char *typed;   /* the name to type; NULL: the button is enough. Copied */
    bool danger;
    bool ask_reason; /* a reason is required */
    /* Asked at least every second and in the step that accepts: NULL = fine, else what forbids it
     * now. */
    const char *(*check)(void *owner);
    bool (*accepted)(void *owner, struct str reason, struct error *err);
    void (*closed)(void *owner); /* always called once when the dialog goes away; may be NULL */
    void *owner;                 /* the view's state: the dialog closes when the view does */
};
/* Enter is Cancel: the cursor starts on it. Closes itself after 60 s without a key. */
void ui_confirm(struct ui *ui, const struct ui_confirm *ask);

struct ui_form {
    const struct form_spec *spec;
    /* False: err is shown in the form, which stays open. */
    bool (*accepted)(void *owner, const struct form *form, struct error *err);
    void *owner;
};
/* Returns the form, to set initial values with form_set before it is drawn. */
struct form *ui_form(struct ui *ui, const struct ui_form *ask);

struct ui_menu_item {
    const char *label;   /* NULL ends the list */
    const char *key;     /* optional: picks it at once */
    const char *blocked; /* NULL, or why it is greyed */
    int value;
};
/* Items are copied. `picked` is called with the value; not at all on Esc. */
void ui_menu(struct ui *ui, const char *title, const struct ui_menu_item *items,
             void (*picked)(void *owner, int value), void *owner);

/* Text in a window with a pager: a plan, a report, an error in full. Copied. */
void ui_text(struct ui *ui, const char *title, struct str text);

#endif
