#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "tests/engine/fixture_backup.h"
#include "tests/harness/proc.h"

#define SEEDED 3000

/* The server's own client in the background with one command. */
static pid_t start_client(struct lab *lab, size_t node, const char *const *words)
{
    const char *argv[16];
    char path[LAB_PATH];
    char port[8];
    size_t n = 0;

    lab_client_path(lab, path);
    (void)snprintf(port, sizeof(port), "%d", lab_port(lab, node));
    argv[n++] = path;
    argv[n++] = "-p";
    argv[n++] = port;
    while (n < 15 && *words != NULL)
        argv[n++] = *words++;
    argv[n] = NULL;
    return proc_start(argv, NULL, NULL);
}

/* Until node 0 says `word` about a key of its own, or does no more. */
static void wait_until_says(struct lab *lab, const char *word, bool says)
{
    int64_t deadline = clock_after(20000);
    bool now = !says;

    while (now != says && clock_mono_ms() < deadline) {
        char *answer = lab_cli(lab, 0, "TYPE", "{bar}", NULL);

        now = answer != NULL && strncmp(answer, word, strlen(word)) == 0;
        free(answer);
        clock_sleep_ms(20);
    }
    assert_int_equal(now, says);
}

static long long lab_dbsize(struct lab *lab, size_t node)
{
    char *answer = lab_cli(lab, node, "DBSIZE", NULL);
    long long keys = answer != NULL ? strtoll(answer, NULL, 10) : -1;

    free(answer);
    return keys;
}

static void hold(int64_t ms)
{
    int64_t end = clock_after(ms);

    while (clock_mono_ms() < end)
        clock_sleep_ms(50);
}

static struct lab *seeded_lab(void)
{
    struct lab *lab = lab_start(&(struct lab_options){.replicas = -1});

    assert_non_null(lab);
    assert_true(lab_seed(lab, SEEDED));
    assert_true(lab_wait_ok(lab, 10000));
    return lab;
}

/* Waited for, not started again: one reading, every key, nothing unreadable. */
static void expect_one_reading(struct background *b, struct setting *s)
{
    wait_for_end(b);
    assert_true(b->done.manifest->complete);
    assert_int_equal(b->done.rounds, 1);
    assert_int_equal(b->done.manifest->totals.unreadable, 0);
    assert_int_equal(b->done.manifest->totals.keys, lab_keys(s->lab));
    expect_all_seeded(s, b->done.manifest, SEEDED);
    background_release(b);
    lab_stop(s->lab);
}

static void a_script_that_blocks_a_node_is_waited_for(void **state)
{
    struct lab *lab = seeded_lab();
    struct background b;
    struct setting s;
    pid_t client;

    (void)state;
    setting_init(&s, lab);
    CLI_ON(lab, 0, "OK", "CONFIG", "SET", "busy-reply-threshold", "100");
    assert_true(start_slowly(&b, &s));
    client = start_client(lab, 0, (const char *const[]){"EVAL", "while true do end", "0", NULL});
    assert_true(client > 0);
    wait_until_says(lab, "BUSY", true);
    hold(4000);
    CLI_ON(lab, 0, "OK", "SCRIPT", "KILL");
    (void)proc_stop(client, SIGTERM);
    expect_one_reading(&b, &s);
}

static void a_node_that_loads_its_data_is_waited_for(void **state)
{
    struct lab *lab = seeded_lab();
    struct background b;
    struct setting s;
    pid_t client;

    (void)state;
    setting_init(&s, lab);
    CLI_ON(lab, 0, "OK", "CONFIG", "SET", "key-load-delay", "600");
    CLI_ON(lab, 0, "OK", "CONFIG", "SET", "loading-process-events-interval-bytes", "1024");
    assert_true(start_slowly(&b, &s));
    client = start_client(lab, 0, (const char *const[]){"DEBUG", "RELOAD", NULL});
    assert_true(client > 0);
    wait_until_says(lab, "LOADING", true);
    wait_until_says(lab, "LOADING", false);
    (void)proc_stop(client, SIGTERM);
    expect_one_reading(&b, &s);
}

static void a_cluster_without_quorum_is_waited_for(void **state)
{
    struct lab *lab = seeded_lab();
    struct background b;
    struct setting s;

    (void)state;
    setting_init(&s, lab);
    must(filter_set_slots(&s.backup.filter, "0-5460", &why));
    assert_true(start_slowly(&b, &s));
    assert_true(lab_pause(lab, 1) && lab_pause(lab, 2));
    wait_until_says(lab, "CLUSTERDOWN", true);
    hold(1000);
    assert_true(lab_resume(lab, 1) && lab_resume(lab, 2));
    wait_for_end(&b);
    assert_true(b.done.manifest->complete);
    assert_int_equal(b.done.rounds, 1);
    assert_int_equal(b.done.manifest->totals.unreadable, 0);
    assert_int_equal(b.done.manifest->totals.keys, lab_dbsize(lab, 0));
    background_release(&b);
    lab_stop(lab);
}

static void an_outage_that_lasts_too_long_stops_the_backup(void **state)
{
    struct lab *lab = seeded_lab();
    struct background b;
    struct setting s;
    pid_t client;

    (void)state;
    setting_init(&s, lab);
    s.backup.outage_timeout_ms = 2000;
    CLI_ON(lab, 0, "OK", "CONFIG", "SET", "busy-reply-threshold", "100");
    assert_true(start_slowly(&b, &s));
    client = start_client(lab, 0, (const char *const[]){"EVAL", "while true do end", "0", NULL});
    assert_true(client > 0);
    wait_for_failure(&b, ERROR_UNREACHABLE);
    assert_int_equal(error_exit_status(b.err.code), 3);
    assert_non_null(strstr(b.err.text, "BUSY"));
    assert_null(b.done.manifest);
    CLI_ON(lab, 0, "OK", "SCRIPT", "KILL");
    (void)proc_stop(client, SIGTERM);
    background_release(&b);
    lab_stop(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_script_that_blocks_a_node_is_waited_for),
        cmocka_unit_test(a_node_that_loads_its_data_is_waited_for),
        cmocka_unit_test(a_cluster_without_quorum_is_waited_for),
        cmocka_unit_test(an_outage_that_lasts_too_long_stops_the_backup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
