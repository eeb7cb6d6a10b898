/* The monitor against real servers: what a crash, a restart and silence look like from here. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/format.h"
#include "core/monitor/event_log.h"
#include "core/monitor/monitor.h"
#include "tests/harness/lab.h"
#include "tests/harness/tmpdir.h"
#include "tests/harness/wait.h"

struct fixture {
    struct lab *lab;
    struct address seeds[8];
    struct redis_options redis;
    struct monitor *monitor;
    char *log;
    /* what a condition looks for, and the snapshot it held for */
    const char *address;
    enum event_kind kind;
    size_t count;
    struct snapshot *seen;
};

static void start_monitor(struct fixture *f, const char *log)
{
    struct monitor_options o = {.redis = &f->redis, .interval_ms = 200, .event_log = log};
    struct error err;

    f->monitor = monitor_start(&o, &err);
    assert_non_null(f->monitor);
}

static void stop_monitor(struct fixture *f)
{
    monitor_stop(f->monitor);
    snapshot_unref(f->seen);
    f->monitor = NULL;
    f->seen = NULL;
}

static const struct monitor_node *node(const struct snapshot *s, const char *address)
{
    uint16_t at = snapshot_find_address(s, str_from(address));

    return at == SNAPSHOT_NONE ? NULL : &s->nodes[at];
}

/* Takes the newest snapshot and keeps it for the assertions after the wait. */
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

    return s->state == MONITOR_OK && s->slots->ok == SLOT_COUNT && s->reachable == f->count &&
           s->node_count == f->count && s->keys >= 0;
}

static const struct event *event_of(const struct snapshot *s, enum event_kind kind,
                                    const char *address)
{
    for (size_t i = s->event_count; i > 0; i--) {
        const struct event *e = &s->events[i - 1];

        if (e->kind == kind && (address == NULL || strcmp(e->address, address) == 0))
            return e;
    }
    return NULL;
}

static bool event_came(void *context)
{
    struct fixture *f = context;

    return event_of(look(f), f->kind, f->address) != NULL;
}

static const struct event *await_event(struct fixture *f, enum event_kind kind, const char *address)
{
    const struct event *e;

    f->kind = kind;
    f->address = address;
    if (!wait_until(event_came, f, 30000)) {
        for (size_t i = 0; i < f->seen->event_count; i++)
            print_message("%s %s\n", event_kind_info(f->seen->events[i].kind)->name,
                          f->seen->events[i].text);
        fail_msg("no event %s for %s", event_kind_info(kind)->name, address);
    }
    e = event_of(f->seen, kind, address);
    return e;
}

static int open_cluster(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->lab = lab_start(&(struct lab_options){0});
    if (f->lab == NULL) {
        free(f);
        return -1;
    }
    for (int i = 0; i < 20; i++) {
        char key[32];

        (void)snprintf(key, sizeof(key), "user:%d", i);
        free(lab_cli_routed(f->lab, "SET", key, "x", NULL));
    }
    f->log = event_log_path(tmpdir_new(), "test");
    f->count = lab_nodes(f->lab);
    f->seeds[0] = (struct address){.host = "127.0.0.1", .port = 1}; /* nobody is there */
    f->seeds[1] = (struct address){.host = "127.0.0.1", .port = (uint16_t)lab_port(f->lab, 1)};
    f->redis = (struct redis_options){.seeds = f->seeds, .seed_count = 2};
    *state = f;
    return 0;
}

static int close_cluster(void **state)
{
    struct fixture *f = *state;

    monitor_stop(f->monitor);
    snapshot_unref(f->seen);
    lab_stop(f->lab);
    free(f->log);
    free(f);
    return 0;
}

static void monitor_finds_all_nodes_from_one_seed_that_answers(void **state)
{
    struct fixture *f = *state;

    start_monitor(f, NULL);
    assert_true(wait_until(is_whole, f, 15000));
    assert_int_equal(f->seen->mode, REDIS_MODE_CLUSTER);
    assert_int_equal(f->seen->shard_count, 3);
    assert_int_equal(f->seen->views_agree, f->count);
    assert_int_equal(f->seen->keys, 20);
    assert_int_equal(lab_keys(f->lab), 20);
    assert_int_equal(f->seen->identity.mode, IDENTITY_CLUSTER);
    assert_int_equal(f->seen->identity.count, f->count);
    for (size_t i = 0; i < f->seen->node_count; i++) {
        const struct monitor_node *n = &f->seen->nodes[i];

        assert_int_equal(n->role, i % 2 == 0 ? MONITOR_PRIMARY : MONITOR_REPLICA);
        assert_int_equal(n->shard, i / 2);
        assert_int_equal(n->keys_source, MONITOR_KEYS_INFO);
        if (n->role == MONITOR_REPLICA) {
            assert_int_equal(n->link_up, 1);
            assert_int_equal(n->primary, i - 1);
        }
    }
    stop_monitor(f);
}

static bool keys_arrived(void *context)
{
    struct fixture *f = context;

    return look(f)->keys == (int64_t)f->count;
}

static bool returned_as_replica(void *context)
{
    struct fixture *f = context;
    const struct snapshot *s = look(f);
    const struct monitor_node *n = node(s, f->address);

    return s->state == MONITOR_OK && n != NULL && n->role == MONITOR_REPLICA && n->link_up == 1 &&
           n->state == MONITOR_NODE_OK;
}

static void check_log(struct fixture *f, int64_t since)
{
    struct event_list list = {0};
    struct error err;
    size_t skipped;
    bool failover = false;

    assert_true(event_log_read(f->log, 0, &list, &skipped, &err));
    assert_int_equal(skipped, 0);
    for (size_t i = 0; i < list.count; i++) {
        assert_in_range(list.items[i].at_ms, since, clock_real_ms());
        failover = failover || list.items[i].kind == EVENT_FAILOVER;
    }
    assert_true(failover);
    event_list_release(&list);
}

static void monitor_tells_a_crash_the_failover_and_the_return(void **state)
{
    struct fixture *f = *state;
    int64_t since = clock_real_ms();
    char address[64];
    const struct event *e;
    const struct monitor_node *n;
    int64_t first;
    int64_t keys;
    uint16_t shard;

    start_monitor(f, f->log);
    assert_true(wait_until(is_whole, f, 15000));
    keys = f->seen->keys;
    (void)snprintf(address, sizeof(address), "%s", lab_address(f->lab, 0));
    assert_true(lab_kill(f->lab, 0));

    e = await_event(f, EVENT_DOWN, address);
    assert_true(e->observer[0] != '\0');
    first = e->at_ms;
    /* Nodes that agree between two looks leave no suspicion to see. */
    e = event_of(f->seen, EVENT_SUSPECTED, address);
    if (e != NULL) {
        assert_true(e->observer[0] != '\0');
        assert_true(e->at_ms <= first);
        first = e->at_ms;
    }
    assert_non_null(await_event(f, EVENT_UNCOVERED, NULL));
    e = await_event(f, EVENT_FAILOVER, address);
    assert_true(e->at_ms >= first);
    assert_string_equal(e->shard, "A");
    assert_int_equal(e->level, EVENT_CRIT);
    assert_non_null(strstr(e->text, "0-5460"));
    assert_non_null(await_event(f, EVENT_COVERED, NULL));
    n = node(f->seen, address);
    assert_true(n != NULL && n->slots == 0);

    f->count = (size_t)keys;
    assert_true(wait_until(keys_arrived, f, 10000));
    f->count = lab_nodes(f->lab);

    assert_true(lab_restart(f->lab, 0));
    f->address = address;
    assert_true(wait_until(returned_as_replica, f, 30000));
    assert_non_null(await_event(f, EVENT_RESTARTED, address));
    assert_non_null(await_event(f, EVENT_RECOVERED, address));
    shard = snapshot_find_address(f->seen, str_from(address));
    assert_true(shard < f->seen->node_count);
    shard = f->seen->nodes[shard].shard;
    assert_int_equal(f->seen->shards[shard].number, 0);
    assert_int_equal(f->seen->shard_count, 3);
    stop_monitor(f);
    check_log(f, since);
}

static bool everything_is_stale(void *context)
{
    struct fixture *f = context;
    const struct snapshot *s = look(f);

    return s->stale == s->node_count && s->state == MONITOR_UNREACHABLE &&
           series_is_gap(series_last(&s->series[MONITOR_OPS]));
}

static void monitor_never_shows_a_silent_node_as_zero(void **state)
{
    struct fixture *f = *state;
    int64_t keys;
    uint64_t number;

    start_monitor(f, NULL);
    assert_true(wait_until(is_whole, f, 30000));
    keys = f->seen->keys;
    assert_true(keys > 0);
    for (size_t i = 0; i < lab_nodes(f->lab); i++)
        assert_true(lab_pause(f->lab, i));
    assert_true(wait_until(everything_is_stale, f, 15000));
    assert_int_equal(f->seen->keys, keys);
    assert_true(f->seen->stale_sums);
    assert_true(f->seen->trouble.len > 0);
    for (size_t i = 0; i < f->seen->node_count; i++) {
        assert_true(f->seen->nodes[i].memory > 0);
        assert_true(snapshot_node_age(&f->seen->nodes[i], clock_mono_ms()) > 400);
    }
    number = f->seen->number;
    for (size_t i = 0; i < lab_nodes(f->lab); i++)
        assert_true(lab_resume(f->lab, i));
    assert_true(wait_until(is_whole, f, 30000));
    assert_true(f->seen->number > number);
    stop_monitor(f);
}

static void monitor_wakes_its_reader_for_each_new_snapshot(void **state)
{
    struct fixture *f = *state;
    struct snapshot *first;
    struct snapshot *second;
    struct pollfd p;

    start_monitor(f, NULL);
    first = monitor_snapshot(f->monitor);
    assert_non_null(first);
    monitor_take_notice(f->monitor);
    p = (struct pollfd){.fd = monitor_fd(f->monitor), .events = POLLIN};
    assert_int_equal(poll(&p, 1, 5000), 1);
    monitor_take_notice(f->monitor);
    second = monitor_snapshot(f->monitor);
    assert_true(second->number > first->number);
    snapshot_unref(first);
    snapshot_unref(second);
    stop_monitor(f);
}

static bool is_unreachable(void *context)
{
    struct fixture *f = context;

    return look(f)->state == MONITOR_UNREACHABLE;
}

static void monitor_says_what_it_tried_when_nothing_answers(void **state)
{
    struct fixture f = {0};

    (void)state;
    f.seeds[0] = (struct address){.host = "127.0.0.1", .port = 1};
    f.redis = (struct redis_options){.seeds = f.seeds, .seed_count = 1};
    start_monitor(&f, NULL);
    assert_true(wait_until(is_unreachable, &f, 10000));
    assert_non_null(strstr(f.seen->trouble.ptr, "127.0.0.1:1"));
    assert_int_equal(f.seen->keys, -1);
    stop_monitor(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(monitor_says_what_it_tried_when_nothing_answers),
        cmocka_unit_test_setup_teardown(monitor_finds_all_nodes_from_one_seed_that_answers,
                                        open_cluster, close_cluster),
        cmocka_unit_test_setup_teardown(monitor_wakes_its_reader_for_each_new_snapshot,
                                        open_cluster, close_cluster),
        cmocka_unit_test_setup_teardown(monitor_tells_a_crash_the_failover_and_the_return,
                                        open_cluster, close_cluster),
        cmocka_unit_test_setup_teardown(monitor_never_shows_a_silent_node_as_zero, open_cluster,
                                        close_cluster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
