/*
 * term.h - the terminal: taken over by term_start and given back on every way out.
 *
 * Input is read and decoded here (tui/key.h); output goes through ncurses into memory and from
 * there to the terminal without ever blocking: while a stalled terminal has not taken a frame, new
 * frames are skipped. SIGWINCH, HUP, TERM, INT, TSTP and CONT become events; SEGV, ABRT, BUS, FPE
 * and ILL restore the terminal and are raised again. One terminal per process, UI thread only.
 */
#ifndef TUI_TERM_H
#define TUI_TERM_H

#include <signal.h>

#include "tui/canvas.h"
#include "tui/event.h"
#include "tui/loop.h"

struct term;

struct term_options {
    const char *type; /* $TERM; NULL or unknown: xterm-256color, xterm, vt100 are tried */
    const struct theme *theme;
    bool no_color; /* $NO_COLOR is set and not empty, or asked for */
    bool ascii;
    bool mouse;
};

/* ERROR_UNSUPPORTED when stdin or stdout is no terminal or it is a dumb one; the text says what to
 * do. */
bool term_start(struct term **out, struct loop *loop, const struct term_options *options,
                struct error *err) MUST_CHECK;
/* Give the terminal back and wait at most a second for it to take the last bytes. NULL is fine. */
void term_stop(struct term *t);
/* Take the next event; false when there is none now. */
bool term_next(struct term *t, struct term_event *out);
/* When term_next must be called again although nothing arrived (an Escape that stood alone);
 * CLOCK_NEVER: not before input arrives. */
int64_t term_deadline(const struct term *t);
/* The grid to draw into; its size is the terminal's. */
struct canvas *term_canvas(struct term *t);
/* Put the grid on the terminal. False: the terminal has not taken the last frame yet; try later. */
bool term_present(struct term *t);
void term_redraw(struct term *t);  /* the next frame repaints everything (Ctrl-l) */
void term_suspend(struct term *t); /* give the terminal back and stop this process until SIGCONT */
void term_set_theme(struct term *t, const struct theme *theme);
void term_set_mouse(struct term *t, bool on);
bool term_mouse(const struct term *t);
const char *term_note(const struct term *t); /* "TERM=x is unknown here: using xterm"; NULL: none */
int term_colors(const struct term *t);
/* Put text on the operator's clipboard with OSC 52; false when it is too large. Text is ours or was
 * escaped. */
bool term_copy(struct term *t, struct str text);
/* For mem_on_exhausted and crash handlers: async-signal-safe, does nothing when no terminal is
 * taken. */
void term_emergency(void);

#endif
