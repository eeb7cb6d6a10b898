#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "tests/harness/lab.h"
#include "tests/harness/proc.h"
#include "tests/harness/tmpdir.h"
#include "tests/harness/wait.h"

#define AT_ONCE 250000
#define LIMIT_KIB 262144L /* 256 MiB, the default of --max-memory */

static struct lab *lab;

static int stop(void **state UNUSED)
{
    lab_stop(lab);
    lab = NULL;
    return 0;
}

/* The sizes that the promise names; without FAULTS=full a share of them. */
static int full(int all, int share)
{
    const char *wanted = getenv("FAULTS");

    return wanted != NULL && strcmp(wanted, "full") == 0 ? all : share;
}

static void start(void)
{
    lab = lab_start(&(struct lab_options){.kind = LAB_SINGLE, .replicas = -1});
    assert_non_null(lab);
}

/* The most memory that the process has had so far; 0 once it is gone. */
static long high_water_kib(pid_t pid)
{
    char path[64];
    char line[256];
    long kib = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    (void)fclose(file);
    return kib;
}

/* A backup of the whole lab; how much memory it took. */
static long back_up(void)
{
    const char *argv[] = {
        proc_rbconsole(), "-c",       lab_config_file(lab), "--state-dir", tmpdir_new(), "backup",
        "--no-upload",    "--no-dir", "--backup-dir",       tmpdir_new(),  NULL};
    const char *said = tmpdir_path(tmpdir_new(), "said");
    pid_t pid = proc_start(argv, &(struct proc_options){0}, said);
    long most = 0;

    assert_true(pid > 0);
    while (proc_alive(pid)) {
        const struct timespec pause = {.tv_nsec = 20000000};
        long now = high_water_kib(pid);

        most = now > most ? now : most;
        (void)nanosleep(&pause, NULL);
    }
    assert_int_equal(proc_wait(pid, 10000), 0);
    return most;
}

static void expect_below_the_limit(const char *what)
{
    long kib = back_up();

    print_message("%s: %ld MiB at most\n", what, kib / 1024);
    assert_true(kib > 0);
    assert_true(kib < LIMIT_KIB);
}

static void millions_of_small_keys_stay_below_the_limit(void **state UNUSED)
{
    start();
    for (int from = 0; from < full(10000000, 500000); from += AT_ONCE) {
        char prefix[24];
        char count[16];
        char *said;

        (void)snprintf(prefix, sizeof(prefix), "key:%d", from / AT_ONCE);
        (void)snprintf(count, sizeof(count), "%d", AT_ONCE);
        said = lab_cli(lab, 0, "DEBUG", "POPULATE", count, prefix, "20", NULL);
        assert_string_equal(said, "OK");
        free(said);
    }
    expect_below_the_limit("many small keys");
}

static void a_hash_of_millions_of_fields_stays_below_the_limit(void **state UNUSED)
{
    static const char script[] =
        "for i = ARGV[1], ARGV[1] + ARGV[2] - 1 do "
        "redis.call('HSET', 'large', 'field:' .. i, 'value-' .. i) end return 'OK'";

    start();
    for (int from = 0; from < full(5000000, 500000); from += AT_ONCE) {
        char first[16];
        char count[16];
        char *said;

        (void)snprintf(first, sizeof(first), "%d", from);
        (void)snprintf(count, sizeof(count), "%d", AT_ONCE);
        said = lab_cli(lab, 0, "EVAL", script, "0", first, count, NULL);
        assert_string_equal(said, "OK");
        free(said);
    }
    expect_below_the_limit("one large hash");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(millions_of_small_keys_stay_below_the_limit, stop),
        cmocka_unit_test_teardown(a_hash_of_millions_of_fields_stays_below_the_limit, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
