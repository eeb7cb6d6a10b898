/*
 * it_restore_limits.c - targets that cannot take a backup: full, evicting, forbidding, without the
 * database; and archives with a reading that was taken back. What cannot be done is said.
 */
#include "tests/engine/program_kit.h"

#include "core/base/secret.h"

static const char *ten_megabytes(void)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    const char *dir;

    assert_non_null(f);
    for (int i = 0; i < 1000; i++) {
        fprintf(f, "{\"key\":\"k:%d\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"", i);
        for (int k = 0; k < 10000; k++)
            fputc('x', f);
        fprintf(f, "\"}\n");
    }
    assert_int_equal(fclose(f), 0);
    dir = kit_backup(text, len);
    free(text);
    return dir;
}

static void limit_memory(long long more, const char *policy)
{
    long long used = lab_info_number(lab, 0, "memory", "used_memory");
    char bytes[24];

    (void)snprintf(bytes, sizeof(bytes), "%lld", used + more);
    free(lab_cli(lab, 0, "CONFIG", "SET", "maxmemory-policy", policy, NULL));
    free(lab_cli(lab, 0, "CONFIG", "SET", "maxmemory", bytes, NULL));
}

static void a_full_server_stops_the_restore_and_is_named(void **ctx UNUSED)
{
    const char *dir = ten_megabytes();
    char *said;

    start("redis");
    limit_memory(9 << 20, "noeviction"); /* the plan only warns of that */
    assert_int_equal(RUN(&said, "restore", "-i", dir), 6);
    assert_non_null(strstr(said, "OOM"));
    assert_in_range(lab_keys(lab), 1, 999);
    free(said);
}

static void a_server_that_evicts_meanwhile_fails_the_restore(void **ctx UNUSED)
{
    const char *dir = ten_megabytes();
    char *said;

    start("redis");
    limit_memory(9 << 20, "allkeys-lru");
    assert_int_equal(RUN(&said, "restore", "-i", dir), 6);
    assert_non_null(strstr(said, "evicted"));
    assert_null(strstr(said, " done"));
    free(said);
}

static void keys_that_may_not_be_written_are_counted_and_the_rest_is_there(void **ctx UNUSED)
{
    static const char text[] =
        "{\"key\":\"open:1\",\"type\":\"hash\",\"ttl_millis\":null,\"value\":{\"f\":\"v\"}}\n"
        "{\"key\":\"secret:1\",\"type\":\"hash\",\"ttl_millis\":null,\"value\":{\"f\":\"v\"}}\n"
        "{\"key\":\"secret:2\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\"}\n"
        "{\"key\":\"secret:3\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"a\"],"
        "\"chunk\":{\"seq\":0,\"last\":true,\"count\":1}}\n"
        "{\"key\":\"open:2\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\"}\n";
    struct secret password = {0};
    struct kit k;
    char *said;

    start("redis");
    said = lab_cli(lab, 0, "ACL", "SETUSER", "writer", "on", ">word", "~open:*", "~?rbc:*", "+@all",
                   NULL);
    assert_string_equal(said, "OK");
    free(said);
    kit_open(&k, kit_backup(text, sizeof(text) - 1), (uint16_t)lab_port(lab, 0));
    secret_set(&password, STR("word"));
    k.target.username = "writer";
    k.target.password = &password;
    if (!kit_restore(&k))
        fail_msg("%s", k.err.text);
    assert_int_equal(k.result.written, 2);
    assert_int_equal(k.result.failed, 3);
    assert_int_equal(task_ledger_count(k.task), 3);
    assert_true(k.plan->warning_count > 0);
    kit_close(&k);
    secret_release(&password);
    assert_int_equal(lab_keys(lab), 2); /* and nothing temporary */
}

static void a_user_who_may_not_write_at_all_is_refused(void **ctx UNUSED)
{
    static const char text[] =
        "{\"key\":\"a\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\"}\n";
    struct secret password = {0};
    struct kit k;

    start("redis");
    free(lab_cli(lab, 0, "ACL", "SETUSER", "reader", "on", ">word", "~*", "+@all", "-set", NULL));
    kit_open(&k, kit_backup(text, sizeof(text) - 1), (uint16_t)lab_port(lab, 0));
    secret_set(&password, STR("word"));
    k.target.username = "reader";
    k.target.password = &password;
    assert_false(kit_restore(&k));
    assert_int_equal(k.err.code, ERROR_AUTH);
    kit_close(&k);
    secret_release(&password);
}

static void keys_of_a_database_that_is_not_there_go_nowhere(void **ctx UNUSED)
{
    static const char text[] =
        "{\"key\":\"a\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"of 0\"}\n"
        "{\"key\":\"a\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"of 99\",\"db\":99}\n";
    static const char possible[] =
        "{\"key\":\"a\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"of 0\"}\n"
        "{\"key\":\"a\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"of 3\",\"db\":3}\n"
        "{\"key\":\"l\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"1\"],\"db\":3,"
        "\"chunk\":{\"seq\":0,\"last\":true,\"count\":1}}\n";
    const char *dir = kit_backup(possible, sizeof(possible) - 1);
    char *said;

    start("redis");
    assert_int_equal(RUN(&said, "restore", "-i", kit_backup(text, sizeof(text) - 1), "--overwrite"),
                     1);
    assert_non_null(strstr(said, "database 99"));
    free(said);
    assert_int_equal(lab_keys(lab), 0);
    assert_int_equal(RUN(NULL, "restore", "-i", dir), 0);
    said = lab_cli(lab, 0, "GET", "a", NULL);
    assert_string_equal(said, "of 0");
    free(said);
    said = lab_cli(lab, 0, "-n", "3", "GET", "a", NULL);
    assert_string_equal(said, "of 3");
    free(said);
    said = lab_cli(lab, 0, "-n", "3", "LLEN", "l", NULL);
    assert_string_equal(said, "1");
    free(said);
    assert_int_equal(RUN(NULL, "verify", "-i", dir, "--full"), 0);
    /* They exist now, also in database 3: the default policy refuses before it writes. */
    free(lab_cli(lab, 0, "DEL", "a", NULL));
    assert_int_equal(RUN(&said, "restore", "-i", dir), 1);
    assert_non_null(strstr(said, "2 keys of the backup exist"));
    free(said);
    assert_int_equal(pttl("a"), -2);
}

static void a_stream_taken_back_in_the_middle_is_read_from_its_second_start(void **ctx UNUSED)
{
    static const char text[] =
        "{\"key\":\"s\",\"type\":\"stream\",\"ttl_millis\":null,\"value\":{\"groups\":[],"
        "\"entries\":"
        "[[\"1-1\",[\"f\",\"old\"]]]},\"chunk\":{\"seq\":0,\"last\":false}}\n"
        "{\"key\":\"s\",\"type\":\"stream\",\"ttl_millis\":null,\"value\":{\"groups\":[],"
        "\"entries\":"
        "[[\"1-1\",[\"f\",\"new\"]]]},\"chunk\":{\"seq\":0,\"last\":false}}\n"
        "{\"key\":\"s\",\"type\":\"stream\",\"ttl_millis\":null,\"value\":{\"entries\":"
        "[[\"2-1\",[\"f\",\"w\"]]],\"last_id\":\"2-1\",\"entries_added\":\"2\","
        "\"max_deleted_id\":\"0-0\"},\"chunk\":{\"seq\":1,\"last\":true,\"count\":2}}\n"
        "{\"key\":\"after\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\"}\n";
    char *said;

    start("redis");
    assert_int_equal(RUN(NULL, "restore", "-i", kit_backup(text, sizeof(text) - 1)), 0);
    said = lab_cli(lab, 0, "XRANGE", "s", "-", "+", NULL);
    assert_string_equal(said, "1-1\nf\nnew\n2-1\nf\nw");
    free(said);
    assert_int_equal(lab_keys(lab), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_full_server_stops_the_restore_and_is_named, stop),
        cmocka_unit_test_teardown(a_server_that_evicts_meanwhile_fails_the_restore, stop),
        cmocka_unit_test_teardown(keys_that_may_not_be_written_are_counted_and_the_rest_is_there,
                                  stop),
        cmocka_unit_test_teardown(a_user_who_may_not_write_at_all_is_refused, stop),
        cmocka_unit_test_teardown(keys_of_a_database_that_is_not_there_go_nowhere, stop),
        cmocka_unit_test_teardown(a_stream_taken_back_in_the_middle_is_read_from_its_second_start,
                                  stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
