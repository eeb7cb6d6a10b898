/*
 * canvas_curses.h - ncurses as the writer of differences: canvas in, terminal bytes out, in memory.
 *
 * The only file that includes ncurses. ncurses writes into an anonymous file that this module
 * empties after each frame, so drawing never blocks. Used by tui/term.c only.
 */
#ifndef TUI_CANVAS_CURSES_H
#define TUI_CANVAS_CURSES_H

#include "core/base/buf.h"
#include "tui/canvas.h"

struct curses;

/* type may be NULL. Falls back to other types when it is unknown; *used is the one that worked. */
bool curses_new(struct curses **out, const char *type, const char **used,
                struct error *err) MUST_CHECK;
void curses_free(struct curses *s);
int curses_colors(const struct curses *s);
void curses_set_theme(struct curses *s, const struct theme *theme, bool color);
void curses_resize(struct curses *s, int w, int h);
/* The bytes that turn the last frame into this one, appended to out. */
void curses_frame(struct curses *s, const struct canvas *c, struct buf *out);
void curses_forget(struct curses *s);                 /* the next frame repaints everything */
void curses_enter(struct curses *s, struct buf *out); /* alternate screen, keypad */
void curses_leave(struct curses *s, struct buf *out); /* and back */

#endif
