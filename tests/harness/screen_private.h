/*
 * screen_private.h - shared by the files of the screen harness: screen.c (the program and its pty),
 * screen_wait.c (waiting and expecting) and screen_look.c (cells, bytes, settings).
 */
#ifndef TESTS_HARNESS_SCREEN_PRIVATE_H
#define TESTS_HARNESS_SCREEN_PRIVATE_H

#include <sys/types.h>
#include <vterm.h>

#include "core/base/buf.h"
#include "tests/harness/screen.h"

struct screen {
    pid_t pid;
    int fd;       /* our end */
    int slave_fd; /* held open, so that settings can be read after the program has ended */
    int w, h;
    VTerm *vt;
    VTermScreen *screen;
    struct termios before;
    struct buf bytes;
    uint64_t total;
    bool stalled, ended, cursor_shown, alternate, hung_up;
    int cursor_x, cursor_y, status;
};

/* Take in what is there, waiting at most ms for the first byte. True when something came. */
bool screen_read(struct screen *s, int ms);
void screen_fail(struct screen *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
