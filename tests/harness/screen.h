/*
 * screen.h - a program in a real pseudo-terminal, seen through libvterm: type keys, wait for what
 * the screen shows, look at cells and at the raw bytes.
 *
 * Nothing sleeps and hopes: every wait has a deadline, pumps the terminal, and on failure prints
 * the screen it saw. The program is ended by its pid in screen_close, also when the test dies
 * (PDEATHSIG). One thread.
 */
#ifndef TESTS_HARNESS_SCREEN_H
#define TESTS_HARNESS_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

struct screen;

struct screen_spec {
    const char *const *argv; /* argv[0] is the path of the program; ends with NULL */
    const char *const *env;  /* "NAME=value" added to (or, as "NAME", removed from) the
                                environment; ends with NULL; may be NULL. TERM is xterm-256color and
                                LC_ALL C.UTF-8 unless named here */
    const char *dir;         /* working directory; NULL: ours */
    int w, h;                /* 0: 80x24 */
};

/* Fails the test when the program cannot be started. */
struct screen *screen_open(const struct screen_spec *spec);
void screen_close(struct screen *s); /* SIGKILL when it still runs; NULL is fine */

/* Keys by name, separated by blanks: "j j Enter", "Ctrl-c", "F9", "Esc", "Space"; see tui/key.h. */
void screen_keys(struct screen *s, const char *names);
void screen_type(struct screen *s, const char *text); /* the characters as they are */
void screen_send(struct screen *s, const void *bytes, size_t len);
void screen_resize(struct screen *s, int w, int h);
void screen_signal(struct screen *s, int number);
int screen_pid(const struct screen *s);

/* Read what the program wrote until nothing comes for a moment; waits at most ms. */
void screen_pump(struct screen *s, int ms);
/* Wait until the text (extended regular expression) is somewhere on the screen; one row at a time.
 */
bool screen_wait(struct screen *s, const char *text, int timeout_ms);
bool screen_wait_gone(struct screen *s, const char *text, int timeout_ms);
bool screen_wait_match(struct screen *s, const char *pattern, int timeout_ms);
bool screen_wait_until(struct screen *s, bool (*test)(struct screen *s, void *data), void *data,
                       int timeout_ms);
/* Fail the test with the screen printed when it does not come (the usual way to wait). */
void screen_expect(struct screen *s, const char *text, int timeout_ms);
void screen_expect_gone(struct screen *s, const char *text, int timeout_ms);
void screen_expect_match(struct screen *s, const char *pattern, int timeout_ms);
void screen_expect_cell(struct screen *s, int x, int y, const char *text);

/* What is there now (after the last pump or wait). */
bool screen_find(struct screen *s, const char *text, int *x, int *y); /* x, y may be NULL */
char *screen_row(struct screen *s, int y); /* UTF-8, trailing blanks removed; free() */
char *screen_text(struct screen *s);       /* all rows, '\n' after each; free() */
void screen_dump(struct screen *s);        /* to stderr, with a frame */
int screen_width(const struct screen *s);
int screen_height(const struct screen *s);

struct screen_cell {
    char text[32]; /* UTF-8, "" for an untouched cell or the right half of a wide character */
    int width;
    bool bold, underline, reverse;
    int fg, bg; /* 0xRRGGBB as libvterm shows them; -1 the default */
};
bool screen_cell(struct screen *s, int x, int y, struct screen_cell *out);
bool screen_cursor(struct screen *s, int *x, int *y); /* true when visible */
bool screen_alternate(struct screen *s);              /* the alternate screen is on */

/* Every byte that the program wrote, from the start or the last screen_bytes_reset. */
const char *screen_bytes(struct screen *s, size_t *len);
void screen_bytes_reset(struct screen *s);
uint64_t screen_bytes_total(const struct screen *s); /* never reset */
/* Fail the test when the bytes hold a C1 control, or an OSC, DCS, APC or PM sequence. */
void screen_expect_clean_bytes(struct screen *s);

/* Stop reading the terminal (a stalled line) and go on. While stalled, waits do not read. */
void screen_stall(struct screen *s, bool on);

/* True and the wait status when the program has ended within the time. */
bool screen_wait_exit(struct screen *s, int timeout_ms, int *status);
bool screen_is_stopped(struct screen *s, int timeout_ms); /* by SIGTSTP or SIGSTOP */
/* The terminal's settings now, to compare with those before the program started. */
void screen_termios(struct screen *s, struct termios *before, struct termios *now);
/* Fail the test unless the settings are those before the program started. */
void screen_expect_restored(struct screen *s);
/* Milliseconds of processor time that the program has used. */
int64_t screen_cpu_ms(struct screen *s);

#endif
