#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/redis/glob.h"
#include "core/redis/slot.h"

static void crc_gives_the_value_of_the_specification(void **state)
{
    (void)state;
    assert_int_equal(slot_crc16(STR("123456789")), 0x31c3);
    assert_int_equal(slot_crc16(STR("")), 0);
}

static void key_goes_to_the_slot_that_servers_choose(void **state)
{
    /* From CLUSTER KEYSLOT of a real server. */
    (void)state;
    assert_int_equal(slot_of_key(STR("user:1")), 10778);
    assert_int_equal(slot_of_key(STR("foo")), 12182);
    assert_int_equal(slot_of_key(STR("bar")), 5061);
    assert_int_equal(slot_of_key(STR("")), 0);
}

static void hash_tag_decides_alone(void **state)
{
    (void)state;
    assert_int_equal(slot_of_key(STR("{user1000}.following")), slot_of_key(STR("user1000")));
    assert_int_equal(slot_of_key(STR("foo{bar}{zap}")), slot_of_key(STR("bar")));
    assert_int_equal(slot_of_key(STR("foo{{bar}}zap")), slot_of_key(STR("{bar")));
    assert_int_equal(slot_of_key(STR("foo{}{bar}")), slot_crc16(STR("foo{}{bar}")) % SLOT_COUNT);
    assert_int_equal(slot_of_key(STR("foo{bar")), slot_crc16(STR("foo{bar")) % SLOT_COUNT);
    assert_int_equal(slot_of_key(STR("}x{")), slot_crc16(STR("}x{")) % SLOT_COUNT);
    assert_int_equal(slot_of_key(STR("a\0{b}c")), slot_of_key(STR("b")));
}

static void set_parses_what_it_formats(void **state)
{
    struct slot_set set;
    struct slot_set back;
    struct error err;
    struct buf text;

    (void)state;
    buf_init(&text, 1000);
    assert_true(slot_set_parse(&set, STR("9000, 0-5460,16383"), &err));
    assert_int_equal(slot_set_count(&set), 5463);
    assert_true(slot_set_has(&set, 0) && slot_set_has(&set, 5460) && slot_set_has(&set, 16383));
    assert_false(slot_set_has(&set, 5461));
    assert_true(slot_set_format(&set, 0, &text, &err));
    assert_string_equal(text.data, "0-5460,9000,16383");
    assert_true(slot_set_parse(&back, buf_str(&text), &err));
    assert_true(slot_set_equal(&set, &back));
    buf_clear(&text);
    assert_true(slot_set_format(&set, 1, &text, &err));
    assert_string_equal(text.data, "0-5460,+2 more");
    buf_release(&text);
}

static void set_refuses_what_is_no_range(void **state)
{
    static const char *const bad[] = {"",   "x",    "5-3", "16384", "1-16384",
                                      "-1", "1,,2", "1-",  "0x10"};
    struct slot_set set = {0};
    struct error err;

    (void)state;
    slot_set_add(&set, 7);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(slot_set_parse(&set, str_from(bad[i]), &err));
        assert_int_equal(err.code, ERROR_USAGE);
        assert_true(slot_set_has(&set, 7));
    }
}

static void set_walks_its_ranges(void **state)
{
    struct slot_set set = {0};
    uint32_t at = 0;
    uint16_t first;
    uint16_t last;

    (void)state;
    assert_false(slot_set_next_range(&set, &at, &first, &last));
    slot_set_fill(&set);
    slot_set_remove(&set, 100);
    at = 0;
    assert_true(slot_set_next_range(&set, &at, &first, &last));
    assert_int_equal(last, 99);
    assert_true(slot_set_next_range(&set, &at, &first, &last));
    assert_int_equal(first, 101);
    assert_int_equal(last, 16383);
    assert_false(slot_set_next_range(&set, &at, &first, &last));
}

static void glob_names_the_only_slot_it_can_match(void **state)
{
    (void)state;
    assert_int_equal(glob_slot(STR("{user1}:*")), slot_of_key(STR("user1")));
    assert_int_equal(glob_slot(STR("foo")), slot_of_key(STR("foo")));
    assert_int_equal(glob_slot(STR("*{user1}")), SLOT_NONE);
    assert_int_equal(glob_slot(STR("{us?r}x")), SLOT_NONE);
    assert_int_equal(glob_slot(STR("{}*")), SLOT_NONE);
    assert_int_equal(glob_slot(STR("user*")), SLOT_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc_gives_the_value_of_the_specification),
        cmocka_unit_test(key_goes_to_the_slot_that_servers_choose),
        cmocka_unit_test(hash_tag_decides_alone),
        cmocka_unit_test(set_parses_what_it_formats),
        cmocka_unit_test(set_refuses_what_is_no_range),
        cmocka_unit_test(set_walks_its_ranges),
        cmocka_unit_test(glob_names_the_only_slot_it_can_match),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
