#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "core/record/filter.h"

static void an_empty_filter_takes_everything_but_our_own_keys(void **ctx UNUSED)
{
    struct filter f = {0};

    assert_true(filter_is_open(&f));
    assert_true(filter_takes_key(&f, STR(""), SLOT_NONE));
    assert_true(filter_takes_key(&f, STR("\0\xff"), 3));
    assert_true(filter_takes_type(&f, STR("vectorset")));
    assert_false(filter_takes_key(&f, STR("\0rbc:run:{1}:2"), 9842));
    assert_true(filter_takes_key(&f, STR("rbc:run"), SLOT_NONE));
}

static void several_patterns_mean_any_of_them(void **ctx UNUSED)
{
    static const char *const match[] = {"user:*", "h?llo", "[ab]c"};
    struct filter f = {.match = match, .match_count = 3};

    assert_false(filter_is_open(&f));
    assert_true(filter_takes_key(&f, STR("user:"), SLOT_NONE));
    assert_true(filter_takes_key(&f, STR("user:a\0b"), SLOT_NONE));
    assert_true(filter_takes_key(&f, STR("hello"), SLOT_NONE));
    assert_true(filter_takes_key(&f, STR("bc"), SLOT_NONE));
    assert_false(filter_takes_key(&f, STR("xuser:1"), SLOT_NONE));
    assert_false(filter_takes_key(&f, STR("cc"), SLOT_NONE));
    assert_false(filter_takes_key(&f, STR(""), SLOT_NONE));
}

static void several_types_mean_any_of_them(void **ctx UNUSED)
{
    static const char *const types[] = {"hash", "stream"};
    struct filter f = {.types = types, .type_count = 2};

    assert_false(filter_is_open(&f));
    assert_true(filter_takes_type(&f, STR("hash")));
    assert_true(filter_takes_type(&f, STR("stream")));
    assert_false(filter_takes_type(&f, STR("hashes")));
    assert_false(filter_takes_type(&f, STR("string")));
    assert_false(filter_takes_type(&f, STR("")));
}

static void slots_hold_inside_and_outside_a_cluster(void **ctx UNUSED)
{
    struct filter f = {0};
    struct error err = {0};

    assert_true(filter_set_slots(&f, "0-100,12182", &err));
    assert_false(filter_is_open(&f));
    assert_true(filter_takes_key(&f, STR("any"), 100));
    assert_false(filter_takes_key(&f, STR("any"), 101));
    /* "foo" is in slot 12182, "bar" in 5061 (Redis cluster tutorial). */
    assert_true(filter_takes_key(&f, STR("foo"), SLOT_NONE));
    assert_false(filter_takes_key(&f, STR("bar"), SLOT_NONE));
}

static void kinds_are_joined_by_and(void **ctx UNUSED)
{
    static const char *const match[] = {"foo*"};
    struct filter f = {.match = match, .match_count = 1};
    struct error err = {0};

    assert_true(filter_set_slots(&f, "5061", &err));
    assert_false(filter_takes_key(&f, STR("foo"), SLOT_NONE));
    assert_false(filter_takes_key(&f, STR("bar"), SLOT_NONE));
    assert_true(filter_takes_key(&f, STR("foo{bar}"), SLOT_NONE));
}

static void slots_that_are_none_are_named(void **ctx UNUSED)
{
    static const char *const bad[] = {"", "16384", "9-3", "a", "1-", "-1", "1,,2", "1-2-3"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct filter f = {0};
        struct error err = {0};

        if (filter_set_slots(&f, bad[i], &err))
            fail_msg("took \"%s\"", bad[i]);
        assert_int_equal(err.code, ERROR_USAGE);
        assert_true(filter_is_open(&f));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_filter_takes_everything_but_our_own_keys),
        cmocka_unit_test(several_patterns_mean_any_of_them),
        cmocka_unit_test(several_types_mean_any_of_them),
        cmocka_unit_test(slots_hold_inside_and_outside_a_cluster),
        cmocka_unit_test(kinds_are_joined_by_and),
        cmocka_unit_test(slots_that_are_none_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
