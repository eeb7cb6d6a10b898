/*
 * theme.h - what a thing on the screen is (a role) and how a theme shows it.
 *
 * Views name roles, never colours. A theme gives each role a foreground, a background and
 * attributes; files are NAME.json in themes/, and four themes are built in, so that the console
 * works without any file. Without colours only attributes are used: bold, underline, reverse (never
 * dim: many terminals do not show it). Pure apart from reading a file.
 */
#ifndef TUI_THEME_H
#define TUI_THEME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

enum role {
    ROLE_TEXT,     /* ordinary text */
    ROLE_DIM,      /* less important: units, hints, old lines */
    ROLE_TITLE,    /* title of a pane or column */
    ROLE_HEADER,   /* the line at the top */
    ROLE_BADGE,    /* the environment's badge: *PROD* */
    ROLE_ARMED,    /* read-write is on */
    ROLE_FOOTER,   /* the line at the bottom */
    ROLE_KEY,      /* a key's name in footer and help */
    ROLE_BORDER,   /* frame of a pane */
    ROLE_FOCUS,    /* frame of the pane that has the keys */
    ROLE_SELECTED, /* the row under the cursor */
    ROLE_MARKED,   /* a marked row */
    ROLE_GOOD,     /* ok */
    ROLE_WARN,     /* look at this */
    ROLE_BAD,      /* broken, failed, lost */
    ROLE_UNKNOWN,  /* not known, old, no answer */
    ROLE_INFO,     /* events, values worth finding */
    ROLE_INPUT,    /* a field being edited */
    ROLE_BAR,      /* the filled part of a gauge or spark line */
    ROLE_DIALOG,   /* inside of a dialog or menu */
    ROLE_DANGER,   /* a dialog's title or button that destroys something */
    ROLE_MATCH,    /* text found by a search */
    ROLE_SHARD_0,  /* eight colours that tell neighbours apart; use theme_shard_role() */
    ROLE_SHARD_7 = ROLE_SHARD_0 + 7,
    ROLES
};

enum { THEME_BOLD = 1, THEME_UNDERLINE = 2, THEME_REVERSE = 4 };

#define THEME_COLOR_DEFAULT (-1)

struct theme_look {
    int32_t fg, bg; /* 0xRRGGBB, or THEME_COLOR_DEFAULT: the terminal's own */
    uint8_t attrs;  /* THEME_BOLD | … */
};

struct theme {
    char name[32];
    struct theme_look look[ROLES];
};

/* The name in a theme file: "text", "selected", "shard1" … */
const char *theme_role_name(enum role role);
enum role theme_shard_role(size_t shard);
/* One of the built-in themes: default, light, high-contrast, mono. NULL when there is none. */
const struct theme *theme_builtin(const char *name);
/* A built-in or DIR/NAME.json (dir may be NULL). ERROR_CONFIG names the file and what is wrong. */
bool theme_load(struct theme *out, const char *dir, const char *name, struct error *err) MUST_CHECK;
/* Names that theme_load would find: built-in ones first, then files; freed with theme_names_free.
 */
char **theme_names(const char *dir, size_t *count);
void theme_names_free(char **names, size_t count);
/* The colour number for a terminal with `colors` colours (256, 88, 16 or 8); -1 for the default. */
int theme_color(int32_t rgb, int colors);

#endif
