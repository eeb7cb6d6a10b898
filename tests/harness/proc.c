#include "tests/harness/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/wait.h"

#define MAX_OUTPUT (64u << 20)
#define DEFAULT_TIMEOUT_MS 60000

struct capture {
    int fd;
    char *data;
    size_t len;
    size_t size;
};

static const struct proc_options no_options;

/* In the child, after fork: only calls that are safe there. Never returns. */
static void become(char **argv, const struct proc_options *o, char **env, const int fds[3])
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    if (dup2(fds[0], 0) < 0 || dup2(fds[1], 1) < 0 || dup2(fds[2], 2) < 0 ||
        (o->directory && chdir(o->directory) != 0))
        _exit(126);
    close_range(3, ~0u, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    execvpe(argv[0], argv, env);
    _exit(127);
}

static bool same_name(const char *a, const char *b)
{
    const char *end = strchr(a, '=');
    return end && strncmp(a, b, (size_t)(end - a) + 1) == 0;
}

/* Our environment with the wanted variables replaced or added; one block to free. */
static char **build_env(const char *const *wanted)
{
    size_t ours = 0, more = 0, n = 0;
    while (environ[ours])
        ours++;
    while (wanted && wanted[more])
        more++;
    char **env = calloc(ours + more + 1, sizeof(*env));
    if (!env)
        abort();
    for (size_t i = 0; i < ours; i++) {
        bool replaced = false;
        for (size_t k = 0; k < more && !replaced; k++)
            replaced = same_name(wanted[k], environ[i]);
        if (!replaced)
            env[n++] = environ[i];
    }
    for (size_t k = 0; k < more; k++)
        memcpy(&env[n++], &wanted[k], sizeof(*env)); /* exec wants them without const */
    return env;
}

static char **copy_args(const char *const *argv)
{
    size_t n = 0;
    while (argv[n])
        n++;
    char **args = calloc(n + 1, sizeof(*args));
    if (!args)
        abort();
    memcpy(args, argv, n * sizeof(*args));
    return args;
}

/* What stdin will hold: a file that has no name. */
static int input_fd(const char *input)
{
    if (!input)
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    FILE *f = tmpfile();
    if (!f)
        return -1;
    fputs(input, f);
    fflush(f);
    int fd = fcntl(fileno(f), F_DUPFD_CLOEXEC, 3);
    fclose(f);
    if (fd >= 0)
        lseek(fd, 0, SEEK_SET);
    return fd;
}

static pid_t launch(const char *const *argv, const struct proc_options *o, int out, int err)
{
    int in = input_fd(o->input);
    char **env = build_env(o->env);
    char **args = copy_args(argv);
    pid_t pid = in < 0 ? -1 : fork();
    if (pid == 0)
        become(args, o, env, (const int[3]){in, out, err});
    free(args);
    free(env);
    if (in >= 0)
        close(in);
    if (pid < 0) {
        fprintf(stderr, "proc: cannot start %s (errno %d)\n", argv[0], errno);
        return 0;
    }
    setpgid(pid, pid);
    return pid;
}

static void drain(struct capture *c)
{
    if (c->len + 1 >= c->size) {
        c->size = c->size ? c->size * 2 : 16384;
        char *bigger = c->size > MAX_OUTPUT ? NULL : realloc(c->data, c->size);
        if (!bigger) {
            fprintf(stderr, "proc: more than %u bytes of output\n", MAX_OUTPUT);
            abort();
        }
        c->data = bigger;
    }
    ssize_t n = read(c->fd, c->data + c->len, c->size - c->len - 1);
    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0) {
        close(c->fd);
        c->fd = -1;
        return;
    }
    c->len += (size_t)n;
}

/* Reads both pipes until they end. False at the deadline. */
static bool collect(struct capture *out, struct capture *err, int64_t deadline)
{
    while (out->fd >= 0 || err->fd >= 0) {
        struct pollfd fds[2] = {{.fd = out->fd, .events = POLLIN},
                                {.fd = err->fd, .events = POLLIN}};
        int64_t left = deadline - wait_now_ms();
        if (left <= 0)
            return false;
        if (poll(fds, 2, (int)left) < 0 && errno != EINTR)
            return false;
        if (fds[0].revents)
            drain(out);
        if (fds[1].revents)
            drain(err);
    }
    return true;
}

static int exit_code(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

struct reap {
    pid_t pid;
    int status;
};

static bool reaped(void *context)
{
    struct reap *r = context;
    return waitpid(r->pid, &r->status, WNOHANG) == r->pid;
}

int proc_wait(pid_t pid, int timeout_ms)
{
    struct reap r = {.pid = pid};
    return wait_until(reaped, &r, timeout_ms) ? exit_code(r.status) : -1;
}

int proc_stop(pid_t pid, int signal_number)
{
    kill(pid, signal_number);
    int status = proc_wait(pid, 10000);
    if (status < 0) {
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL);
        status = proc_wait(pid, 10000);
    }
    return status;
}

static char *finish(struct capture *c, size_t *len)
{
    if (c->fd >= 0)
        close(c->fd);
    if (!c->data)
        c->data = calloc(1, 1);
    if (!c->data)
        abort();
    c->data[c->len] = '\0';
    *len = c->len;
    return c->data;
}

bool proc_run(const char *const *argv, const struct proc_options *options, struct proc_result *r)
{
    const struct proc_options *o = options ? options : &no_options;
    int timeout_ms = wait_scale(o->timeout_ms ? o->timeout_ms : DEFAULT_TIMEOUT_MS);
    int64_t deadline = wait_now_ms() + timeout_ms;
    int out[2], err[2];
    *r = (struct proc_result){.status = -1};
    if (pipe2(out, O_CLOEXEC) != 0)
        return false;
    if (pipe2(err, O_CLOEXEC) != 0) {
        close(out[0]);
        close(out[1]);
        return false;
    }
    pid_t pid = launch(argv, o, out[1], err[1]);
    close(out[1]);
    close(err[1]);
    struct capture captured_out = {.fd = out[0]}, captured_err = {.fd = err[0]};
    if (pid) {
        bool ended = collect(&captured_out, &captured_err, deadline);
        int64_t left = deadline - wait_now_ms();
        struct reap reap = {.pid = pid};
        if (ended && wait_until(reaped, &reap, left > 100 ? (int)left : 100)) {
            r->status = exit_code(reap.status);
        } else {
            kill(-pid, SIGKILL);
            proc_wait(pid, 10000);
        }
    }
    r->out = finish(&captured_out, &r->out_len);
    r->err = finish(&captured_err, &r->err_len);
    return pid != 0;
}

void proc_result_release(struct proc_result *r)
{
    free(r->out);
    free(r->err);
    *r = (struct proc_result){0};
}

pid_t proc_start(const char *const *argv, const struct proc_options *options, const char *out_file)
{
    int out =
        open(out_file ? out_file : "/dev/null", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (out < 0) {
        fprintf(stderr, "proc: cannot write %s (errno %d)\n", out_file, errno);
        return 0;
    }
    pid_t pid = launch(argv, options ? options : &no_options, out, out);
    close(out);
    return pid;
}

bool proc_alive(pid_t pid)
{
    char path[64], line[512];
    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    bool read = fgets(line, sizeof(line), f) != NULL;
    fclose(f);
    /* "PID (name) STATE …": the name may hold brackets. */
    const char *end = read ? strrchr(line, ')') : NULL;
    return end && end[1] == ' ' && !strchr("ZX", end[2]);
}

const char *proc_rbconsole(void)
{
    static char path[PATH_MAX];
    const char *given = getenv("RBCONSOLE");
    if (given && *given)
        return given;
    /* This program is build/MODE/tests/…; the one under test lies at the top of build/MODE. */
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    path[n > 0 ? n : 0] = '\0';
    char *tests = strstr(path, "/tests/");
    char *next = tests;
    while (next && (next = strstr(next + 1, "/tests/")))
        tests = next;
    if (!tests || (size_t)(tests - path) + sizeof("/rbconsole") > sizeof(path))
        return "build/release/rbconsole";
    memcpy(tests, "/rbconsole", sizeof("/rbconsole"));
    return path;
}
