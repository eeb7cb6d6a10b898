/* A cluster of 300 made-up nodes: found whole, watched cheaply, failures seen at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/monitor/monitor.h"
#include "tests/harness/fake_cluster.h"
#include "tests/harness/wait.h"

#define SHARDS 100
#define NODES 300
#define INTERVAL_MS 1000
#define ROUNDS 5

struct fixture {
    struct fake_cluster *cluster;
    struct address seed;
    struct redis_options redis;
    struct monitor *monitor;
    struct snapshot *seen;
    uint64_t number;
    enum event_kind kind;
    const char *address;
};

static const struct snapshot *look(struct fixture *f)
{
    snapshot_unref(f->seen);
    f->seen = monitor_snapshot(f->monitor);
    return f->seen;
}

static bool is_whole(void *context)
{
    struct fixture *f = context;
    const struct snapshot *s = look(f);

    return s->state == MONITOR_OK && s->node_count == NODES && s->reachable == NODES &&
           s->views == NODES;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct error err;

    if (f == NULL)
        return -1;
    f->cluster = fake_cluster_start(SHARDS, NODES / SHARDS - 1);
    f->seed = (struct address){.host = "127.0.0.1", .port = fake_cluster_port(f->cluster, 7)};
    f->redis = (struct redis_options){.seeds = &f->seed, .seed_count = 1};
    f->monitor = monitor_start(
        &(struct monitor_options){.redis = &f->redis, .interval_ms = INTERVAL_MS}, &err);
    *state = f;
    return f->monitor == NULL ? -1 : 0;
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

static void all_nodes_are_found_from_one_seed_and_have_their_shards(void **state)
{
    struct fixture *f = *state;
    char name[8];

    assert_true(wait_until(is_whole, f, 30000));
    assert_int_equal(f->seen->shard_count, SHARDS);
    assert_int_equal(f->seen->slots->ok, SLOT_COUNT);
    assert_int_equal(f->seen->views_agree, NODES);
    assert_int_equal(f->seen->keys, SHARDS * 10);
    for (size_t i = 0; i < NODES; i++) {
        const struct monitor_node *n = &f->seen->nodes[i];

        assert_int_equal(n->shard, i / 3);
        assert_int_equal(n->role, i % 3 == 0 ? MONITOR_PRIMARY : MONITOR_REPLICA);
    }
    assert_string_equal(events_shard_name(name, f->seen->shards[25].number), "Z");
    assert_string_equal(events_shard_name(name, f->seen->shards[26].number), "aa");
    assert_string_equal(events_shard_name(name, f->seen->shards[99].number), "cv");
}

static int64_t own_cpu_ms(struct fixture *f)
{
    struct timespec used;

    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
    return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000 - fake_cluster_cpu_ms(f->cluster);
}

static size_t least_polls(struct fixture *f, size_t *views)
{
    const struct fake_node *nodes = fake_cluster_edit(f->cluster);
    size_t least = SIZE_MAX;

    *views = 0;
    for (size_t i = 0; i < NODES; i++) {
        least = nodes[i].polls < least ? nodes[i].polls : least;
        *views += nodes[i].views;
    }
    fake_cluster_done(f->cluster);
    return least;
}

struct goal {
    struct fixture *f;
    size_t polls;
};

static bool were_polled(void *context)
{
    const struct goal *g = context;
    size_t views;

    return least_polls(g->f, &views) >= g->polls;
}

static void a_round_over_all_nodes_costs_little_and_keeps_its_rhythm(void **state)
{
    struct fixture *f = *state;
    struct goal goal = {.f = f};
    int64_t began;
    int64_t cpu;
    int64_t took;
    size_t views;
    size_t views_after;

    assert_true(wait_until(is_whole, f, 30000));
    goal.polls = least_polls(f, &views) + ROUNDS;
    began = clock_mono_ms();
    cpu = own_cpu_ms(f);
    assert_true(wait_until(were_polled, &goal, 60000));
    took = clock_mono_ms() - began;
    cpu = own_cpu_ms(f) - cpu;
    (void)least_polls(f, &views_after);
    print_message("%d rounds of %d nodes: %lld ms, of which %lld ms work, %zu views\n", ROUNDS,
                  NODES, (long long)took, (long long)cpu, views_after - views);
    /* Not every node is asked for its view in every round, and each round asks some. */
    assert_true(views_after - views < (size_t)ROUNDS * NODES * 2 / 3);
    assert_true(views_after - views >= (size_t)ROUNDS * 30);
    if (wait_scale(1) == 1) {
        assert_true(took < (int64_t)ROUNDS * INTERVAL_MS * 2);
        assert_true(cpu < (int64_t)ROUNDS * INTERVAL_MS / 2);
    }
}

static bool event_came(void *context)
{
    struct fixture *f = context;

    (void)look(f);
    for (size_t i = 0; i < f->seen->event_count; i++) {
        const struct event *e = &f->seen->events[i];

        if (e->kind == f->kind && strcmp(e->address, f->address) == 0)
            return true;
    }
    return false;
}

static void a_failover_of_one_in_a_hundred_is_seen_within_two_rounds(void **state)
{
    struct fixture *f = *state;
    const struct monitor_node *n;
    char address[64];
    int64_t began;
    uint16_t at;

    assert_true(wait_until(is_whole, f, 30000));
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u",
                   (unsigned)fake_cluster_port(f->cluster, 60));
    f->address = address;
    began = clock_mono_ms();
    fake_cluster_fail_over(f->cluster, 60);
    f->kind = EVENT_DOWN;
    assert_true(wait_until(event_came, f, 2 * INTERVAL_MS));
    f->kind = EVENT_FAILOVER;
    assert_true(wait_until(event_came, f, 2 * INTERVAL_MS));
    assert_true(clock_mono_ms() - began < wait_scale(2 * INTERVAL_MS));
    at = snapshot_find_address(f->seen, str_from(address));
    n = &f->seen->nodes[at];
    assert_int_equal(n->state, MONITOR_NODE_FAIL);
    assert_int_equal(f->seen->shards[n->shard].number, 60); /* the letter stays */
}

static void suspicion_by_a_few_observers_is_seen_in_the_end(void **state)
{
    struct fixture *f = *state;
    char address[64];

    assert_true(wait_until(is_whole, f, 30000));
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u",
                   (unsigned)fake_cluster_port(f->cluster, 250));
    fake_cluster_edit(f->cluster)[250].pfail_by = 2;
    fake_cluster_done(f->cluster);
    f->address = address;
    f->kind = EVENT_SUSPECTED;
    assert_true(wait_until(event_came, f, 9 * INTERVAL_MS));
    fake_cluster_edit(f->cluster)[250].pfail_by = 0;
    fake_cluster_done(f->cluster);
    f->kind = EVENT_RECOVERED;
    assert_true(wait_until(event_came, f, 9 * INTERVAL_MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_nodes_are_found_from_one_seed_and_have_their_shards),
        cmocka_unit_test(a_round_over_all_nodes_costs_little_and_keeps_its_rhythm),
        cmocka_unit_test(suspicion_by_a_few_observers_is_seen_in_the_end),
        cmocka_unit_test(a_failover_of_one_in_a_hundred_is_seen_within_two_rounds),
    };

    return cmocka_run_group_tests(tests, setup, teardown); /* one cluster: it takes long to know */
}
