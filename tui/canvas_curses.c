#include "tui/canvas_curses.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NCURSES_NOMACROS
#include <curses.h>
#include <term.h>

#include "core/base/alloc.h"

struct curses {
    SCREEN *screen;
    FILE *out; /* an anonymous file in memory */
    FILE *in;  /* never read: keys are decoded by tui/key.c */
    int colors;
    bool color;
    attr_t attrs[ROLES];
    short pairs[ROLES];
};

static const char *const fallbacks[] = {NULL, "xterm-256color", "xterm", "vt100"};

static bool open_files(struct curses *s, struct error *err)
{
    int fd = memfd_create("rbconsole-screen", MFD_CLOEXEC);

    s->out = fd < 0 ? NULL : fdopen(fd, "w+");
    s->in = fopen("/dev/null", "re");
    if (s->out == NULL || s->in == NULL)
        return error_set_errno(err, ERROR_INTERNAL, errno, "make the screen's buffer");
    return true;
}

static void close_files(struct curses *s)
{
    if (s->out != NULL)
        (void)fclose(s->out);
    if (s->in != NULL)
        (void)fclose(s->in);
}

static SCREEN *try_type(const struct curses *s, const char *type)
{
    SCREEN *screen = newterm((NCURSES_CONST char *)type, s->out, s->in);

    if (screen == NULL)
        return NULL;
    if (cursor_address == NULL) { /* a printer, or dumb */
        (void)endwin();
        delscreen(screen);
        return NULL;
    }
    return screen;
}

bool curses_new(struct curses **out, const char *type, const char **used, struct error *err)
{
    struct curses *s = mem_zero(1, sizeof(*s));

    if (!open_files(s, err)) {
        close_files(s);
        free(s);
        return false;
    }
    use_env(FALSE); /* the size is the terminal's, told by curses_resize */
    for (size_t i = 0; i < COUNT_OF(fallbacks) && s->screen == NULL; i++) {
        const char *one = i == 0 ? type : fallbacks[i];

        s->screen = one == NULL || one[0] == '\0' ? NULL : try_type(s, one);
        *used = one;
    }
    if (s->screen == NULL) {
        close_files(s);
        free(s);
        return error_set(err, ERROR_UNSUPPORTED, 0,
                         "no terminal type works here: set TERM to xterm or vt100");
    }
    (void)noecho();
    (void)nonl();
    (void)curs_set(0);
    (void)leaveok(stdscr, FALSE);
    (void)scrollok(stdscr, FALSE);
    s->colors = has_colors() && start_color() == OK ? COLORS : 0;
    if (s->colors > 0)
        (void)use_default_colors();
    *out = s;
    return true;
}

void curses_free(struct curses *s)
{
    if (s == NULL)
        return;
    delscreen(s->screen);
    close_files(s);
    free(s);
}

int curses_colors(const struct curses *s)
{
    return s->colors;
}

void curses_set_theme(struct curses *s, const struct theme *theme, bool color)
{
    s->color = color && s->colors >= 8;
    if (!s->color)
        theme = theme_builtin("mono"); /* others would lean on colours that are not there */
    for (size_t i = 0; i < ROLES; i++) {
        const struct theme_look *look = &theme->look[i];
        short fg = (short)theme_color(look->fg, s->colors);
        short bg = (short)theme_color(look->bg, s->colors);

        s->attrs[i] = (attr_t)(((look->attrs & THEME_BOLD) != 0 ? WA_BOLD : 0) |
                               ((look->attrs & THEME_UNDERLINE) != 0 ? WA_UNDERLINE : 0) |
                               ((look->attrs & THEME_REVERSE) != 0 ? WA_REVERSE : 0));
        s->pairs[i] = 0;
        if (s->color && (fg >= 0 || bg >= 0) && (int)i + 1 < COLOR_PAIRS &&
            init_pair((short)(i + 1), fg, bg) == OK)
            s->pairs[i] = (short)(i + 1);
    }
}

void curses_resize(struct curses *s UNUSED, int w, int h)
{
    (void)resize_term(h, w);
    (void)clearok(curscr, TRUE);
}

static void put_cell(const struct curses *s, const struct cell *cell, int x, int y)
{
    wchar_t text[TEXT_POINTS + 1];
    cchar_t out;

    for (size_t i = 0; i < TEXT_POINTS; i++)
        text[i] = (wchar_t)cell->point[i];
    text[TEXT_POINTS] = L'\0';
    if (setcchar(&out, text, s->attrs[cell->role], s->pairs[cell->role], NULL) == OK)
        (void)mvwadd_wch(stdscr, y, x, &out); /* fails, but draws, in the last corner */
}

/* ncurses resets the palette at each start and end; the operator may have chosen another one. */
static void drop_palette_reset(struct buf *out, size_t from)
{
    static const char reset[] = "\033]104\a";
    char *at;

    while ((at = memmem(out->data + from, out->len - from, reset, sizeof(reset) - 1)) != NULL) {
        size_t after = (size_t)(at - out->data) + sizeof(reset) - 1;

        memmove(at, out->data + after, out->len - after + 1);
        out->len -= sizeof(reset) - 1;
    }
}

/* What ncurses wrote since the last time. */
static void take_output(struct curses *s, struct buf *out)
{
    int fd = fileno(s->out);
    char chunk[16384];
    size_t before = out->len;
    off_t at = 0;
    ssize_t n;
    struct error err;

    (void)fflush(s->out);
    while ((n = pread(fd, chunk, sizeof(chunk), at)) > 0) {
        if (!buf_append(out, (struct str){chunk, (size_t)n}, &err))
            break;
        at += n;
    }
    drop_palette_reset(out, before);
    (void)lseek(fd, 0, SEEK_SET);
    if (ftruncate(fd, 0) != 0)
        (void)clearok(curscr, TRUE);
}

void curses_frame(struct curses *s, const struct canvas *c, struct buf *out)
{
    struct rect area = canvas_area(c);
    int x, y;

    for (y = 0; y < area.h; y++)
        for (x = 0; x < area.w; x++) {
            const struct cell *cell = canvas_cell(c, x, y);

            if (cell->width > 0)
                put_cell(s, cell, x, y);
        }
    if (canvas_cursor(c, &x, &y)) {
        (void)curs_set(1);
        (void)wmove(stdscr, y, x);
    } else {
        (void)curs_set(0);
        (void)wmove(stdscr, 0, 0);
    }
    (void)wnoutrefresh(stdscr);
    (void)doupdate();
    take_output(s, out);
}

void curses_forget(struct curses *s UNUSED)
{
    (void)clearok(curscr, TRUE);
}

void curses_enter(struct curses *s, struct buf *out)
{
    (void)clearok(curscr, TRUE);
    (void)doupdate();
    take_output(s, out);
}

void curses_leave(struct curses *s, struct buf *out)
{
    (void)endwin();
    take_output(s, out);
}
