/*
 * test_address.c - addresses as people and as servers write them, and the map between the two.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "core/net/address_map.h"

struct row {
    const char *text;
    const char *host; /* NULL = refused */
    uint16_t default_port;
    uint16_t port;
};

static void addresses_are_read_as_people_write_them(void **state)
{
    static const struct row rows[] = {
        {"127.0.0.1:7001", "127.0.0.1", 0, 7001},
        {"Redis-1.Example:6379", "redis-1.example", 0, 6379},
        {"redis-1.example", "redis-1.example", 6379, 6379},
        {"[::1]:7001", "::1", 0, 7001},
        {"[::1]", "::1", 6379, 6379},
        {"[fe80::1%eth0]:7", "fe80::1%eth0", 0, 7},
        {"::1", NULL, 6379, 0},
        {"::1:7001", NULL, 0, 0},
        {"[::1:7001", NULL, 0, 0},
        {"[::1]7001", NULL, 0, 0},
        {"[localhost]:1", NULL, 0, 0},
        {"host", NULL, 0, 0},
        {"host:", NULL, 6379, 0},
        {":6379", NULL, 0, 0},
        {"", NULL, 6379, 0},
        {"host:0", NULL, 0, 0},
        {"host:65536", NULL, 0, 0},
        {"host:+1", NULL, 0, 0},
        {"ho st:1", NULL, 0, 0},
        {"redis://h:1", NULL, 0, 0},
        {"user@h:1", NULL, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct address a;
        struct error err = {0};
        bool ok = address_parse(str_from(rows[i].text), rows[i].default_port, &a, &err);
        if (ok != (rows[i].host != NULL))
            fail_msg("%s", rows[i].text);
        if (ok) {
            assert_string_equal(a.host, rows[i].host);
            assert_int_equal(a.port, rows[i].port);
        } else {
            assert_int_equal(err.code, ERROR_CONFIG);
        }
    }
}

static void addresses_are_read_as_servers_write_them(void **state)
{
    static const struct row rows[] = {
        {"10.0.0.1:6379", "10.0.0.1", 0, 6379},
        {"::1:6379", "::1", 0, 6379},
        {"[::1]:6379", "::1", 0, 6379},
        {":6381", "", 0, 6381},
        {"h", NULL, 0, 0},
        {"h:0", NULL, 0, 0},
        {"h:x", NULL, 0, 0},
        {"\x1b[2J:1", NULL, 0, 0},
        {"", NULL, 0, 0},
        {":", NULL, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct address a;
        struct error err = {0};
        bool ok = address_parse_server(str_from(rows[i].text), &a, &err);
        assert_int_equal(ok, rows[i].host != NULL);
        if (ok) {
            assert_string_equal(a.host, rows[i].host);
            assert_int_equal(a.port, rows[i].port);
        } else {
            assert_int_equal(err.code, ERROR_CORRUPT);
            assert_null(strchr(err.text, 0x1b));
        }
    }
}

static void addresses_print_with_brackets_where_needed(void **state)
{
    char text[ADDRESS_TEXT_MAX];
    struct address a;
    (void)state;
    assert_true(address_set(&a, STR("::1"), 7001));
    assert_string_equal(address_text(text, sizeof(text), &a), "[::1]:7001");
    assert_true(address_is_loopback(&a));
    assert_true(address_is_numeric(&a));
    assert_true(address_set(&a, STR("10.1.2.3"), 6379));
    assert_string_equal(address_text(text, sizeof(text), &a), "10.1.2.3:6379");
    assert_false(address_is_loopback(&a));
    assert_true(address_set(&a, STR("127.8.9.1"), 1));
    assert_true(address_is_loopback(&a));
    assert_true(address_set(&a, STR("127.example"), 1));
    assert_false(address_is_loopback(&a));
    assert_false(address_is_numeric(&a));
}

static void check_map(const struct address_map *m, const char *from, const char *to)
{
    struct address a;
    struct error err;
    char text[ADDRESS_TEXT_MAX];
    assert_true(address_parse(str_from(from), 0, &a, &err));
    bool mapped = address_map_apply(m, &a);
    assert_int_equal(mapped, strcmp(from, to) != 0);
    assert_string_equal(address_text(text, sizeof(text), &a), to);
}

static void the_most_exact_rule_maps_an_address_once(void **state)
{
    struct address_map *m = address_map_new();
    struct error err;
    (void)state;
    assert_true(address_map_add(m, STR("10.0.0.0/8"), STR("wide.example"), &err));
    assert_true(address_map_add(m, STR("10.1.0.0/16"), STR("narrow.example:7000"), &err));
    assert_true(address_map_add(m, STR("10.1.1.1"), STR("10.0.0.9"), &err));
    assert_true(address_map_add(m, STR("10.1.1.1:6380"), STR("[::1]:7001"), &err));
    assert_true(address_map_add(m, STR("fd00::/9"), STR("six.example"), &err));
    assert_true(address_map_add(m, STR("inner.example"), STR("outer.example"), &err));
    check_map(m, "10.2.3.4:6379", "wide.example:6379");
    check_map(m, "10.1.3.4:6379", "narrow.example:7000");
    check_map(m, "10.1.1.1:6379", "10.0.0.9:6379");
    check_map(m, "10.1.1.1:6380", "[::1]:7001");
    check_map(m, "[fd7f::1]:1", "six.example:1");
    check_map(m, "[fdff::1]:1", "[fdff::1]:1");
    check_map(m, "inner.example:5", "outer.example:5");
    check_map(m, "11.0.0.1:6379", "11.0.0.1:6379");
    assert_false(address_map_apply(NULL, &(struct address){.host = "h", .port = 1}));
    address_map_free(m);
}

static void bad_rules_are_refused(void **state)
{
    static const char *const bad[][2] = {
        {"10.0.0.0/33", "h"}, {"10.0.0/8", "h"},   {"h/8", "h"}, {"", "h"},
        {"10.0.0.0/", "h"},   {"h:0", "h"},        {"h", "h:x"}, {"h", ""},
        {"h", "10.0.0.0/8"},  {"fd00::/129", "h"}, {"a b", "h"},
    };
    struct address_map *m = address_map_new();
    struct error err;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        if (address_map_add(m, str_from(bad[i][0]), str_from(bad[i][1]), &err))
            fail_msg("%s -> %s", bad[i][0], bad[i][1]);
        assert_int_equal(err.code, ERROR_CONFIG);
    }
    assert_true(address_map_add(m, STR("10.0.0.0/8"), STR("a"), &err));
    assert_false(address_map_add(m, STR("10.9.9.9/8"), STR("b"), &err));
    assert_int_equal(address_map_count(m), 1);
    address_map_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_as_people_write_them),
        cmocka_unit_test(addresses_are_read_as_servers_write_them),
        cmocka_unit_test(addresses_print_with_brackets_where_needed),
        cmocka_unit_test(the_most_exact_rule_maps_an_address_once),
        cmocka_unit_test(bad_rules_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
