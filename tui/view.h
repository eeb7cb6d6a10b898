/*
 * view.h - what a screen of the console is: one const table of functions and one const table of
 * actions. The screen manager (tui/ui.h) knows nothing else about it.
 *
 * Every call is made on the UI thread and must not wait for anything. `state` is state_size zeroed
 * bytes that the manager allocates before open() and frees after close(). A view supplies data and
 * drawing; keys, help, footer, palette and menus come from its action rows.
 */
#ifndef TUI_VIEW_H
#define TUI_VIEW_H

#include "tui/action.h"
#include "tui/canvas.h"
#include "tui/key.h"
#include "tui/widget.h"

struct ui;

enum view_layout { LAYOUT_STRIP, LAYOUT_STACKED, LAYOUT_FULL };

/* What a view is opened with. Pointers in it stay valid while the view is open. */
struct view_context {
    struct ui *ui;   /* navigation, messages, dialogs */
    void *app;       /* struct app *, see views/app.h */
    const char *arg; /* what to show ("R-0003", a key, a node id); "" when opened by its number */
};

struct view_ops {
    const char *id;    /* "jobs": palette command, --view, saved session */
    const char *title; /* "Jobs": crumb line */
    const char *help;  /* what this screen shows, one or two sentences for the help overlay */
    size_t state_size;
    const struct action *actions; /* ends with an all-zero row; may be NULL */

    bool (*open)(void *state, const struct view_context *at, struct error *err);
    void (*close)(void *state); /* may be NULL */
    void (*update)(
        void *state); /* new snapshot, job list or tick (at least once a second). Not
                         called while a menu or dialog is open over the view. May be NULL */
    void (*draw)(const void *state, struct canvas *c, struct rect at, enum view_layout layout);
    struct widget *(*focus)(void *state); /* the widget that has the keys; may be NULL */
    /* Keys that no action took (typing into the view's own field). True when used. May be NULL. */
    bool (*key)(void *state, uint32_t key);
    /* Esc, before the manager leaves the view: true when the view used it (closed a detail). The
     * focused widget's filter is cleared without it). May be NULL. */
    bool (*back)(void *state);
    /* The same content as `rbconsole <verb> --json` / as text, for `s` and `y`. May be NULL: then
     * the screen's text is saved. *text is owned by the caller. */
    bool (*save)(void *state, bool json, char **text, struct error *err);
    /* What the crumb line adds: "R-0003". Writes into out. May be NULL. */
    void (*crumb)(const void *state, char *out, size_t size);
};

#endif
