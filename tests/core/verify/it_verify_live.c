/*
 * it_verify_live.c - verification while the cluster and its clients go on: a failover, slots that
 * move, keys that never rest, a cancel in the middle.
 */
#include "tests/engine/restore_kit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "core/base/clock.h"
#include "core/verify/verify.h"
#include "tests/harness/lab.h"
#include "tests/harness/wait.h"

#define KEYS 3000

static struct lab *lab;
static const char *backup;

static const char *make_backup(void)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    const char *dir;

    assert_non_null(f);
    for (int i = 0; i < KEYS; i++)
        fprintf(
            f,
            "{\"key\":\"key:%d\",\"type\":\"hash\",\"ttl_millis\":null,\"value\":{\"a\":\"1\"}}\n",
            i);
    assert_int_equal(fclose(f), 0);
    dir = kit_backup(text, len);
    free(text);
    return dir;
}

static void restore_all(void)
{
    struct kit k;

    kit_open(&k, backup, (uint16_t)lab_port(lab, 0));
    k.options.policy = RESTORE_OVERWRITE;
    if (!kit_restore(&k))
        fail_msg("%s", k.err.text);
    kit_close(&k);
}

/* ---- over and over, while something happens
 * ------------------------------------------------------
 */

struct watch {
    struct kit kit;
    struct verify_options options;
    _Atomic bool stop;
    _Atomic unsigned runs;
    uint64_t findings;
    char text[500];
    pthread_t thread;
};

static void *verify_on(void *arg)
{
    struct watch *w = arg;

    while (!atomic_load(&w->stop) && w->text[0] == '\0') {
        struct verify_report r;

        if (!verify_run(w->kit.source, &w->kit.target, &w->options, w->kit.task, &r, &w->kit.err))
            (void)snprintf(w->text, sizeof(w->text), "%s", w->kit.err.text);
        w->findings += verify_report_findings(&r);
        if (r.finding_count > 0)
            (void)snprintf(w->text, sizeof(w->text), "%s: %s", r.findings[0].key,
                           r.findings[0].detail);
        verify_report_release(&r);
        atomic_fetch_add(&w->runs, 1);
    }
    return NULL;
}

static void start(struct watch *w)
{
    *w = (struct watch){
        .options = {.extent = VERIFY_FULL, .rounds = 3, .extra = true, .tolerance_ms = 1000}};
    kit_open(&w->kit, backup, (uint16_t)lab_port(lab, 0));
    w->kit.target.outage_timeout_ms = 60000;
    assert_int_equal(pthread_create(&w->thread, NULL, verify_on, w), 0);
}

static void wait_runs(struct watch *w, unsigned more)
{
    unsigned until = atomic_load(&w->runs) + more;
    int64_t deadline = clock_after(120000);

    while (atomic_load(&w->runs) < until && clock_mono_ms() < deadline)
        clock_sleep_ms(10);
}

static void finish(struct watch *w)
{
    wait_runs(w, 2); /* also one that began after all of it */
    atomic_store(&w->stop, true);
    assert_int_equal(pthread_join(w->thread, NULL), 0);
    if (w->text[0] != '\0')
        fail_msg("%s", w->text);
    assert_int_equal(w->findings, 0);
    assert_true(atomic_load(&w->runs) >= 2);
    kit_close(&w->kit);
}

static void expect_ok(size_t node, const char *const *argv)
{
    char *said = lab_cli_argv(lab, node, argv);

    assert_non_null(said);
    if (strncmp(said, "OK", 2) != 0 && strncmp(said, "NOKEY", 5) != 0)
        fail_msg("%s %s: %s", argv[0], argv[1], said);
    free(said);
}
#define EXPECT_OK(node, ...) expect_ok(node, (const char *const[12]){__VA_ARGS__})

static void slots_that_move_make_no_findings(void **ctx UNUSED)
{
    struct watch w;
    char *ids[2] = {lab_cli(lab, 0, "CLUSTER", "MYID", NULL),
                    lab_cli(lab, 1, "CLUSTER", "MYID", NULL)};
    char port[16];

    restore_all();
    start(&w);
    (void)snprintf(port, sizeof(port), "%d", lab_port(lab, 1));
    for (int slot = 100; slot < 130; slot++) {
        char text[16];
        char *keys;
        char *rest;
        char *key;

        (void)snprintf(text, sizeof(text), "%d", slot);
        EXPECT_OK(1, "CLUSTER", "SETSLOT", text, "IMPORTING", ids[0]);
        EXPECT_OK(0, "CLUSTER", "SETSLOT", text, "MIGRATING", ids[1]);
        keys = lab_cli(lab, 0, "CLUSTER", "GETKEYSINSLOT", text, "100", NULL);
        rest = keys;
        while ((key = strsep(&rest, "\n")) != NULL)
            if (key[0] != '\0')
                EXPECT_OK(0, "MIGRATE", "127.0.0.1", port, key, "0", "5000");
        free(keys);
        EXPECT_OK(1, "CLUSTER", "SETSLOT", text, "NODE", ids[1]);
        EXPECT_OK(0, "CLUSTER", "SETSLOT", text, "NODE", ids[1]);
        EXPECT_OK(2, "CLUSTER", "SETSLOT", text, "NODE", ids[1]);
    }
    finish(&w);
    free(ids[0]);
    free(ids[1]);
}

static void a_failover_makes_no_findings(void **ctx UNUSED)
{
    struct watch w;
    size_t replica = 3; /* of the first shard */
    int64_t deadline = clock_after(60000);

    restore_all();
    start(&w);
    wait_runs(&w, 1);
    EXPECT_OK(replica, "CLUSTER", "FAILOVER");
    while (lab_primary_of(lab, 0) != (int)replica && clock_mono_ms() < deadline)
        clock_sleep_ms(50);
    assert_int_equal(lab_primary_of(lab, 0), replica);
    finish(&w);
}

/* ---- keys that never rest
 * -------------------------------------------------------------------------
 */

static void *restless(void *arg)
{
    _Atomic bool *stop = arg;

    for (int i = 0; !atomic_load(stop); i++) {
        char value[24];

        (void)snprintf(value, sizeof(value), "w%d", i);
        free(lab_cli_routed(lab, "HSET", "key:7", "a", value, NULL));
    }
    return NULL;
}

static void a_key_that_clients_keep_changing_is_said_to_be_changing(void **ctx UNUSED)
{
    struct verify_options o = {.extent = VERIFY_FULL, .rounds = 3, .tolerance_ms = 1000};
    struct verify_report r;
    struct kit k;
    _Atomic bool stop = false;
    pthread_t thread;

    restore_all();
    free(lab_cli_routed(lab, "HSET", "key:7", "a", "w", NULL));
    free(lab_cli_routed(lab, "HSET", "key:8", "a", "w", NULL)); /* and stays so */
    assert_int_equal(pthread_create(&thread, NULL, restless, &stop), 0);
    kit_open(&k, backup, (uint16_t)lab_port(lab, 0));
    if (!verify_run(k.source, &k.target, &o, k.task, &r, &k.err))
        fail_msg("%s", k.err.text);
    atomic_store(&stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(r.found, 2);
    assert_int_equal(r.changing, 1);
    assert_int_equal(r.rounds, 3);
    assert_int_equal(r.looked_again, 2);
    for (size_t i = 0; i < r.finding_count; i++)
        assert_int_equal(strstr(r.findings[i].detail, "it changed since the round before") != NULL,
                         strcmp(r.findings[i].key, "key:7") == 0);
    verify_report_release(&r);
    kit_close(&k);
}

/* ---- a dead node
 * --------------------------------------------------------------------------------------
 */

static bool has_another_primary(void *arg)
{
    const size_t *was = arg; /* shard, node */
    int now = lab_primary_of(lab, was[0]);

    return now >= 0 && (size_t)now != was[1];
}

/* Its replica has taken over: nobody can ask it, and nobody needs to. */
static void a_dead_primary_that_lost_its_slots_is_not_waited_for(void **ctx UNUSED)
{
    size_t was[2] = {0, (size_t)lab_primary_of(lab, 0)};
    struct verify_options o = {
        .extent = VERIFY_FULL, .rounds = 1, .extra = true, .tolerance_ms = 1000};
    struct verify_report r;
    struct kit k;

    restore_all();
    if (was[1] == 0) { /* which the tests connect to */
        was[0] = 1;
        was[1] = (size_t)lab_primary_of(lab, 1);
    }
    assert_true(lab_kill(lab, was[1]));
    assert_true(wait_until(has_another_primary, was, 30000));
    kit_open(&k, backup, (uint16_t)lab_port(lab, 0));
    k.target.outage_timeout_ms = 8000;
    if (!verify_run(k.source, &k.target, &o, k.task, &r, &k.err))
        fail_msg("%s", k.err.text);
    assert_int_equal(r.checked, KEYS);
    assert_int_equal(verify_report_findings(&r), 0);
    assert_true(r.placement);
    verify_report_release(&r);
    kit_close(&k);
    assert_true(lab_restart(lab, was[1]));
    assert_true(lab_wait_ok(lab, 30000));
}

/* ---- cancel
 * --------------------------------------------------------------------------------------
 */

static void *run_once(void *arg)
{
    struct watch *w = arg;
    struct verify_report r;

    if (!verify_run(w->kit.source, &w->kit.target, &w->options, w->kit.task, &r, &w->kit.err))
        (void)snprintf(w->text, sizeof(w->text), "%s", w->kit.err.text);
    verify_report_release(&r);
    return NULL;
}

/* In the pause before the next of very many rounds. */
static void a_cancel_between_rounds_is_heard_within_a_second(void **ctx UNUSED)
{
    struct watch w = {.options = {.extent = VERIFY_FULL, .rounds = 100, .tolerance_ms = 1000}};
    int64_t asked;

    restore_all();
    free(lab_cli_routed(lab, "HSET", "key:8", "a", "w", NULL));
    kit_open(&w.kit, backup, (uint16_t)lab_port(lab, 0));
    assert_int_equal(pthread_create(&w.thread, NULL, run_once, &w), 0);
    clock_sleep_ms(1500); /* wherever it is then */
    asked = clock_mono_ms();
    task_cancel(w.kit.task);
    assert_int_equal(pthread_join(w.thread, NULL), 0);
    assert_true(clock_mono_ms() - asked < 1000);
    assert_int_equal(w.kit.err.code, ERROR_CANCELLED);
    kit_close(&w.kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_that_clients_keep_changing_is_said_to_be_changing),
        cmocka_unit_test(a_cancel_between_rounds_is_heard_within_a_second),
        cmocka_unit_test(slots_that_move_make_no_findings),
        cmocka_unit_test(a_failover_makes_no_findings),
        cmocka_unit_test(a_dead_primary_that_lost_its_slots_is_not_waited_for),
    };
    int failed;

    lab = lab_start(&(struct lab_options){0});
    if (lab == NULL)
        return 1;
    backup = make_backup();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    lab_stop(lab);
    return failed;
}
