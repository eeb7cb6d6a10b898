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
#include "core/base/log.h"
#include "core/store/catalog.h"
#include "tests/core/store/fixture_bucket.h"
#include "tests/harness/tmpdir.h"

static struct store *open_store(const char *prefix)
{
    const struct store_options options = bucket_options();
    return bucket_open(prefix, &options);
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

static void write_stream(struct store *store, const char *name, struct str bytes, bool commit)
{
    struct store_writer *writer;
    struct error err = {.text = ""};
    must(store_open_write(store, name, 0, &writer, &err), &err);
    must(store_write(writer, bytes, &err), &err);
    if (commit)
        must(store_commit(writer, &err), &err);
    store_writer_free(writer);
}

/* As with 10,000 parts, but with two: 24 MiB are three objects. */
static void a_stream_of_too_many_parts_goes_on_in_further_objects(void **state)
{
    (void)state;
    struct store_options options = bucket_options();
    struct error err = {.text = ""};
    struct store_info info;
    struct store_object *object;
    options.max_parts = 2;
    struct store *store = bucket_open("volumes", &options);
    char *data = bucket_bytes();
    char *piece = mem_alloc(BIG);
    write_stream(store, ID ".tar.gz", (struct str){data, 2 * BIG}, true);
    must(store_stat(store, ID ".tar.gz", &info, &err), &err);
    assert_int_equal(info.size_bytes, 2 * BIG);
    must(store_open_object(store, ID ".tar.gz", &object, &err), &err);
    static const size_t ranges[][2] = {
        {0, 100}, {(10 << 20) - 50, 100}, {(10 << 20), 1000}, {(9 << 20), BIG}, {2 * BIG - 1, 1}};
    for (size_t i = 0; i < COUNT_OF(ranges); i++) {
        must(store_object_read(object, (int64_t)ranges[i][0], piece, ranges[i][1], &err), &err);
        assert_memory_equal(piece, data + ranges[i][0], ranges[i][1]);
    }
    assert_false(store_object_read(object, (int64_t)(2 * BIG - 1), piece, 2, &err));
    store_object_free(object);
    struct catalog *c = catalog_new(store);
    must(catalog_load(c, &err), &err);
    assert_int_equal(catalog_count(c), 1);
    assert_int_equal(catalog_row(c, 0)->volumes, 3);
    assert_int_equal(catalog_row(c, 0)->archive_bytes, 2 * BIG);
    must(catalog_remove(c, catalog_row(c, 0), &err), &err);
    catalog_free(c);
    struct store_page page;
    must(store_list(store, NULL, 0, &page, &err), &err);
    assert_int_equal(page.count, 0);
    store_page_release(&page);
    free(piece);
    free(data);
    store_free(store);
}

static void further_objects_of_an_abandoned_stream_are_aborted_too(void **state)
{
    (void)state;
    struct store_options options = bucket_options();
    struct error err = {.text = ""};
    struct s3_uploads uploads;
    struct store_page page;
    options.max_parts = 2;
    struct store *store = bucket_open("abandoned", &options);
    char *data = bucket_bytes();
    write_stream(store, ID ".tar.gz", (struct str){data, 2 * BIG}, false);
    must(s3_list_uploads(store_s3_client(store), STR("abandoned/"), &uploads, &err), &err);
    assert_int_equal(uploads.count, 0);
    s3_uploads_release(&uploads);
    must(store_list(store, NULL, 0, &page, &err), &err);
    assert_int_equal(page.count, 0);
    store_page_release(&page);
    free(data);
    store_free(store);
}

static void uploads_of_further_objects_are_removed_too(void **state)
{
    (void)state;
    struct store_options options = bucket_options();
    struct store_writer *writer;
    struct store_writer *beside;
    struct error err = {.text = ""};
    options.max_parts = 2;
    struct store *store = bucket_open("left", &options);
    char *data = bucket_bytes();
    must(store_open_write(store, ID ".tar.gz", 0, &writer, &err), &err);
    must(store_open_write(store, ID ".tar.gz.0010", 0, &beside, &err), &err);
    must(store_write(writer, (struct str){data, 2 * BIG}, &err), &err);
    must(store_write(beside, (struct str){data, BIG}, &err), &err);
    assert_int_equal(bucket_uploads(store, STR("left/")), 3); /* two of the stream, one beside */
    must(store_remove_uploads(store, ID ".tar.gz", &err), &err);
    assert_int_equal(bucket_uploads(store, STR("left/")), 1);
    assert_int_equal(bucket_uploads(store, STR("left/" ID ".tar.gz.0010")), 1);
    store_writer_free(writer);
    store_writer_free(beside);
    free(data);
    store_free(store);
}

static void deleting_a_backup_aborts_its_unfinished_uploads(void **state)
{
    (void)state;
    struct store_options options = bucket_options();
    struct store_writer *writer;
    struct error err = {.text = ""};
    options.max_parts = 2;
    struct store *store = bucket_open("deleted", &options);
    char *data = bucket_bytes();
    put(store, ID ".tar.gz", "archive");
    must(store_open_write(store, ID ".tar.gz", 0, &writer, &err), &err);
    must(store_write(writer, (struct str){data, 2 * BIG}, &err), &err);
    assert_int_equal(bucket_uploads(store, STR("deleted/")), 2);
    struct catalog *c = catalog_new(store);
    must(catalog_load(c, &err), &err);
    assert_int_equal(catalog_count(c), 1);
    must(catalog_remove(c, catalog_row(c, 0), &err), &err);
    assert_int_equal(bucket_uploads(store, STR("deleted/")), 0);
    catalog_free(c);
    store_writer_free(writer);
    free(data);
    store_free(store);
}

static void a_name_that_is_taken_is_refused_before_anything_is_sent(void **state)
{
    (void)state;
    struct store_options options = bucket_options();
    struct store_writer *writer = NULL;
    struct error err = {.text = ""};
    struct buf got;
    options.never_replace = true;
    struct store *store = bucket_open("taken", &options);
    buf_init(&got, 100);
    write_stream(store, "x.tar.gz", STR("first"), true);
    assert_false(store_open_write(store, "x.tar.gz", 0, &writer, &err));
    assert_int_equal(err.code, ERROR_CONFLICT);
    assert_non_null(strstr(err.text, "already there"));
    must(store_read_all(store, "x.tar.gz", &got, &err), &err);
    assert_string_equal(got.data, "first");
    char *data = bucket_bytes();
    write_stream(store, "y.tar.gz", (struct str){data, BIG}, true);
    must(store_remove(store, "x.tar.gz", &err), &err);
    must(store_remove(store, "y.tar.gz", &err), &err);
    buf_release(&got);
    free(data);
    store_free(store);
}

/* With a key of the customer's own: whoever lacks it reads nothing. */
static void sse_c_goes_along_with_every_request(void **state)
{
    (void)state;
    const struct lab_s3 *server = bucket_server();
    struct store_options options = bucket_options();
    struct error err = {.text = ""};
    struct store_info info;
    struct buf got;
    const char *dir = tmpdir_new();
    char *data = bucket_bytes();
    options.s3.endpoint_url = server->endpoint_tls;
    options.s3.ca_file = server->ca_file;
    options.s3.sse_customer_key_file = tmpdir_path(dir, "key");
    tmpdir_write(tmpdir_path(dir, "key"), "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n", 45);
    must(log_open(tmpdir_path(dir, "log"), LOG_LEVEL_DEBUG, &err), &err);
    struct store *store = bucket_open("sse-c", &options);
    write_stream(store, "big", (struct str){data, BIG}, true);
    must(store_put(store, "small", STR("hello"), &err), &err);
    buf_init(&got, BIG);
    must(store_read_all(store, "big", &got, &err), &err);
    assert_int_equal(got.len, BIG);
    assert_memory_equal(got.data, data, BIG);
    must(store_stat(store, "small", &info, &err), &err);
    assert_int_equal(info.size_bytes, 5);
    log_close();
    char *log = tmpdir_read(tmpdir_path(dir, "log"), NULL);
    assert_non_null(strstr(log, "sse-c/big?partNumber=2&uploadId status 200, "));
    assert_null(strstr(log, "MDEyMzQ1Njc4"));
    assert_null(strstr(log, "01234567890123456789"));
    free(log);
    struct store *without = open_store("sse-c");
    assert_false(store_read_all(without, "small", &got, &err));
    assert_false(store_stat(without, "small", &info, &err));
    store_free(without);
    options.s3.endpoint_url = server->endpoint;
    char uri[300];
    (void)snprintf(uri, sizeof(uri), "s3://%s/sse-c", server->bucket);
    assert_false(store_open(uri, &options, &without, &err));
    assert_int_equal(err.code, ERROR_CONFIG);
    assert_non_null(strstr(err.text, "https"));
    must(store_remove(store, "big", &err), &err);
    must(store_remove(store, "small", &err), &err);
    buf_release(&got);
    free(data);
    store_free(store);
}

struct told {
    struct upload_memory memory;
    unsigned notes;
};

static void count_note(void *arg, bool warn, const char *text)
{
    struct told *t = arg;
    assert_true(warn);
    assert_non_null(strstr(text, "keeps no checksums"));
    t->notes++;
}

/* radosgw 16 passes over checksums, 20 keeps them and shows one: then it is that of our bytes. */
static void checksums_are_kept_or_it_is_told_that_they_are_not(void **state)
{
    (void)state;
    const char *server = getenv("RBCONSOLE_LAB_S3");
    bool keeps = server != NULL && strcmp(server, "ceph20") == 0;
    struct store_options options = bucket_options();
    struct told told = {.memory = {.note = count_note, .arg = &told}}; /* as with --stream */
    const struct store_write how = {.memory = &told.memory};
    static const size_t sizes[] = {BIG, 1000};
    struct error err = {.text = ""};
    char *data = bucket_bytes();
    options.s3.checksums = true;
    struct store *store = bucket_open("checksum", &options);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct store_writer *w;
        must(store_open_write_as(store, i == 0 ? "big" : "small", &how, &w, &err), &err);
        must(store_write(w, (struct str){data, sizes[i]}, &err), &err);
        must(store_commit(w, &err), &err);
        store_writer_free(w);
    }
    assert_int_equal(told.notes, keeps ? 0 : 1);
    must(store_put(store, "manifest.json", STR("{}"), &err), &err);
    must(store_remove(store, "big", &err), &err);
    must(store_remove(store, "small", &err), &err);
    must(store_remove(store, "manifest.json", &err), &err);
    free(data);
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_read_back_byte_for_byte),
        cmocka_unit_test(small_reads_stop_at_their_limit),
        cmocka_unit_test(the_catalog_sees_only_its_prefix_and_follows_removal),
        cmocka_unit_test(a_stream_of_too_many_parts_goes_on_in_further_objects),
        cmocka_unit_test(further_objects_of_an_abandoned_stream_are_aborted_too),
        cmocka_unit_test(uploads_of_further_objects_are_removed_too),
        cmocka_unit_test(deleting_a_backup_aborts_its_unfinished_uploads),
        cmocka_unit_test(a_name_that_is_taken_is_refused_before_anything_is_sent),
        cmocka_unit_test(sse_c_goes_along_with_every_request),
        cmocka_unit_test(checksums_are_kept_or_it_is_told_that_they_are_not),
    };
    return cmocka_run_group_tests(tests, bucket_start, bucket_stop);
}
