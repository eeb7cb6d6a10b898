#include "tui/term_signal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Signal handlers have no argument of ours: this is the one place that needs to be global. */
static struct {
    struct term_rescue rescue;
    volatile sig_atomic_t armed;
    volatile sig_atomic_t pipe_fd;
    int read_fd;
    _Alignas(64) unsigned char stack[32768];
} state = {.pipe_fd = -1, .read_fd = -1};

static const int wanted[] = {SIGWINCH, SIGHUP, SIGTERM, SIGINT, SIGTSTP, SIGCONT};
static const int fatal[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT};

void term_signal_rescue(void)
{
    if (state.armed == 0)
        return;
    state.armed = 0;
    if (write(state.rescue.fd, state.rescue.leave, state.rescue.leave_len) < 0)
        state.armed = 0;
    (void)tcsetattr(state.rescue.fd, TCSANOW, &state.rescue.saved);
}

static void on_wanted(int number)
{
    int saved = errno;
    unsigned char byte = (unsigned char)number;

    if (state.pipe_fd >= 0 && write(state.pipe_fd, &byte, 1) < 0)
        errno = saved; /* the pipe is full of signals nobody took: this one is among them */
    errno = saved;
}

static void on_fatal(int number)
{
    static const char note[] = "rbconsole: crashed; the terminal was restored\r\n";

    if (state.armed != 0) {
        term_signal_rescue();
        if (write(state.rescue.fd, note, sizeof(note) - 1) < 0)
            state.armed = 0;
    }
    (void)raise(number); /* the default action is back: SA_RESETHAND */
}

static void install(int number, void (*handler)(int), int flags)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = handler;
    action.sa_flags = flags;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(number, &action, NULL);
}

bool term_signal_start(const struct term_rescue *rescue, int *fd, struct error *err)
{
    stack_t stack = {.ss_sp = state.stack, .ss_size = sizeof(state.stack)};
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "make a pipe for signals");
    state.rescue = *rescue;
    state.read_fd = ends[0];
    state.pipe_fd = ends[1];
    (void)sigaltstack(&stack, NULL);
    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        install(wanted[i], on_wanted, SA_RESTART);
    for (size_t i = 0; i < COUNT_OF(fatal); i++)
        install(fatal[i], on_fatal, (int)SA_RESETHAND | SA_NODEFER | SA_ONSTACK);
    *fd = ends[0];
    return true;
}

void term_signal_armed(bool armed)
{
    state.armed = armed ? 1 : 0;
}

void term_signal_stop(void)
{
    stack_t stack = {.ss_flags = SS_DISABLE};
    int write_fd = state.pipe_fd;

    state.armed = 0;
    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        install(wanted[i], SIG_DFL, 0);
    for (size_t i = 0; i < COUNT_OF(fatal); i++)
        install(fatal[i], SIG_DFL, 0);
    (void)sigaltstack(&stack, NULL);
    state.pipe_fd = -1;
    if (write_fd >= 0)
        (void)close(write_fd);
    if (state.read_fd >= 0)
        (void)close(state.read_fd);
    state.read_fd = -1;
}

void term_signal_suspend(void)
{
    install(SIGTSTP, SIG_DFL, 0);
    (void)kill(getpid(), SIGTSTP);
    install(SIGTSTP, on_wanted, SA_RESTART);
}
