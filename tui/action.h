/*
 * action.h - the only place where a key, its label and its help text are written down.
 *
 * Footer, help overlay, `:` palette, action menu, rebinding (config `ui.keys` by id), read-only
 * mode and the README's key table all read these rows. A table ends with an all-zero row.
 */
#ifndef TUI_ACTION_H
#define TUI_ACTION_H

#include <stdbool.h>

#include "core/base/error.h"
#include "core/base/str.h"

enum action_flags {
    ACTION_FOOTER = 1 << 0,  /* shown in the footer while there is room */
    ACTION_MENU = 1 << 1,    /* listed in the action menu (F9, a) */
    ACTION_WRITES = 1 << 2,  /* changes data or the cluster: greyed and refused while read-only */
    ACTION_CONFIRM = 1 << 3, /* the manager asks "label? help" first, Enter = Cancel. Actions that
                                show their own preview (ui_confirm) leave it out */
    ACTION_NO_KEYS = 1 << 4, /* only from palette and menu: `keys` is empty */
    ACTION_REPEAT = 1 << 5,  /* moving about: left out of the palette */
    ACTION_PINNED = 1 << 7,  /* with ACTION_FOOTER: stays there however narrow it is */
    ACTION_YIELDS = 1 << 6,  /* works everywhere, but a screen may use its keys for its own */
};

struct action {
    const char *id;      /* "jobs.cancel": what config.json rebinds and the log records */
    const char *keys;    /* "c" or "F5 r Ctrl-r": names understood by key_parse(), "" for none */
    const char *label;   /* footer and menu, at most 10 columns */
    const char *help;    /* overlay and palette, one sentence with a full stop */
    const char *command; /* palette: ":cancel"; NULL: its id */
    const char *usage;   /* palette: what follows the command, "20m REASON"; NULL: nothing */
    unsigned flags;
    /* NULL: always possible. Else the reason why not now ("no job selected"), or NULL when it is.
     */
    const char *(*blocked)(const void *state);
    /* arg: what was typed after the command, "" from a key. False: err becomes a message on screen.
     */
    bool (*run)(void *state, struct str arg, struct error *err);
    /* Palette: the n-th value that completes the argument, NULL at the end. May be NULL. */
    const char *(*complete)(const void *state, size_t n);
};

#endif
