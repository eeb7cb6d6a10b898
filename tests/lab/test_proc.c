#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "tests/harness/proc.h"
#include "tests/harness/tmpdir.h"
#include "tests/harness/wait.h"

static void run(struct proc_result *r, const struct proc_options *o, const char *script)
{
    const char *argv[] = {"/bin/sh", "-c", script, NULL};
    assert_true(proc_run(argv, o, r));
}

static void proc_keeps_both_outputs_and_the_status(void **state)
{
    struct proc_result r;
    (void)state;
    run(&r, NULL, "echo out; echo err >&2; exit 7");
    assert_int_equal(r.status, 7);
    assert_string_equal(r.out, "out\n");
    assert_string_equal(r.err, "err\n");
    proc_result_release(&r);
}

static void proc_takes_output_larger_than_a_pipe(void **state)
{
    struct proc_result r;
    (void)state;
    run(&r, NULL, "head -c 3000000 /dev/zero; head -c 200000 /dev/zero >&2");
    assert_int_equal(r.status, 0);
    assert_int_equal(r.out_len, 3000000);
    assert_int_equal(r.err_len, 200000);
    proc_result_release(&r);
}

static void proc_names_the_signal_that_ended_a_program(void **state)
{
    struct proc_result r;
    (void)state;
    run(&r, NULL, "kill -9 $$");
    assert_int_equal(r.status, 128 + SIGKILL);
    proc_result_release(&r);
}

static void proc_says_when_there_is_no_such_program(void **state)
{
    const char *argv[] = {"/nonexistent/program", NULL};
    struct proc_result r;
    (void)state;
    assert_true(proc_run(argv, NULL, &r));
    assert_int_equal(r.status, 127);
    proc_result_release(&r);
}

static void proc_ends_what_passes_its_deadline(void **state)
{
    const struct proc_options o = {.timeout_ms = 300};
    struct proc_result r;
    (void)state;
    int64_t start = wait_now_ms();
    /* The child of the child holds the pipe too: the whole group must go. */
    run(&r, &o, "echo early; sleep 100 & sleep 100");
    assert_int_equal(r.status, -1);
    assert_string_equal(r.out, "early\n");
    assert_true(wait_now_ms() - start < 20000);
    proc_result_release(&r);
}

static void proc_gives_input_environment_and_directory(void **state)
{
    const char *env[] = {"PROC_A=one two", "HOME=/elsewhere", NULL};
    const struct proc_options o = {.env = env, .input = "typed\n", .directory = "/"};
    struct proc_result r;
    (void)state;
    run(&r, &o, "read line; echo \"$line|$PROC_A|$HOME|$(pwd)\"");
    assert_string_equal(r.out, "typed|one two|/elsewhere|/\n");
    proc_result_release(&r);
}

static void proc_start_runs_beside_the_test_and_stops(void **state)
{
    const char *argv[] = {"/bin/sh", "-c", "echo started; exec sleep 100", NULL};
    const char *log = tmpdir_path(tmpdir_new(), "log");
    (void)state;
    pid_t pid = proc_start(argv, NULL, log);
    assert_true(pid > 0);
    assert_true(proc_alive(pid));
    assert_int_equal(proc_stop(pid, SIGTERM), 128 + SIGTERM);
    assert_false(proc_alive(pid));
}

static bool never(void *context)
{
    ++*(int *)context;
    return false;
}

static bool third_time(void *context)
{
    return ++*(int *)context == 3;
}

static void wait_ends_at_the_condition_or_the_deadline(void **state)
{
    int asked = 0;
    (void)state;
    assert_true(wait_until(third_time, &asked, 10000));
    assert_int_equal(asked, 3);
    asked = 0;
    assert_false(wait_until(never, &asked, 50));
    assert_true(asked >= 2);
    asked = 0;
    assert_false(wait_until(never, &asked, 0));
    assert_int_equal(asked, 2);
}

static void tmpdir_is_gone_when_its_program_ends(void **state)
{
    int pipe_ends[2];
    char path[256] = "";
    (void)state;
    assert_int_equal(pipe(pipe_ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        const char *dir = tmpdir_new();
        const char *file = tmpdir_path(dir, "file");
        tmpdir_write(file, "x\0y", 3);
        size_t len = 0;
        char *back = tmpdir_read(file, &len);
        bool same = back && len == 3 && memcmp(back, "x\0y", 3) == 0;
        free(back);
        ssize_t n = write(pipe_ends[1], same ? dir : "?", same ? strlen(dir) : 1);
        exit(n > 0 ? 0 : 1);
    }
    assert_int_equal(proc_wait(pid, 10000), 0);
    assert_true(read(pipe_ends[0], path, sizeof(path) - 1) > 1);
    assert_int_equal(path[0], '/');
    assert_int_equal(access(path, F_OK), -1);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proc_keeps_both_outputs_and_the_status),
        cmocka_unit_test(proc_takes_output_larger_than_a_pipe),
        cmocka_unit_test(proc_names_the_signal_that_ended_a_program),
        cmocka_unit_test(proc_says_when_there_is_no_such_program),
        cmocka_unit_test(proc_ends_what_passes_its_deadline),
        cmocka_unit_test(proc_gives_input_environment_and_directory),
        cmocka_unit_test(proc_start_runs_beside_the_test_and_stops),
        cmocka_unit_test(wait_ends_at_the_condition_or_the_deadline),
        cmocka_unit_test(tmpdir_is_gone_when_its_program_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
