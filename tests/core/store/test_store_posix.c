/* Stores: URIs, names, and what a directory store promises about files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/file.h"
#include "core/store/store.h"
#include "tests/harness/tmpdir.h"

static struct store *open_dir(const char *dir)
{
    const struct store_options options = {.part_bytes = 0};
    struct store *store = NULL;
    struct error err = {.text = ""};
    if (!store_open(dir, &options, &store, &err))
        fail_msg("%s", err.text);
    return store;
}

static void uris_are_split_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *uri;
        const char *bucket; /* NULL: a directory; "": refused */
        const char *prefix;
    } cases[] = {{"s3://bucket/a/b/", "bucket", "a/b"},
                 {"s3://bucket", "bucket", ""},
                 {"s3://bucket/", "bucket", ""},
                 {"./backups/", NULL, "./backups"},
                 {"/", NULL, "/"},
                 {"file:///var/b", NULL, "/var/b"},
                 {"s3://", "", ""},
                 {"s3://ab/x", "", ""},
                 {"s3://Bu cket/x", "", ""},
                 {"s3://bucket//x", "", ""},
                 {"s3://bucket/a\nb", "", ""},
                 {"s3://user:pw@host/x", "", ""},
                 {"http://host/x", "", ""},
                 {"", "", ""},
                 {NULL, "", ""}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct store_uri out;
        struct error err = {.text = ""};
        bool refused = cases[i].bucket != NULL && cases[i].bucket[0] == '\0';
        assert_int_equal(store_parse_uri(cases[i].uri, &out, &err), !refused);
        if (refused) {
            assert_int_equal(err.code, ERROR_CONFIG);
            continue;
        }
        assert_int_equal(out.is_s3, cases[i].bucket != NULL);
        assert_string_equal(out.bucket, cases[i].bucket != NULL ? cases[i].bucket : "");
        assert_string_equal(out.prefix, cases[i].prefix);
    }
}

static void unsafe_names_are_refused_everywhere(void **state)
{
    (void)state;
    static const char *const names[] = {"",      "/etc/passwd", "..",   "../x", "a/../b", "a//b",
                                        "a/./b", "a/",          "a\nb", "a\\b", "\xff",   "."};
    struct store *store = open_dir(tmpdir_new());
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct store_info info;
        struct store_reader *reader;
        struct store_writer *writer;
        struct error err;
        assert_false(store_stat(store, names[i], &info, &err));
        assert_int_equal(err.code, ERROR_USAGE);
        assert_false(store_open_read(store, names[i], 0, -1, &reader, &err));
        assert_false(store_put(store, names[i], STR("x"), &err));
        assert_false(store_open_write(store, names[i], 0, &writer, &err));
        assert_false(store_remove(store, names[i], &err));
        assert_int_equal(err.code, ERROR_USAGE);
    }
    store_free(store);
}

static void a_missing_directory_is_an_empty_store(void **state)
{
    (void)state;
    const char *dir = tmpdir_path(tmpdir_new(), "not/yet");
    struct store *store = open_dir(dir);
    struct store_page page;
    struct store_info info;
    struct error err = {.text = ""};
    assert_true(store_list(store, NULL, 0, &page, &err));
    assert_int_equal(page.count, 0);
    store_page_release(&page);
    assert_false(store_stat(store, "x", &info, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_true(store_remove(store, "x", &err));
    assert_false(file_exists(dir));
    if (!store_put(store, "sub/x", STR("hello"), &err))
        fail_msg("%s", err.text);
    assert_true(store_stat(store, "sub/x", &info, &err));
    assert_int_equal(info.size_bytes, 5);
    store_free(store);
}

static void a_stream_appears_only_at_commit(void **state)
{
    (void)state;
    const char *dir = tmpdir_new();
    struct store *store = open_dir(dir);
    struct store_writer *writer;
    struct store_info info;
    struct store_page page;
    struct error err;
    struct stat st;
    assert_true(store_open_write(store, "a.tar.gz", 0, &writer, &err));
    assert_true(store_write(writer, STR("hello "), &err));
    assert_true(store_write(writer, STR("world"), &err));
    assert_int_equal(store_writer_sent(writer), 11);
    assert_false(store_stat(store, "a.tar.gz", &info, &err));
    assert_true(store_list(store, NULL, 0, &page, &err));
    assert_int_equal(page.count, 0);
    store_page_release(&page);
    assert_true(store_commit(writer, &err));
    store_writer_free(writer);
    assert_true(store_stat(store, "a.tar.gz", &info, &err));
    assert_int_equal(info.size_bytes, 11);
    assert_int_equal(stat(tmpdir_path(dir, "a.tar.gz"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(store_open_write(store, "b.tar.gz", 0, &writer, &err));
    assert_true(store_write(writer, STR("half"), &err));
    store_writer_free(writer);
    char **names = NULL;
    size_t count = 0;
    assert_true(file_list(dir, &names, &count, &err));
    assert_int_equal(count, 1);
    file_list_free(names, count);
    store_free(store);
}

static void reads_give_whole_files_heads_and_ranges(void **state)
{
    (void)state;
    struct store *store = open_dir(tmpdir_new());
    struct store_reader *reader;
    struct error err;
    struct buf got;
    char piece[4];
    size_t len;
    assert_true(store_put(store, "f", STR("0123456789"), &err));
    buf_init(&got, 64);
    assert_true(store_read_all(store, "f", &got, &err));
    assert_string_equal(got.data, "0123456789");
    assert_true(store_read_head(store, "f", 3, &got, &err));
    assert_string_equal(got.data, "012");
    buf_release(&got);
    buf_init(&got, 9);
    assert_false(store_read_all(store, "f", &got, &err));
    assert_int_equal(err.code, ERROR_LIMIT);
    buf_release(&got);
    assert_true(store_open_read(store, "f", 7, -1, &reader, &err));
    assert_int_equal(store_reader_size(reader), 10);
    assert_true(store_read(reader, piece, 2, &len, &err));
    assert_int_equal(len, 2);
    assert_memory_equal(piece, "78", 2);
    assert_true(store_read(reader, piece, 4, &len, &err));
    assert_int_equal(len, 1);
    assert_true(store_read(reader, piece, 4, &len, &err));
    assert_int_equal(len, 0);
    store_reader_free(reader);
    assert_true(store_open_read(store, "f", 2, 3, &reader, &err));
    assert_true(store_read(reader, piece, 4, &len, &err));
    assert_int_equal(len, 3);
    assert_memory_equal(piece, "234", 3);
    store_reader_free(reader);
    store_free(store);
}

static void links_and_pipes_are_never_followed(void **state)
{
    (void)state;
    const char *outside = tmpdir_new();
    const char *dir = tmpdir_new();
    struct store *store = open_dir(dir);
    struct store_reader *reader;
    struct store_page page;
    struct error err;
    tmpdir_write(tmpdir_path(outside, "secret"), "x", 1);
    assert_int_equal(symlink(tmpdir_path(outside, "secret"), tmpdir_path(dir, "link")), 0);
    assert_int_equal(symlink(outside, tmpdir_path(dir, "sub")), 0);
    assert_int_equal(mkfifo(tmpdir_path(dir, "pipe"), 0600), 0);
    assert_false(store_open_read(store, "link", 0, -1, &reader, &err));
    assert_false(store_open_read(store, "pipe", 0, -1, &reader, &err));
    assert_false(store_open_read(store, "sub/secret", 0, -1, &reader, &err));
    assert_false(store_put(store, "sub/new", STR("x"), &err));
    assert_true(store_list(store, NULL, 0, &page, &err));
    assert_int_equal(page.count, 0);
    assert_int_equal(page.skipped, 3);
    store_page_release(&page);
    assert_true(store_put(store, "link", STR("mine"), &err));
    assert_true(store_remove(store, "sub", &err));
    assert_true(file_exists(tmpdir_path(outside, "secret")));
    assert_int_equal(file_size(tmpdir_path(outside, "secret")), 1);
    assert_false(file_exists(tmpdir_path(outside, "new")));
    store_free(store);
}

static void lists_come_in_pages_and_in_order(void **state)
{
    (void)state;
    struct store *store = open_dir(tmpdir_new());
    struct store_page page;
    struct error err;
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    for (size_t i = COUNT_OF(names); i > 0; i--)
        assert_true(store_put(store, names[i - 1], STR("x"), &err));
    char after[16] = "";
    size_t seen = 0;
    bool more = true;
    while (more) {
        assert_true(store_list(store, seen > 0 ? after : NULL, 2, &page, &err));
        for (size_t i = 0; i < page.count; i++)
            assert_string_equal(page.items[i].name, names[seen++]);
        more = page.next != NULL;
        if (more)
            str_copy(str_from(page.next), after, sizeof(after));
        store_page_release(&page);
    }
    assert_int_equal(seen, COUNT_OF(names));
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uris_are_split_or_refused),
        cmocka_unit_test(unsafe_names_are_refused_everywhere),
        cmocka_unit_test(a_missing_directory_is_an_empty_store),
        cmocka_unit_test(a_stream_appears_only_at_commit),
        cmocka_unit_test(reads_give_whole_files_heads_and_ranges),
        cmocka_unit_test(links_and_pipes_are_never_followed),
        cmocka_unit_test(lists_come_in_pages_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
