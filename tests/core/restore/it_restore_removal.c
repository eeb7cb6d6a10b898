/*
 * it_restore_removal.c - the removal of what the backup lacks goes at the restore's rate, also at
 * `auto`; and a primary that dies meanwhile: what was written before is lost with it, and what was
 * removed comes back. Asked afterwards of the servers.
 */
#include "tests/engine/restore_kit.h"

#include <pthread.h>

#include "core/base/clock.h"
#include "tests/engine/fixture_backup.h"
#include "tests/harness/wait.h"

#define KEPT_TAGS 40
#define EXTRA_TAGS 50
#define EACH "40"
#define COUNT_KEPT "return #redis.call('KEYS','kept:*')"
#define COUNT_EXTRA "return #redis.call('KEYS','extra:*')"
#define DEADLINE_MS 60000

static struct lab *lab;

static size_t owner_of_shard(size_t shard)
{
    int node = lab_primary_of(lab, shard);

    assert_true(node >= 0);
    return (size_t)node;
}

static size_t replica_of(size_t node)
{
    for (size_t i = 0; i < lab_nodes(lab); i++)
        if (lab_info_number(lab, i, "replication", "master_port") == lab_port(lab, node))
            return i;
    fail_msg("node %zu has no replica", node);
    return 0;
}

/* Each shard takes the names that are its own. */
static void make_keys(const char *prefix, int tags)
{
    for (size_t i = 0; i < lab_shards(lab); i++)
        for (int k = 0; k < tags; k++) {
            char name[32];

            (void)snprintf(name, sizeof(name), "%s:{%d}", prefix, k);
            free(lab_cli(lab, owner_of_shard(i), "EVAL",
                         "for i=1," EACH " do redis.call('SET',KEYS[1]..i,'x') end return 1", "1",
                         name, NULL));
        }
}

static void flush_all(void)
{
    for (size_t i = 0; i < lab_shards(lab); i++)
        free(lab_cli(lab, owner_of_shard(i), "FLUSHALL", NULL));
}

static const char *back_up(void)
{
    struct task *task = task_new_plain();
    struct backup_result done;
    struct setting s;

    setting_init(&s, lab);
    setting_run(&s, task, &done);
    assert_true(done.manifest->complete);
    backup_result_release(&done);
    task_free(task);
    return tmpdir_path(s.dir, ID);
}

static void *restore_thread(void *arg)
{
    struct kit *k = arg;

    if (!kit_restore(k))
        print_message("%s\n", k->err.text);
    return NULL;
}

struct amount {
    size_t node;
    const char *script;
    long long most;
};

static bool is_less(void *arg)
{
    const struct amount *a = arg;
    long long n = lab_eval_number(lab, a->node, a->script);

    return n >= 0 && n < a->most;
}

static bool has_some(void *arg)
{
    return lab_eval_number(lab, *(const size_t *)arg, COUNT_KEPT) >= 30;
}

/* It knows too little to be elected, so it is told. */
static bool takes_over(void *arg)
{
    size_t node = *(const size_t *)arg;
    char *role;
    bool yes;

    free(lab_cli(lab, node, "CLUSTER", "FAILOVER", "TAKEOVER", NULL));
    role = lab_cli(lab, node, "ROLE", NULL);
    yes = role != NULL && strncmp(role, "master", 6) == 0;
    free(role);
    return yes;
}

static void what_dies_with_a_primary_during_the_removal_is_written_again(void **ctx UNUSED)
{
    size_t node = owner_of_shard(0);
    size_t replica = replica_of(node);
    struct amount extra = {.node = node, .script = COUNT_EXTRA};
    const char *dir;
    long long kept;
    struct kit k;
    pthread_t thread;

    flush_all();
    make_keys("kept", KEPT_TAGS);
    kept = lab_eval_sum(lab, COUNT_KEPT);
    assert_int_equal(kept, KEPT_TAGS * 40);
    dir = back_up();
    flush_all();
    make_keys("extra", EXTRA_TAGS);
    extra.most = lab_eval_number(lab, node, COUNT_EXTRA);
    assert_true(extra.most > 100);
    kit_open(&k, dir, (uint16_t)lab_port(lab, owner_of_shard(1)));
    k.target.outage_timeout_ms = 40000;
    k.options.exact = true;
    k.options.rate = 400;
    assert_int_equal(pthread_create(&thread, NULL, restore_thread, &k), 0);
    /* The replica sees some of the writing and nothing of the removal, and is then all there is. */
    assert_true(wait_until(has_some, &node, DEADLINE_MS));
    assert_true(lab_pause(lab, replica));
    free(lab_cli(lab, node, "CLIENT", "KILL", "TYPE", "replica", NULL));
    assert_true(wait_until(is_less, &extra, DEADLINE_MS));
    assert_int_equal(lab_eval_sum(lab, COUNT_KEPT), kept);
    assert_true(lab_kill(lab, node));
    assert_true(lab_resume(lab, replica));
    assert_true(wait_until(takes_over, &replica, DEADLINE_MS));
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(k.err.code, ERROR_NONE);
    assert_int_equal(lab_eval_sum(lab, COUNT_KEPT), kept);
    assert_int_equal(lab_eval_sum(lab, COUNT_EXTRA), 0);
    assert_true(k.result.rewritten > 0);
    assert_int_equal(k.result.written, kept);
    assert_int_equal(restore_result_findings(&k.result), 0);
    kit_close(&k);
}

/* ---- the rate ----------------------------------------------------------------------------------
 */

#define GENTLE 200 /* keys of one batch under `auto` */

static void begin_removal(struct kit *k)
{
    const char *dir;

    flush_all();
    make_keys("kept", 1);
    dir = back_up();
    flush_all();
    make_keys("extra", EXTRA_TAGS);
    kit_open(k, dir, (uint16_t)lab_port(lab, owner_of_shard(0)));
    k->options.exact = true;
}

static long long pings(size_t node)
{
    char *said = lab_cli(lab, node, "INFO", "commandstats", NULL);
    const char *at = said == NULL ? NULL : strstr(said, "cmdstat_ping:calls=");
    long long n = at == NULL ? 0 : strtoll(at + strlen("cmdstat_ping:calls="), NULL, 10);

    free(said);
    return n;
}

/* auto asks the node beside each small batch how it does. */
static void at_rate_auto_the_removal_feels_for_the_nodes_too(void **ctx UNUSED)
{
    struct kit k;

    begin_removal(&k);
    k.options.adaptive = true;
    for (size_t i = 0; i < lab_shards(lab); i++)
        free(lab_cli(lab, owner_of_shard(i), "CONFIG", "RESETSTAT", NULL));
    for (size_t i = 0; i < lab_shards(lab); i++)
        assert_true(lab_eval_number(lab, owner_of_shard(i), COUNT_EXTRA) > GENTLE);
    if (!kit_restore(&k))
        fail_msg("%s", k.err.text);
    assert_int_equal(k.result.removed, EXTRA_TAGS * 40);
    for (size_t i = 0; i < lab_shards(lab); i++)
        assert_true(pings(owner_of_shard(i)) >= 2);
    assert_int_equal(lab_eval_sum(lab, COUNT_EXTRA), 0);
    kit_close(&k);
}

static bool are_fewer(void *arg)
{
    return lab_eval_sum(lab, COUNT_EXTRA) < *(const long long *)arg;
}

static bool asked_to_stop(void *task)
{
    return task_cancelled(task);
}

/* A page of a scan has some hundred keys: they may not go in one go. */
static void at_a_rate_the_removal_is_even_and_hears_a_cancel(void **ctx UNUSED)
{
    long long all = EXTRA_TAGS * 40LL;
    struct kit_run b = {0};
    int64_t asked;

    begin_removal(&b.kit);
    b.kit.options.rate = 50;
    b.kit.target.cancel = (struct cancel){asked_to_stop, b.kit.task};
    kit_run_begin(&b);
    assert_true(wait_until(are_fewer, &all, DEADLINE_MS));
    assert_true(lab_eval_sum(lab, COUNT_EXTRA) > all - 300); /* 6 s of that rate */
    asked = clock_mono_ms();
    task_cancel(b.kit.task);
    kit_run_join(&b);
    assert_in_range(clock_mono_ms() - asked, 0, 5000);
    assert_false(b.ok);
    assert_int_equal(b.kit.err.code, ERROR_CANCELLED);
    assert_true(lab_eval_sum(lab, COUNT_EXTRA) > all - 600);
    kit_close(&b.kit);
}

static int set_up(void **ctx UNUSED)
{
    lab = lab_start(&(struct lab_options){0});
    return lab == NULL ? -1 : 0;
}

static int tear_down(void **ctx UNUSED)
{
    lab_stop(lab);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_rate_auto_the_removal_feels_for_the_nodes_too),
        cmocka_unit_test(at_a_rate_the_removal_is_even_and_hears_a_cancel),
        cmocka_unit_test(what_dies_with_a_primary_during_the_removal_is_written_again),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
