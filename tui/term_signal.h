/*
 * term_signal.h - signals of a full-screen program: as bytes in a pipe, and the way out of a crash.
 *
 * One set per process, installed while a terminal is taken. The handlers only write: signal numbers
 * into the pipe, or, when the program crashes, the leaving text to the terminal. Used by
 * tui/term.c.
 */
#ifndef TUI_TERM_SIGNAL_H
#define TUI_TERM_SIGNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

#include "core/base/error.h"

/* What gives the terminal back when nothing else can run. */
struct term_rescue {
    int fd;
    struct termios saved;
    const char *leave; /* bytes; must stay valid */
    size_t leave_len;
};

/* Start; *fd is the pipe's reading end, non-blocking, one byte per signal. */
bool term_signal_start(const struct term_rescue *rescue, int *fd, struct error *err) MUST_CHECK;
/* The terminal is (not) ours at present: a crash has (nothing) to give back. */
void term_signal_armed(bool armed);
void term_signal_stop(void);
/* Stop this process as SIGTSTP would have without us; returns after SIGCONT. */
void term_signal_suspend(void);
/* Async-signal-safe. */
void term_signal_rescue(void);

#endif
