#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/s3/credential_impl.h"

#define TIME_LIMIT_MS 60000
#define POLL_MS 200
#define WORDS_MAX 64
#define OUTPUT_MAX ((size_t)64 << 10)

bool credential_split_words(struct str command, struct arena *arena, char ***words)
{
    char **list = arena_array(arena, WORDS_MAX + 1, sizeof(*list));
    size_t count = 0;
    size_t at = 0;
    while (at < command.len) {
        if (command.ptr[at] == ' ' || command.ptr[at] == '\t') {
            at++;
            continue;
        }
        char *word = arena_alloc(arena, command.len + 1);
        size_t len = 0;
        char quote = '\0';
        for (; at < command.len; at++) {
            char c = command.ptr[at];
            if (quote == '\0' && (c == ' ' || c == '\t'))
                break;
            if (quote == '\0' && (c == '"' || c == '\''))
                quote = c;
            else if (quote != '\0' && c == quote)
                quote = '\0';
            else if (c == '\\' && quote != '\'' && at + 1 < command.len)
                word[len++] = command.ptr[++at];
            else
                word[len++] = c;
        }
        if (quote != '\0' || count == WORDS_MAX)
            return false;
        list[count++] = word;
    }
    *words = list;
    return count > 0;
}

static bool spawn(char **words, int out_fd, pid_t *pid, struct error *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    int code = posix_spawnp(pid, words[0], &actions, &attr, words, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    if (code != 0)
        return error_set_errno(err, ERROR_CONFIG, code, "start credential_process");
    return true;
}

static bool read_output(const struct s3_options *o, int fd, struct buf *out, struct error *err)
{
    int64_t deadline = clock_after(TIME_LIMIT_MS);
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        char chunk[4096];
        if (o->cancelled != NULL && o->cancelled(o->cancel_ctx))
            return error_set(err, ERROR_CANCELLED, 0, "cancelled");
        if (clock_left_ms(deadline) == 0)
            return error_set(err, ERROR_CONFIG, 0, "credential_process did not end within %d s",
                             TIME_LIMIT_MS / 1000);
        if (poll(&p, 1, POLL_MS) <= 0)
            continue;
        ssize_t got = read(fd, chunk, sizeof(chunk));
        if (got == 0)
            return true;
        if (got < 0 && errno != EINTR)
            return error_set_errno(err, ERROR_CONFIG, errno, "read from credential_process");
        if (got > 0 && !buf_append(out, (struct str){chunk, (size_t)got}, err))
            return false;
    }
}

/* The output is closed; the process itself gets a moment more. */
static bool reap(pid_t pid, bool kill_now, struct error *err)
{
    int64_t deadline = clock_after(kill_now ? 0 : 5000);
    int status = 0;
    bool killed = false;
    for (;;) {
        pid_t got = waitpid(pid, &status, WNOHANG);
        if (got == pid || (got < 0 && errno != EINTR))
            break;
        if (!killed && clock_left_ms(deadline) == 0) {
            kill(-pid, SIGKILL);
            killed = true;
        }
        clock_sleep_ms(10);
    }
    if (!kill_now && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
        return error_set(err, ERROR_CONFIG, 0,
                         "credential_process failed: run it by hand to see "
                         "why");
    return true;
}

static bool check_version(struct str output, struct error *err)
{
    struct error why;
    json_t *doc = json_parse(output, "credential_process", &why);
    bool ok = doc == NULL || json_int(doc, "Version", 0) == 1; /* no JSON: said by the next step */
    json_decref(doc);
    return ok || error_set(err, ERROR_CONFIG, 0, "credential_process must answer with Version 1");
}

bool credential_from_process(const struct credential_request *request, const char *profile,
                             struct str command, struct credential *out, struct error *err)
{
    struct arena arena = {.head = NULL};
    struct buf output;
    char **words = NULL;
    int pipe_fds[2] = {-1, -1};
    pid_t pid = -1;
    struct error ignored;
    buf_init(&output, OUTPUT_MAX);
    bool ok = false;
    if (!credential_split_words(command, &arena, &words))
        error_set(err, ERROR_CONFIG, 0, "credential_process is empty or has an open quote");
    else if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        error_set_errno(err, ERROR_INTERNAL, errno, "open a pipe");
    else
        ok = spawn(words, pipe_fds[1], &pid, err);
    if (pipe_fds[1] >= 0)
        close(pipe_fds[1]);
    ok = ok && read_output(request->options, pipe_fds[0], &output, err);
    if (pid > 0)
        ok = reap(pid, !ok, ok ? err : &ignored) && ok;
    if (pipe_fds[0] >= 0)
        close(pipe_fds[0]);
    ok = ok && check_version(buf_str(&output), err) &&
         credential_parse_json(buf_str(&output), "credential_process", out, err);
    if (ok)
        (void)snprintf(out->source, sizeof(out->source), "credential_process of profile %.80s",
                       profile);
    if (output.cap > 0)
        secret_wipe(output.data, output.cap);
    buf_release(&output);
    arena_release(&arena);
    return ok;
}
