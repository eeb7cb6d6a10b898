/*
 * test_store.c - memory, files, JSON, errors and the log of core/base.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/arena.h"
#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/map.h"
#include "core/base/rng.h"
#include "core/base/secret.h"

static char dir[] = "/tmp/rbc-base-XXXXXX";

static void buf_refuses_to_grow_past_its_limit(void **ctx UNUSED)
{
    struct error err = {0};
    struct buf b;

    buf_init(&b, 4);
    assert_true(buf_append(&b, (struct str){"ab\0c", 4}, &err));
    assert_false(buf_append(&b, STR("d"), &err));
    assert_int_equal(err.code, ERROR_LIMIT);
    assert_int_equal(b.len, 4);
    buf_drop_front(&b, 1);
    assert_memory_equal(b.data, "b\0c", 4);
    assert_true(buf_format(&b, &err, "%d", 7));
    assert_false(buf_format(&b, &err, "%d", 7));
    buf_release(&b);
}

static void wrap_keeps_the_code_and_cuts_a_long_cause(void **ctx UNUSED)
{
    struct error err = {0};
    char longer[600];

    assert_false(error_set(&err, ERROR_TIMEOUT, 110, "read %s", "manifest"));
    assert_false(error_wrap(&err, "shard %d", 3));
    assert_int_equal(err.code, ERROR_TIMEOUT);
    assert_string_equal(err.text, "shard 3: read manifest");
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    error_set(&err, ERROR_REPLY, 0, "%s", longer);
    error_wrap(&err, "node");
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    error_set_errno(&err, ERROR_STORAGE, ENOSPC, "write %s", "part");
    assert_string_equal(err.text, "write part: No space left on device");
}

static void every_error_code_has_a_name_and_a_status(void **ctx UNUSED)
{
    for (int code = ERROR_NONE; code < ERROR_CODES; code++) {
        assert_non_null(error_code_name((enum error_code)code));
        assert_in_range(error_exit_status((enum error_code)code), code == ERROR_NONE ? 0 : 1, 7);
    }
}

static void arena_gives_aligned_zeroed_memory_of_any_size(void **ctx UNUSED)
{
    struct arena a = {0};
    char *small = arena_text(&a, STR("kept"));

    for (size_t size = 0; size < 100000; size = size * 2 + 1) {
        char *p = arena_alloc(&a, size);

        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, size);
    }
    assert_string_equal(small, "kept");
    assert_string_equal(arena_format(&a, "%d-%s", 5, "x"), "5-x");
    arena_clear(&a);
    assert_string_equal(arena_text(&a, STR("again")), "again");
    arena_release(&a);
}

static void map_finds_what_was_put_and_walks_in_order(void **ctx UNUSED)
{
    struct map *m = map_new();
    static int values[5000];
    struct str key;
    void *value;
    size_t at = 0;
    int seen = 0;
    char text[32];

    for (int i = 0; i < 5000; i++) {
        (void)snprintf(text, sizeof(text), "key-%d", i);
        assert_null(map_put(m, str_from(text), &values[i]));
    }
    assert_ptr_equal(map_put(m, STR("key-7"), &values[8]), &values[7]);
    for (int i = 0; i < 5000; i += 2) {
        (void)snprintf(text, sizeof(text), "key-%d", i);
        assert_non_null(map_remove(m, str_from(text)));
    }
    assert_int_equal(map_count(m), 2500);
    assert_null(map_get(m, STR("key-0")));
    assert_ptr_equal(map_get(m, STR("key-7")), &values[8]);
    while (map_next(m, &at, &key, &value)) {
        (void)snprintf(text, sizeof(text), "key-%d", seen * 2 + 1);
        assert_true(str_is(key, text));
        seen++;
    }
    assert_int_equal(seen, 2500);
    assert_null(map_put(m, (struct str){"\0", 1}, &values[0]));
    assert_null(map_get(m, STR("")));
    map_free(m, NULL);
}

static void arrays_grow(void **ctx UNUSED)
{
    int *items = NULL;
    size_t count = 0;
    size_t cap = 0;

    for (int i = 0; i < 1000; i++)
        ARRAY_PUSH(items, count, cap) = i;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(items[i], i);
    free(items);
}

static void files_are_private_and_replaced_whole(void **ctx UNUSED)
{
    char *path = file_join(dir, "sub/deep");
    char *name = file_join(path, "a.txt");
    struct error err = {0};
    struct stat st;
    struct buf b;
    char **names;
    size_t count;

    buf_init(&b, 100);
    assert_true(file_make_dirs(path, &err));
    assert_true(file_write_atomic(name, STR("one"), &err));
    assert_true(file_write_atomic(name, STR("two"), &err));
    assert_true(file_append(name, STR("!"), true, &err));
    assert_true(file_read(name, &b, &err));
    assert_string_equal(b.data, "two!");
    assert_int_equal(stat(name, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_true(file_list(path, &names, &count, &err));
    assert_int_equal(count, 1); /* no temporary file was left */
    assert_string_equal(names[0], "a.txt");
    file_list_free(names, count);
    assert_false(file_read("/nonexistent/x", &b, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_true(file_remove_tree(path, &err));
    assert_false(file_exists(path));
    buf_release(&b);
    free(name);
    free(path);
}

static void a_full_disk_is_a_storage_error(void **ctx UNUSED)
{
    struct error err = {0};

    assert_false(file_append("/dev/full", STR("x"), false, &err));
    assert_int_equal(err.code, ERROR_STORAGE);
    assert_int_equal(err.detail, ENOSPC);
}

static void json_refuses_duplicates_depth_and_rubbish(void **ctx UNUSED)
{
    static const char *const bad[] = {"",           "{",       "{\"a\":1,\"a\":2}",
                                      "{\"a\":1}x", "{'a':1}", "\xff"};
    struct error err = {0};
    char deep[100];

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_null(json_parse(str_from(bad[i]), "test", &err));
        assert_int_equal(err.code, ERROR_CORRUPT);
    }
    memset(deep, '[', sizeof(deep));
    assert_null(json_parse((struct str){deep, sizeof(deep)}, "test", &err));
    assert_non_null(strstr(err.text, "deeper"));
}

static void json_text_from_outside_is_always_valid(void **ctx UNUSED)
{
    json_t *doc = json_object();
    struct error err = {0};
    struct buf out;

    buf_init(&out, 1000);
    json_put_str(doc, "key", (struct str){"a\0\xff", 3});
    json_put_text(doc, "none", NULL);
    json_put_int(doc, "n", INT64_MAX);
    assert_true(json_print(doc, false, &out, &err));
    assert_string_equal(out.data, "{\"key\":\"a\\\\x00\\\\xff\",\"none\":null,"
                                  "\"n\":9223372036854775807}");
    assert_int_equal(json_int(doc, "none", -5), -5);
    assert_string_equal(json_text(doc, "absent", "x"), "x");
    json_decref(doc);
    buf_release(&out);
}

static void printed_json_drives_no_terminal(void **ctx UNUSED)
{
    json_t *doc = json_array();
    json_t *again;
    struct error err = {0};
    struct buf out;

    buf_init(&out, 1000);
    json_push(doc, json_string("\x1b[1m\x7f\xc2\x80\xc2\x9f|\xc2\xa0\xc3\x9b"));
    assert_true(json_print(doc, false, &out, &err));
    assert_string_equal(out.data, "[\"\\u001B[1m\\u007F\\u0080\\u009F|\xc2\xa0\xc3\x9b\"]");
    again = json_parse(buf_str(&out), "test", &err);
    assert_non_null(again);
    assert_true(json_equal(doc, again));
    json_decref(doc);
    json_decref(again);
    buf_release(&out);
}

static void secrets_lose_one_newline_and_loose_modes_are_told(void **ctx UNUSED)
{
    char *path = file_join(dir, "password");
    struct secret s = {0};
    struct error err = {0};
    bool loose = false;

    assert_true(file_write_atomic(path, STR("pa ss\n\n"), &err));
    assert_true(secret_load(&s, path, &loose, &err));
    assert_false(loose);
    assert_true(str_is(secret_reveal(&s), "pa ss\n"));
    assert_int_equal(chmod(path, 0644), 0);
    assert_true(secret_load(&s, path, &loose, &err));
    assert_true(loose);
    assert_int_equal(chmod(path, 0606), 0);
    assert_false(secret_load(&s, path, &loose, &err));
    assert_int_equal(err.code, ERROR_CONFIG);
    secret_release(&s);
    assert_false(secret_is_set(&s));
    free(path);
}

static void the_log_ring_gives_lines_after_a_number(void **ctx UNUSED)
{
    struct log_line *lines = mem_zero(LOG_RING, sizeof(*lines));
    struct error err = {0};
    char *path = file_join(dir, "log");
    struct buf text;
    size_t n;

    buf_init(&text, 1000000);
    assert_true(log_open(path, LOG_LEVEL_INFO, &err));
    log_write(LOG_LEVEL_DEBUG, "test", "not kept");
    for (int i = 0; i < LOG_RING + 10; i++)
        log_write(LOG_LEVEL_INFO, "test", "line %d \x1b[31m", i);
    n = log_recent(0, lines, LOG_RING);
    assert_int_equal(n, LOG_RING);
    assert_string_equal(lines[n - 1].text, "test line 521 \\x1b[31m");
    assert_int_equal(log_recent(lines[n - 3].number, lines, LOG_RING), 2);
    log_close();
    assert_true(file_read(path, &text, &err));
    assert_null(strstr(text.data, "not kept"));
    assert_null(strchr(text.data, 0x1b));
    buf_release(&text);
    free(path);
    free(lines);
}

static void deadlines_never_overflow(void **ctx UNUSED)
{
    assert_true(clock_after(CLOCK_NEVER) == CLOCK_NEVER);
    assert_int_equal(clock_left_ms(CLOCK_NEVER), -1);
    assert_int_equal(clock_left_ms(0), 0);
    assert_in_range(clock_left_ms(clock_after(5000)), 1, 5000);
}

static int make_dir(void **ctx UNUSED)
{
    return mkdtemp(dir) == NULL ? -1 : 0;
}

static int remove_dir(void **ctx UNUSED)
{
    struct error err = {0};

    return file_remove_tree(dir, &err) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_refuses_to_grow_past_its_limit),
        cmocka_unit_test(wrap_keeps_the_code_and_cuts_a_long_cause),
        cmocka_unit_test(every_error_code_has_a_name_and_a_status),
        cmocka_unit_test(arena_gives_aligned_zeroed_memory_of_any_size),
        cmocka_unit_test(map_finds_what_was_put_and_walks_in_order),
        cmocka_unit_test(arrays_grow),
        cmocka_unit_test(files_are_private_and_replaced_whole),
        cmocka_unit_test(a_full_disk_is_a_storage_error),
        cmocka_unit_test(json_refuses_duplicates_depth_and_rubbish),
        cmocka_unit_test(json_text_from_outside_is_always_valid),
        cmocka_unit_test(printed_json_drives_no_terminal),
        cmocka_unit_test(secrets_lose_one_newline_and_loose_modes_are_told),
        cmocka_unit_test(the_log_ring_gives_lines_after_a_number),
        cmocka_unit_test(deadlines_never_overflow),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
