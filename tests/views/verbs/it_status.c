/* status, check, nodes, slots on a plain cluster: well, with a stray key, without a slot, with
 * nodes down, and with nobody there. The tests build on each other in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/harness/lab.h"
#include "tests/harness/wait.h"
#include "tests/views/verbs/fixture_verb.h"

#define KEYS 12

struct world {
    struct lab *lab;
    const char *config;
};

static int setup(void **state)
{
    static struct world w;

    w.lab = lab_start(&(struct lab_options){0});
    if (w.lab == NULL)
        return -1;
    w.config = lab_config_file(w.lab);
    for (int i = 0; i < KEYS; i++) {
        char key[32];

        (void)snprintf(key, sizeof(key), "user:%d", i);
        free(lab_cli_routed(w.lab, "SET", key, "x", NULL));
    }
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    const struct world *w = *state;

    lab_stop(w->lab);
    return 0;
}

static void a_healthy_cluster_is_told_whole(void **state)
{
    const struct world *w = *state;
    struct proc_result r;
    json_t *doc;

    verb_run(&r, 0, w->config, "status", NULL);
    assert_string_equal(r.err, "");
    assert_non_null(strstr(r.out, "local: ok, cluster redis 7."));
    assert_non_null(strstr(r.out, "16384 of 16384 served"));
    assert_non_null(strstr(r.out, "6 of 6 answer, 6 of 6 views agree"));
    assert_non_null(strstr(r.out, "keys   12 (INFO)"));
    proc_result_release(&r);

    doc = verb_json(0, w->config, "status", NULL);
    assert_string_equal(verb_text(doc, "state"), "ok");
    assert_string_equal(verb_text(doc, "mode"), "cluster");
    assert_string_equal(verb_text(doc, "cluster_state"), "ok");
    assert_int_equal(verb_number(doc, "slots.ok"), 16384);
    assert_int_equal(verb_number(doc, "keys"), KEYS);
    assert_int_equal(verb_number(doc, "nodes_reachable"), 6);
    assert_int_equal(json_array_size(verb_at(doc, "shards")), 3);
    assert_int_equal(json_array_size(verb_at(doc, "findings")), 0);
    for (size_t i = 0; i < 3; i++) {
        const json_t *n = verb_node(doc, lab_address(w->lab, i));
        char *dbsize;

        assert_string_equal(verb_text(n, "role"), "primary");
        assert_string_equal(verb_text(n, "keys_source"), "INFO keyspace");
        dbsize = lab_cli(w->lab, i, "DBSIZE", NULL);
        assert_int_equal(verb_number(n, "keys"), strtoll(dbsize, NULL, 10));
        free(dbsize);
    }
    json_decref(doc);
}

static void nodes_are_one_row_each_and_limited(void **state)
{
    const struct world *w = *state;
    struct proc_result r;
    json_t *doc;
    size_t rows = 0;

    verb_run(&r, 0, w->config, "nodes", "--limit", "4", NULL);
    for (const char *at = r.out; (at = strchr(at, '\n')) != NULL; at++)
        rows++;
    assert_int_equal(rows, 5); /* and the title */
    proc_result_release(&r);
    doc = verb_json(0, w->config, "nodes", NULL);
    assert_int_equal(json_array_size(verb_at(doc, "nodes")), 6);
    assert_string_equal(verb_text(verb_node(doc, lab_address(w->lab, 4)), "link"), "up");
    json_decref(doc);
    doc = verb_json(0, w->config, "nodes", "--limit", "1", NULL);
    assert_int_equal(json_array_size(verb_at(doc, "nodes")), 1);
    json_decref(doc);
}

static void slots_name_their_shards(void **state)
{
    const struct world *w = *state;
    struct proc_result r;
    json_t *doc;

    verb_run(&r, 0, w->config, "slots", NULL);
    assert_non_null(strstr(r.out, "0-5460"));
    assert_non_null(strstr(r.out, "10922-16383"));
    assert_non_null(strstr(r.out, "16384 of 16384 slots are served; 6 of 6 views agree"));
    proc_result_release(&r);
    doc = verb_json(0, w->config, "slots", NULL);
    assert_string_equal(verb_text(doc, "shards.1.shard"), "B");
    assert_string_equal(verb_text(doc, "shards.1.ranges"), "5461-10921");
    assert_string_equal(verb_text(doc, "ranges.uncovered"), "");
    assert_int_equal(verb_number(doc, "counts.ok"), 16384);
    json_decref(doc);
}

static void check_finds_nothing_on_a_healthy_cluster(void **state)
{
    const struct world *w = *state;
    struct proc_result r;
    json_t *doc;

    verb_run(&r, 0, w->config, "check", "--keys", NULL);
    assert_non_null(strstr(r.out, "no finding\n"));
    proc_result_release(&r);
    doc = verb_json(0, w->config, "check", "--keys", NULL);
    assert_int_equal(json_array_size(verb_at(doc, "misplaced")), 3);
    for (size_t i = 0; i < 3; i++) {
        char path[32];

        (void)snprintf(path, sizeof(path), "misplaced.%zu.keys", i);
        assert_int_equal(verb_number(doc, path), 0);
    }
    json_decref(doc);
}

/* {b} lies in slot 3300, of the first shard: it is put on the second one all the same, through the
 * door of a migration that never was. */
static void put_stray_key(const struct world *w)
{
    char client[LAB_PATH];
    char port[16];
    char *source = lab_cli(w->lab, 0, "CLUSTER", "MYID", NULL);
    const char *argv[] = {client, "-p", port, NULL};
    const struct proc_options options = {.input = "ASKING\nSET {b}stray x\n"};
    struct proc_result r;

    lab_client_path(w->lab, client);
    (void)snprintf(port, sizeof(port), "%d", lab_port(w->lab, 1));
    free(lab_cli(w->lab, 1, "CLUSTER", "SETSLOT", "3300", "IMPORTING", source, NULL));
    assert_true(proc_run(argv, &options, &r));
    assert_string_equal(r.out, "OK\nOK\n");
    proc_result_release(&r);
    free(lab_cli(w->lab, 1, "CLUSTER", "SETSLOT", "3300", "STABLE", NULL));
    free(source);
}

static void a_key_outside_its_owner_is_found_by_check_with_keys_only(void **state)
{
    const struct world *w = *state;
    struct proc_result r;
    json_t *doc;
    char says[160];

    put_stray_key(w);
    verb_run(&r, 0, w->config, "check", NULL);
    proc_result_release(&r);
    verb_run(&r, 1, w->config, "check", "--keys", NULL);
    (void)snprintf(says, sizeof(says), "warn %s holds 1 keys of slots it does not own: 3300",
                   lab_address(w->lab, 1));
    assert_non_null(strstr(r.out, says));
    assert_null(strstr(r.out, "no finding"));
    proc_result_release(&r);
    doc = verb_json(1, w->config, "check", "--keys", NULL);
    assert_int_equal(verb_number(doc, "misplaced.1.keys"), 1);
    assert_string_equal(verb_text(doc, "misplaced.1.slots"), "3300");
    assert_string_equal(verb_text(doc, "misplaced.1.node"), lab_address(w->lab, 1));
    json_decref(doc);
}

static void each_node(const struct world *w, const char *verb, const char *slot)
{
    for (size_t i = 0; i < lab_nodes(w->lab); i++)
        free(lab_cli(w->lab, i, "CLUSTER", verb, slot, NULL));
}

static bool slot_is_lost(void *context)
{
    const struct world *w = context;
    const char *argv[] = {proc_rbconsole(), "--json", "-c", w->config, "slots", NULL};
    struct proc_result r;
    bool lost;

    assert_true(proc_run(argv, NULL, &r));
    lost = r.status == 1 && strstr(r.out, "\"ok\": 16383") != NULL &&
           strstr(r.out, "\"disputed\": 0") != NULL;
    proc_result_release(&r);
    if (!lost) /* a heartbeat told somebody again before the owner forgot */
        each_node(w, "DELSLOTS", "100");
    return lost;
}

static void a_slot_without_owner_is_named(void **state)
{
    struct world *w = *state;
    struct proc_result r;
    json_t *doc;

    each_node(w, "DELSLOTS", "100");
    assert_true(wait_until(slot_is_lost, w, 20000));
    verb_run(&r, 1, w->config, "slots", NULL);
    assert_non_null(strstr(r.out, "uncovered      1  100\n"));
    assert_non_null(strstr(r.out, "16383 of 16384 slots are served"));
    proc_result_release(&r);
    verb_run(&r, 1, w->config, "status", NULL);
    assert_non_null(strstr(r.out, "local: fail"));
    assert_non_null(strstr(r.out, "1 without owner"));
    assert_non_null(strstr(r.out, "crit 1 slots have no owner: 100"));
    proc_result_release(&r);
    doc = verb_json(1, w->config, "check", NULL);
    assert_non_null(verb_finding(doc, "slots-uncovered"));
    json_decref(doc);
    free(lab_cli(w->lab, 0, "CLUSTER", "ADDSLOTS", "100", NULL));
    assert_true(lab_wait_ok(w->lab, 20000));
}

static bool is_well_again(void *context)
{
    const struct world *w = context;
    const char *argv[] = {proc_rbconsole(), "-c", w->config, "status", NULL};
    struct proc_result r;
    bool well;

    assert_true(proc_run(argv, NULL, &r));
    well = r.status == 0;
    proc_result_release(&r);
    return well;
}

static void a_dead_replica_degrades_and_a_dead_shard_fails(void **state)
{
    struct world *w = *state;
    struct proc_result r;
    const json_t *n;
    json_t *doc;

    assert_true(wait_until(is_well_again, w, 20000));
    assert_true(lab_kill(w->lab, 5));
    doc = verb_json(1, w->config, "status", NULL);
    assert_string_equal(verb_text(doc, "state"), "degraded");
    assert_non_null(verb_finding(doc, "shard-without-replica"));
    n = verb_node(doc, lab_address(w->lab, 5));
    assert_true(json_is_null(verb_at(n, "keys"))); /* never answered this run: unknown, not zero */
    assert_true(json_is_null(verb_at(n, "memory")));
    assert_non_null(strstr(verb_text(n, "error"), "refused"));
    assert_int_equal(verb_number(doc, "keys"), KEYS + 1);
    json_decref(doc);
    assert_true(lab_kill(w->lab, 2));
    verb_run(&r, 1, w->config, "status", NULL);
    assert_null(strstr(r.out, "local: ok"));
    assert_non_null(strstr(r.out, "4 of 6 answer"));
    assert_non_null(strstr(r.out, " on 2 of 3 primaries, the others are unknown)"));
    assert_non_null(strstr(r.out, "memory ?   ops/s ?"));
    proc_result_release(&r);
    verb_run(&r, 1, w->config, "nodes", NULL);
    proc_result_release(&r);
}

static void nobody_there_is_exit_3_and_one_line(void **state)
{
    static const char *const verbs[] = {"status", "check", "nodes", "slots"};
    const struct world *w = *state;

    for (size_t i = 0; i < 4; i++) {
        struct proc_result r;
        json_t *doc;

        verb_run(&r, 3, w->config, "-n", "127.0.0.1:1,127.0.0.1:2", verbs[i], NULL);
        assert_string_equal(r.out, "");
        assert_non_null(strstr(r.err, "127.0.0.1:1"));
        assert_non_null(strstr(r.err, "127.0.0.1:2"));
        assert_true(strchr(r.err, '\n') == r.err + r.err_len - 1);
        proc_result_release(&r);
        doc = verb_json(3, w->config, "-n", "127.0.0.1:1", verbs[i], NULL);
        assert_string_equal(verb_text(doc, "error.code"), "unreachable");
        assert_int_equal(verb_number(doc, "error.exit"), 3);
        json_decref(doc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_healthy_cluster_is_told_whole),
        cmocka_unit_test(nodes_are_one_row_each_and_limited),
        cmocka_unit_test(slots_name_their_shards),
        cmocka_unit_test(check_finds_nothing_on_a_healthy_cluster),
        cmocka_unit_test(a_key_outside_its_owner_is_found_by_check_with_keys_only),
        cmocka_unit_test(a_slot_without_owner_is_named),
        cmocka_unit_test(a_dead_replica_degrades_and_a_dead_shard_fails),
        cmocka_unit_test(nobody_there_is_exit_3_and_one_line),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
