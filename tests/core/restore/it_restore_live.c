/*
 * it_restore_live.c - restores into a cluster that does not hold still: a primary dies and takes
 * writes with it, a slot moves, another client writes. Asked afterwards by the servers' own client.
 */
#include "tests/engine/restore_kit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "core/base/clock.h"
#include "core/jobs/progress.h"
#include "core/jobs/task_internal.h"
#include "core/redis/slot.h"
#include "tests/harness/lab.h"
#include "tests/harness/wait.h"

#define STRINGS 4000
#define LISTS 20
#define ITEMS 6000
#define MOVED 400

static struct lab *lab;

/* ---- a restore that runs beside the test ------------------------------------------------------
 */

static void start(struct kit_run *b, const char *dir, enum restore_policy policy, uint64_t rate)
{
    memset(b, 0, sizeof(*b));
    kit_open(&b->kit, dir, (uint16_t)lab_port(lab, 1));
    b->kit.target.outage_timeout_ms = 40000;
    b->kit.options.policy = policy;
    b->kit.options.rate = rate;
    kit_run_begin(b);
}

static void finish(struct kit_run *b)
{
    kit_run_join(b);
    if (!b->ok)
        fail_msg("%s", b->kit.err.text);
}

struct another_client {
    pthread_t thread;
    _Atomic bool stop;
    long acknowledged;
};

/* Counts up under a name that the backup does not have, on a shard that stays. */
static void *client_thread(void *arg)
{
    struct another_client *c = arg;

    while (!atomic_load(&c->stop)) {
        char *n = lab_cli_routed(lab, "RPUSH", "another-client:{b}", "x", NULL);

        if (n != NULL && strtol(n, NULL, 10) > 0)
            c->acknowledged = strtol(n, NULL, 10);
        free(n);
        clock_sleep_ms(20);
    }
    return NULL;
}

/* ---- what there is ----------------------------------------------------------------------------
 */

static size_t owner_of_shard(size_t shard)
{
    int node = lab_primary_of(lab, shard);

    assert_true(node >= 0);
    return (size_t)node;
}

static const char *strings_and_lists(void)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    const char *dir;

    assert_non_null(f);
    for (int i = 0; i < LISTS; i++) {
        for (int k = 0; k < STRINGS / LISTS; k++)
            fprintf(
                f,
                "{\"key\":\"str:%d\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"%d\"}\n",
                i * STRINGS / LISTS + k, k);
        fprintf(f, "{\"key\":\"list:%d\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"x\"",
                i);
        for (int k = 1; k < ITEMS; k++)
            fprintf(f, ",\"%d\"", k);
        fprintf(f, "]}\n");
    }
    assert_int_equal(fclose(f), 0);
    dir = kit_backup(text, len);
    free(text);
    return dir;
}

static void assert_all_there(void)
{
    assert_int_equal(lab_eval_sum(lab, "return #redis.call('KEYS','str:*')"), STRINGS);
    assert_int_equal(lab_eval_sum(lab, "return #redis.call('KEYS','list:*')"), LISTS);
    assert_int_equal(lab_eval_sum(lab, "return #redis.call('KEYS','\\0rbc:*')"), 0);
    assert_int_equal(lab_eval_sum(lab,
                                  "local n=0 for _,k in ipairs(redis.call('KEYS','list:*')) do "
                                  "if redis.call('LLEN',k) ~= 6000 then n=n+1 end end return n"),
                     0);
}

/* ---- a dead primary ---------------------------------------------------------------------------
 */

struct growth {
    size_t node;
    long long keys;
};

static bool has_grown(void *arg)
{
    const struct growth *g = arg;

    return lab_info_number(lab, g->node, "CLUSTER INFO", "cluster_known_nodes") > 0 &&
           lab_eval_number(lab, g->node, "return redis.call('DBSIZE')") >= g->keys;
}

static size_t replica_of(size_t node)
{
    for (size_t i = lab_shards(lab); i < lab_nodes(lab); i++)
        if (lab_info_number(lab, i, "replication", "master_port") == lab_port(lab, node))
            return i;
    fail_msg("node %zu has no replica", node);
    return 0;
}

static void flush_all(void)
{
    for (size_t i = 0; i < lab_shards(lab); i++)
        free(lab_cli(lab, owner_of_shard(i), "FLUSHALL", NULL));
}

/* The replica misses writes that the primary has acknowledged, and then is all there is. */
static void lose_a_primary_with_its_last_writes(size_t node)
{
    struct growth first = {node, 200};
    struct growth more = {node, 0};
    size_t replica = replica_of(node);

    assert_true(wait_until(has_grown, &first, 30000));
    assert_true(lab_pause(lab, replica));
    free(lab_cli(lab, node, "CLIENT", "KILL", "TYPE", "replica", NULL));
    more.keys = lab_eval_number(lab, node, "return redis.call('DBSIZE')") + 200;
    assert_true(wait_until(has_grown, &more, 30000));
    assert_true(lab_kill(lab, node));
    assert_true(lab_resume(lab, replica));
}

static void writes_that_die_with_a_primary_are_written_again(void **ctx UNUSED)
{
    const char *dir = strings_and_lists();
    struct another_client client = {0};
    struct kit_run b;
    char *n;

    flush_all();
    start(&b, dir, RESTORE_FAIL_EXISTING, 1500);
    assert_int_equal(pthread_create(&client.thread, NULL, client_thread, &client), 0);
    lose_a_primary_with_its_last_writes(0);
    finish(&b);
    atomic_store(&client.stop, true);
    assert_int_equal(pthread_join(client.thread, NULL), 0);
    assert_true(b.kit.result.rewritten > 100);
    assert_int_equal(b.kit.result.written, STRINGS + LISTS);
    assert_int_equal(restore_result_findings(&b.kit.result), 0);
    kit_close(&b.kit);
    assert_all_there();
    n = lab_cli_routed(lab, "LLEN", "another-client:{b}", NULL);
    assert_in_range(strtol(n, NULL, 10), client.acknowledged, client.acknowledged + 1);
    free(n);
    assert_true(lab_restart(lab, 0));
    assert_true(lab_wait_ok(lab, 30000));
}

/* Each bar of the restore is called by the node that owns its slots now. */
static void expect_rows_of_owners(struct task *t)
{
    struct progress view = {0};

    json_decref(task_progress_doc(t, &view));
    assert_int_equal(view.row_count, lab_shards(lab));
    for (size_t i = 0; i < lab_shards(lab); i++) {
        char name[32];
        bool there = false;

        (void)snprintf(name, sizeof(name), "127.0.0.1:%d", lab_port(lab, owner_of_shard(i)));
        for (size_t row = 0; row < view.row_count; row++)
            there = there || strcmp(view.rows[row].name, name) == 0;
        if (!there)
            fail_msg("no bar is called %s", name);
    }
    progress_release(&view);
}

static void a_planned_failover_during_a_restore_loses_nothing(void **ctx UNUSED)
{
    const char *dir = strings_and_lists();
    struct growth first = {owner_of_shard(1), 200};
    struct kit_run b;

    flush_all();
    start(&b, dir, RESTORE_OVERWRITE, 500); /* goes on for seconds after they took over */
    assert_true(wait_until(has_grown, &first, 30000));
    for (size_t i = 0; i < lab_nodes(lab); i++) /* replicas take over, primaries refuse */
        free(lab_cli(lab, i, "CLUSTER", "FAILOVER", NULL));
    finish(&b);
    assert_int_equal(restore_result_findings(&b.kit.result), 0);
    assert_true(lab_wait_ok(lab, 30000));
    expect_rows_of_owners(b.kit.task);
    kit_close(&b.kit);
    assert_all_there();
}

/* ---- a slot on the move -----------------------------------------------------------------------
 */

static const char *keys_of_one_slot(void)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    const char *dir;

    assert_non_null(f);
    for (int i = 0; i < MOVED; i++) {
        fprintf(f,
                "{\"key\":\"hash:{m}:%d\",\"type\":\"hash\",\"ttl_millis\":null,"
                "\"value\":{\"a\":\"1\",\"b\":\"2\"}}\n",
                i);
        if (i % 20 != 0)
            continue;
        fprintf(f,
                "{\"key\":\"list:{m}:%d\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"x\"",
                i);
        for (int k = 1; k < ITEMS; k++)
            fprintf(f, ",\"%d\"", k);
        fprintf(f, "]}\n");
    }
    assert_int_equal(fclose(f), 0);
    dir = kit_backup(text, len);
    free(text);
    return dir;
}

static void cli_free(size_t node, const char *const *argv)
{
    char *said = lab_cli_argv(lab, node, argv);

    assert_non_null(said);
    free(said);
}
#define CLI(node, ...) cli_free(node, (const char *const[]){__VA_ARGS__, NULL})

/* Keys one after another, as redis-cli --cluster reshard does it. */
static void move_keys(const char *slot, size_t from, size_t to)
{
    char port[16];

    (void)snprintf(port, sizeof(port), "%d", lab_port(lab, to));
    for (;;) {
        char *key = lab_cli(lab, from, "CLUSTER", "GETKEYSINSLOT", slot, "1", NULL);
        bool end = key == NULL || key[0] == '\0';

        if (!end && key[1] != '\0')
            CLI(from, "MIGRATE", "127.0.0.1", port, key, "0", "5000");
        free(key);
        if (end)
            return;
    }
}

static void move_slot(uint16_t number, size_t from, size_t to)
{
    char *source = lab_cli(lab, from, "CLUSTER", "MYID", NULL);
    char *target = lab_cli(lab, to, "CLUSTER", "MYID", NULL);
    char slot[8];

    (void)snprintf(slot, sizeof(slot), "%u", (unsigned)number);
    CLI(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", source);
    CLI(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", target);
    move_keys(slot, from, to);
    CLI(to, "CLUSTER", "SETSLOT", slot, "NODE", target);
    CLI(from, "CLUSTER", "SETSLOT", slot, "NODE", target);
    free(source);
    free(target);
}

static void a_slot_that_moves_during_a_restore_comes_out_whole(void **ctx UNUSED)
{
    const char *dir = keys_of_one_slot();
    uint16_t slot = slot_of_key(STR("{m}"));
    size_t shard = slot < 5461 ? 0 : slot < 10923 ? 1 : 2;
    size_t from = owner_of_shard(shard);
    size_t to = owner_of_shard((shard + 1) % 3);
    struct growth first = {from, 60};
    struct kit_run b;

    for (int policy = 0; policy < 2; policy++) {
        flush_all();
        start(&b, dir, policy == 0 ? RESTORE_FAIL_EXISTING : RESTORE_OVERWRITE, 200);
        assert_true(wait_until(has_grown, &first, 30000));
        move_slot(slot, first.node, first.node == from ? to : from);
        first.node = first.node == from ? to : from;
        finish(&b);
        assert_int_equal(restore_result_findings(&b.kit.result), 0);
        assert_int_equal(b.kit.result.written, MOVED + MOVED / 20);
        kit_close(&b.kit);
        assert_int_equal(lab_eval_number(lab, first.node, "return redis.call('DBSIZE')"),
                         MOVED + MOVED / 20);
        assert_int_equal(
            lab_eval_number(lab, first.node,
                            "local n=0 for _,k in ipairs(redis.call('KEYS','list:*')) do "
                            "n=n+redis.call('LLEN',k) end return n"),
            ITEMS * MOVED / 20);
    }
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
        cmocka_unit_test(a_slot_that_moves_during_a_restore_comes_out_whole),
        cmocka_unit_test(writes_that_die_with_a_primary_are_written_again),
        cmocka_unit_test(a_planned_failover_during_a_restore_loses_nothing),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
