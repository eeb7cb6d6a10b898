#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "core/redis/info.h"

static const char text[] = "# Server\r\nredis_version:7.0.15\r\nredis_mode:cluster\r\n"
                           "run_id:0123456789012345678901234567890123456789\r\n"
                           "uptime_in_seconds:77\r\n\r\n# Clients\r\nconnected_clients:3\r\n"
                           "maxclients:10000\r\n# Memory\r\nused_memory:2048\r\nmaxmemory:0\r\n"
                           "maxmemory_policy:noeviction\r\nmem_fragmentation_ratio:1.25\r\n"
                           "# Replication\r\nrole:master\r\nconnected_slaves:2\r\n"
                           "slave0:ip=127.0.0.1,port=7004,state=online,offset=42,lag=1\r\n"
                           "slave1:ip=::1,port=7005,state=wait_bgsave,offset=0,lag=0\r\n"
                           "slave_repl_offset:9\r\nmaster_repl_offset:44\r\n"
                           "# Cluster\r\ncluster_enabled:1\r\n# Keyspace\r\n"
                           "db0:keys=10,expires=3,avg_ttl=0\r\ndb1:keys=5,expires=0,avg_ttl=0\r\n";

static void info_gives_the_fields_that_are_there(void **state)
{
    struct info i;

    (void)state;
    info_parse(&i, str_from(text));
    assert_true(str_is(i.version, "7.0.15"));
    assert_true(str_is(i.flavour, "redis"));
    assert_int_equal(i.role, INFO_ROLE_PRIMARY);
    assert_int_equal(i.uptime_s, 77);
    assert_int_equal(i.maxmemory, 0);
    assert_int_equal(i.replica_count, 2);
    assert_true(i.replicas[0].online);
    assert_int_equal(i.replicas[0].offset, 42);
    assert_false(i.replicas[1].online);
    assert_true(str_is(i.replicas[1].host, "::1"));
    assert_int_equal(i.keys, 15);
    assert_int_equal(i.keys_expiring, 3);
    assert_int_equal(i.databases, 2);
    assert_int_equal(i.replica_offset, 9);
}

static void what_is_missing_is_unknown_and_not_zero(void **state)
{
    struct info i;

    (void)state;
    info_parse(&i,
               STR("# Server\r\nused_memory:x\r\nconnected_clients:-4\r\nuptime_in_seconds:\r\n"));
    assert_int_equal(i.keys, INFO_UNKNOWN);
    assert_int_equal(i.used_memory, INFO_UNKNOWN);
    assert_int_equal(i.connected_clients, INFO_UNKNOWN);
    assert_int_equal(i.uptime_s, INFO_UNKNOWN);
    assert_int_equal(i.role, INFO_ROLE_UNKNOWN);
    assert_int_equal(i.version.len, 0);
    assert_true(i.fragmentation < 0);
    info_parse(&i, STR("# Keyspace\r\n"));
    assert_int_equal(i.keys, 0);
}

static void valkey_is_told_by_its_own_version(void **state)
{
    struct info i;

    (void)state;
    info_parse(&i, STR("redis_version:7.2.4\nserver_name:valkey\nvalkey_version:8.0.1\n"));
    assert_true(str_is(i.version, "8.0.1"));
    assert_true(str_is(i.flavour, "valkey"));
}

static void cluster_info_gives_state_and_epochs(void **state)
{
    struct cluster_info c;

    (void)state;
    cluster_info_parse(&c, STR("cluster_state:fail\r\ncluster_slots_assigned:16384\r\n"
                               "cluster_current_epoch:6\r\ncluster_my_epoch:2\r\n"));
    assert_true(str_is(c.state, "fail"));
    assert_int_equal(c.current_epoch, 6);
    assert_int_equal(c.slots_ok, INFO_UNKNOWN);
}

static void hostile_info_neither_crashes_nor_overflows(void **state)
{
    struct rng r = {3};
    struct info i;

    (void)state;
    info_parse(&i, STR("db0:keys=9223372036854775807\ndb1:keys=9223372036854775807\n"));
    assert_true(i.keys >= 0);
    for (int n = 0; n < 5000; n++) {
        char damaged[sizeof(text)];

        memcpy(damaged, text, sizeof(text));
        for (int k = 0; k < 6; k++)
            damaged[rng_next(&r) % (sizeof(text) - 1)] = (char)rng_next(&r);
        info_parse(&i, (struct str){damaged, rng_next(&r) % sizeof(text)});
        assert_true(i.replica_count <= INFO_REPLICAS_MAX);
        assert_true(i.keys >= INFO_UNKNOWN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(info_gives_the_fields_that_are_there),
        cmocka_unit_test(what_is_missing_is_unknown_and_not_zero),
        cmocka_unit_test(valkey_is_told_by_its_own_version),
        cmocka_unit_test(cluster_info_gives_state_and_epochs),
        cmocka_unit_test(hostile_info_neither_crashes_nor_overflows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
