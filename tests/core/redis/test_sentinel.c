#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/redis/reply.h"
#include "core/redis/sentinel.h"

static void switch_master_names_old_and_new(void **state)
{
    struct sentinel_event e;

    (void)state;
    assert_true(sentinel_parse_event(STR("+switch-master"),
                                     STR("mymaster 127.0.0.1 6379 10.0.0.2 6380"), &e));
    assert_true(str_is(e.master_name, "mymaster"));
    assert_true(str_is(e.host, "127.0.0.1"));
    assert_int_equal(e.port, 6379);
    assert_true(str_is(e.new_host, "10.0.0.2"));
    assert_int_equal(e.new_port, 6380);
}

static void instance_details_are_read_with_and_without_master(void **state)
{
    struct sentinel_event e;

    (void)state;
    assert_true(sentinel_parse_event(
        STR("+sdown"), STR("slave 127.0.0.1:6380 127.0.0.1 6380 @ mymaster 127.0.0.1 6379"), &e));
    assert_true(str_is(e.type, "slave"));
    assert_int_equal(e.port, 6380);
    assert_true(str_is(e.master_name, "mymaster"));
    assert_int_equal(e.master_port, 6379);
    assert_true(
        sentinel_parse_event(STR("+odown"), STR("master mymaster ::1 6379 #quorum 2/2"), &e));
    assert_true(str_is(e.host, "::1"));
    assert_true(str_is(e.master_name, "mymaster"));
    assert_true(str_is(e.extra, "quorum 2/2"));
}

static void epochs_and_votes_are_read(void **state)
{
    struct sentinel_event e;

    (void)state;
    assert_true(sentinel_parse_event(STR("+new-epoch"), STR("12"), &e));
    assert_int_equal(e.epoch, 12);
    assert_true(sentinel_parse_event(STR("+vote-for-leader"), STR("abcdef 13"), &e));
    assert_true(str_is(e.name, "abcdef"));
    assert_int_equal(e.epoch, 13);
    assert_true(sentinel_parse_event(STR("+tilt"), STR("#tilt mode entered"), &e));
}

static void payload_of_another_shape_is_kept_whole(void **state)
{
    static const char *const bad[] = {"", "mymaster", "mymaster 1.2.3.4 x 5.6.7.8 1",
                                      "mymaster 1.2.3.4 99999 5.6.7.8 1", "mymaster a 1 b"};
    struct sentinel_event e;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(sentinel_parse_event(STR("+switch-master"), str_from(bad[i]), &e));
        assert_true(str_is(e.extra, bad[i]));
        assert_int_equal(e.new_port, 0);
    }
    assert_false(sentinel_parse_event(STR("__sentinel__:hello"), STR("a,b"), &e));
}

static void lists_are_read_and_missing_numbers_unknown(void **state)
{
    static const char resp[] = "*2\r\n*10\r\n$4\r\nname\r\n$8\r\nmymaster\r\n$2\r\nip\r\n"
                               "$9\r\n127.0.0.1\r\n$4\r\nport\r\n$4\r\n6379\r\n$5\r\nflags\r\n"
                               "$20\r\nmaster,s_down,o_down\r\n$6\r\nquorum\r\n$1\r\n2\r\n:7\r\n";
    struct reply_parser *p = reply_parser_new(0, 0);
    const struct reply *r;
    struct arena a = {0};
    struct sentinel_list list;
    struct error err;

    (void)state;
    assert_true(reply_parser_feed(p, str_from(resp), &err));
    assert_true(reply_parser_next(p, &r, &err));
    assert_true(sentinel_parse_list(r, &a, &list, &err));
    assert_int_equal(list.count, 1);
    assert_int_equal(list.items[0].flags, SENTINEL_MASTER | SENTINEL_SDOWN | SENTINEL_ODOWN);
    assert_int_equal(list.items[0].quorum, 2);
    assert_int_equal(list.items[0].config_epoch, -1);
    assert_int_equal(list.items[0].port, 6379);
    arena_release(&a);
    reply_parser_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(switch_master_names_old_and_new),
        cmocka_unit_test(instance_details_are_read_with_and_without_master),
        cmocka_unit_test(epochs_and_votes_are_read),
        cmocka_unit_test(payload_of_another_shape_is_kept_whole),
        cmocka_unit_test(lists_are_read_and_missing_numbers_unknown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
