/* What the cells say: unknown is never zero, old is marked, hostile bytes are escaped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "views/screens/cluster_json.h"
#include "views/screens/cluster_model.h"
#include "views/screens/nodes_model.h"

static struct snapshot *two_nodes(void)
{
    struct snapshot *s = snapshot_new();

    s->mode = REDIS_MODE_CLUSTER;
    s->nodes = arena_array(&s->arena, 2, sizeof(*s->nodes));
    s->node_count = 2;
    s->nodes[0] = (struct monitor_node){.id = STR("a1"),
                                        .address = STR("127.0.0.1:7001"),
                                        .role = MONITOR_PRIMARY,
                                        .state = MONITOR_NODE_OK,
                                        .keys = 1234567,
                                        .memory = -1,
                                        .ops_per_sec = -1,
                                        .link_up = -1,
                                        .slots = 5461};
    s->nodes[1] = s->nodes[0];
    s->nodes[1].role = MONITOR_REPLICA;
    s->nodes[1].lag_bytes = -1;
    s->shards = arena_array(&s->arena, 1, sizeof(*s->shards));
    s->shards[0] = (struct monitor_shard){.number = 27, .node_count = 2, .slots = 5461, .keys = -1};
    s->shard_count = 1;
    s->slots->known = true;
    return s;
}

static void expect(const struct snapshot *s, size_t row, enum nodes_column column, const char *text)
{
    struct nodes_text t = nodes_model_text(s, row, column);

    assert_string_equal(t.text, text);
}

static void unknown_numbers_are_no_zeros(void **state)
{
    struct snapshot *s = two_nodes();

    (void)state;
    expect(s, 0, NODES_KEYS, "1,234,567");
    expect(s, 0, NODES_MEMORY, "?");
    expect(s, 0, NODES_OPS, "?");
    expect(s, 1, NODES_LAG, "?");
    expect(s, 0, NODES_SHARD, "ab");
    assert_non_null(strstr(cluster_state_line(s, true).text, "KEYS ?"));
    snapshot_unref(s);
}

static void old_values_carry_a_tilde(void **state)
{
    struct snapshot *s = two_nodes();

    (void)state;
    s->nodes[0].stale = true;
    expect(s, 0, NODES_KEYS, "~1,234,567");
    expect(s, 0, NODES_MEMORY, "?");
    expect(s, 0, NODES_SLOTS, "5461");
    s->nodes[1].stale = true;
    s->stale = 2;
    s->state = MONITOR_UNREACHABLE;
    s->nodes[0].answered_ms = s->nodes[1].answered_ms = 1000;
    assert_non_null(strstr(cluster_warning(s, 38000).text, "NO ANSWER from 2/2 nodes for 37"));
    snapshot_unref(s);
}

static void an_old_map_carries_a_tilde(void **state)
{
    struct snapshot *s = two_nodes();
    struct cluster_line line;

    (void)state;
    s->slots->ok = 16384;
    s->shards[0].keys = 1234567;
    s->views = s->views_agree = 2;
    assert_non_null(strstr(cluster_state_line(s, true).text, "SLOTS 16384/16384"));
    assert_true(cluster_coverage_line(s, 1, &line));
    assert_null(strchr(line.text, '~'));
    s->views = s->views_agree = 0; /* nobody tells it any more */
    s->nodes[0].stale = true;
    assert_non_null(strstr(cluster_state_line(s, true).text, "SLOTS ~16384/16384"));
    assert_non_null(strstr(cluster_state_line(s, false).text, "slots ~16384/16384"));
    assert_true(cluster_coverage_line(s, 1, &line));
    assert_non_null(strstr(line.text, "~ 5461"));
    assert_non_null(strstr(line.text, "~1,234,567"));
    assert_int_equal(cluster_agreement(s).role, ROLE_UNKNOWN);
    snapshot_unref(s);
}

static void few_keys_in_a_slot_are_not_none(void **state)
{
    struct snapshot *s = two_nodes();
    struct cluster_line line;

    (void)state;
    s->shards[0].keys = 3364;
    assert_true(cluster_coverage_line(s, 1, &line));
    assert_non_null(strstr(line.text, " 0.6"));
    s->shards[0].keys = -1;
    assert_true(cluster_coverage_line(s, 1, &line));
    assert_non_null(strstr(line.text, " ?"));
    s->shards[0].slots = 0;
    assert_true(cluster_coverage_line(s, 1, &line));
    assert_non_null(strstr(line.text, " -"));
    snapshot_unref(s);
}

static void lag_fits_its_column(void **state)
{
    struct snapshot *s = two_nodes();
    static const struct {
        int64_t bytes, ms;
        const char *text;
    } rows[] = {{0, 0, "0 0s"},
                {1800000, 3000, "1.72M 3s"},
                {500, -1, "500 ?"}, /* not known is not none */
                {123456789, 99400, "118M 99s"},
                {123456789, 900000, "118M 15m"},
                {123456789, 999999999, "118M 99h"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        s->nodes[1].lag_bytes = rows[i].bytes;
        s->nodes[1].lag_ms = rows[i].ms;
        expect(s, 1, NODES_LAG, rows[i].text);
        assert_true(strlen(rows[i].text) <= 9);
    }
    snapshot_unref(s);
}

static void hostile_bytes_are_escaped(void **state)
{
    struct snapshot *s = two_nodes();
    struct nodes_text t;

    (void)state;
    s->nodes[0].address = STR("\x1b[31mevil\x07:1");
    t = nodes_model_text(s, 0, NODES_ADDRESS);
    assert_null(strchr(t.text, '\x1b'));
    assert_non_null(strstr(t.text, "\\x1b"));
    snapshot_unref(s);
}

static void replicas_stay_below_their_primary(void **state)
{
    struct snapshot *s = two_nodes();

    (void)state;
    assert_false(nodes_table_ops.attached(s, 0));
    assert_true(nodes_table_ops.attached(s, 1));
    snapshot_unref(s);
}

static void json_says_null_for_what_is_not_known(void **state)
{
    struct snapshot *s = two_nodes();
    json_t *doc = cluster_status_json(s);
    const json_t *node = json_array_get(json_object_get(doc, "nodes"), 0);

    (void)state;
    assert_true(json_is_null(json_object_get(node, "memory")));
    assert_true(json_is_null(json_object_get(doc, "keys")));
    assert_int_equal(json_integer_value(json_object_get(node, "keys")), 1234567);
    json_decref(doc);
    snapshot_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_numbers_are_no_zeros),
        cmocka_unit_test(old_values_carry_a_tilde),
        cmocka_unit_test(an_old_map_carries_a_tilde),
        cmocka_unit_test(few_keys_in_a_slot_are_not_none),
        cmocka_unit_test(lag_fits_its_column),
        cmocka_unit_test(hostile_bytes_are_escaped),
        cmocka_unit_test(replicas_stay_below_their_primary),
        cmocka_unit_test(json_says_null_for_what_is_not_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
