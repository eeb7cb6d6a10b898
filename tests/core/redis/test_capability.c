/*
 * test_capability.c - vendor, version and commands from INFO and COMMAND INFO of many servers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/redis/capability.h"

static struct capability of(const char *info)
{
    struct capability c;
    struct error err = {0};
    if (!capability_from_info(str_from(info), &c, &err))
        fail_msg("%s", err.text);
    return c;
}

static void versions_decide_until_the_server_was_asked(void **state)
{
    (void)state;
    struct capability c = of("redis_version:6.2.16\r\nredis_mode:cluster\r\nrun_id:ab\r\n");
    assert_int_equal(c.version_number, 60216);
    assert_true(c.guessed);
    assert_true(c.has[CAP_COPY]);
    assert_false(c.has[CAP_EXPIRETIME]);
    assert_false(c.has[CAP_CLUSTER_SHARDS]);
    c = of("redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.0-rc1\r\n");
    assert_int_equal(c.flavour, FLAVOUR_VALKEY);
    assert_int_equal(c.version_number, 90100);
    assert_true(c.has[CAP_CLUSTERSCAN]);
    assert_true(c.has[CAP_HASH_FIELD_EXPIRY]);
    c = of("redis_version:8.2.1\r\n");
    assert_true(c.has[CAP_HASH_FIELD_EXPIRY]);
    assert_false(c.has[CAP_CLUSTERSCAN]);
    assert_true(capability_at_least(&c, FLAVOUR_REDIS, 80000));
    assert_false(capability_at_least(&c, FLAVOUR_VALKEY, 80000));
}

static void no_version_is_an_error(void **state)
{
    struct capability c;
    struct error err = {0};
    (void)state;
    assert_false(capability_from_info(STR("hello"), &c, &err));
    assert_int_equal(err.code, ERROR_REPLY);
    assert_true(capability_from_info(STR("redis_version:99999999999.-1.x\r\n"), &c, &err));
}

static void a_renamed_command_is_not_there(void **state)
{
    struct reply items[CAP_COMMANDS];
    struct reply inside[] = {{.type = REPLY_STRING, .str = STR("name")}};
    struct reply all = {.type = REPLY_ARRAY, .elements = items, .count = CAP_COMMANDS};
    (void)state;
    for (int i = 0; i < CAP_COMMANDS; i++)
        items[i] = (struct reply){.type = REPLY_ARRAY, .elements = inside, .count = 1};
    items[CAP_CONFIG] = (struct reply){.type = REPLY_NIL};
    items[CAP_CLUSTER_SHARDS] = (struct reply){.type = REPLY_NIL};
    struct capability c = of("redis_version:7.0.15\r\n");
    capability_from_commands(&all, &c);
    assert_false(c.guessed);
    assert_false(c.has[CAP_CONFIG]);
    assert_false(c.has[CAP_CLUSTER_SHARDS]);
    assert_true(c.has[CAP_RESTORE]);
    /* Before 7.0 COMMAND INFO knows no subcommand: nil says nothing. */
    c = of("redis_version:6.2.16\r\n");
    items[CAP_CLIENT_NO_EVICT] = (struct reply){.type = REPLY_NIL};
    capability_from_commands(&all, &c);
    assert_false(c.has[CAP_CLIENT_NO_EVICT]);
    assert_false(c.has[CAP_CONFIG]);
    /* An answer of another shape leaves the guess. */
    all.count--;
    c = of("redis_version:7.0.15\r\n");
    capability_from_commands(&all, &c);
    assert_true(c.guessed);
    capability_from_commands(NULL, &c);
    assert_true(c.guessed);
}

static void the_question_names_every_command(void **state)
{
    struct buf out;
    struct error err = {0};
    (void)state;
    buf_init(&out, 4096);
    assert_true(capability_command(&out, &err));
    for (int i = 0; i < CAP_COMMANDS; i++)
        assert_non_null(capability_command_name((enum capability_command)i));
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_decide_until_the_server_was_asked),
        cmocka_unit_test(no_version_is_an_error),
        cmocka_unit_test(a_renamed_command_is_not_there),
        cmocka_unit_test(the_question_names_every_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
