#include "core/jobs/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/escape.h"
#include "core/base/file.h"

#define SECRETS_MAX 8
#define SECRET_BYTES_MAX 65536 /* what a pipe holds without a reader */
#define LAST_WORDS_MAX 4096

/* The descriptors a child finds: 3 is the pipe for its id, from 4 on the secrets. Pipes are kept
 * above that range in the parent, so that no dup2 runs over one that is still needed. */
#define CHILD_ID_FD 3
#define PARENT_FD_FLOOR (CHILD_ID_FD + 1 + SECRETS_MAX)

struct spawn {
    pid_t pid;
    int id_fd;   /* read end; -1 once the id is known */
    int said_fd; /* unlinked memory file with what the child printed before it had a directory */
    char told[JOB_ID_MAX];
    size_t told_len;
    bool has_id;
    bool ended;
    int exit_status;
};

struct launch {
    char **argv;
    size_t argc;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    int id_write;
    int secret_read[SECRETS_MAX];
    size_t secret_count;
};

/* ---- descriptors ------------------------------------------------------------------------------
 */

static int raise_fd(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, PARENT_FD_FLOOR);
    (void)close(fd);
    return high;
}

static bool high_pipe(int ends[2], struct error *err)
{
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "make a pipe");
    ends[0] = raise_fd(ends[0]);
    ends[1] = raise_fd(ends[1]);
    if (ends[0] >= 0 && ends[1] >= 0)
        return true;
    (void)error_set_errno(err, ERROR_INTERNAL, errno, "make a pipe");
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            (void)close(ends[i]);
    return false;
}

static bool secret_pipe(const struct secret *value, int *read_end, struct error *err)
{
    int ends[2];
    struct str bytes = secret_reveal(value);
    if (bytes.len >= SECRET_BYTES_MAX)
        return error_set(err, ERROR_LIMIT, 0, "a secret of more than 64 KiB");
    if (!high_pipe(ends, err))
        return false;
    (void)fcntl(ends[1], F_SETFL, O_NONBLOCK);
    bool ok = file_write_all(ends[1], bytes, err) && file_write_all(ends[1], STR("\n"), err);
    (void)close(ends[1]);
    if (!ok) {
        (void)close(ends[0]);
        return false;
    }
    *read_end = ends[0];
    return true;
}

/* ---- the command line -------------------------------------------------------------------------
 */

static void push_arg(struct launch *l, char *arg)
{
    l->argv = mem_resize(l->argv, l->argc + 2, sizeof(*l->argv));
    l->argv[l->argc++] = arg;
    l->argv[l->argc] = NULL;
}

static bool prepare(struct launch *l, const struct spawn_spec *spec, struct error *err)
{
    push_arg(l, mem_copy_text("rbconsole"));
    for (size_t i = 0; spec->args[i] != NULL; i++)
        push_arg(l, mem_copy_text(spec->args[i]));
    push_arg(l, mem_copy_text("--job-fd"));
    push_arg(l, mem_format("%d", CHILD_ID_FD));
    if (spec->secret_count > SECRETS_MAX)
        return error_set(err, ERROR_INTERNAL, 0, "too many secrets for one job");
    for (size_t i = 0; i < spec->secret_count; i++) {
        if (!secret_pipe(spec->secrets[i].value, &l->secret_read[i], err))
            return false;
        l->secret_count++;
        push_arg(l, mem_copy_text(spec->secrets[i].option));
        push_arg(l, mem_format("/dev/fd/%d", CHILD_ID_FD + 1 + (int)i));
    }
    return true;
}

/* Its own session, no signal blocked or ignored, no terminal, only the descriptors named here: all
 * others are close-on-exec. */
static bool set_up(struct launch *l, int said_fd, struct error *err)
{
    sigset_t none;
    sigset_t all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    (void)posix_spawnattr_setsigmask(&l->attr, &none);
    (void)posix_spawnattr_setsigdefault(&l->attr, &all);
    short flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    int failed = posix_spawnattr_setflags(&l->attr, flags);
    posix_spawn_file_actions_t *a = &l->actions;
    failed = failed != 0
                 ? failed
                 : posix_spawn_file_actions_addopen(a, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    failed = failed != 0 ? failed : posix_spawn_file_actions_adddup2(a, said_fd, STDOUT_FILENO);
    failed = failed != 0 ? failed : posix_spawn_file_actions_adddup2(a, said_fd, STDERR_FILENO);
    failed = failed != 0 ? failed : posix_spawn_file_actions_adddup2(a, l->id_write, CHILD_ID_FD);
    for (size_t i = 0; i < l->secret_count && failed == 0; i++)
        failed = posix_spawn_file_actions_adddup2(a, l->secret_read[i], CHILD_ID_FD + 1 + (int)i);
    return failed == 0 || error_set_errno(err, ERROR_INTERNAL, failed, "prepare the job process");
}

static void drop_launch(struct launch *l)
{
    for (size_t i = 0; i < l->argc; i++)
        free(l->argv[i]);
    free(l->argv);
    for (size_t i = 0; i < l->secret_count; i++)
        (void)close(l->secret_read[i]);
    if (l->id_write >= 0)
        (void)close(l->id_write);
    (void)posix_spawn_file_actions_destroy(&l->actions);
    (void)posix_spawnattr_destroy(&l->attr);
}

static bool open_ends(struct spawn *s, struct launch *l, struct error *err)
{
    int ends[2];
    if (!high_pipe(ends, err))
        return false;
    s->id_fd = ends[0];
    l->id_write = ends[1];
    (void)fcntl(s->id_fd, F_SETFL, O_NONBLOCK);
    int fd = memfd_create("rbconsole-job", MFD_CLOEXEC);
    s->said_fd = fd >= 0 ? raise_fd(fd) : -1;
    if (s->said_fd < 0)
        return error_set_errno(err, ERROR_INTERNAL, errno, "keep the job's first words");
    (void)fcntl(s->said_fd, F_SETFL, O_APPEND);
    return true;
}

struct spawn *spawn_start(const struct spawn_spec *spec, struct error *err)
{
    struct spawn *s = mem_zero(1, sizeof(*s));
    struct launch l = {.id_write = -1};
    const char *program = spec->program != NULL ? spec->program : "/proc/self/exe";
    s->id_fd = -1;
    s->said_fd = -1;
    s->exit_status = -1;
    (void)posix_spawn_file_actions_init(&l.actions);
    (void)posix_spawnattr_init(&l.attr);
    bool ok = open_ends(s, &l, err) && prepare(&l, spec, err) && set_up(&l, s->said_fd, err);
    if (ok) {
        int failed = posix_spawn(&s->pid, program, &l.actions, &l.attr, l.argv, environ);
        ok = failed == 0 || error_set_errno(err, ERROR_INTERNAL, failed, "start %s", program);
    }
    drop_launch(&l);
    if (!ok) {
        spawn_free(s);
        return NULL;
    }
    return s;
}

void spawn_free(struct spawn *s)
{
    if (s == NULL)
        return;
    if (s->id_fd >= 0)
        (void)close(s->id_fd);
    if (s->said_fd >= 0)
        (void)close(s->said_fd);
    free(s);
}

/* ---- news -------------------------------------------------------------------------------------
 */

/* The id is a line of at most JOB_ID_MAX bytes; whatever else comes is no id. */
static void hear_id(struct spawn *s)
{
    char piece[JOB_ID_MAX];
    enum job_kind kind = JOB_BACKUP;
    uint32_t number = 0;
    ssize_t got = 0;
    while (s->id_fd >= 0 && !s->has_id && (got = read(s->id_fd, piece, sizeof(piece))) > 0) {
        for (ssize_t i = 0; i < got && s->told_len < sizeof(s->told); i++)
            s->told[s->told_len++] = piece[i];
        struct str told = {s->told, s->told_len};
        size_t end = str_find(told, '\n');
        if (end < told.len) {
            s->has_id = job_id_parse(str_slice(told, 0, end), &kind, &number);
            s->told[end] = '\0';
            break;
        }
    }
    if (s->id_fd >= 0 && (s->has_id || got == 0)) {
        (void)close(s->id_fd);
        s->id_fd = -1;
    }
}

static void reap(struct spawn *s)
{
    int status = 0;
    if (s->ended || waitpid(s->pid, &status, WNOHANG) != s->pid)
        return;
    s->ended = true;
    s->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The last line the child printed, for a message on the screen. */
static void last_words(struct spawn *s, struct error *err)
{
    char raw[LAST_WORDS_MAX];
    char shown[sizeof(err->text) - 60];
    off_t end = lseek(s->said_fd, 0, SEEK_END);
    off_t from = end > (off_t)sizeof(raw) ? end - (off_t)sizeof(raw) : 0;
    ssize_t got = pread(s->said_fd, raw, sizeof(raw), from);
    struct str text = str_trim((struct str){raw, got > 0 ? (size_t)got : 0});
    size_t start = str_find_last(text, '\n');
    struct str line = start < text.len ? str_slice(text, start + 1, text.len) : text;
    (void)escape_text(shown, sizeof(shown), line);
    (void)error_set(err, ERROR_INTERNAL, s->exit_status, "the job did not start (exit %d): %s",
                    s->exit_status, shown[0] != '\0' ? shown : "it said nothing");
}

enum spawn_phase spawn_poll(struct spawn *s, struct error *err)
{
    reap(s); /* before the pipe: what an ended child told is in it already */
    hear_id(s);
    if (s->has_id)
        return s->ended ? SPAWN_ENDED : SPAWN_STARTED;
    if (!s->ended)
        return SPAWN_WAITING;
    last_words(s, err);
    return SPAWN_FAILED;
}

int spawn_fd(const struct spawn *s)
{
    return s->id_fd;
}

int spawn_pid(const struct spawn *s)
{
    return (int)s->pid;
}

const char *spawn_id(const struct spawn *s)
{
    return s->has_id ? s->told : "";
}

int spawn_exit_status(const struct spawn *s)
{
    return s->ended ? s->exit_status : -1;
}
