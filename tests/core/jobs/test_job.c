/* job_run as verbs use it: result, exit status, signals, control, resume, secrets; and the task
 * with many threads. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/jobs/control.h"
#include "core/jobs/info.h"
#include "core/jobs/job.h"
#include "core/jobs/lock.h"
#include "tests/harness/tmpdir.h"
#include "tests/harness/wait.h"

#define DEADLINE_MS 20000

static struct job_spec spec_in(const char *dir)
{
    return (struct job_spec){.kind = JOB_BACKUP,
                             .state_dir = dir,
                             .env = "local",
                             .target = "somewhere",
                             .reason = "INC-1",
                             .who = {.user = "alice", .sudo_user = "bob", .ssh = "127.0.0.1 1 2"},
                             .id_fd = -1};
}

/* ---- bodies -----------------------------------------------------------------------------------
 */

static bool do_nothing(struct task *t, void *ctx, json_t *result, struct error *err)
{
    (void)t;
    (void)ctx;
    (void)result;
    (void)err;
    return true;
}

static bool find_something(struct task *t, void *ctx, json_t *result, struct error *err)
{
    (void)ctx;
    (void)err;
    task_ledger(t, STR("key\x01\xff"), "unreadable", "NOPERM \x1b[31m");
    json_put_int(result, "findings", 1);
    return true;
}

static bool fail_storage(struct task *t, void *ctx, json_t *result, struct error *err)
{
    (void)ctx;
    (void)result;
    return task_step(t, "first", NULL, err) && error_set(err, ERROR_STORAGE, 28, "disk full");
}

static bool count_old_steps(struct task *t, void *ctx, json_t *result, struct error *err)
{
    (void)ctx;
    (void)err;
    json_t *steps = task_steps(t);
    json_put_int(result, "old_steps", (int64_t)json_array_size(steps));
    json_decref(steps);
    return true;
}

/* Works batch by batch until it is told to stop, or for 60 s. */
static bool work(struct task *t, void *ctx, json_t *result, struct error *err)
{
    bool deaf = ctx != NULL;
    int64_t end = clock_after(60000);
    for (uint64_t n = 0; clock_left_ms(end) > 0; n++) {
        task_row(t, 0, "A", n, 0);
        task_counter(t, "rate_seen", (int64_t)task_rate(t));
        if (!deaf && !task_checkpoint(t, err)) {
            json_put_int(result, "batches", (int64_t)n);
            return false;
        }
        clock_sleep_ms(5);
    }
    return true;
}

/* ---- a job in its own process -----------------------------------------------------------------
 */

static void leave(int status)
{
    _exit(status);
}

static pid_t start(const char *dir, bool deaf)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct error err = {0};
        struct job_spec spec = spec_in(dir);
        spec.exit_now = leave;
        _exit(job_run(&spec, work, deaf ? &deaf : NULL, NULL, &err));
    }
    return pid;
}

struct expected {
    const char *dir;
    enum job_state state;
    uint64_t seq;
    int64_t rate_seen;
};

static bool is_so(void *ctx)
{
    const struct expected *e = ctx;
    struct error err = {0};
    struct job_info *info = job_info_read(e->dir, "B-0001", &err);
    bool so = info != NULL && info->state == e->state && info->control_seq >= e->seq &&
              progress_counter(&info->progress, "rate_seen") == e->rate_seen;
    job_info_unref(info);
    return so;
}

static void await(const char *dir, enum job_state state, uint64_t seq, int64_t rate_seen)
{
    struct expected e = {dir, state, seq, rate_seen};
    if (!wait_until(is_so, &e, DEADLINE_MS))
        fail_msg("never %s with order %d", job_state_name(state), (int)seq);
}

static int ended(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* ---- tests ------------------------------------------------------------------------------------
 */

static void job_leaves_a_whole_record(void **unused)
{
    (void)unused;
    struct error err = {0};
    struct job_end end;
    const char *dir = tmpdir_new();
    struct job_spec spec = spec_in(dir);
    json_t *options = json_pack("{s:s,s:s,s:{s:s},s:s}", "match", "user:*", "password", "hunter2",
                                "s3", "secret_key", "hunter2", "password_file", "/run/pw");
    spec.options = options;
    assert_int_equal(job_run(&spec, do_nothing, NULL, &end, &err), 0);
    assert_string_equal(end.id, "B-0001");
    assert_int_equal(end.state, JOB_DONE);
    job_end_release(&end);
    assert_int_equal(job_run(&spec, do_nothing, NULL, &end, &err), 0);
    assert_string_equal(end.id, "B-0002");
    job_end_release(&end);
    json_decref(options);
    char *text = tmpdir_read(tmpdir_path(dir, "jobs/B-0001/job.json"), NULL);
    assert_non_null(text);
    assert_null(strstr(text, "hunter2"));
    assert_non_null(strstr(text, "/run/pw"));
    free(text);
    struct job_info *info = job_info_read(dir, "B-0001", &err);
    assert_non_null(info);
    assert_string_equal(info->user, "alice");
    assert_string_equal(info->sudo_user, "bob");
    assert_string_equal(info->reason, "INC-1");
    assert_true(info->ended_ms >= info->started_ms && info->started_ms > 0);
    assert_int_equal(info->exit_status, 0);
    job_info_unref(info);
}

static void files_are_private_and_shared_only_on_request(void **unused)
{
    (void)unused;
    static const char *const names[] = {"job.json",    "journal.jsonl", "failed.jsonl",
                                        "result.json", "lock",          "progress.json"};
    for (int shared = 0; shared < 2; shared++) {
        struct error err = {0};
        struct stat st;
        const char *dir = tmpdir_new();
        assert_int_equal(chmod(dir, shared ? 02770 : 0700), 0);
        struct job_spec spec = spec_in(dir);
        assert_int_equal(job_run(&spec, do_nothing, NULL, NULL, &err), 0);
        assert_int_equal(stat(tmpdir_path(dir, "jobs/B-0001"), &st), 0);
        assert_int_equal(st.st_mode & 07777, shared ? 02770 : 0700);
        for (size_t i = 0; i < COUNT_OF(names); i++) {
            const char *path = tmpdir_path(tmpdir_path(dir, "jobs/B-0001"), names[i]);
            assert_int_equal(stat(path, &st), 0);
            assert_int_equal(st.st_mode & 07777, shared ? 0660 : 0600);
        }
    }
}

static void a_rehearsal_stands_in_nobodys_way(void **unused)
{
    static const char *const cluster[] = {"node-1"};
    const char *dir = tmpdir_new();
    struct job_spec spec = spec_in(dir);
    struct error err = {0};
    struct lock *writer = lock_take(&(struct lock_claim){.state_dir = dir,
                                                         .identity = cluster,
                                                         .identity_count = 1,
                                                         .danger = JOB_WRITES,
                                                         .job_id = "R-0009",
                                                         .run_id = "0",
                                                         .env = "local",
                                                         .user = "bob"},
                                    NULL, &err);

    (void)unused;
    assert_non_null(writer);
    spec.kind = JOB_RESTORE;
    spec.identity = cluster;
    spec.identity_count = 1;
    assert_int_equal(job_run(&spec, do_nothing, NULL, NULL, &err), 4);
    assert_int_equal(err.code, ERROR_LOCKED);
    spec.looks_only = true;
    assert_int_equal(job_run(&spec, do_nothing, NULL, NULL, &err), 0);
    lock_release(writer);
}

static void findings_and_errors_have_their_status(void **unused)
{
    (void)unused;
    struct error err = {0};
    struct job_end end;
    const char *dir = tmpdir_new();
    struct job_spec spec = spec_in(dir);
    assert_int_equal(job_run(&spec, find_something, NULL, &end, &err), 1);
    assert_int_equal(end.state, JOB_FINDINGS);
    job_end_release(&end);
    char *text = tmpdir_read(tmpdir_path(dir, "jobs/B-0001/failed.jsonl"), NULL);
    assert_non_null(strstr(text, "\"key_b64\":\"a2V5Af8=\""));
    assert_non_null(strstr(text, "NOPERM \\\\x1b[31m"));
    free(text);
    assert_int_equal(job_run(&spec, fail_storage, NULL, &end, &err), 6);
    assert_int_equal(end.state, JOB_FAILED);
    assert_string_equal(err.text, "disk full");
    job_end_release(&end);
    struct job_info *info = job_info_read(dir, "B-0002", &err);
    assert_string_equal(info->error_text, "disk full");
    assert_string_equal(info->error_word, error_code_name(ERROR_STORAGE));
    job_info_unref(info);
}

static void resumed_job_keeps_its_id_and_sees_its_steps(void **unused)
{
    (void)unused;
    struct error err = {0};
    struct job_end end;
    const char *dir = tmpdir_new();
    struct job_spec spec = spec_in(dir);
    assert_int_equal(job_run(&spec, fail_storage, NULL, NULL, &err), 6);
    spec.resume = "B-0001";
    err = (struct error){0};
    assert_int_equal(job_run(&spec, count_old_steps, NULL, &end, &err), 0);
    assert_string_equal(end.id, "B-0001");
    assert_int_equal(json_int(json_object_get(end.result, "report"), "old_steps", -1), 1);
    job_end_release(&end);
    assert_int_equal(job_run(&spec, do_nothing, NULL, NULL, &err), 4); /* done: nothing to resume */
    spec.kind = JOB_RESTORE;
    assert_int_equal(job_run(&spec, do_nothing, NULL, NULL, &err), 2);
    spec.resume = "R-0001";
    assert_int_not_equal(job_run(&spec, do_nothing, NULL, NULL, &err), 0);
    spec.resume = "../B-0001";
    assert_int_equal(job_run(&spec, do_nothing, NULL, NULL, &err), 2);
}

static void first_signal_cancels_and_hangup_does_not(void **unused)
{
    (void)unused;
    const char *dir = tmpdir_new();
    pid_t pid = start(dir, false);
    await(dir, JOB_RUNNING, 0, 0);
    assert_int_equal(kill(pid, SIGHUP), 0);
    struct error err = {0};
    uint64_t seq = 0;
    assert_true(control_send(dir, "B-0001", CONTROL_RATE, 3, "carol", &seq, &err));
    await(dir, JOB_RUNNING, seq, 3);
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(ended(pid), 5);
    await(dir, JOB_CANCELLED, 0, 3);
    char *text = tmpdir_read(tmpdir_path(dir, "jobs/B-0001/journal.jsonl"), NULL);
    assert_non_null(strstr(text, "the terminal is gone"));
    assert_non_null(strstr(text, "SIGTERM"));
    assert_non_null(strstr(text, "by carol"));
    free(text);
}

static void second_signal_ends_a_deaf_job_at_once(void **unused)
{
    (void)unused;
    const char *dir = tmpdir_new();
    pid_t pid = start(dir, true);
    await(dir, JOB_RUNNING, 0, 0);
    assert_int_equal(kill(pid, SIGINT), 0);
    await(dir, JOB_CANCELLING, 0, 0);
    assert_int_equal(kill(pid, SIGINT), 0);
    assert_int_equal(ended(pid), 5);
    await(dir, JOB_CANCELLED, 0, 0);
}

static void console_pauses_resumes_limits_and_cancels(void **unused)
{
    (void)unused;
    struct error err = {0};
    uint64_t seq = 0;
    const char *dir = tmpdir_new();
    pid_t pid = start(dir, false);
    await(dir, JOB_RUNNING, 0, 0);
    assert_true(control_send(dir, "B-0001", CONTROL_RATE, 500, "a", &seq, &err));
    await(dir, JOB_RUNNING, seq, 500);
    assert_true(control_send(dir, "B-0001", CONTROL_PAUSE, 0, "b", &seq, &err));
    assert_int_equal(seq, 2);
    await(dir, JOB_PAUSED, seq, 500); /* the rate is still what the other console asked for */
    assert_true(control_send(dir, "B-0001", CONTROL_RESUME, 0, "b", &seq, &err));
    await(dir, JOB_RUNNING, seq, 500);
    assert_true(control_send(dir, "B-0001", CONTROL_CANCEL, 0, "b", &seq, &err));
    assert_int_equal(ended(pid), 5);
    await(dir, JOB_CANCELLED, seq, 500);
    assert_false(control_send(dir, "B-0001", CONTROL_PAUSE, 0, "b", &seq, &err));
    assert_int_equal(err.code, ERROR_REFUSED);
    assert_false(control_send(dir, "../../etc", CONTROL_PAUSE, 0, "b", &seq, &err));
}

static void order_for_an_earlier_run_is_not_obeyed(void **unused)
{
    (void)unused;
    struct error err = {0};
    const char *dir = tmpdir_new();
    static const char old[] = "{\"v\":1,\"seq\":9,\"run_id\":\"0\",\"pause\":true,\"rate\":0,"
                              "\"cancel\":2}";
    pid_t pid = start(dir, false);
    await(dir, JOB_RUNNING, 0, 0);
    tmpdir_write(tmpdir_path(dir, "jobs/B-0001/control.json"), old, sizeof(old) - 1);
    uint64_t seq = 0;
    assert_true(control_send(dir, "B-0001", CONTROL_RATE, 7, "a", &seq, &err));
    assert_int_equal(seq, 10);
    await(dir, JOB_RUNNING, 10, 7);
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(ended(pid), 5);
}

static void killed_job_is_shown_as_crashed(void **unused)
{
    (void)unused;
    const char *dir = tmpdir_new();
    pid_t pid = start(dir, false);
    int status = 0;
    await(dir, JOB_RUNNING, 0, 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    await(dir, JOB_CRASHED, 0, 0);
}

static void parallel_creations_get_different_ids(void **unused)
{
    (void)unused;
    enum { JOBS = 12 };
    const char *dir = tmpdir_new();
    pid_t pids[JOBS];
    for (int i = 0; i < JOBS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            struct error err = {0};
            struct job_spec spec = spec_in(dir);
            _exit(job_run(&spec, do_nothing, NULL, NULL, &err));
        }
    }
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(ended(pids[i]), 0);
    struct job_list list;
    struct error err = {0};
    assert_true(job_list_read(dir, &list, &err));
    assert_int_equal(list.count, JOBS);
    for (size_t i = 0; i < list.count; i++)
        assert_int_equal(list.items[i]->state, JOB_DONE);
    job_list_release(&list);
}

enum { WORKERS = 4, ROUNDS = 300 };

static void *hammer(void *arg)
{
    struct task *t = arg;
    struct error err = {0};
    for (int i = 0; i < ROUNDS; i++) {
        task_row(t, (size_t)i % 3, "row", (uint64_t)i, ROUNDS);
        task_count(t, "things", 1);
        task_note(t, TASK_INFO, "line %d", i);
        task_ledger(t, STR("k"), "reason", NULL);
        if (!task_checkpoint(t, &err))
            return NULL;
    }
    return t;
}

static bool many_threads(struct task *t, void *ctx, json_t *result, struct error *err)
{
    (void)ctx;
    (void)result;
    (void)err;
    pthread_t threads[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, t), 0);
    for (int i = 0; i < WORKERS; i++)
        (void)pthread_join(threads[i], NULL);
    return true;
}

static void threads_lose_no_line(void **unused)
{
    (void)unused;
    struct error err = {0};
    struct job_end end;
    const char *dir = tmpdir_new();
    struct job_spec spec = spec_in(dir);
    assert_int_equal(job_run(&spec, many_threads, NULL, &end, &err), 0);
    assert_int_equal(json_int(json_object_get(end.result, "counters"), "things", 0),
                     WORKERS * ROUNDS);
    assert_int_equal(json_int(end.result, "failed", 0), WORKERS * ROUNDS);
    job_end_release(&end);
    size_t len = 0;
    char *text = tmpdir_read(tmpdir_path(dir, "jobs/B-0001/journal.jsonl"), &len);
    struct str rest = {text, len};
    struct str line;
    int lines = 0;
    while (str_split(&rest, '\n', &line)) {
        if (line.len > 0) {
            json_t *doc = json_parse(line, "line", &err);
            assert_non_null(doc);
            json_decref(doc);
            lines++;
        }
    }
    assert_int_equal(lines, WORKERS * ROUNDS + 1); /* and "started" */
    free(text);
}

static void plain_task_needs_no_directory(void **unused)
{
    (void)unused;
    struct error err = {0};
    struct task *t = task_new_plain();
    assert_null(task_dir(t));
    task_note(t, TASK_INFO, "nowhere");
    task_ledger(t, STR("k"), "r", NULL);
    assert_int_equal(task_ledger_count(t), 1);
    assert_true(task_step(t, "s", NULL, &err));
    assert_true(task_checkpoint(t, &err));
    task_cancel(t);
    assert_false(task_checkpoint(t, &err));
    assert_int_equal(err.code, ERROR_CANCELLED);
    task_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(job_leaves_a_whole_record),
        cmocka_unit_test(files_are_private_and_shared_only_on_request),
        cmocka_unit_test(a_rehearsal_stands_in_nobodys_way),
        cmocka_unit_test(findings_and_errors_have_their_status),
        cmocka_unit_test(resumed_job_keeps_its_id_and_sees_its_steps),
        cmocka_unit_test(first_signal_cancels_and_hangup_does_not),
        cmocka_unit_test(second_signal_ends_a_deaf_job_at_once),
        cmocka_unit_test(console_pauses_resumes_limits_and_cancels),
        cmocka_unit_test(order_for_an_earlier_run_is_not_obeyed),
        cmocka_unit_test(killed_job_is_shown_as_crashed),
        cmocka_unit_test(parallel_creations_get_different_ids),
        cmocka_unit_test(threads_lose_no_line),
        cmocka_unit_test(plain_task_needs_no_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
