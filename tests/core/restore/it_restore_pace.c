/*
 * it_restore_pace.c - a replica that stops for a while during a restore. Without pacing its primary
 * drops it and it copies everything anew; with pacing the restore waits for it, says so, and
 * nothing is dropped. A replica that stays away holds nothing up for ever.
 */
#include "tests/engine/restore_kit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "core/base/clock.h"
#include "core/jobs/progress.h"
#include "core/jobs/task_internal.h"
#include "tests/harness/lab.h"
#include "tests/harness/wait.h"

#define KEYS 6000
#define VALUE 8192 /* 48 MB in all: more than the sockets between the two hold */
#define LONG_MS 60000

static struct lab *lab;
static const char *backup;

static const char *many_bytes(void)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    const char *dir;

    assert_non_null(f);
    for (int i = 0; i < KEYS; i++) {
        fprintf(f, "{\"key\":\"k:%d\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"", i);
        for (int k = 0; k < VALUE; k++)
            fputc('a' + (i + k) % 26, f);
        fprintf(f, "\"}\n");
    }
    assert_int_equal(fclose(f), 0);
    dir = kit_backup(text, len);
    free(text);
    return dir;
}

static int start_lab(void **ctx UNUSED)
{
    backup = many_bytes();
    lab = lab_start(&(struct lab_options){.kind = LAB_SINGLE, .replicas = 1});
    if (lab == NULL)
        return -1;
    free(lab_cli(lab, 0, "CONFIG", "SET", "client-output-buffer-limit", "replica 2mb 1mb 1", NULL));
    free(lab_cli(lab, 0, "CONFIG", "SET", "repl-backlog-size", "1mb", NULL));
    free(lab_cli(lab, 0, "CONFIG", "SET", "repl-timeout", "600", NULL));
    return 0;
}

static int stop_lab(void **ctx UNUSED)
{
    lab_stop(lab);
    return 0;
}

/* ---- a restore that runs beside the test ----------------------------------------------------- */

static void start(struct kit_run *b, bool unpaced, int outage_ms)
{
    memset(b, 0, sizeof(*b));
    kit_open(&b->kit, backup, (uint16_t)lab_port(lab, 0));
    b->kit.target.outage_timeout_ms = outage_ms;
    b->kit.options.policy = RESTORE_OVERWRITE;
    b->kit.options.unpaced = unpaced;
    kit_run_begin(b);
}

static void finish(struct kit_run *b)
{
    kit_run_join(b);
    if (!b->ok)
        fail_msg("%s", b->kit.err.text);
    assert_int_equal(b->kit.result.written, KEYS);
    kit_close(&b->kit);
}

static bool is_done(void *arg)
{
    return atomic_load(&((struct kit_run *)arg)->done);
}

/* What the jobs screen shows beside the primary. */
static bool says_that_it_waits(void *arg)
{
    struct kit_run *b = arg;
    struct progress view = {0};
    char want[80];
    bool says;

    json_decref(task_progress_doc(b->kit.task, &view));
    (void)snprintf(want, sizeof(want), "waiting for replica 127.0.0.1:%d", lab_port(lab, 1));
    says = view.row_count > 0 && strcmp(view.rows[0].word, want) == 0;
    progress_release(&view);
    return says;
}

static long long full_syncs(void)
{
    return lab_info_number(lab, 0, "stats", "sync_full");
}

static bool is_linked(void *arg UNUSED)
{
    char *said = lab_cli(lab, 1, "INFO", "replication", NULL);
    bool up = said != NULL && strstr(said, "master_link_status:up") != NULL;

    free(said);
    return up && lab_info_number(lab, 1, "replication", "slave_repl_offset") >=
                     lab_info_number(lab, 0, "replication", "master_repl_offset");
}

static bool has_lost_it(void *arg UNUSED)
{
    return lab_info_number(lab, 0, "replication", "connected_slaves") == 0;
}

static void begin(void)
{
    free(lab_cli(lab, 0, "FLUSHALL", NULL));
    assert_true(wait_until(is_linked, NULL, LONG_MS));
}

/* ---- tests ------------------------------------------------------------------------------------
 */

static void without_pacing_a_replica_that_stops_is_dropped(void **ctx UNUSED)
{
    struct kit_run b;
    long long before;

    begin();
    before = full_syncs();
    assert_true(lab_pause(lab, 1));
    start(&b, true, 30000);
    assert_true(wait_until(has_lost_it, NULL, LONG_MS));
    assert_true(lab_resume(lab, 1));
    finish(&b);
    assert_true(wait_until(is_linked, NULL, LONG_MS));
    assert_true(full_syncs() > before);
}

static void with_pacing_the_restore_waits_and_nothing_is_dropped(void **ctx UNUSED)
{
    struct kit_run b;
    long long before;
    long long keys;

    begin();
    before = full_syncs();
    assert_true(lab_pause(lab, 1));
    start(&b, false, 120000);
    assert_true(wait_until(says_that_it_waits, &b, LONG_MS));
    keys = lab_keys(lab);
    assert_true(keys < KEYS / 2);
    clock_sleep_ms(300); /* a while in which nothing may be written */
    assert_int_equal(lab_keys(lab), keys);
    assert_false(atomic_load(&b.done));
    assert_true(lab_resume(lab, 1));
    finish(&b);
    assert_true(wait_until(is_linked, NULL, LONG_MS));
    assert_int_equal(full_syncs(), before);
}

static void a_replica_that_never_comes_back_is_given_up_and_the_restore_ends(void **ctx UNUSED)
{
    struct kit_run b;

    begin();
    assert_true(lab_pause(lab, 1));
    start(&b, false, 1500);
    assert_true(wait_until(is_done, &b, LONG_MS));
    assert_true(atomic_load(&b.kit.task->warnings) > 0);
    finish(&b);
    assert_true(lab_resume(lab, 1));
}

static void a_cancel_is_heard_while_a_replica_is_waited_for(void **ctx UNUSED)
{
    struct kit_run b;
    int64_t asked;

    begin();
    assert_true(lab_pause(lab, 1));
    start(&b, false, 120000);
    assert_true(wait_until(says_that_it_waits, &b, LONG_MS));
    asked = clock_mono_ms();
    task_cancel(b.kit.task);
    kit_run_join(&b);
    assert_in_range(clock_mono_ms() - asked, 0, 5000);
    assert_false(b.ok);
    assert_int_equal(b.kit.err.code, ERROR_CANCELLED);
    kit_close(&b.kit);
    assert_true(lab_resume(lab, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_pacing_a_replica_that_stops_is_dropped),
        cmocka_unit_test(with_pacing_the_restore_waits_and_nothing_is_dropped),
        cmocka_unit_test(a_replica_that_never_comes_back_is_given_up_and_the_restore_ends),
        cmocka_unit_test(a_cancel_is_heard_while_a_replica_is_waited_for),
    };

    return cmocka_run_group_tests(tests, start_lab, stop_lab);
}
