#include "tests/harness/screen.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/str.h"
#include "tests/harness/screen_private.h"
#include "tui/key.h"

#define BYTES_MAX ((size_t)256 * 1024 * 1024)

void screen_fail(struct screen *s, const char *fmt, ...)
{
    char text[1000];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (s != NULL)
        screen_dump(s);
    fail_msg("%s", text);
}

static int on_cursor(VTermPos pos, VTermPos old, int visible, void *user)
{
    struct screen *s = user;

    (void)old;
    (void)visible;
    s->cursor_x = pos.col;
    s->cursor_y = pos.row;
    return 1;
}

static int on_property(VTermProp prop, VTermValue *value, void *user)
{
    struct screen *s = user;

    if (prop == VTERM_PROP_CURSORVISIBLE)
        s->cursor_shown = value->boolean != 0;
    if (prop == VTERM_PROP_ALTSCREEN)
        s->alternate = value->boolean != 0;
    return 1;
}

static const VTermScreenCallbacks callbacks = {.movecursor = on_cursor, .settermprop = on_property};

static void start_vterm(struct screen *s)
{
    s->vt = vterm_new(s->h, s->w);
    vterm_set_utf8(s->vt, 1);
    s->screen = vterm_obtain_screen(s->vt);
    vterm_screen_set_callbacks(s->screen, &callbacks, s);
    vterm_screen_enable_altscreen(s->screen, 1);
    vterm_screen_reset(s->screen, 1);
}

static void set_env(const char *const *env)
{
    (void)setenv("TERM", "xterm-256color", 1); /* NOLINT(concurrency-mt-unsafe) */
    (void)setenv("LC_ALL", "C.UTF-8", 1);      /* NOLINT(concurrency-mt-unsafe) */
    (void)unsetenv("NO_COLOR");                /* NOLINT(concurrency-mt-unsafe) */
    (void)unsetenv("TMUX");                    /* NOLINT(concurrency-mt-unsafe) */
    for (; env != NULL && *env != NULL; env++) {
        const char *equals = strchr(*env, '=');

        if (equals == NULL) {
            (void)unsetenv(*env); /* NOLINT(concurrency-mt-unsafe) */
        } else {
            char *name = mem_copy_str((struct str){*env, (size_t)(equals - *env)});

            (void)setenv(name, equals + 1, 1); /* NOLINT(concurrency-mt-unsafe) */
            free(name);
        }
    }
}

static void become(struct screen *s, const struct screen_spec *spec, pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(126);
    (void)close(s->fd);
    if (login_tty(s->slave_fd) != 0 || (spec->dir != NULL && chdir(spec->dir) != 0))
        _exit(126);
    set_env(spec->env);
    execv(spec->argv[0], mem_unconst(spec->argv));
    (void)dprintf(STDERR_FILENO, "cannot run %s\n", spec->argv[0]);
    _exit(127);
}

struct screen *screen_open(const struct screen_spec *spec)
{
    struct screen *s = mem_zero(1, sizeof(*s));
    struct winsize size = {0};
    pid_t parent = getpid();

    s->w = spec->w > 0 ? spec->w : 80;
    s->h = spec->h > 0 ? spec->h : 24;
    s->cursor_shown = true;
    size.ws_col = (unsigned short)s->w;
    size.ws_row = (unsigned short)s->h;
    buf_init(&s->bytes, BYTES_MAX);
    if (openpty(&s->fd, &s->slave_fd, NULL, NULL, &size) != 0)
        fail_msg("openpty: errno %d", errno);
    (void)fcntl(s->fd, F_SETFD, FD_CLOEXEC);
    (void)tcgetattr(s->slave_fd, &s->before);
    start_vterm(s);
    s->pid = fork();
    if (s->pid < 0)
        fail_msg("fork: errno %d", errno);
    if (s->pid == 0)
        become(s, spec, parent);
    (void)fcntl(s->slave_fd, F_SETFD, FD_CLOEXEC);
    (void)fcntl(s->fd, F_SETFL, O_NONBLOCK);
    return s;
}

void screen_close(struct screen *s)
{
    if (s == NULL)
        return;
    if (!s->ended) {
        (void)kill(s->pid, SIGKILL);
        (void)waitpid(s->pid, NULL, 0);
    }
    (void)close(s->fd);
    if (s->slave_fd >= 0)
        (void)close(s->slave_fd);
    vterm_free(s->vt);
    buf_release(&s->bytes);
    free(s);
}

static void send_all(struct screen *s, const char *bytes, size_t len)
{
    int64_t deadline = clock_after(5000);

    while (len > 0 && clock_left_ms(deadline) > 0) {
        ssize_t n = write(s->fd, bytes, len);

        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            (void)screen_read(s, 20);
        } else if (errno != EINTR) {
            return; /* the program is gone: what follows will say so */
        }
    }
}

/* What the terminal itself answers to the program (reports that it asked for). */
static void answer(struct screen *s)
{
    char out[512];
    size_t n;

    while ((n = vterm_output_read(s->vt, out, sizeof(out))) > 0)
        send_all(s, out, n);
}

bool screen_read(struct screen *s, int ms)
{
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    char chunk[65536];
    struct error err;
    ssize_t n;

    if (s->stalled || s->hung_up) {
        clock_sleep_ms(ms < 20 ? ms : 20);
        return false;
    }
    if (poll(&p, 1, ms) <= 0)
        return false;
    n = read(s->fd, chunk, sizeof(chunk));
    if (n <= 0) {
        s->hung_up = n == 0 || (errno != EAGAIN && errno != EINTR);
        return false;
    }
    if (!buf_append(&s->bytes, (struct str){chunk, (size_t)n}, &err))
        fail_msg("the program wrote more than the harness keeps");
    s->total += (uint64_t)n;
    (void)vterm_input_write(s->vt, chunk, (size_t)n);
    answer(s);
    return true;
}

void screen_pump(struct screen *s, int ms)
{
    int64_t deadline = clock_after(ms);

    while (clock_left_ms(deadline) > 0 && screen_read(s, clock_left_ms(deadline)))
        continue;
}

void screen_send(struct screen *s, const void *bytes, size_t len)
{
    send_all(s, bytes, len);
}

void screen_type(struct screen *s, const char *text)
{
    send_all(s, text, strlen(text));
}

static const struct {
    uint32_t key;
    const char *bytes;
} key_bytes[] = {
    {TK_UP, "\033[A"},        {TK_DOWN, "\033[B"},     {TK_RIGHT, "\033[C"},
    {TK_LEFT, "\033[D"},      {TK_HOME, "\033[H"},     {TK_END, "\033[F"},
    {TK_PGUP, "\033[5~"},     {TK_PGDN, "\033[6~"},    {TK_INSERT, "\033[2~"},
    {TK_DELETE, "\033[3~"},   {TK_BACKTAB, "\033[Z"},  {TK_F1, "\033OP"},
    {TK_F1 + 1, "\033OQ"},    {TK_F1 + 2, "\033OR"},   {TK_F1 + 3, "\033OS"},
    {TK_F1 + 4, "\033[15~"},  {TK_F1 + 5, "\033[17~"}, {TK_F1 + 6, "\033[18~"},
    {TK_F1 + 7, "\033[19~"},  {TK_F1 + 8, "\033[20~"}, {TK_F1 + 9, "\033[21~"},
    {TK_F1 + 10, "\033[23~"}, {TK_F12, "\033[24~"},    {TK_ENTER, "\r"},
    {TK_TAB, "\t"},           {TK_ESC, "\033"},        {TK_BACKSPACE, "\177"},
    {TK_SPACE, " "},
};

static void send_key(struct screen *s, uint32_t key, struct str name)
{
    char letter[2] = {(char)(key & 0x1f), '\0'};

    for (size_t i = 0; i < COUNT_OF(key_bytes); i++)
        if (key_bytes[i].key == key) {
            screen_type(s, key_bytes[i].bytes);
            return;
        }
    if ((key & TK_ALT) != 0) {
        screen_type(s, "\033");
        send_key(s, key & ~(uint32_t)TK_ALT, name);
    } else if ((key & TK_CTRL) != 0) {
        send_all(s, letter, 1);
    } else {
        send_all(s, name.ptr, name.len);
    }
}

void screen_keys(struct screen *s, const char *names)
{
    struct str rest = str_from(names);
    struct str name;

    while (rest.len > 0 && str_split(&rest, ' ', &name)) {
        uint32_t key;

        if (name.len == 0)
            continue;
        if (!key_parse(name, &key))
            fail_msg("no such key in \"%s\"", names);
        if (str_starts(name, "Alt-"))
            name = str_slice(name, 4, name.len);
        send_key(s, key, name);
        if (key == TK_ESC) /* an Escape stands alone only when nothing follows at once */
            screen_pump(s, 120);
    }
}

void screen_resize(struct screen *s, int w, int h)
{
    struct winsize size = {.ws_col = (unsigned short)w, .ws_row = (unsigned short)h};

    s->w = w;
    s->h = h;
    vterm_set_size(s->vt, h, w);
    (void)ioctl(s->fd, TIOCSWINSZ, &size);
}

void screen_signal(struct screen *s, int number)
{
    (void)kill(s->pid, number);
}

int screen_pid(const struct screen *s)
{
    return (int)s->pid;
}

void screen_stall(struct screen *s, bool on)
{
    s->stalled = on;
}
