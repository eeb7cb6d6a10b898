/* The verb jobs and the jobs screen of the real program, over jobs that live in other processes. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/jobs/info.h"
#include "core/jobs/job.h"
#include "tests/harness/proc.h"
#include "tests/harness/tmpdir.h"
#include "tests/harness/wait.h"

#define DEADLINE_MS 20000

static bool work(struct task *t, void *ctx, json_t *result, struct error *err)
{
    (void)ctx;
    (void)result;
    int64_t end = clock_after(60000);
    task_note(t, TASK_WARN, "%s", "slots moved: \x1b[2J");
    task_note(t, TASK_ERROR, "upload given up");
    task_note(t, TASK_INFO, "going on");
    for (uint64_t n = 0; clock_left_ms(end) > 0; n++) {
        task_row(t, 0, "A 127.0.0.1:7001", n, 100000);
        if (!task_checkpoint(t, err))
            return false;
        clock_sleep_ms(5);
    }
    return true;
}

static pid_t start_job(const char *dir)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct error err = {0};
        struct job_spec spec = {.kind = JOB_BACKUP,
                                .state_dir = dir,
                                .env = "local",
                                .target = "hostile \x1b[31m target",
                                .options = json_pack("{s:s}", "backup_dir", dir),
                                .who = {.user = "alice"},
                                .id_fd = -1};
        _exit(job_run(&spec, work, NULL, NULL, &err));
    }
    return pid;
}

static int ended(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

struct wanted {
    const char *dir, *id;
    enum job_state state;
};

static bool is_so(void *ctx)
{
    const struct wanted *w = ctx;
    struct error err = {0};
    struct job_info *info = job_info_read(w->dir, w->id, &err);
    bool so = info != NULL && info->state == w->state;
    job_info_unref(info);
    return so;
}

static void await(const char *dir, const char *id, enum job_state state)
{
    struct wanted w = {dir, id, state};
    if (!wait_until(is_so, &w, DEADLINE_MS))
        fail_msg("%s is never %s", id, job_state_name(state));
}

/* Run the program on that state directory; returns its status, *out is the caller's to free. */
static int jobs(const char *dir, const char *const *words, char **out)
{
    static const char config[] = "{\"redis_nodes\":{\"local\":{\"nodes\":[\"127.0.0.1:1\"]}}}";
    const char *path = tmpdir_path(dir, "config.json");
    const char *argv[24] = {proc_rbconsole(), "-c", path, "--state-dir", dir};
    struct proc_result r;
    tmpdir_write(path, config, sizeof(config) - 1);
    for (size_t i = 0; i < 18 && words[i] != NULL; i++)
        argv[5 + i] = words[i];
    assert_true(proc_run(argv, NULL, &r));
    int status = r.status;
    if (out != NULL)
        *out = strdup(r.out);
    proc_result_release(&r);
    return status;
}

#define JOBS(dir, out, ...) jobs(dir, (const char *const[]){__VA_ARGS__, NULL}, out)

static void verb_lists_steers_and_ends_with_the_jobs_status(void **unused)
{
    (void)unused;
    char *out = NULL;
    const char *dir = tmpdir_new();
    pid_t pid = start_job(dir);
    await(dir, "B-0001", JOB_RUNNING);
    assert_int_equal(JOBS(dir, &out, "jobs"), 0);
    assert_non_null(strstr(out, "B-0001   backup    running"));
    assert_non_null(strstr(out, "hostile \\x1b[31m target"));
    free(out);
    assert_int_equal(JOBS(dir, &out, "jobs", "pause", "B-0001"), 0);
    assert_string_equal(out, "B-0001: paused\n");
    free(out);
    assert_int_equal(JOBS(dir, &out, "jobs", "rate", "B-0001", "70", "--json"), 0);
    assert_non_null(strstr(out, "\"obeyed\": true"));
    free(out);
    assert_int_equal(JOBS(dir, NULL, "jobs", "resume", "B-0001"), 0);
    await(dir, "B-0001", JOB_RUNNING);
    assert_int_equal(JOBS(dir, NULL, "jobs", "cancel", "B-0001"), 0);
    assert_int_equal(ended(pid), 5);
    assert_int_equal(JOBS(dir, &out, "jobs", "follow", "B-0001"), 5);
    assert_non_null(strstr(out, "B-0001 cancelled"));
    free(out);
    assert_int_equal(JOBS(dir, NULL, "jobs", "cancel", "B-0001"), 4); /* refused: it has ended */
    assert_int_equal(JOBS(dir, &out, "jobs", "show", "B-0001"), 0);
    assert_non_null(strstr(out, "warnings   2\n"));
    assert_non_null(strstr(out, "  error  upload given up\n"));
    assert_null(strstr(out, "going on"));
    assert_non_null(strstr(out, "  warn   slots moved: \\x1b[2J\n"));
    free(out);
    assert_int_equal(JOBS(dir, NULL, "jobs", "show", "B-0009"), 1);
    assert_int_equal(JOBS(dir, NULL, "jobs", "frob"), 2);
    assert_int_equal(JOBS(dir, NULL, "jobs", "show"), 2);
}

static void screen_follows_pauses_and_cancels_a_job(void **unused)
{
    (void)unused;
    static const char script[] = "wait 10s crashed\nwait 10s running\ndump before\nkey j\nkey p\n"
                                 "wait 10s paused by\ndump paused\nkey p\nwait 10s resumed by\n"
                                 "command rate 50\nwait 10s rate set to 50\nresize 80x24\n"
                                 "dump small\n";
    const char *dir = tmpdir_new();
    pid_t first = start_job(dir);
    await(dir, "B-0001", JOB_RUNNING);
    pid_t second = start_job(dir);
    await(dir, "B-0002", JOB_RUNNING);
    assert_int_equal(kill(second, SIGKILL), 0);
    assert_int_equal(ended(second), 128 + SIGKILL);
    const char *file = tmpdir_path(dir, "script");
    tmpdir_write(file, script, sizeof(script) - 1);
    char *out = NULL;
    int status =
        JOBS(dir, &out, "--view", "jobs", "--script", file, "--size", "120x36", "--dump", dir);
    if (status != 0)
        fail_msg("script: status %d: %s", status, out);
    free(out);
    char *screen = tmpdir_read(tmpdir_path(dir, "before.txt"), NULL);
    assert_non_null(
        strstr(screen, ":resume goes on, or rbconsole -e local backup --resume B-0002"));
    assert_null(strchr(screen, '\x1b'));
    free(screen);
    screen = tmpdir_read(tmpdir_path(dir, "paused.txt"), NULL);
    assert_non_null(strstr(screen, "losing SSH does not stop it"));
    assert_non_null(strstr(screen, "A 127.0.0.1:7001"));
    free(screen);
    screen = tmpdir_read(tmpdir_path(dir, "small.txt"), NULL);
    assert_non_null(strstr(screen, "JOB"));
    assert_non_null(strstr(screen, "TOTAL"));
    free(screen);
    assert_true(waitpid(first, NULL, WNOHANG) == 0); /* leaving the console stopped nothing */
    assert_int_equal(kill(first, SIGTERM), 0);
    assert_int_equal(ended(first), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verb_lists_steers_and_ends_with_the_jobs_status),
        cmocka_unit_test(screen_follows_pauses_and_cancels_a_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
