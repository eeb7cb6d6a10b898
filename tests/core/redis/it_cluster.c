/*
 * it_cluster.c - the routing client on real servers: seeds that are dead, slots that move,
 * primaries that die, sentinels, and a single server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/redis/cluster.h"
#include "tests/harness/lab.h"
#include "tests/harness/wait.h"

static struct address at(const struct lab *lab, size_t node)
{
    struct address a;
    struct error err;
    assert_true(address_parse(str_from(lab_address(lab, node)), 0, &a, &err));
    return a;
}

static struct address dead_seed(void)
{
    struct address a;
    assert_true(address_set(&a, STR("127.0.0.1"), 1));
    return a;
}

static struct cluster *connected(const struct redis_options *o)
{
    struct cluster *c = cluster_new(o);
    struct error err = {0};
    if (!cluster_connect(c, false, &err))
        fail_msg("%s", err.text);
    return c;
}

static void set_and_get(struct cluster *c, int n)
{
    char key[32];
    struct error err = {0};
    const struct reply *r;
    (void)snprintf(key, sizeof(key), "key:%d", n);
    struct str k = str_from(key);
    if (!cluster_call(c, k, COMMAND(STR("SET"), k, k), &r, &err))
        fail_msg("%s", err.text);
    assert_true(reply_is(r, "OK"));
    if (!cluster_call(c, k, COMMAND(STR("GET"), k), &r, &err))
        fail_msg("%s", err.text);
    assert_true(str_equal(r->str, k));
}

static void cluster_is_found_through_one_living_seed(void **state)
{
    struct lab *lab = *state;
    struct address seeds[] = {dead_seed(), at(lab, 4)};
    struct redis_options o = {.seeds = seeds, .seed_count = 2};
    struct cluster *c = connected(&o);
    const struct cluster_node *nodes;
    uint32_t slots = 0;
    size_t primaries = 0;
    assert_int_equal(cluster_mode(c), REDIS_MODE_CLUSTER);
    assert_int_equal(cluster_nodes(c, &nodes), 6);
    for (size_t i = 0; i < 6; i++) {
        slots += nodes[i].slots;
        primaries += nodes[i].role == NODE_ROLE_PRIMARY;
        assert_int_equal(strlen(nodes[i].id), 40);
        assert_ptr_equal(cluster_find(c, nodes[i].id), &nodes[i]);
        if (nodes[i].role == NODE_ROLE_REPLICA)
            assert_int_equal(nodes[nodes[i].primary].role, NODE_ROLE_PRIMARY);
    }
    assert_int_equal(slots, SLOT_COUNT);
    assert_int_equal(primaries, 3);
    cluster_free(c);
}

static void cluster_is_found_at_once_while_a_seed_hangs(void **state)
{
    struct lab *lab = *state;
    struct address seeds[] = {at(lab, 3), at(lab, 1)};
    struct redis_options o = {.seeds = seeds, .seed_count = 2};
    assert_true(lab_pause(lab, 3));
    int64_t start = clock_mono_ms();
    struct cluster *c = connected(&o);
    int64_t took = clock_mono_ms() - start;
    assert_true(lab_resume(lab, 3));
    assert_true(took < wait_scale(2000));
    cluster_free(c);
    assert_true(lab_wait_ok(lab, 20000));
}

static void cluster_says_which_seeds_failed(void **state)
{
    (void)state;
    struct address seeds[] = {dead_seed()};
    struct redis_options o = {.seeds = seeds, .seed_count = 1};
    struct cluster *c = cluster_new(&o);
    struct error err = {0};
    assert_false(cluster_connect(c, false, &err));
    assert_int_equal(err.code, ERROR_UNREACHABLE);
    assert_non_null(strstr(err.text, "127.0.0.1:1"));
    cluster_free(c);
}

static void cluster_routes_every_key_to_its_owner(void **state)
{
    struct lab *lab = *state;
    struct address seed = at(lab, 0);
    struct redis_options o = {.seeds = &seed, .seed_count = 1};
    struct cluster *c = connected(&o);
    struct slot_set dirty;
    for (int i = 0; i < 300; i++)
        set_and_get(c, i);
    cluster_take_dirty(c, &dirty);
    assert_int_equal(slot_set_count(&dirty), 0);
    char *seen = lab_cli_routed(lab, "GET", "key:7", NULL);
    assert_string_equal(seen, "key:7");
    free(seen);
    cluster_free(c);
}

/* One slot goes from its owner to another primary, while a client with the old map writes to it. */
static void cluster_follows_ask_and_moved(void **state)
{
    struct lab *lab = *state;
    struct address seed = at(lab, 0);
    struct redis_options o = {.seeds = &seed, .seed_count = 1};
    struct cluster *c = connected(&o);
    struct error err = {0};
    const struct reply *r;
    struct slot_set dirty;
    uint16_t slot = slot_of_key(STR("{move}a"));
    char text[8];
    (void)snprintf(text, sizeof(text), "%u", (unsigned)slot);
    const struct cluster_node *from = cluster_owner(c, slot);
    const struct cluster_node *to = NULL;
    const struct cluster_node *nodes;
    size_t count = cluster_nodes(c, &nodes);
    for (size_t i = 0; i < count; i++)
        if (nodes[i].role == NODE_ROLE_PRIMARY && &nodes[i] != from)
            to = &nodes[i];
    assert_non_null(from);
    if (to == NULL)
        fail_msg("a cluster of one primary");
    struct str s = str_from(text);
    char from_id[48];
    char to_id[48];
    (void)str_copy(str_from(from->id), from_id, sizeof(from_id));
    (void)str_copy(str_from(to->id), to_id, sizeof(to_id));
#define SETSLOT(on, word, id)                                                                   \
    assert_true(cluster_call_node(                                                              \
        c, on, COMMAND(STR("CLUSTER"), STR("SETSLOT"), s, STR(word), str_from(id)), &r, &err)); \
    assert_true(reply_is(r, "OK"))
    SETSLOT(to_id, "IMPORTING", from_id);
    SETSLOT(from_id, "MIGRATING", to_id);
    struct str key = STR("{move}a");
    assert_true(cluster_call(c, key, COMMAND(STR("SET"), key, STR("1")), &r, &err));
    assert_true(reply_is(r, "OK"));
    cluster_take_dirty(c, &dirty);
    assert_true(slot_set_has(&dirty, slot));
    assert_string_equal(cluster_owner(c, slot)->id, from_id);
    SETSLOT(to_id, "NODE", to_id);
    SETSLOT(from_id, "NODE", to_id);
    assert_true(cluster_call(c, key, COMMAND(STR("GET"), key), &r, &err));
    assert_true(reply_is(r, "1"));
    assert_string_equal(cluster_owner(c, slot)->id, to_id);
    cluster_take_dirty(c, &dirty);
    assert_true(slot_set_has(&dirty, slot));
    assert_int_equal(slot_set_count(&dirty), 1);
    cluster_free(c);
}

/* While it waits, the list of nodes, which holds the id it was given, is made anew. */
static void a_call_to_a_node_that_is_gone_outlives_the_list_of_nodes(void **state)
{
    struct lab *lab = *state;
    struct address seed = at(lab, 0);
    struct redis_options o = {.seeds = &seed, .seed_count = 1, .outage_timeout_ms = 3000};
    struct cluster *c = connected(&o);
    struct address gone = at(lab, 5);
    const struct cluster_node *nodes;
    size_t count = cluster_nodes(c, &nodes);
    size_t i = 0;
    struct error err = {0};
    const struct reply *r;
    while (i < count && nodes[i].address.port != gone.port)
        i++;
    assert_true(i < count);
    assert_true(lab_kill(lab, 5));
    assert_false(cluster_call_node(c, nodes[i].id, COMMAND(STR("PING")), &r, &err));
    assert_int_equal(err.code, ERROR_UNREACHABLE);
    assert_true(lab_restart(lab, 5));
    cluster_free(c);
}

static void cluster_gives_errors_about_data_to_the_caller(void **state)
{
    struct lab *lab = *state;
    struct address seed = at(lab, 1);
    struct redis_options o = {.seeds = &seed, .seed_count = 1};
    struct cluster *c = connected(&o);
    struct error err = {0};
    const struct reply *r;
    struct str k = STR("typed");
    assert_true(cluster_call(c, k, COMMAND(STR("SET"), k, STR("x")), &r, &err));
    assert_true(cluster_call(c, k, COMMAND(STR("LPUSH"), k, STR("x")), &r, &err));
    assert_int_equal(reply_error_of(r), REPLY_ERROR_WRONGTYPE);
    assert_true(cluster_call(c, k, COMMAND(STR("NOSUCH"), k), &r, &err));
    assert_int_equal(reply_error_of(r), REPLY_ERROR_UNKNOWN_COMMAND);
    cluster_free(c);
}

static void cluster_knows_what_its_servers_can_do(void **state)
{
    struct lab *lab = *state;
    struct address seed = at(lab, 0);
    struct redis_options o = {.seeds = &seed, .seed_count = 1};
    struct cluster *c = connected(&o);
    struct error err = {0};
    const struct cluster_node *nodes;
    (void)cluster_nodes(c, &nodes);
    const struct capability *can = cluster_capability(c, nodes[0].id, &err);
    assert_non_null(can);
    assert_true(can->version_number >= 70000);
    assert_false(can->guessed);
    assert_true(can->has[CAP_CLUSTER_SHARDS]);
    assert_true(can->has[CAP_EXPIRETIME]);
    assert_true(can->has[CAP_RESTORE]);
    assert_false(can->has[CAP_CLUSTERSCAN]);
    assert_string_equal(can->mode, "cluster");
    cluster_free(c);
}

static void cluster_maps_addresses_that_servers_announce(void **state)
{
    struct lab *lab = *state;
    struct address seed = at(lab, 0);
    struct error err = {0};
    struct address_map *map = address_map_new();
    assert_true(address_map_add(map, STR("127.0.0.0/8"), STR("localhost"), &err));
    struct redis_options o = {.seeds = &seed, .seed_count = 1, .map = map};
    struct cluster *c = connected(&o);
    const struct cluster_node *nodes;
    size_t count = cluster_nodes(c, &nodes);
    size_t mapped = 0;
    for (size_t i = 0; i < count; i++) {
        mapped += strcmp(nodes[i].address.host, "localhost") == 0;
        assert_string_equal(nodes[i].announced.host, "127.0.0.1");
    }
    assert_int_equal(mapped, count);
    set_and_get(c, 1);
    cluster_free(c);
    address_map_free(map);
}

/* Last: it breaks the lab's cluster. */
static void cluster_waits_out_the_death_of_a_primary(void **state)
{
    struct lab *lab = *state;
    struct address seed = at(lab, 1);
    struct redis_options o = {.seeds = &seed, .seed_count = 1, .outage_timeout_ms = 60000};
    struct cluster *c = connected(&o);
    uint64_t before = cluster_version(c);
    int primary = lab_primary_of(lab, 0);
    assert_in_range(primary, 0, 5);
    assert_true(lab_kill(lab, (size_t)primary));
    for (int i = 0; i < 100; i++)
        set_and_get(c, i);
    assert_true(cluster_version(c) > before);
    cluster_free(c);
}

static void cluster_gives_up_when_the_budget_is_spent(void **state)
{
    struct lab *lab = *state;
    struct address seed = at(lab, 1);
    struct redis_options o = {.seeds = &seed, .seed_count = 1, .outage_timeout_ms = 700};
    struct cluster *c = connected(&o);
    struct error err = {0};
    const struct reply *r;
    for (size_t i = 0; i < lab_nodes(lab); i++)
        if (lab_pid(lab, i) != 0)
            assert_true(lab_kill(lab, i));
    int64_t start = clock_mono_ms();
    assert_false(cluster_call(c, STR("k"), COMMAND(STR("GET"), STR("k")), &r, &err));
    assert_int_equal(err.code, ERROR_UNREACHABLE);
    assert_null(r);
    assert_in_range(clock_mono_ms() - start, 500, 10000);
    assert_non_null(strstr(err.text, "127.0.0.1"));
    cluster_free(c);
}

static void sentinels_lead_to_the_primary_through_a_failover(void **state)
{
    (void)state;
    struct lab *lab = lab_start(&(struct lab_options){.kind = LAB_SENTINEL});
    assert_non_null(lab);
    struct address sentinels[] = {dead_seed(), at(lab, lab_nodes(lab)),
                                  at(lab, lab_nodes(lab) + 1)};
    struct redis_options o = {.sentinels = sentinels, .sentinel_count = 3};
    struct cluster *c = connected(&o);
    const struct cluster_node *nodes;
    assert_int_equal(cluster_mode(c), REDIS_MODE_SENTINEL);
    assert_int_equal(cluster_nodes(c, &nodes), 3);
    assert_int_equal(nodes[0].role, NODE_ROLE_PRIMARY);
    uint16_t old = nodes[0].address.port;
    set_and_get(c, 1);
    assert_true(lab_kill(lab, 0));
    set_and_get(c, 2);
    (void)cluster_nodes(c, &nodes);
    assert_int_not_equal(nodes[0].address.port, old);
    cluster_free(c);

    /* The same by asking a sentinel as if it were a node. */
    struct redis_options plain = {.seeds = &sentinels[1], .seed_count = 1};
    c = connected(&plain);
    assert_int_equal(cluster_mode(c), REDIS_MODE_SENTINEL);
    cluster_free(c);
    lab_stop(lab);
}

static void a_single_server_answers_the_same_calls(void **state)
{
    (void)state;
    struct lab *lab = lab_start(&(struct lab_options){.kind = LAB_SINGLE, .password = true});
    assert_non_null(lab);
    struct address seed = at(lab, 0);
    struct secret password = {0};
    secret_set(&password, str_from(lab_password(lab)));
    struct redis_options o = {.seeds = &seed, .seed_count = 1, .password = &password};
    struct cluster *c = connected(&o);
    assert_int_equal(cluster_mode(c), REDIS_MODE_SINGLE);
    assert_null(cluster_topology(c));
    assert_int_equal(cluster_owner(c, 5)->slots, SLOT_COUNT);
    set_and_get(c, 3);
    cluster_free(c);

    secret_set(&password, STR("open-sesame"));
    c = cluster_new(&o);
    struct error err = {0};
    assert_false(cluster_connect(c, true, &err));
    assert_int_equal(err.code, ERROR_AUTH);
    assert_null(strstr(err.text, "open-sesame"));
    cluster_free(c);

    o.password = NULL;
    c = cluster_new(&o);
    assert_false(cluster_connect(c, true, &err));
    assert_int_equal(err.code, ERROR_AUTH);
    cluster_free(c);
    secret_release(&password);
    lab_stop(lab);
}

static int start_lab(void **state)
{
    *state = lab_start(&(struct lab_options){.kind = LAB_CLUSTER});
    return *state == NULL ? -1 : 0;
}

static int stop_lab(void **state)
{
    lab_stop(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cluster_is_found_through_one_living_seed),
        cmocka_unit_test(cluster_is_found_at_once_while_a_seed_hangs),
        cmocka_unit_test(cluster_says_which_seeds_failed),
        cmocka_unit_test(cluster_routes_every_key_to_its_owner),
        cmocka_unit_test(cluster_follows_ask_and_moved),
        cmocka_unit_test(a_call_to_a_node_that_is_gone_outlives_the_list_of_nodes),
        cmocka_unit_test(cluster_gives_errors_about_data_to_the_caller),
        cmocka_unit_test(cluster_knows_what_its_servers_can_do),
        cmocka_unit_test(cluster_maps_addresses_that_servers_announce),
        cmocka_unit_test(cluster_waits_out_the_death_of_a_primary),
        cmocka_unit_test(cluster_gives_up_when_the_budget_is_spent),
        cmocka_unit_test(sentinels_lead_to_the_primary_through_a_failover),
        cmocka_unit_test(a_single_server_answers_the_same_calls),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, start_lab, stop_lab);
}
