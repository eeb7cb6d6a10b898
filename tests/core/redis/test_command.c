/*
 * test_command.c - commands on the wire, byte by byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/redis/command.h"

static void commands_are_arrays_of_bulk_strings(void **state)
{
    struct buf out;
    struct error err = {0};
    (void)state;
    buf_init(&out, 1000);
    assert_true(command_append(&out, COMMAND(STR("SET"), STR("k\0\r\n"), STR("")), &err));
    assert_true(str_equal(buf_str(&out), STR("*3\r\n$3\r\nSET\r\n$4\r\nk\0\r\n\r\n$0\r\n\r\n")));
    buf_clear(&out);
    assert_true(command_words(&out, "CLUSTER SHARDS", &err));
    assert_string_equal(out.data, "*2\r\n$7\r\nCLUSTER\r\n$6\r\nSHARDS\r\n");
    buf_clear(&out);
    assert_true(command_begin(&out, 3, &err) && command_arg_text(&out, "X", &err) &&
                command_arg_i64(&out, INT64_MIN, &err) && command_arg_u64(&out, UINT64_MAX, &err));
    assert_string_equal(out.data, "*3\r\n$1\r\nX\r\n$20\r\n-9223372036854775808\r\n"
                                  "$20\r\n18446744073709551615\r\n");
    buf_release(&out);
}

static void a_command_that_does_not_fit_leaves_nothing_behind(void **state)
{
    struct buf out;
    struct error err = {0};
    (void)state;
    buf_init(&out, 40);
    assert_true(command_words(&out, "PING", &err));
    size_t before = out.len;
    assert_false(command_append(
        &out, COMMAND(STR("SET"), STR("key"), STR("0123456789012345678901234567890")), &err));
    assert_int_equal(err.code, ERROR_LIMIT);
    assert_int_equal(out.len, before);
    assert_string_equal(out.data, "*1\r\n$4\r\nPING\r\n");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_arrays_of_bulk_strings),
        cmocka_unit_test(a_command_that_does_not_fit_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
