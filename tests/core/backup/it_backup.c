#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/engine/fixture_backup.h"

static void every_type_is_read_as_the_server_holds_it(void **state)
{
    struct lab *lab = lab_start(&(struct lab_options){.replicas = -1});
    struct backup_result done;
    struct task *task = task_new_plain();
    struct setting s;
    struct map *keys;
    const json_t *line;
    int64_t ttl;

    (void)state;
    assert_non_null(lab);
    setting_init(&s, lab);
    CLI(lab, "SET", "text", "va\"lue");
    CLI(lab, "SET", "mortal", "x", "PX", "600000");
    CLI(lab, "HSET", "hash", "field", "value");
    CLI(lab, "RPUSH", "list", "a", "b", "a");
    CLI(lab, "SADD", "set", "member");
    CLI(lab, "ZADD", "zset", "0.1", "tenth", "inf", "top");
    CLI(lab, "XADD", "stream", "5-1", "f", "v");
    CLI(lab, "XGROUP", "CREATE", "stream", "g", "0");
    CLI(lab, "XREADGROUP", "GROUP", "g", "c", "STREAMS", "stream", ">");
    CLI(lab, "PFADD", "hll", "a", "b");
    setting_run(&s, task, &done);
    assert_true(done.manifest->complete);
    assert_int_equal(done.findings, 0);
    assert_int_equal(done.manifest->totals.keys, lab_keys(lab));
    assert_int_equal(done.manifest->totals.with_ttl, 1);
    assert_int_equal(done.manifest->totals.hyperloglog, 1);
    keys = read_lines(&s, done.manifest);
    expect_key(keys, "text", "string", "\"va\\\"lue\"");
    expect_key(keys, "hash", "hash", "{\"field\":\"value\"}");
    expect_key(keys, "list", "list", "[\"a\",\"b\",\"a\"]");
    expect_key(keys, "set", "set", "[\"member\"]");
    expect_key(keys, "zset", "zset", "[[\"tenth\",\"0.1\"],[\"top\",\"inf\"]]");
    line = json_object_get(only_line(keys, "stream"), "value");
    assert_string_equal(json_string_value(json_object_get(line, "last_id")), "5-1");
    line = json_array_get(json_object_get(line, "groups"), 0);
    assert_string_equal(json_string_value(json_object_get(line, "name")), "g");
    assert_int_equal(json_array_size(json_object_get(line, "pending")), 1);
    ttl = json_integer_value(json_object_get(only_line(keys, "mortal"), "ttl_millis"));
    assert_true(ttl > 570000 && ttl <= 600000);
    line = only_line(keys, "hll");
    assert_string_equal(json_string_value(json_object_get(line, "subtype")), "hyperloglog");
    map_free(keys, free_lines);
    backup_result_release(&done);
    task_free(task);
    lab_stop(lab);
}

/* ---- large keys -------------------------------------------------------------------------------
 */

static void a_large_key_comes_in_chunks_that_add_up(void **state)
{
    struct lab *lab = lab_start(&(struct lab_options){.replicas = -1});
    struct task *task = task_new_plain();
    struct backup_result done;
    struct setting s;
    struct map *keys;
    const json_t *lines;
    const json_t *last;
    size_t index = 0;

    (void)state;
    assert_non_null(lab);
    setting_init(&s, lab);
    CLI(lab, "EVAL", "for i = 1, 60000 do redis.call('RPUSH', KEYS[1], 'element number ' .. i) end",
        "1", "big:list");
    CLI(lab, "EVAL",
        "for i = 1, 30000 do redis.call('XADD', KEYS[1], '7-' .. i, 'f', string.rep('v', 60) .. i) "
        "end",
        "1", "big:stream");
    CLI(lab, "EVAL",
        "for i = 1, 30000 do redis.call('HSET', KEYS[1], 'f' .. i, string.rep('v', 60) .. i) end",
        "1", "big:hash");
    s.backup.chunk_bytes = 65536; /* runs cross parts */
    setting_run(&s, task, &done);
    assert_true(done.manifest->complete);
    assert_int_equal(done.manifest->totals.keys, 3);
    assert_int_equal(done.manifest->totals.fuzzy, 0);
    assert_true(done.manifest->part_count > 3);
    keys = read_lines(&s, done.manifest);
    lines = map_get(keys, STR("big:list"));
    assert_true(json_array_size(lines) > 2);
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *line = json_array_get(lines, i);
        const json_t *value = json_object_get(line, "value");

        assert_int_equal(json_integer_value(json_object_get(json_object_get(line, "chunk"), "seq")),
                         i);
        for (size_t e = 0; e < json_array_size(value); e++) {
            char want[40];

            (void)snprintf(want, sizeof(want), "element number %zu", ++index);
            assert_string_equal(json_string_value(json_array_get(value, e)), want);
        }
    }
    last = json_object_get(json_array_get(lines, json_array_size(lines) - 1), "chunk");
    assert_true(json_is_true(json_object_get(last, "last")));
    assert_int_equal(json_integer_value(json_object_get(last, "count")), 60000);
    assert_int_equal(index, 60000);
    lines = map_get(keys, STR("big:stream"));
    last = json_array_get(lines, json_array_size(lines) - 1);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(last, "chunk"), "count")),
                     30000);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(last, "value"), "last_id")), "7-30000");
    map_free(keys, free_lines);
    backup_result_release(&done);
    task_free(task);
    lab_stop(lab);
}

/* ---- faults -----------------------------------------------------------------------------------
 */

static void a_killed_primary_is_read_again_on_its_replica(void **state)
{
    struct lab *lab = lab_start(&(struct lab_options){0});
    struct background b;
    struct setting s;

    (void)state;
    assert_non_null(lab);
    assert_true(lab_seed(lab, 3000));
    assert_true(lab_wait_ok(lab, 10000));
    setting_init(&s, lab);
    assert_true(start_slowly(&b, &s));
    assert_true(lab_kill(lab, 0));
    assert_int_equal(pthread_join(b.thread, NULL), 0);
    assert_true(b.done.manifest->complete);
    assert_true(b.done.rounds >= 2);
    assert_true(b.done.manifest->event_count >= 1);
    expect_all_seeded(&s, b.done.manifest, 3000);
    backup_result_release(&b.done);
    task_free(b.task);
    lab_stop(lab);
}

static void a_demoted_primary_is_noticed_while_it_still_answers(void **state)
{
    struct lab *lab = lab_start(&(struct lab_options){0});
    struct background b;
    struct setting s;
    char *answer = NULL;

    (void)state;
    assert_non_null(lab);
    assert_true(lab_seed(lab, 3000));
    assert_true(lab_wait_ok(lab, 10000));
    setting_init(&s, lab);
    assert_true(start_slowly(&b, &s));
    for (size_t n = 3; n < 6; n++) { /* whichever replicates node 0 takes over, and the others */
        answer = lab_cli(lab, n, "CLUSTER", "FAILOVER", NULL);
        free(answer);
    }
    assert_int_equal(pthread_join(b.thread, NULL), 0);
    assert_true(b.done.manifest->complete);
    assert_true(b.done.rounds >= 2);
    expect_all_seeded(&s, b.done.manifest, 3000);
    backup_result_release(&b.done);
    task_free(b.task);
    lab_stop(lab);
}

static void an_open_slot_makes_the_backup_incomplete(void **state)
{
    struct lab *lab = lab_start(&(struct lab_options){.replicas = -1});
    struct task *task = task_new_plain();
    struct backup_result done;
    struct setting s;
    char *target;
    char *answer;

    (void)state;
    assert_non_null(lab);
    setting_init(&s, lab);
    CLI(lab, "SET", "text", "value");
    target = lab_cli(lab, 1, "CLUSTER", "MYID", NULL);
    answer = lab_cli(lab, 0, "CLUSTER", "SETSLOT", "7", "MIGRATING", target, NULL);
    assert_string_equal(answer, "OK");
    setting_run(&s, task, &done);
    assert_false(done.manifest->complete);
    assert_true(done.findings > 0);
    assert_int_equal(done.rounds, BACKUP_ROUNDS);
    assert_non_null(strstr(done.manifest->reason, "slots 7"));
    assert_int_equal(done.manifest->totals.keys, 1);
    free(answer);
    free(target);
    backup_result_release(&done);
    task_free(task);
    lab_stop(lab);
}

static void keys_that_may_not_be_read_are_counted(void **state)
{
    struct lab *lab = lab_start(&(struct lab_options){.replicas = -1});
    struct task *task = task_new_plain();
    struct backup_result done;
    struct setting s;

    (void)state;
    assert_non_null(lab);
    setting_init(&s, lab);
    CLI(lab, "SET", "open:1", "value");
    CLI(lab, "SET", "secret:1", "value");
    CLI(lab, "SET", "secret:2", "value");
    for (size_t n = 0; n < lab_nodes(lab); n++) {
        char *answer =
            lab_cli(lab, n, "ACL", "SETUSER", "reader", "on", ">word", "~open:*", "+@all", NULL);

        assert_string_equal(answer, "OK");
        free(answer);
    }
    secret_set(&s.password, STR("word"));
    s.redis.username = "reader";
    s.redis.password = &s.password;
    setting_run(&s, task, &done);
    assert_true(done.manifest->complete);
    assert_int_equal(done.manifest->totals.keys, 1);
    assert_int_equal(done.manifest->totals.unreadable, 2);
    assert_int_equal(done.findings, 2);
    assert_int_equal(task_ledger_count(task), 2);
    secret_release(&s.password);
    backup_result_release(&done);
    task_free(task);
    lab_stop(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_read_as_the_server_holds_it),
        cmocka_unit_test(a_large_key_comes_in_chunks_that_add_up),
        cmocka_unit_test(a_killed_primary_is_read_again_on_its_replica),
        cmocka_unit_test(a_demoted_primary_is_noticed_while_it_still_answers),
        cmocka_unit_test(an_open_slot_makes_the_backup_incomplete),
        cmocka_unit_test(keys_that_may_not_be_read_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
