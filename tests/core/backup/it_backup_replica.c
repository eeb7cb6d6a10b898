#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "core/base/clock.h"
#include "tests/engine/fixture_backup.h"
#include "tests/harness/wait.h"

#define SEEDED 2000

static struct lab *lab;

static int stop(void **state UNUSED)
{
    lab_stop(lab);
    lab = NULL;
    return 0;
}

static bool has_event(const struct manifest *m, const char *words)
{
    for (size_t i = 0; i < m->event_count; i++)
        if (strstr(m->topology_events[i], words) != NULL)
            return true;
    return false;
}

static size_t servers(const struct manifest *m, const char *role)
{
    size_t n = 0;

    for (size_t i = 0; i < m->server_count; i++)
        n += strcmp(m->servers[i].role, role) == 0;
    return n;
}

/* How many commands of a kind a node has run. */
static long long calls(size_t node, const char *command)
{
    char name[64];
    char *said = lab_cli(lab, node, "INFO", "commandstats", NULL);
    const char *at;
    long long n = 0;

    (void)snprintf(name, sizeof(name), "cmdstat_%s:calls=", command);
    at = said != NULL ? strstr(said, name) : NULL;
    if (at != NULL)
        n = strtoll(at + strlen(name), NULL, 10);
    free(said);
    return n;
}

static void replicas_are_read_and_their_primaries_are_not(void)
{
    struct task *task = task_new_plain();
    struct backup_result done;
    struct setting s;

    setting_init(&s, lab);
    s.backup.source = BACKUP_FROM_REPLICAS;
    for (size_t i = 0; i < 6; i++)
        CLI_ON(lab, i, "OK", "CONFIG", "RESETSTAT");
    setting_run(&s, task, &done);
    assert_true(done.manifest->complete);
    assert_int_equal(done.manifest->totals.keys, lab_keys(lab));
    assert_int_equal(servers(done.manifest, "replica"), 3);
    assert_string_equal(done.manifest->options.source, "replicas");
    assert_true(has_event(done.manifest, "were read from replica"));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(calls(i, "scan"), 0);
        assert_true(calls(i + 3, "scan") > 0);
    }
    expect_all_seeded(&s, done.manifest, SEEDED);
    backup_result_release(&done);
    task_free(task);
}

/* It stops answering as a replica in the middle: its shard is read elsewhere. */
static void a_replica_that_is_killed_is_replaced(void)
{
    struct background b;
    struct setting s;

    setting_init(&s, lab);
    s.backup.source = BACKUP_FROM_AUTO;
    assert_true(start_slowly(&b, &s));
    assert_true(lab_kill(lab, 3));
    wait_for_end(&b);
    assert_true(b.done.manifest->complete);
    assert_int_equal(servers(b.done.manifest, "primary"), 1);
    assert_true(has_event(b.done.manifest, "is read again"));
    assert_true(has_event(b.done.manifest, "none of its replicas can be"));
    expect_all_seeded(&s, b.done.manifest, SEEDED);
    background_release(&b);
    assert_true(lab_restart(lab, 3));
    assert_true(lab_wait_ok(lab, 60000));
}

/* Promoted, it holds the same keys, but what it does now is not what was looked at. */
static void a_replica_that_is_promoted_is_noticed(void)
{
    struct background b;
    struct setting s;

    setting_init(&s, lab);
    s.backup.source = BACKUP_FROM_AUTO;
    assert_true(start_slowly(&b, &s));
    CLI_ON(lab, 4, "OK", "CLUSTER", "FAILOVER");
    wait_for_end(&b);
    assert_true(b.done.manifest->complete);
    assert_true(b.done.rounds >= 2);
    expect_all_seeded(&s, b.done.manifest, SEEDED);
    background_release(&b);
    assert_true(lab_wait_ok(lab, 60000));
}

/* Only replicas will do, and there is none: the time that an outage may last, then it stops; once
 * for all shards, not once for each. */
static void without_replicas_nothing_else_is_read(void)
{
    struct task *task = task_new_plain();
    struct cluster *cluster;
    struct backup_result done;
    struct setting s;
    struct error err = {0};
    int64_t start;

    for (size_t i = 0; i < 6; i++)
        if (lab_info_number(lab, i, "replication", "slave_read_only") == 1)
            assert_true(lab_kill(lab, i));
    setting_init(&s, lab);
    s.backup.source = BACKUP_FROM_REPLICAS;
    s.backup.outage_timeout_ms = 6000;
    cluster = cluster_new(&s.redis);
    must(cluster_connect(cluster, true, &why));
    start = clock_mono_ms();
    assert_false(backup_run(cluster, &s.backup, task, &done, &err));
    assert_true(clock_mono_ms() - start < 12000);
    assert_int_equal(error_exit_status(err.code), 3);
    assert_non_null(strstr(err.text, "none of its replicas could be read"));
    backup_result_release(&done);
    cluster_free(cluster);
    task_free(task);
}

static void replicas_as_a_source(void **state UNUSED)
{
    lab = lab_start(&(struct lab_options){.replicas = 1});
    assert_non_null(lab);
    assert_true(lab_seed(lab, SEEDED));
    assert_true(lab_wait_ok(lab, 20000));
    replicas_are_read_and_their_primaries_are_not();
    a_replica_that_is_killed_is_replaced();
    a_replica_that_is_promoted_is_noticed();
    without_replicas_nothing_else_is_read();
}

/* ---- a map that is not true any more ----------------------------------------------------------
 */

struct wanted {
    const char *key;
    bool there;
};

static bool replica_has(void *arg)
{
    const struct wanted *w = arg;
    char *said = lab_cli(lab, 1, "EXISTS", w->key, NULL);
    bool there = said != NULL && strcmp(said, "1") == 0;

    free(said);
    return there == w->there;
}

/* The replica goes over to a stranger whose stream is longer: by its offset alone it is near. */
static struct lab *lead_astray(void)
{
    struct lab *stranger = lab_start(&(struct lab_options){.kind = LAB_SINGLE, .replicas = -1});
    struct wanted alien = {"alien:2000", true};
    char port[12];

    assert_non_null(stranger);
    (void)snprintf(port, sizeof(port), "%d", lab_port(stranger, 0));
    CLI_ON(lab, 1, "OK", "REPLICAOF", "127.0.0.1", port);
    free(lab_cli(stranger, 0, "SET", "alien:0", "v", NULL));
    alien.key = "alien:0";
    assert_true(wait_until(replica_has, &alien, 30000));
    free(lab_cli(stranger, 0, "EVAL",
                 "for i=1,2000 do redis.call('SET','alien:'..i,string.rep('x',1000)) end", "0",
                 NULL));
    alien.key = "alien:2000";
    assert_true(wait_until(replica_has, &alien, 30000));
    return stranger;
}

static void a_replica_of_a_stranger_is_not_read(void **state UNUSED)
{
    struct task *task = task_new_plain();
    struct cluster *cluster;
    struct backup_result done;
    struct lab *stranger;
    struct setting s;
    struct wanted own = {"own", true};

    lab = lab_start(&(struct lab_options){.kind = LAB_SINGLE, .replicas = 1});
    assert_non_null(lab);
    CLI_ON(lab, 0, "OK", "SET", "own", "v");
    assert_true(wait_until(replica_has, &own, 30000));
    setting_init(&s, lab);
    s.backup.source = BACKUP_FROM_AUTO;
    cluster = cluster_new(&s.redis);
    must(cluster_connect(cluster, true, &why)); /* from here on it knows of that replica */
    stranger = lead_astray();
    if (!backup_run(cluster, &s.backup, task, &done, &why))
        fail_msg("%s", why.text);
    assert_int_equal(done.manifest->totals.keys, 1);
    assert_int_equal(servers(done.manifest, "replica"), 0);
    assert_true(has_event(done.manifest, "another replication history"));
    assert_true(has_event(done.manifest, "none of its replicas can be"));
    backup_result_release(&done);
    cluster_free(cluster);
    task_free(task);
    lab_stop(stranger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(replicas_as_a_source, stop),
        cmocka_unit_test_teardown(a_replica_of_a_stranger_is_not_read, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
