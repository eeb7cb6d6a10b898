/* The job is stopped and killed between any two writes to its directory; another process reads the
 * directory at each of these moments, while the job is alive and after it is dead. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/json.h"
#include "core/jobs/info.h"
#include "core/jobs/job.h"
#include "tests/harness/tmpdir.h"

enum { NO_JOB = JOB_STATES, MANY_BOUNDARIES = 400 };

/* Shared with the job process and the reading process. */
struct stage {
    _Atomic int hooks;  /* changes announced so far */
    int stop_at;        /* stop before this one; 0 = never */
    bool job_written;   /* the run's job.json is in place under the job's id */
    bool told_progress; /* its first progress.json is in place */
    char last[64];      /* what was announced last by the main thread */
    int seen;           /* the reader's answer */
    uint32_t seen_runs;
    char at[64];
};

static struct stage *stage;

/* What was announced before has happened when the next announcement comes: true of everything up to
 * the first progress, which one thread writes. */
static void on_write(void *ctx, const char *what)
{
    (void)ctx;
    int n = atomic_fetch_add(&stage->hooks, 1) + 1;
    if (!stage->told_progress) {
        stage->job_written |= strcmp(stage->last, "publish the directory") == 0 ||
                              (strcmp(stage->last, "rename job.json") == 0 &&
                               strcmp(what, "publish the directory") != 0);
        stage->told_progress |= strcmp(stage->last, "rename progress.json") == 0;
        (void)str_copy(str_from(what), stage->last, sizeof(stage->last));
    }
    if (n == stage->stop_at) {
        (void)str_copy(str_from(what), stage->at, sizeof(stage->at));
        (void)raise(SIGSTOP);
    }
}

struct wish {
    bool fail;
};

static bool body(struct task *t, void *ctx, json_t *result, struct error *err)
{
    const struct wish *wish = ctx;
    task_stage(t, "scan");
    task_row(t, 0, "A", 1, 2);
    task_note(t, TASK_WARN, "a warning");
    if (!task_step(t, "scan", NULL, err))
        return false;
    task_ledger(t, STR("k\xff"), "unreadable", "NOPERM");
    json_t *detail = json_object();
    json_put_int(detail, "part", 1);
    if (!task_step(t, "write", detail, err))
        return false;
    json_put_int(result, "keys", 2);
    return !wish->fail || error_set(err, ERROR_STORAGE, 0, "disk full");
}

static pid_t start(const char *dir, const char *resume, bool fail)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct wish wish = {fail};
        struct error err = {0};
        struct job_spec spec = {.kind = JOB_BACKUP,
                                .state_dir = dir,
                                .env = "local",
                                .who = {.user = "tester"},
                                .resume = resume,
                                .id_fd = -1,
                                .hook = on_write};
        _exit(job_run(&spec, body, &wish, NULL, &err));
    }
    return pid;
}

/* Another process reads: the state of the only job, or NO_JOB. */
static int look(const char *dir)
{
    stage->seen = -1;
    pid_t pid = fork();
    if (pid == 0) {
        struct job_list list;
        struct error err = {0};
        if (job_list_read(dir, &list, &err) && list.count <= 1) {
            stage->seen = list.count == 0 ? NO_JOB : (int)list.items[0]->state;
            stage->seen_runs = list.count == 0 ? 0 : list.items[0]->runs;
        }
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return stage->seen;
}

static void expect(const char *dir, int want, const char *when)
{
    int got = look(dir);
    if (got != want) {
        fail_msg("%s write %d (%s): state %d instead of %d", when, stage->stop_at, stage->at, got,
                 want);
    }
}

/* Start, stop before write n, look, kill, look. false: it ended before it came to write n. */
static bool stop_and_kill(const char *dir, const char *resume, int n, int before)
{
    *stage = (struct stage){.stop_at = n};
    pid_t pid = start(dir, resume, false);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    if (!WIFSTOPPED(status)) {
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        expect(dir, JOB_DONE, "after");
        return false;
    }
    int alive = stage->told_progress ? JOB_RUNNING : JOB_STARTING;
    expect(dir, stage->job_written ? alive : before, "alive before");
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    expect(dir, stage->job_written ? JOB_CRASHED : before, "killed before");
    return true;
}

static void run_to_the_end(const char *dir, const char *resume, bool fail, int want)
{
    int status = 0;
    *stage = (struct stage){0};
    pid_t pid = start(dir, resume, fail);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    expect(dir, want, "end");
}

static void new_job_killed_between_any_two_writes_reads_true(void **unused)
{
    (void)unused;
    int n = 1;
    for (; n < MANY_BOUNDARIES; n++) {
        const char *dir = tmpdir_new();
        bool more = stop_and_kill(dir, NULL, n, NO_JOB);
        if (more && stage->job_written) { /* and it can be taken up again */
            run_to_the_end(dir, "B-0001", false, JOB_DONE);
            assert_int_equal(stage->seen_runs, 2);
        }
        (void)tmpdir_remove(dir);
        if (!more)
            break;
    }
    assert_in_range(n, 20, MANY_BOUNDARIES - 1);
}

static void resumed_job_killed_between_any_two_writes_reads_true(void **unused)
{
    (void)unused;
    int n = 1;
    for (; n < MANY_BOUNDARIES; n++) {
        const char *dir = tmpdir_new();
        run_to_the_end(dir, NULL, true, JOB_FAILED);
        bool more = stop_and_kill(dir, "B-0001", n, JOB_FAILED);
        (void)tmpdir_remove(dir);
        if (!more)
            break;
    }
    assert_in_range(n, 10, MANY_BOUNDARIES - 1);
}

static void torn_lines_are_closed_and_skipped(void **unused)
{
    (void)unused;
    const char *dir = tmpdir_new();
    run_to_the_end(dir, NULL, true, JOB_FAILED);
    const char *journal = tmpdir_path(dir, "jobs/B-0001/journal.jsonl");
    size_t len = 0;
    char *text = tmpdir_read(journal, &len);
    assert_non_null(text);
    tmpdir_write(journal, text, len - 5); /* the last line lost its end */
    free(text);
    run_to_the_end(dir, "B-0001", false, JOB_DONE);
    text = tmpdir_read(journal, &len);
    size_t torn = 0;
    size_t whole = 0;
    struct str rest = {text, len};
    struct str line;
    while (str_split(&rest, '\n', &line)) {
        struct error err = {0};
        json_t *doc = line.len > 0 ? json_parse(line, "line", &err) : NULL;
        whole += doc != NULL;
        torn += doc == NULL && line.len > 0;
        json_decref(doc);
    }
    assert_int_equal(torn, 1);
    assert_true(whole >= 7);
    free(text);
}

static int share_stage(void **unused)
{
    (void)unused;
    stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return stage == MAP_FAILED ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_job_killed_between_any_two_writes_reads_true),
        cmocka_unit_test(resumed_job_killed_between_any_two_writes_reads_true),
        cmocka_unit_test(torn_lines_are_closed_and_skipped),
    };
    return cmocka_run_group_tests(tests, share_stage, NULL);
}
