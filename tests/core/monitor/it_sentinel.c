/* Sentinel trio and single server: what the monitor knows of them, and a failover there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/monitor/monitor.h"
#include "tests/harness/lab.h"
#include "tests/harness/wait.h"

struct fixture {
    struct lab *lab;
    struct address address;
    struct redis_options redis;
    struct monitor *monitor;
    struct snapshot *seen;
    enum event_kind kind;
    const char *text;
};

static const struct snapshot *look(struct fixture *f)
{
    snapshot_unref(f->seen);
    f->seen = monitor_snapshot(f->monitor);
    return f->seen;
}

static void start(struct fixture *f)
{
    struct error err;

    f->monitor =
        monitor_start(&(struct monitor_options){.redis = &f->redis, .interval_ms = 200}, &err);
    assert_non_null(f->monitor);
}

static void stop(struct fixture *f)
{
    monitor_stop(f->monitor);
    snapshot_unref(f->seen);
    lab_stop(f->lab);
}

static bool group_is_whole(void *context)
{
    struct fixture *f = context;
    const struct snapshot *s = look(f);

    return s->state == MONITOR_OK && s->node_count == 6 && s->reachable == 6 &&
           s->sentinel_count == 3 && s->shard_count == 1 && s->shards[0].node_count == 3;
}

static bool event_came(void *context)
{
    struct fixture *f = context;
    const struct snapshot *s = look(f);

    for (size_t i = 0; i < s->event_count; i++)
        if (s->events[i].kind == f->kind && strstr(s->events[i].text, f->text) != NULL)
            return true;
    return false;
}

static bool another_primary(void *context)
{
    struct fixture *f = context;
    const struct snapshot *s = look(f);
    uint16_t at = s->shard_count == 1 ? s->shards[0].primary : SNAPSHOT_NONE;

    return at != SNAPSHOT_NONE && !str_is(s->nodes[at].address, f->text) && s->keys == 1 &&
           str_equal(s->sentinels[0].primary, s->nodes[at].address);
}

static bool old_one_is_down(void *context)
{
    struct fixture *f = context;
    const struct snapshot *s = look(f);
    uint16_t at = snapshot_find_address(s, str_from(f->text));

    return at != SNAPSHOT_NONE && s->nodes[at].state == MONITOR_NODE_FAIL &&
           s->nodes[at].role == MONITOR_REPLICA && s->nodes[at].down_by == 3;
}

static void one_sentinel_is_enough_to_watch_group_and_failover(void **state)
{
    struct fixture f = {.lab = lab_start(&(struct lab_options){.kind = LAB_SENTINEL})};

    (void)state;
    assert_non_null(f.lab);
    free(lab_cli(f.lab, 0, "SET", "user:1", "x", NULL));
    f.address = (struct address){.host = "127.0.0.1", .port = (uint16_t)lab_port(f.lab, 3)};
    f.redis = (struct redis_options){.mode = REDIS_MODE_SENTINEL,
                                     .sentinels = &f.address,
                                     .sentinel_count = 1,
                                     .master_name = "mymaster"};
    start(&f);
    assert_true(wait_until(group_is_whole, &f, 20000));
    assert_int_equal(f.seen->identity.mode, IDENTITY_SENTINEL);
    assert_int_equal(f.seen->identity.count, 3);
    assert_int_equal(f.seen->keys, 1);
    assert_int_equal(f.seen->nodes[0].role, MONITOR_PRIMARY);
    assert_int_equal(f.seen->nodes[1].link_up, 1);
    assert_int_equal(f.seen->sentinels[0].quorum, 2);

    assert_true(lab_kill(f.lab, 0));
    f.kind = EVENT_DOWN;
    f.text = lab_address(f.lab, 0);
    assert_true(wait_until(event_came, &f, 30000));
    f.kind = EVENT_FAILOVER;
    assert_true(wait_until(event_came, &f, 30000));
    assert_true(wait_until(another_primary, &f, 20000));
    assert_true(wait_until(old_one_is_down, &f, 20000));
    stop(&f);
}

static bool single_is_up(void *context)
{
    struct fixture *f = context;
    const struct snapshot *s = look(f);

    return s->mode == REDIS_MODE_SINGLE && s->state == MONITOR_OK && s->node_count == 1;
}

static void single_server_is_found_out_by_itself(void **state)
{
    struct fixture f = {.lab =
                            lab_start(&(struct lab_options){.kind = LAB_SINGLE, .replicas = -1})};

    (void)state;
    assert_non_null(f.lab);
    free(lab_cli(f.lab, 0, "SET", "user:1", "x", NULL));
    f.address = (struct address){.host = "127.0.0.1", .port = (uint16_t)lab_port(f.lab, 0)};
    f.redis = (struct redis_options){.seeds = &f.address, .seed_count = 1};
    start(&f);
    assert_true(wait_until(single_is_up, &f, 10000));
    assert_int_equal(f.seen->keys, 1);
    assert_false(f.seen->slots->known);
    assert_int_equal(f.seen->identity.mode, IDENTITY_SINGLE);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_server_is_found_out_by_itself),
        cmocka_unit_test(one_sentinel_is_enough_to_watch_group_and_failover),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
