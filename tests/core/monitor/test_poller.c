/* Nodes that misbehave, on a made-up cluster: each is seen as what it is, and no other suffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/monitor/monitor.h"
#include "tests/harness/fake_cluster.h"
#include "tests/harness/wait.h"

#define ODD 4 /* the node that misbehaves: replica of shard B */

struct fixture {
    struct fake_cluster *cluster;
    struct address seed;
    struct redis_options redis;
    struct monitor *monitor;
    struct snapshot *seen;
    /* what a condition looks for */
    enum monitor_node_state want;
    size_t node;
    const char *text;
    enum event_kind kind;
    uint64_t number;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return -1;
    f->cluster = fake_cluster_start(3, 1);
    f->seed = (struct address){.host = "127.0.0.1", .port = fake_cluster_port(f->cluster, 0)};
    f->redis = (struct redis_options){.seeds = &f->seed, .seed_count = 1};
    f->node = ODD;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    monitor_stop(f->monitor);
    snapshot_unref(f->seen);
    fake_cluster_stop(f->cluster);
    free(f);
    return 0;
}

static void start(struct fixture *f)
{
    struct error err;

    f->monitor = monitor_start(
        &(struct monitor_options){.redis = &f->redis, .interval_ms = 100, .timeout_ms = 300}, &err);
    assert_non_null(f->monitor);
}

static const struct snapshot *look(struct fixture *f)
{
    snapshot_unref(f->seen);
    f->seen = monitor_snapshot(f->monitor);
    return f->seen;
}

static const struct monitor_node *node(struct fixture *f, size_t number)
{
    char name[64];
    uint16_t at;

    (void)snprintf(name, sizeof(name), "127.0.0.1:%u",
                   (unsigned)fake_cluster_port(f->cluster, number));
    at = snapshot_find_address(f->seen, str_from(name));
    return at == SNAPSHOT_NONE ? NULL : &f->seen->nodes[at];
}

static bool is_whole(void *context)
{
    struct fixture *f = context;
    const struct snapshot *s = look(f);

    return s->state == MONITOR_OK && s->reachable == 6 && s->keys == 30 && s->views == 6;
}

static bool is_wanted(void *context)
{
    struct fixture *f = context;
    const struct monitor_node *n;

    (void)look(f);
    n = node(f, f->node);
    return n != NULL && n->state == f->want &&
           (f->text == NULL || (n->error.ptr != NULL && strstr(n->error.ptr, f->text) != NULL));
}

static const struct finding *finding(const struct fixture *f, const char *rule)
{
    for (size_t i = 0; i < f->seen->finding_count; i++)
        if (strcmp(f->seen->findings[i].rule, rule) == 0)
            return &f->seen->findings[i];
    return NULL;
}

static void print_nodes(const struct fixture *f)
{
    print_message("state %s\n", monitor_state_name(f->seen->state));
    for (size_t i = 0; i < f->seen->node_count; i++)
        print_message("%s %s: %s\n", f->seen->nodes[i].address.ptr,
                      monitor_node_state_name(f->seen->nodes[i].state),
                      f->seen->nodes[i].error.len > 0 ? f->seen->nodes[i].error.ptr : "-");
    for (size_t i = 0; i < f->seen->finding_count; i++)
        print_message("%s: %s\n", f->seen->findings[i].rule, f->seen->findings[i].text);
}

/* The odd node turns odd under the monitor's eyes, and then well again. */
static void expect(struct fixture *f, enum fake_manner manner, enum monitor_node_state want,
                   const char *text, const char *rule)
{
    const struct monitor_node *n;

    start(f);
    assert_true(wait_until(is_whole, f, 10000));
    fake_cluster_manner(f->cluster, ODD, manner);
    f->want = want;
    f->text = text;
    if (!wait_until(is_wanted, f, 10000)) {
        print_nodes(f);
        fail_msg("not seen as %s, %s", monitor_node_state_name(want), text);
    }
    n = node(f, ODD);
    assert_int_equal(n->keys, 10); /* the last known value, not zero */
    assert_true(n->memory > 0);
    if (finding(f, rule) == NULL) {
        print_nodes(f);
        fail_msg("no finding %s", rule);
    }
    assert_int_equal(f->seen->state, MONITOR_DEGRADED);
    for (size_t i = 0; i < 3; i++)
        assert_true(node(f, i)->reachable);
    fake_cluster_manner(f->cluster, ODD, FAKE_WELL);
    assert_true(wait_until(is_whole, f, 15000));
}

static void a_node_that_never_answers_is_silent(void **state)
{
    expect(*state, FAKE_MUTE, MONITOR_NODE_SILENT, "300 ms", "node-silent");
    assert_true(node(*state, ODD)->reachable);
}

static void half_an_answer_is_no_answer(void **state)
{
    expect(*state, FAKE_HALF, MONITOR_NODE_SILENT, "300 ms", "node-silent");
}

static void garbage_is_named(void **state)
{
    expect(*state, FAKE_GARBAGE, MONITOR_NODE_SILENT, "not a valid reply", "node-silent");
}

static void a_closed_port_is_named(void **state)
{
    expect(*state, FAKE_GONE, MONITOR_NODE_SILENT, "refused", "node-silent");
}

static void a_missing_password_is_denied_not_down(void **state)
{
    expect(*state, FAKE_NOAUTH, MONITOR_NODE_DENIED, "wants a password", "node-denied");
}

static void too_many_clients_are_named(void **state)
{
    expect(*state, FAKE_MAXCLIENTS, MONITOR_NODE_SILENT, "max number of clients", "node-silent");
}

static void loading_is_its_own_state(void **state)
{
    expect(*state, FAKE_LOADING, MONITOR_NODE_LOADING, NULL, "loading");
}

static bool is_failing(void *context)
{
    struct fixture *f = context;

    return look(f)->state == MONITOR_FAIL && str_is(f->seen->cluster_state, "fail");
}

static void one_node_that_says_cluster_down_fails_the_cluster(void **state)
{
    struct fixture *f = *state;

    start(f);
    assert_true(wait_until(is_whole, f, 10000));
    fake_cluster_edit(f->cluster)[2].state_fail = true;
    fake_cluster_done(f->cluster);
    assert_true(wait_until(is_failing, f, 5000));
    assert_non_null(finding(f, "cluster-state"));
    assert_int_equal(f->seen->reachable, 6);
}

static bool all_are_known(void *context)
{
    struct fixture *f = context;

    (void)look(f);
    for (size_t i = 0; i < f->seen->node_count; i++) /* the sum says nothing of the replicas */
        if (f->seen->nodes[i].keys_source == MONITOR_KEYS_UNKNOWN)
            return false;
    return f->seen->node_count == 6 && f->seen->reachable == 6 && f->seen->slots->known &&
           f->seen->keys == 30;
}

static void without_the_right_to_info_keys_come_from_dbsize_and_the_rest_is_unknown(void **state)
{
    struct fixture *f = *state;
    struct fake_node *nodes = fake_cluster_edit(f->cluster);

    for (size_t i = 0; i < 6; i++)
        nodes[i].refuses_info = true;
    fake_cluster_done(f->cluster);
    start(f);
    if (!wait_until(all_are_known, f, 10000)) {
        print_nodes(f);
        fail_msg("not known");
    }
    assert_int_equal(f->seen->mode, REDIS_MODE_CLUSTER);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(node(f, i)->keys_source, MONITOR_KEYS_DBSIZE);
        assert_int_equal(node(f, i)->keys, 10);
        assert_int_equal(node(f, i)->memory, -1);
        assert_int_equal(node(f, i)->clients, -1);
    }
    assert_int_equal(f->seen->memory, -1);
    assert_non_null(finding(f, "not-allowed"));
    assert_int_equal(f->seen->state, MONITOR_DEGRADED);
}

static bool is_degraded(void *context)
{
    struct fixture *f = context;

    return look(f)->state == MONITOR_DEGRADED;
}

static void without_the_right_to_cluster_nodes_slots_are_unknown_not_lost(void **state)
{
    struct fixture *f = *state;
    struct fake_node *nodes = fake_cluster_edit(f->cluster);

    for (size_t i = 0; i < 6; i++)
        nodes[i].refuses_nodes = true;
    fake_cluster_done(f->cluster);
    start(f);
    assert_true(wait_until(is_degraded, f, 10000));
    assert_int_equal(f->seen->mode, REDIS_MODE_CLUSTER);
    assert_false(f->seen->slots->known);
    assert_non_null(finding(f, "not-allowed"));
    assert_null(finding(f, "slots-uncovered"));
}

static bool event_came(void *context)
{
    struct fixture *f = context;
    const struct monitor_node *n;

    (void)look(f);
    n = node(f, f->node);
    for (size_t i = 0; n != NULL && i < f->seen->event_count; i++) {
        const struct event *e = &f->seen->events[i];

        if (e->kind == f->kind && str_is(n->address, e->address) &&
            strstr(e->text, f->text) != NULL && strcmp(e->shard, "B") == 0)
            return true;
    }
    return false;
}

static void await_event(struct fixture *f, enum event_kind kind, const char *text)
{
    f->kind = kind;
    f->text = text;
    if (wait_until(event_came, f, 10000))
        return;
    for (size_t i = 0; i < f->seen->event_count; i++)
        print_message("%s [%s] %s\n", event_kind_info(f->seen->events[i].kind)->name,
                      f->seen->events[i].shard, f->seen->events[i].text);
    fail_msg("no event %s: %s", event_kind_info(kind)->name, text);
}

static void what_a_node_goes_through_is_told_with_its_shard(void **state)
{
    struct fixture *f = *state;
    struct fake_node *nodes;

    start(f);
    assert_true(wait_until(is_whole, f, 10000));
    fake_cluster_manner(f->cluster, ODD, FAKE_LOADING);
    await_event(f, EVENT_LOADING, "is loading");
    fake_cluster_manner(f->cluster, ODD, FAKE_WELL);
    await_event(f, EVENT_LOADING, "has loaded");
    fake_cluster_edit(f->cluster)[ODD].bgsave_failed = true;
    fake_cluster_done(f->cluster);
    await_event(f, EVENT_PERSISTENCE, "save failed");
    assert_true(wait_until(is_degraded, f, 5000));
    assert_non_null(finding(f, "persistence"));
    fake_cluster_edit(f->cluster)[ODD].bgsave_failed = false;
    fake_cluster_done(f->cluster);
    await_event(f, EVENT_PERSISTENCE, "works again");
    fake_cluster_manner(f->cluster, ODD, FAKE_MUTE);
    await_event(f, EVENT_SILENT, "does not answer");
    nodes = fake_cluster_edit(f->cluster);
    nodes[ODD].manner = FAKE_WELL;
    nodes[ODD].run_id[39] = '9';
    nodes[ODD].offset = 5;
    fake_cluster_done(f->cluster);
    await_event(f, EVENT_ANSWERS, "answers again");
    await_event(f, EVENT_RESTARTED, "was restarted");
    for (size_t i = 0; i < f->seen->event_count; i++)
        assert_int_not_equal(f->seen->events[i].kind, EVENT_ROLLBACK);
}

static bool has_round(void *context)
{
    struct fixture *f = context;

    return look(f)->number > f->number;
}

static void mute_nodes_do_not_slow_the_others_down(void **state)
{
    struct fixture *f = *state;
    size_t before;
    size_t polls;
    int64_t began;

    start(f);
    assert_true(wait_until(is_whole, f, 10000));
    for (size_t i = 3; i < 6; i++)
        fake_cluster_manner(f->cluster, i, FAKE_MUTE);
    before = fake_cluster_edit(f->cluster)[0].polls;
    fake_cluster_done(f->cluster);
    began = clock_mono_ms();
    while (clock_mono_ms() < began + 2000) {
        f->number = f->seen->number;
        assert_true(wait_until(has_round, f, 2000));
    }
    polls = fake_cluster_edit(f->cluster)[0].polls - before;
    fake_cluster_done(f->cluster);
    assert_true(polls >= 8); /* of 20; a slow machine may miss some */
    began = clock_mono_ms();
    monitor_stop(f->monitor);
    f->monitor = NULL;
    assert_true(clock_mono_ms() - began < wait_scale(1000));
}

static bool found_the_new_ones(void *context)
{
    struct fixture *f = context;
    const struct snapshot *s = look(f);

    return s->state == MONITOR_OK && s->reachable == 6 && s->node_count == 6;
}

static void a_cluster_whose_nodes_are_all_replaced_is_found_again_by_its_seed(void **state)
{
    struct fixture *f = *state;
    struct fake_cluster *next = fake_cluster_start(3, 1);
    struct address seeds[2] = {f->seed, {.host = "127.0.0.1", .port = fake_cluster_port(next, 1)}};

    /* The second seed is another name for a node of a cluster that is not there yet. */
    for (size_t i = 0; i < 6; i++)
        fake_cluster_manner(next, i, FAKE_GONE);
    f->redis.seeds = seeds;
    f->redis.seed_count = 2;
    start(f);
    assert_true(wait_until(all_are_known, f, 10000));
    for (size_t i = 0; i < 6; i++)
        fake_cluster_manner(f->cluster, i, FAKE_GONE);
    for (size_t i = 0; i < 6; i++) {
        struct fake_node *nodes = fake_cluster_edit(next);

        nodes[i].id[39] = 'a'; /* other nodes than those before */
        fake_cluster_done(next);
        fake_cluster_manner(next, i, FAKE_WELL);
    }
    if (!wait_until(found_the_new_ones, f, 20000)) {
        print_nodes(f);
        fail_msg("the new nodes were not found");
    }
    monitor_stop(f->monitor);
    f->monitor = NULL;
    fake_cluster_stop(next);
}

int main(void)
{
#define WITH_CLUSTER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_CLUSTER(a_node_that_never_answers_is_silent),
        WITH_CLUSTER(half_an_answer_is_no_answer),
        WITH_CLUSTER(garbage_is_named),
        WITH_CLUSTER(a_closed_port_is_named),
        WITH_CLUSTER(a_missing_password_is_denied_not_down),
        WITH_CLUSTER(too_many_clients_are_named),
        WITH_CLUSTER(loading_is_its_own_state),
        WITH_CLUSTER(one_node_that_says_cluster_down_fails_the_cluster),
        WITH_CLUSTER(without_the_right_to_info_keys_come_from_dbsize_and_the_rest_is_unknown),
        WITH_CLUSTER(without_the_right_to_cluster_nodes_slots_are_unknown_not_lost),
        WITH_CLUSTER(what_a_node_goes_through_is_told_with_its_shard),
        WITH_CLUSTER(mute_nodes_do_not_slow_the_others_down),
        WITH_CLUSTER(a_cluster_whose_nodes_are_all_replaced_is_found_again_by_its_seed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
