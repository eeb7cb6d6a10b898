#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/attr.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "tests/harness/lab.h"
#include "tests/harness/proc.h"
#include "tests/harness/tmpdir.h"
#include "tests/harness/wait.h"

#define AT_ONCE 250000
#define LIMIT_KIB 262144L /* 256 MiB, the default of --max-memory */

static struct lab *lab;
static const char *jobs; /* directory */

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

/* One verb on the whole lab, its words NULL-terminated; what it said is in the file `said`. It must
 * end well, below the limit. */
static void expect_below_the_limit(const char *what, const char *said, const char *const *words)
{
    const char *argv[16] = {proc_rbconsole(), "-c", lab_config_file(lab), "--state-dir", jobs};
    size_t count = 5;
    long most = 0;
    pid_t pid;

    for (; *words != NULL; words++)
        argv[count++] = *words;
    pid = proc_start(argv, &(struct proc_options){0}, said);
    assert_true(pid > 0);
    while (proc_alive(pid)) {
        const struct timespec pause = {.tv_nsec = 20000000};
        long now = high_water_kib(pid);

        most = now > most ? now : most;
        (void)nanosleep(&pause, NULL);
    }
    assert_int_equal(proc_wait(pid, 10000), 0);
    print_message("%s, %s: %ld MiB at most\n", what, argv[5], most / 1024);
    assert_true(most > 0);
    assert_true(most < LIMIT_KIB);
}

#define VERB(what, said, ...) \
    expect_below_the_limit(what, said, (const char *const[]){__VA_ARGS__, NULL})

/* The archive's path, from what a backup said. */
static char *archive_in(const char *said)
{
    static const char label[] = "Archive: ";
    struct buf text;
    struct error err = {0};
    char *at;

    buf_init(&text, 65536);
    assert_true(file_read(said, &text, &err));
    at = strstr(text.data, label);
    assert_non_null(at);
    at += strlen(label);
    at[strcspn(at, "\n")] = '\0';
    at = mem_copy_text(at);
    buf_release(&text);
    return at;
}

/* Every engine over the same data: out, compared, digested, and in again. */
static void expect_all_below_the_limit(const char *what)
{
    const char *said;
    char *archive;
    char *emptied;

    jobs = tmpdir_new();
    said = tmpdir_path(jobs, "said");
    VERB(what, said, "backup", "--no-upload", "--no-dir", "--backup-dir", tmpdir_new());
    archive = archive_in(said);
    VERB(what, NULL, "verify", "-i", archive, "--full", "--extra");
    VERB(what, NULL, "snapshot", "--keys", "-o", tmpdir_path(jobs, "report.json"));
    VERB(what, NULL, "diff", archive, tmpdir_path(jobs, "report.json"));
    emptied = lab_cli(lab, 0, "FLUSHALL", "ASYNC", NULL);
    assert_string_equal(emptied, "OK");
    VERB(what, NULL, "restore", "-i", archive);
    free(emptied);
    free(archive);
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
    expect_all_below_the_limit("many small keys");
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
    expect_all_below_the_limit("one large hash");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(millions_of_small_keys_stay_below_the_limit, stop),
        cmocka_unit_test_teardown(a_hash_of_millions_of_fields_stays_below_the_limit, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
