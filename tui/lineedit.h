/*
 * lineedit.h - one line of text being typed, with the usual keys and an optional history.
 *
 * Holds valid UTF-8 of at most LINEEDIT_MAX bytes. Ctrl-a Ctrl-e Ctrl-k Ctrl-u Ctrl-w, arrows,
 * Home, End, Delete, Backspace. A hidden line (a secret) shows one star per character and has no
 * history.
 */
#ifndef TUI_LINEEDIT_H
#define TUI_LINEEDIT_H

#include "tui/canvas.h"
#include "tui/key.h"

#define LINEEDIT_MAX 512
#define HISTORY_MAX 64

struct lineedit {
    char text[LINEEDIT_MAX];
    size_t len, at; /* bytes */
    bool hidden;
};

struct history {
    char *line[HISTORY_MAX];
    size_t count, at; /* at == count: the line being typed */
};

void lineedit_set(struct lineedit *e, const char *text); /* cursor at the end */
void lineedit_clear(struct lineedit *e);                 /* wipes the text */
/* True when the key changed the text or moved the cursor. */
bool lineedit_key(struct lineedit *e, uint32_t key);
/* Draws the part around the cursor; sets the terminal's cursor when `focused`. */
void lineedit_draw(const struct lineedit *e, struct canvas *c, struct rect at, bool focused);
struct str lineedit_str(const struct lineedit *e);

void history_add(struct history *h, struct str line); /* not twice in a row */
/* -1 older, +1 newer; NULL at the end (newer than the newest: ""). */
const char *history_move(struct history *h, int step);
void history_release(struct history *h);

#endif
