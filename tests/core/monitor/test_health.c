/* Each rule on a made-up snapshot: it speaks when it should, and only then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/monitor/snapshot.h"

static const struct health_limits limits = {10000, 90, 90, 50};

/* One shard, a primary with all slots and its replica, all well. */
static struct snapshot *healthy(void)
{
    struct snapshot *s = snapshot_new();

    s->mode = REDIS_MODE_CLUSTER;
    s->state = MONITOR_OK;
    s->cluster_state = STR("ok");
    s->nodes = arena_array(&s->arena, 2, sizeof(*s->nodes));
    s->node_count = 2;
    s->nodes[0] = (struct monitor_node){.id = STR("a"),
                                        .address = STR("10.0.0.1:1"),
                                        .host = STR("10.0.0.1"),
                                        .role = MONITOR_PRIMARY,
                                        .state = MONITOR_NODE_OK,
                                        .primary = SNAPSHOT_NONE,
                                        .link_up = -1,
                                        .slots = SLOT_COUNT,
                                        .maxmemory_policy = STR("noeviction"),
                                        .memory = 10,
                                        .maxmemory = 1000,
                                        .clients = 1,
                                        .maxclients = 100,
                                        .answered_ms = 1};
    s->nodes[1] = s->nodes[0];
    s->nodes[1].address = STR("10.0.0.2:1");
    s->nodes[1].host = STR("10.0.0.2");
    s->nodes[1].role = MONITOR_REPLICA;
    s->nodes[1].primary = 0;
    s->nodes[1].link_up = 1;
    s->nodes[1].slots = 0;
    s->shards = arena_array(&s->arena, 1, sizeof(*s->shards));
    s->shards[0] = (struct monitor_shard){.node_count = 2, .slots = SLOT_COUNT};
    s->shard_count = 1;
    s->slots->known = true;
    s->slots->ok = SLOT_COUNT;
    memset(s->slots->owner, 0, sizeof(s->slots->owner));
    s->views = s->views_agree = 2;
    return s;
}

static const struct finding *judge(struct snapshot *s, size_t *count)
{
    struct finding *list;

    *count = health_judge(s, &limits, &s->arena, &list);
    return list;
}

static void expect(struct snapshot *s, const char *rule, enum health_severity severity)
{
    size_t count;
    const struct finding *list = judge(s, &count);
    bool found = false;

    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].rule, rule) != 0)
            continue;
        found = true;
        assert_int_equal(list[i].severity, severity);
        assert_true(list[i].text[0] != '\0' && list[i].advice[0] != '\0');
    }
    if (!found)
        fail_msg("rule %s said nothing", rule);
    snapshot_unref(s);
}

static void healthy_cluster_has_no_finding(void **state)
{
    struct snapshot *s = healthy();
    size_t count;
    const struct finding *list = judge(s, &count);

    (void)state;
    if (count > 0)
        fail_msg("%s: %s", list[0].rule, list[0].text);
    snapshot_unref(s);
}

static void slots_that_are_not_served_are_found(void **state)
{
    struct snapshot *s = healthy();

    (void)state;
    s->slots->state[7] = SLOT_UNCOVERED;
    expect(s, "slots-uncovered", HEALTH_CRIT);
    s = healthy();
    s->slots->state[7] = SLOT_FAIL;
    expect(s, "slots-down", HEALTH_CRIT);
    s = healthy();
    s->slots->state[7] = SLOT_DISPUTED;
    expect(s, "slots-disputed", HEALTH_WARN);
    s = healthy();
    s->slots->state[7] = SLOT_IMPORTING;
    expect(s, "slots-open", HEALTH_WARN);
}

static void nodes_that_are_down_or_silent_are_found(void **state)
{
    struct snapshot *s = healthy();

    (void)state;
    s->nodes[0].state = MONITOR_NODE_FAIL;
    expect(s, "node-down", HEALTH_CRIT);
    s = healthy();
    s->nodes[0].state = MONITOR_NODE_PFAIL;
    expect(s, "node-suspected", HEALTH_WARN);
    s = healthy();
    s->nodes[0].stale = true;
    expect(s, "node-silent", HEALTH_WARN);
    s = healthy();
    s->nodes[1].state = MONITOR_NODE_FAIL;
    expect(s, "shard-without-replica", HEALTH_WARN);
    s = healthy();
    s->shards[0].primary = SNAPSHOT_NONE;
    expect(s, "shard-without-primary", HEALTH_CRIT);
}

static void replicas_that_fall_behind_are_found(void **state)
{
    struct snapshot *s = healthy();

    (void)state;
    s->nodes[1].lag_ms = 10001;
    expect(s, "lag", HEALTH_WARN);
    s = healthy();
    s->nodes[1].lag_backlog_permille = 501;
    expect(s, "lag-backlog", HEALTH_WARN);
    s = healthy();
    s->nodes[1].link_up = 0;
    expect(s, "link-down", HEALTH_WARN);
    s = healthy();
    s->nodes[1].host = STR("10.0.0.1");
    expect(s, "same-host", HEALTH_INFO);
}

static void resources_that_run_out_are_found(void **state)
{
    struct snapshot *s = healthy();

    (void)state;
    s->nodes[0].memory = 990;
    expect(s, "memory", HEALTH_WARN);
    s = healthy();
    s->nodes[0].clients = 90;
    expect(s, "clients", HEALTH_WARN);
    s = healthy();
    s->nodes[0].save_failed = true;
    expect(s, "persistence", HEALTH_CRIT);
}

static void worst_finding_comes_first(void **state)
{
    struct snapshot *s = healthy();
    size_t count;
    const struct finding *list;

    (void)state;
    s->nodes[1].host = STR("10.0.0.1");
    s->nodes[1].lag_ms = 20000;
    s->nodes[0].save_failed = true;
    list = judge(s, &count);
    assert_int_equal(count, 3);
    assert_int_equal(list[0].severity, HEALTH_CRIT);
    assert_int_equal(list[2].severity, HEALTH_INFO);
    snapshot_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(healthy_cluster_has_no_finding),
        cmocka_unit_test(slots_that_are_not_served_are_found),
        cmocka_unit_test(nodes_that_are_down_or_silent_are_found),
        cmocka_unit_test(replicas_that_fall_behind_are_found),
        cmocka_unit_test(resources_that_run_out_are_found),
        cmocka_unit_test(worst_finding_comes_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
