/* A store and its catalog in a bucket of a real S3 server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/store/catalog.h"
#include "tests/harness/lab.h"

#define ID "redis-backup-dev-20250818T060635Z-28e5"
#define BIG ((size_t)12 << 20)

static struct lab *lab;

static struct store *open_store(const char *prefix)
{
    const struct lab_s3 *server = lab_s3(lab);
    const struct store_options options = {.s3 = {.endpoint_url = server->endpoint,
                                                 .region = server->region,
                                                 .access_key = server->access_key,
                                                 .secret_key = server->secret_key,
                                                 .tries = 3},
                                          .part_bytes = (size_t)5 << 20,
                                          .concurrency = 3};
    char uri[300];
    struct store *store = NULL;
    struct error err = {.text = ""};
    (void)snprintf(uri, sizeof(uri), "s3://%s/%s", server->bucket, prefix);
    if (!store_open(uri, &options, &store, &err))
        fail_msg("%s", err.text);
    return store;
}

static void must(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s", err->text);
}

static void put(struct store *store, const char *name, const char *text)
{
    struct error err = {.text = ""};
    must(store_put(store, name, str_from(text), &err), &err);
}

static void a_stream_is_read_back_byte_for_byte(void **state)
{
    (void)state;
    struct store *store = open_store("deep/prefix with space");
    struct store_writer *writer;
    struct store_reader *reader;
    struct store_info info;
    struct error err = {.text = ""};
    char *data = mem_alloc(BIG);
    for (size_t i = 0; i < BIG; i++)
        data[i] = (char)((i * 2654435761U) >> 11);
    must(store_open_write(store, "a b.tar.gz", 0, &writer, &err), &err);
    must(store_write(writer, (struct str){data, BIG}, &err), &err);
    assert_false(store_stat(store, "a b.tar.gz", &info, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    must(store_commit(writer, &err), &err);
    assert_int_equal(store_writer_sent(writer), BIG);
    store_writer_free(writer);
    must(store_stat(store, "a b.tar.gz", &info, &err), &err);
    assert_int_equal(info.size_bytes, BIG);
    static const int64_t ranges[][2] = {{0, -1}, {1, -1}, {(6 << 20) + 3, 100000}, {BIG, -1}};
    for (size_t i = 0; i < COUNT_OF(ranges); i++) {
        size_t at = (size_t)ranges[i][0];
        size_t end = ranges[i][1] < 0 ? BIG : at + (size_t)ranges[i][1];
        char piece[70000];
        size_t got = 1;
        must(store_open_read(store, "a b.tar.gz", ranges[i][0], ranges[i][1], &reader, &err), &err);
        assert_int_equal(store_reader_size(reader), BIG);
        while (got > 0) {
            must(store_read(reader, piece, sizeof(piece), &got, &err), &err);
            assert_true(got <= end - at);
            assert_memory_equal(piece, data + at, got);
            at += got;
        }
        assert_int_equal(at, end);
        store_reader_free(reader);
    }
    char *uri = store_uri(store, "a b.tar.gz");
    assert_true(str_ends(str_from(uri), "/deep/prefix with space/a b.tar.gz"));
    free(uri);
    must(store_remove(store, "a b.tar.gz", &err), &err);
    free(data);
    store_free(store);
}

static void small_reads_stop_at_their_limit(void **state)
{
    (void)state;
    struct store *store = open_store("small");
    struct error err = {.text = ""};
    struct buf got;
    put(store, "ten", "0123456789");
    put(store, "empty", "");
    buf_init(&got, 9);
    assert_false(store_read_all(store, "ten", &got, &err));
    assert_int_equal(err.code, ERROR_LIMIT);
    must(store_read_head(store, "ten", 4, &got, &err), &err);
    assert_string_equal(got.data, "0123");
    must(store_read_head(store, "empty", 4, &got, &err), &err);
    assert_int_equal(got.len, 0);
    assert_false(store_read_head(store, "absent", 4, &got, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    buf_release(&got);
    must(store_remove(store, "ten", &err), &err);
    must(store_remove(store, "empty", &err), &err);
    store_free(store);
}

static void the_catalog_sees_only_its_prefix_and_follows_removal(void **state)
{
    (void)state;
    struct store *store = open_store("backups");
    struct store *beside = open_store("backups-of-others");
    struct error err = {.text = ""};
    put(beside, "redis-backup-prd-20250901T000000Z-0000.tar.gz", "x");
    put(store, "sub/redis-backup-dev-20250901T000000Z-0000.tar.gz", "x");
    put(store, ID ".tar.gz", "archive");
    put(store, ID ".metadata.json",
        "{\"backup_id\":\"" ID "\",\"env\":\"dev\",\"complete\":true,\"filtered\":false,"
        "\"totals\":{\"keys\":7}}");
    struct catalog *c = catalog_new(store);
    must(catalog_load(c, &err), &err);
    assert_int_equal(catalog_count(c), 1);
    assert_int_equal(catalog_ignored(c), 1);
    const struct catalog_want want = {.env = "dev"};
    struct catalog_row *row = NULL;
    char why[400];
    must(catalog_latest(c, &want, &row, why, sizeof(why), &err), &err);
    assert_string_equal(row->id.text, ID);
    assert_int_equal(row->archive_bytes, 7);
    assert_int_equal(row->summary.keys, 7);
    must(catalog_remove(c, row, &err), &err);
    catalog_free(c);
    c = catalog_new(store);
    must(catalog_load(c, &err), &err);
    assert_int_equal(catalog_count(c), 0);
    catalog_free(c);
    must(store_remove(store, "sub", &err), &err);
    struct store_page page;
    must(store_list(store, NULL, 0, &page, &err), &err);
    assert_int_equal(page.count, 0);
    store_page_release(&page);
    store_free(store);
    store_free(beside);
}

static int start(void **state)
{
    struct error err;
    const struct lab_options options = {.kind = LAB_S3_ONLY, .s3 = true};
    (void)state;
    lab = s3_global_init(&err) ? lab_start(&options) : NULL;
    return lab != NULL ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    lab_stop(lab);
    s3_global_release();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_read_back_byte_for_byte),
        cmocka_unit_test(small_reads_stop_at_their_limit),
        cmocka_unit_test(the_catalog_sees_only_its_prefix_and_follows_removal),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
