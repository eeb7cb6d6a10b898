/*
 * it_outages.c - fault 18 while a restore writes: a primary that loads its data, one that a script
 * blocks, a cluster without quorum, a primary whose replica is gone. A restore waits and ends as
 * if nothing had happened; when the outage outlasts its budget it stops, says how it goes on, and
 * then does. 30, 8 and 20 seconds with FAULTS=full, else 1.5.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/attr.h"
#include "core/base/clock.h"
#include "tests/faults/fixture_whole.h"
#include "tests/harness/proc.h"
#include "tests/harness/wait.h"

#define VICTIM 0 /* the primary that is struck */
#define SEEN_MS 30000
#define SHORT_BUDGET "2" /* seconds */

static struct whole whole;
static char rate[24]; /* long enough to be struck: eight seconds for all keys, or four */

/* ---- the outages --------------------------------------------------------------------------------
 */

static pid_t client; /* whose command keeps the server busy */

/* The server's own client in the background with one command to the victim. */
static void ask_victim(const char *const *words)
{
    const char *argv[12];
    char path[LAB_PATH];
    char port[8];
    size_t n = 3;

    lab_client_path(whole.lab, path);
    (void)snprintf(port, sizeof(port), "%d", lab_port(whole.lab, VICTIM));
    argv[0] = path;
    argv[1] = "-p";
    argv[2] = port;
    while (n < COUNT_OF(argv) - 1 && *words != NULL)
        argv[n++] = *words++;
    argv[n] = NULL;
    client = proc_start(argv, NULL, NULL);
    assert_true(client > 0);
}

static void set(const char *name, const char *value)
{
    char *said = lab_cli(whole.lab, VICTIM, "CONFIG", "SET", name, value, NULL);

    assert_string_equal(said, "OK");
    free(said);
}

/* Its keys one by one, each so slowly that all of them take minutes: until it is told to hurry. */
static void begin_loading(void)
{
    set("loading-process-events-interval-bytes", "1024");
    set("key-load-delay", "20000");
    ask_victim((const char *const[]){"DEBUG", "RELOAD", NULL});
}

static void end_loading(void)
{
    set("key-load-delay", "0");
    (void)proc_wait(client, SEEN_MS);
}

static void begin_busy(void)
{
    set("busy-reply-threshold", "100");
    ask_victim((const char *const[]){"EVAL", "while true do end", "0", NULL});
}

static void end_busy(void)
{
    free(lab_cli(whole.lab, VICTIM, "SCRIPT", "KILL", NULL));
    (void)proc_wait(client, SEEN_MS);
}

static void begin_no_quorum(void)
{
    assert_true(lab_pause(whole.lab, 1) && lab_pause(whole.lab, 2));
}

static void end_no_quorum(void)
{
    assert_true(lab_resume(whole.lab, 1) && lab_resume(whole.lab, 2));
}

static size_t replica_of_victim(void)
{
    for (size_t i = lab_shards(whole.lab); i < lab_nodes(whole.lab); i++)
        if (lab_info_number(whole.lab, i, "replication", "master_port") ==
            lab_port(whole.lab, VICTIM))
            return i;
    fail_msg("the first primary has no replica");
    return 0;
}

static void begin_no_replica(void)
{
    size_t replica = replica_of_victim();

    set("min-replicas-max-lag", "1");
    set("min-replicas-to-write", "1");
    assert_true(lab_kill(whole.lab, replica));
}

static void end_no_replica(void)
{
    for (size_t i = 0; i < lab_nodes(whole.lab); i++)
        if (lab_pid(whole.lab, i) == 0)
            assert_true(lab_restart(whole.lab, i));
}

static void after_no_replica(void)
{
    set("min-replicas-to-write", "0");
}

struct outage {
    const char *word; /* how the victim's refusal of a write begins */
    int full_ms;
    void (*begin)(void);
    void (*end)(void);
    void (*after)(void); /* once the restore has ended; may be NULL */
};

static const struct outage loading = {"LOADING", 30000, begin_loading, end_loading, NULL};
static const struct outage busy = {"BUSY", 8000, begin_busy, end_busy, NULL};
static const struct outage no_quorum = {"CLUSTERDOWN", 20000, begin_no_quorum, end_no_quorum, NULL};
static const struct outage no_replica = {"NOREPLICAS", 8000, begin_no_replica, end_no_replica,
                                         after_no_replica};

/* ---- the restore --------------------------------------------------------------------------------
 */

static bool is_refused(void *arg)
{
    const struct outage *o = arg;
    char *said = lab_cli(whole.lab, VICTIM, "PEXPIRE", "{bar}", "1000", NULL);
    bool yes = said != NULL && strncmp(said, o->word, strlen(o->word)) == 0;

    free(said);
    return yes;
}

static void begin(const struct outage *o)
{
    struct outage copy = *o;

    o->begin();
    assert_true(wait_until(is_refused, &copy, SEEN_MS));
}

/* The outage's own length. */
static void hold(const struct outage *o)
{
    int64_t end = clock_after(faults_full() ? o->full_ms : 1500);

    while (clock_mono_ms() < end)
        clock_sleep_ms(50);
}

static void finish(const struct outage *o)
{
    if (o->after != NULL)
        o->after();
}

static pid_t start(struct program *p, const char *budget)
{
    return program_start(p, (const char *const[]){"restore", "-i", whole.backup, "--rate", rate,
                                                  "--outage-timeout", budget, NULL});
}

/* Everything was written by one run, and nothing failed on the way. */
static void expect_one_run(const struct program *p, pid_t pid)
{
    char *summary = mem_format("written=%lld existing=0 expired=0 failed=0", whole.keys);

    program_expect(p, pid, 0, summary);
    whole_expect(&whole);
    free(summary);
}

static void is_waited_for(const struct outage *o)
{
    struct program p = program_new(&whole);
    pid_t pid;

    whole_flush(&whole);
    pid = start(&p, "120");
    assert_true(program_reaches(&whole, pid, whole.keys * 3 / 10));
    begin(o);
    hold(o);
    assert_true(proc_alive(pid));
    o->end();
    expect_one_run(&p, pid);
    finish(o);
}

/* The survey, too, meets what a restore meets. */
static void is_waited_for_from_the_start(const struct outage *o)
{
    struct program p = program_new(&whole);
    pid_t pid;

    whole_flush(&whole);
    begin(o);
    pid = start(&p, "120");
    hold(o);
    assert_true(proc_alive(pid));
    o->end();
    expect_one_run(&p, pid);
    finish(o);
}

static void stops_and_goes_on(const struct outage *o)
{
    struct program p = program_new(&whole);
    pid_t pid;

    whole_flush(&whole);
    pid = start(&p, SHORT_BUDGET);
    assert_true(program_reaches(&whole, pid, whole.keys * 3 / 10));
    begin(o);
    program_expect(&p, pid, 3, "restore --resume R-0001");
    o->end();
    finish(o);
    assert_true(lab_wait_ok(whole.lab, 60000));
    assert_true(lab_keys(whole.lab) < whole.keys);
    pid = program_start(&p, (const char *const[]){"restore", "--resume", "R-0001", NULL});
    program_expect(&p, pid, 0, "failed=0");
    whole_expect(&whole);
}

static void a_primary_that_loads_its_data_is_waited_for(void **ctx UNUSED)
{
    is_waited_for(&loading);
}

static void a_script_that_blocks_a_primary_is_waited_for(void **ctx UNUSED)
{
    is_waited_for(&busy);
    is_waited_for_from_the_start(&busy);
}

static void a_cluster_without_quorum_is_waited_for(void **ctx UNUSED)
{
    is_waited_for(&no_quorum);
    is_waited_for_from_the_start(&no_quorum);
}

static void a_primary_that_wants_its_replica_is_waited_for(void **ctx UNUSED)
{
    is_waited_for(&no_replica);
}

static void loading_for_too_long_stops_a_restore_that_then_goes_on(void **ctx UNUSED)
{
    stops_and_goes_on(&loading);
}

static void a_script_for_too_long_stops_a_restore_that_then_goes_on(void **ctx UNUSED)
{
    stops_and_goes_on(&busy);
}

static void no_quorum_for_too_long_stops_a_restore_that_then_goes_on(void **ctx UNUSED)
{
    stops_and_goes_on(&no_quorum);
}

static void no_replica_for_too_long_stops_a_restore_that_then_goes_on(void **ctx UNUSED)
{
    stops_and_goes_on(&no_replica);
}

/* ---- the lab ------------------------------------------------------------------------------------
 */

static int set_up(void **ctx UNUSED)
{
    if (!whole_start(&whole, &(struct lab_options){0}))
        return -1;
    (void)snprintf(rate, sizeof(rate), "%lld", whole.keys / (faults_full() ? 8 : 4));
    return 0;
}

static int tear_down(void **ctx UNUSED)
{
    lab_stop(whole.lab);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_primary_that_loads_its_data_is_waited_for),
        cmocka_unit_test(a_script_that_blocks_a_primary_is_waited_for),
        cmocka_unit_test(a_cluster_without_quorum_is_waited_for),
        cmocka_unit_test(a_primary_that_wants_its_replica_is_waited_for),
        cmocka_unit_test(loading_for_too_long_stops_a_restore_that_then_goes_on),
        cmocka_unit_test(a_script_for_too_long_stops_a_restore_that_then_goes_on),
        cmocka_unit_test(no_quorum_for_too_long_stops_a_restore_that_then_goes_on),
        cmocka_unit_test(no_replica_for_too_long_stops_a_restore_that_then_goes_on),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
