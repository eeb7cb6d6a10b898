#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "tests/engine/fixture_backup.h"
#include "tests/harness/tmpdir.h"

/* ---- fields with deadlines --------------------------------------------------------------------
 */

static void deadlines_of_hash_fields_are_kept(void **state)
{
    struct lab *lab =
        lab_start(&(struct lab_options){.kind = LAB_CLUSTER, .replicas = -1, .flavor = "redis8"});
    struct task *task = task_new_plain();
    struct backup_result done;
    struct setting s;
    struct map *keys;
    const json_t *line;
    const json_t *lines;
    const json_t *fields;
    char *told;

    (void)state;
    if (lab == NULL) {
        print_message("no server here that knows deadlines of fields (flavour redis8)\n");
        skip();
    }
    setting_init(&s, lab);
    CLI(lab, "HSET", "hash", "mortal", "1", "lasting", "2");
    CLI(lab, "HPEXPIREAT", "hash", "1999999999999", "FIELDS", "1", "mortal");
    CLI(lab, "HSET", "shell", "gone", "1");
    CLI(lab, "HPEXPIRE", "shell", "1", "FIELDS", "1", "gone");
    CLI(lab, "HSET", "plain", "field", "value");
    CLI(lab, "EVAL",
        "for i = 1, 20000 do redis.call('HSET', KEYS[1], 'f' .. i, string.rep('v', 80)) end "
        "redis.call('HPEXPIREAT', KEYS[1], 1888888888888, 'FIELDS', 1, 'f777')",
        "1", "big");
    told = lab_cli_routed(lab, "HPEXPIRETIME", "hash", "FIELDS", "1", "mortal", NULL);
    assert_non_null(strstr(told, "1999999999999"));
    free(told);
    setting_run(&s, task, &done);
    assert_true(done.manifest->complete);
    assert_int_equal(done.findings, 0);
    assert_int_equal(done.manifest->totals.keys, 3);
    keys = read_lines(&s, done.manifest);
    assert_null(map_get(keys, STR("shell")));
    expect_key(keys, "plain", "hash", "{\"field\":\"value\"}");
    fields = json_object_get(only_line(keys, "hash"), "field_expire_at_millis");
    assert_int_equal(json_object_size(fields), 1);
    assert_int_equal(json_integer_value(json_object_get(fields, "mortal")), 1999999999999);
    lines = map_get(keys, STR("big"));
    told = NULL;
    for (size_t i = 0; i < json_array_size(lines); i++) {
        line = json_object_get(json_array_get(lines, i), "field_expire_at_millis");
        if (json_object_get(line, "f777") != NULL)
            told = mem_format("%lld", (long long)json_integer_value(json_object_get(line, "f777")));
    }
    assert_string_equal(told, "1888888888888");
    free(told);
    map_free(keys, free_lines);
    backup_result_release(&done);
    task_free(task);
    lab_stop(lab);
}

/* As the reading begins no field has a deadline, so none is asked for. */
static void a_deadline_that_a_field_gets_meanwhile_is_kept(void **state)
{
    struct lab *lab =
        lab_start(&(struct lab_options){.kind = LAB_SINGLE, .replicas = -1, .flavor = "redis8"});
    struct background b;
    struct setting s;
    struct map *keys;
    const json_t *fields;

    (void)state;
    if (lab == NULL) {
        print_message("no server here that knows deadlines of fields (flavour redis8)\n");
        skip();
    }
    setting_init(&s, lab);
    s.backup.rate = 1000;
    CLI(lab, "EVAL", "for i = 1, 3000 do redis.call('SET', 'user:' .. i, i) end", "0");
    CLI(lab, "HSET", "hash", "mortal", "1", "lasting", "2");
    assert_true(start_slowly(&b, &s));
    CLI(lab, "HPEXPIREAT", "hash", "1999999999999", "FIELDS", "1", "mortal");
    wait_for_end(&b);
    assert_true(b.done.manifest->complete);
    assert_int_equal(b.done.rounds, 2);
    keys = read_lines(&s, b.done.manifest);
    fields = json_object_get(only_line(keys, "hash"), "field_expire_at_millis");
    assert_int_equal(json_integer_value(json_object_get(fields, "mortal")), 1999999999999);
    map_free(keys, free_lines);
    background_release(&b);
    lab_stop(lab);
}

/* ---- databases --------------------------------------------------------------------------------
 */

static void every_database_of_a_single_server_is_read(void **state)
{
    struct lab *lab = lab_start(&(struct lab_options){.kind = LAB_SINGLE});
    struct task *task = task_new_plain();
    struct backup_result done;
    struct setting s;
    struct map *keys;
    const json_t *lines;
    int seen[16] = {0};

    (void)state;
    assert_non_null(lab);
    setting_init(&s, lab);
    CLI_ON(lab, 0, "OK", "-n", "0", "SET", "same", "in 0");
    CLI_ON(lab, 0, "OK", "-n", "3", "SET", "same", "in 3");
    CLI_ON(lab, 0, "OK", "-n", "15", "SET", "same", "in 15");
    CLI_ON(lab, 0, "", "-n", "15", "RPUSH", "list", "a");
    setting_run(&s, task, &done);
    assert_true(done.manifest->complete);
    assert_int_equal(done.manifest->totals.keys, 4);
    assert_string_equal(done.manifest->mode, "single");
    keys = read_lines(&s, done.manifest);
    lines = map_get(keys, STR("same"));
    assert_int_equal(json_array_size(lines), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *line = json_array_get(lines, i);
        long long db = json_integer_value(json_object_get(line, "db"));
        char want[16];

        assert_true(db >= 0 && db < 16);
        seen[db]++;
        (void)snprintf(want, sizeof(want), "in %lld", db);
        assert_string_equal(json_string_value(json_object_get(line, "value")), want);
    }
    assert_int_equal(seen[0] + seen[3] + seen[15], 3);
    assert_int_equal(json_integer_value(json_object_get(only_line(keys, "list"), "db")), 15);
    map_free(keys, free_lines);
    backup_result_release(&done);
    task_free(task);
    lab_stop(lab);
}

/* ---- functions --------------------------------------------------------------------------------
 */

static const char library[] = "#!lua name=mylib\n"
                              "redis.register_function('answer', function() return 42 end)\n";

static const char other_library[] = "#!lua name=mylib\n"
                                    "redis.register_function('answer', function() return 43 end)\n";

static void functions_of_the_servers_are_kept_with_their_code(const char *flavor)
{
    struct lab *lab = lab_start(&(struct lab_options){.replicas = -1, .flavor = flavor});
    struct task *task = task_new_plain();
    struct backup_result done;
    struct setting s;
    char *path;
    char *text;
    json_t *doc;

    assert_non_null(lab);
    setting_init(&s, lab);
    CLI(lab, "SET", "text", "value");
    for (size_t i = 0; i < 3; i++)
        CLI_ON(lab, i, "mylib", "FUNCTION", "LOAD", library);
    setting_run(&s, task, &done);
    assert_true(done.manifest->complete);
    assert_true(done.manifest->functions);
    path = mem_format("%s/%s/functions.jsonl", s.dir, ID);
    text = tmpdir_read(path, NULL);
    assert_non_null(text);
    doc = json_loads(text, 0, NULL); /* one line: one library, though three nodes have it */
    assert_non_null(doc);
    assert_string_equal(json_string_value(json_object_get(doc, "name")), "mylib");
    assert_string_equal(json_string_value(json_object_get(doc, "engine")), "LUA");
    assert_string_equal(json_string_value(json_object_get(doc, "code")), library);
    json_decref(doc);
    free(text);
    free(path);
    assert_int_equal(done.findings, 0);
    backup_result_release(&done);
    CLI_ON(lab, 1, "mylib", "FUNCTION", "LOAD", "REPLACE", other_library);
    setting_init(&s, lab);
    setting_run(&s, task, &done);
    assert_in_range(done.findings, 1, 2); /* one name, two codes: the first one seen is kept */
    backup_result_release(&done);
    task_free(task);
    lab_stop(lab);
}

static void functions_of_redis_are_kept_with_their_code(void **state)
{
    (void)state;
    functions_of_the_servers_are_kept_with_their_code("redis");
}

static void functions_of_valkey_are_kept_with_their_code(void **state)
{
    (void)state;
    functions_of_the_servers_are_kept_with_their_code("valkey");
}

/* ---- a primary behind sentinels ---------------------------------------------------------------
 */

static struct address sentinels[3];

static void use_sentinels(struct setting *s, struct lab *lab)
{
    setting_init(s, lab);
    for (size_t i = 0; i < 3; i++)
        must(address_parse(str_from(lab_address(lab, lab_nodes(lab) + i)), 0, &sentinels[i], &why));
    s->redis = (struct redis_options){
        .mode = REDIS_MODE_SENTINEL, .sentinels = sentinels, .sentinel_count = 3};
}

static int the_primary(struct lab *lab)
{
    return lab_primary_of(lab, 0);
}

static void a_failover_of_sentinels_starts_the_reading_again(void **state)
{
    struct lab *lab = lab_start(&(struct lab_options){.kind = LAB_SENTINEL});
    struct background b;
    struct setting s;
    int64_t deadline = 0;
    int old;

    (void)state;
    assert_non_null(lab);
    assert_true(lab_seed(lab, 3000));
    assert_true(lab_wait_ok(lab, 10000));
    use_sentinels(&s, lab);
    old = the_primary(lab);
    s.backup.rate = 2000;
    assert_true(start_slowly(&b, &s));
    CLI_ON(lab, lab_nodes(lab), "OK", "SENTINEL", "FAILOVER", "mymaster");
    deadline = clock_after(20000);
    while (the_primary(lab) == old && clock_mono_ms() < deadline)
        clock_sleep_ms(100);
    assert_int_not_equal(the_primary(lab), old);
    wait_for_end(&b);
    assert_true(b.done.manifest->complete);
    assert_true(b.done.rounds >= 2);
    assert_true(b.done.manifest->event_count >= 1);
    assert_string_equal(b.done.manifest->mode, "sentinel");
    assert_int_equal(b.done.manifest->totals.keys, lab_keys(lab));
    expect_all_seeded(&s, b.done.manifest, 3000);
    background_release(&b);
    lab_stop(lab);
}

static void a_killed_primary_is_read_again_where_sentinels_say(void **state)
{
    struct lab *lab = lab_start(&(struct lab_options){.kind = LAB_SENTINEL});
    struct background b;
    struct setting s;

    (void)state;
    assert_non_null(lab);
    assert_true(lab_seed(lab, 3000));
    assert_true(lab_wait_ok(lab, 10000));
    use_sentinels(&s, lab);
    assert_true(start_slowly(&b, &s));
    assert_true(lab_kill(lab, (size_t)the_primary(lab)));
    wait_for_end(&b);
    assert_true(b.done.manifest->complete);
    assert_true(b.done.rounds >= 2);
    expect_all_seeded(&s, b.done.manifest, 3000);
    background_release(&b);
    lab_stop(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines_of_hash_fields_are_kept),
        cmocka_unit_test(a_deadline_that_a_field_gets_meanwhile_is_kept),
        cmocka_unit_test(every_database_of_a_single_server_is_read),
        cmocka_unit_test(functions_of_redis_are_kept_with_their_code),
        cmocka_unit_test(functions_of_valkey_are_kept_with_their_code),
        cmocka_unit_test(a_failover_of_sentinels_starts_the_reading_again),
        cmocka_unit_test(a_killed_primary_is_read_again_where_sentinels_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
