#include "tui/term.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/base64.h"
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "tui/canvas_curses.h"
#include "tui/term_signal.h"

#define INPUT_MAX 8192
#define OUTPUT_MAX ((size_t)16 * 1024 * 1024)
/* Said once more after the screen was left: some terminals save the cursor's sight with the screen.
 */
#define SHOW_CURSOR "\033[?25h"
#define ESCAPE_DELAY_MS 50
#define COPY_MAX ((size_t)74994) /* what terminals take, as base64 */

struct term {
    struct loop *loop;
    struct curses *curses;
    struct canvas *canvas;
    struct termios saved;
    int in, out;
    bool own_fds; /* opened by us, so they may be non-blocking */
    int signals;
    bool xterm_like, mouse, no_color, leaving, resized;
    char input[INPUT_MAX];
    size_t input_len;
    int64_t escape_at; /* when a lone Escape counts; CLOCK_NEVER: none is waiting */
    struct buf output;
    char leave[512];
    char note[160];
};

static void set_raw(const struct term *t)
{
    struct termios raw = t->saved;

    cfmakeraw(&raw);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    (void)tcsetattr(t->in, TCSADRAIN, &raw);
}

/* Opening the terminal anew gives a description of our own: O_NONBLOCK then concerns nobody else.
 */
static void open_terminal(struct term *t)
{
    int fd = open("/proc/self/fd/0", O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    t->own_fds = fd >= 0 && isatty(fd) == 1;
    if (!t->own_fds && fd >= 0)
        (void)close(fd);
    t->in = t->own_fds ? fd : STDIN_FILENO;
    t->out = t->own_fds ? fd : STDOUT_FILENO;
}

static void fit_canvas(struct term *t)
{
    struct winsize size = {0};
    int w = 80;
    int h = 24;

    if (ioctl(t->out, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        w = size.ws_col;
        h = size.ws_row;
    }
    canvas_resize(t->canvas, w, h);
    curses_resize(t->curses, canvas_area(t->canvas).w, canvas_area(t->canvas).h);
}

/* One try; what does not fit stays for the next. */
static void flush_some(struct term *t)
{
    while (t->output.len > 0) {
        struct pollfd p = {.fd = t->out, .events = POLLOUT};
        size_t want = t->own_fds || t->output.len < 512 ? t->output.len : 512;
        ssize_t n;

        if (!t->own_fds && (poll(&p, 1, 0) != 1 || (p.revents & POLLOUT) == 0))
            return;
        n = write(t->out, t->output.data, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            buf_clear(&t->output); /* gone: the hang-up arrives by itself */
        if (n <= 0)
            return;
        buf_drop_front(&t->output, (size_t)n);
    }
}

static void on_writable(void *owner)
{
    struct term *t = owner;

    flush_some(t);
    if (t->output.len == 0)
        loop_unwatch_write(t->loop, t->out);
}

static void flush(struct term *t)
{
    flush_some(t);
    if (t->output.len > 0)
        loop_watch_write(t->loop, t->out, on_writable, t);
}

static void flush_for(struct term *t, int64_t ms)
{
    int64_t deadline = clock_after(ms);

    flush_some(t);
    while (t->output.len > 0 && clock_left_ms(deadline) > 0) {
        struct pollfd p = {.fd = t->out, .events = POLLOUT};

        (void)poll(&p, 1, clock_left_ms(deadline));
        flush_some(t);
    }
    buf_clear(&t->output);
}

static void put(struct term *t, const char *text)
{
    buf_put(&t->output, "%s", text);
}

static void enter(struct term *t)
{
    set_raw(t);
    term_signal_armed(true);
    curses_enter(t->curses, &t->output);
    if (t->xterm_like)
        put(t, "\033[?2004h");
    if (t->xterm_like && t->mouse)
        put(t, "\033[?1000h\033[?1006h");
}

static void leave(struct term *t)
{
    curses_leave(t->curses, &t->output);
    put(t, t->xterm_like ? "\033[?2004l\033[?1006l\033[?1000l" SHOW_CURSOR "\r" : "\r");
    flush_for(t, 1000);
    (void)tcsetattr(t->in, TCSAFLUSH, &t->saved);
    term_signal_armed(false);
}

/* What a crash writes: how ncurses leaves the screen, learned by doing it once into memory. */
static void learn_leaving(struct term *t)
{
    struct buf out;

    buf_init(&out, OUTPUT_MAX);
    curses_enter(t->curses, &out);
    buf_clear(&out);
    curses_leave(t->curses, &out);
    (void)snprintf(t->leave, sizeof(t->leave), "%s%s%s",
                   t->xterm_like ? "\033[?2004l\033[?1006l\033[?1000l" : "",
                   out.len < 400 ? out.data : "", t->xterm_like ? SHOW_CURSOR : "");
    buf_release(&out);
}

static bool check_terminal(const struct term_options *options, struct error *err)
{
    if (isatty(STDIN_FILENO) != 1 || isatty(STDOUT_FILENO) != 1)
        return error_set(err, ERROR_UNSUPPORTED, 0,
                         "the console needs a terminal: use a verb (rbconsole --help) in scripts");
    if (options->type != NULL && strcmp(options->type, "dumb") == 0)
        return error_set(err, ERROR_UNSUPPORTED, 0,
                         "TERM=dumb cannot show a full screen: use a verb (rbconsole status), "
                         "or set TERM");
    return true;
}

static bool starts_plain(const char *type)
{
    return strncmp(type, "vt1", 3) == 0 || strncmp(type, "vt2", 3) == 0 ||
           strncmp(type, "linux", 5) == 0;
}

static void on_input(void *owner UNUSED)
{
    /* waking the loop is enough: term_next reads */
}

static bool start_parts(struct term *t, const struct term_options *options, struct error *err)
{
    struct term_rescue rescue;
    const char *used = NULL;

    if (!curses_new(&t->curses, options->type, &used, err))
        return false;
    t->xterm_like = !starts_plain(used);
    if (options->type == NULL || strcmp(used, options->type) != 0)
        (void)snprintf(t->note, sizeof(t->note), "TERM=%.60s is not known here: using %s",
                       options->type != NULL ? options->type : "", used);
    learn_leaving(t);
    rescue = (struct term_rescue){
        .fd = t->out, .saved = t->saved, .leave = t->leave, .leave_len = strlen(t->leave)};
    if (!term_signal_start(&rescue, &t->signals, err)) {
        curses_free(t->curses);
        return false;
    }
    return true;
}

static void close_terminal(struct term *t)
{
    if (t->own_fds)
        (void)close(t->in);
}

bool term_start(struct term **out, struct loop *loop, const struct term_options *options,
                struct error *err)
{
    struct term *t;

    if (!check_terminal(options, err))
        return false;
    t = mem_zero(1, sizeof(*t));
    t->loop = loop;
    t->escape_at = CLOCK_NEVER;
    t->mouse = options->mouse;
    t->no_color = options->no_color;
    open_terminal(t);
    if (tcgetattr(t->in, &t->saved) != 0 || !start_parts(t, options, err)) {
        if (t->curses == NULL && t->note[0] == '\0' && err->code == ERROR_NONE)
            (void)error_set_errno(err, ERROR_UNSUPPORTED, errno, "read the terminal's settings");
        close_terminal(t);
        free(t);
        return false;
    }
    buf_init(&t->output, OUTPUT_MAX);
    t->canvas = canvas_new(80, 24, options->ascii);
    curses_set_theme(t->curses, options->theme, !t->no_color);
    fit_canvas(t);
    enter(t);
    loop_watch(loop, t->in, on_input, t);
    loop_watch(loop, t->signals, on_input, t);
    *out = t;
    return true;
}

void term_stop(struct term *t)
{
    if (t == NULL)
        return;
    leave(t);
    loop_unwatch(t->loop, t->in);
    loop_unwatch_write(t->loop, t->out);
    loop_unwatch(t->loop, t->signals);
    term_signal_stop();
    curses_free(t->curses);
    canvas_free(t->canvas);
    buf_release(&t->output);
    close_terminal(t);
    free(t);
}

static bool next_signal(struct term *t, struct term_event *out)
{
    unsigned char number;

    if (read(t->signals, &number, 1) != 1)
        return false;
    out->signal = number;
    switch ((int)number) {
    case SIGWINCH:
        t->resized = true;
        return next_signal(t, out); /* a storm of them is one resize */
    case SIGTSTP:
        out->kind = TERM_EVENT_STOP;
        return true;
    case SIGCONT:
        enter(t);
        fit_canvas(t);
        flush(t);
        out->kind = TERM_EVENT_RESUME;
        return true;
    default:
        out->kind = TERM_EVENT_LEAVE;
        return true;
    }
}

/* Read what is there. False at the end of input. */
static bool fill_input(struct term *t)
{
    struct pollfd p = {.fd = t->in, .events = POLLIN};
    ssize_t n;

    if (t->input_len == sizeof(t->input) || poll(&p, 1, 0) != 1)
        return true;
    n = read(t->in, t->input + t->input_len, sizeof(t->input) - t->input_len);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        return false;
    if (n > 0)
        t->input_len += (size_t)n;
    return true;
}

static void key_event(struct term_event *out)
{
    out->kind = out->key == TK_PASTE_START ? TERM_EVENT_PASTE
                : out->key == TK_PASTE_END ? TERM_EVENT_PASTE_END
                : out->key == TK_MOUSE     ? TERM_EVENT_MOUSE
                                           : TERM_EVENT_KEY;
}

static bool next_key(struct term *t, struct term_event *out)
{
    struct str bytes = {t->input, t->input_len};
    bool final = t->escape_at != CLOCK_NEVER && clock_mono_ms() >= t->escape_at;
    size_t used = 0;

    switch (key_decode(bytes, final, &used, &out->key, &out->mouse)) {
    case KEY_NOTHING:
        t->escape_at = CLOCK_NEVER;
        return false;
    case KEY_NEED_MORE:
        if (t->escape_at == CLOCK_NEVER)
            t->escape_at = clock_after(ESCAPE_DELAY_MS);
        return false;
    case KEY_GOT:
        break;
    }
    t->escape_at = CLOCK_NEVER;
    t->input_len -= used;
    memmove(t->input, t->input + used, t->input_len);
    key_event(out);
    return true;
}

bool term_next(struct term *t, struct term_event *out)
{
    *out = (struct term_event){.kind = TERM_EVENT_NONE};
    if (next_signal(t, out))
        return true;
    if (t->resized) {
        t->resized = false;
        fit_canvas(t);
        out->kind = TERM_EVENT_RESIZE;
        return true;
    }
    if (t->leaving)
        return false;
    if (!fill_input(t) && t->input_len == 0) {
        t->leaving = true;
        loop_unwatch(t->loop, t->in); /* it would be readable for ever */
        out->kind = TERM_EVENT_LEAVE;
        return true;
    }
    return next_key(t, out);
}

int64_t term_deadline(const struct term *t)
{
    return t->escape_at;
}

struct canvas *term_canvas(struct term *t)
{
    return t->canvas;
}

bool term_present(struct term *t)
{
    flush(t);
    if (t->output.len > 0)
        return false;
    curses_frame(t->curses, t->canvas, &t->output);
    flush(t);
    return true;
}

void term_redraw(struct term *t)
{
    curses_forget(t->curses);
}

void term_suspend(struct term *t)
{
    leave(t);
    term_signal_suspend(); /* back after SIGCONT, or at once where nobody could send one */
    enter(t);
    fit_canvas(t);
    flush(t);
}

void term_set_theme(struct term *t, const struct theme *theme)
{
    curses_set_theme(t->curses, theme, !t->no_color);
    curses_forget(t->curses);
}

void term_set_mouse(struct term *t, bool on)
{
    t->mouse = on;
    if (t->xterm_like)
        put(t, on ? "\033[?1000h\033[?1006h" : "\033[?1006l\033[?1000l");
    flush(t);
}

bool term_mouse(const struct term *t)
{
    return t->mouse;
}

const char *term_note(const struct term *t)
{
    return t->note[0] != '\0' ? t->note : NULL;
}

int term_colors(const struct term *t)
{
    return t->no_color ? 0 : curses_colors(t->curses);
}

bool term_copy(struct term *t, struct str text)
{
    struct buf coded;
    struct error err;
    bool ok;

    buf_init(&coded, COPY_MAX);
    ok = t->xterm_like && base64_encode(&coded, text, &err);
    if (ok) {
        buf_put(&t->output, "\033]52;c;%s\a", coded.data);
        flush(t);
    }
    buf_release(&coded);
    return ok;
}

void term_emergency(void)
{
    term_signal_rescue();
}
