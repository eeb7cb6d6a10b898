/* Streams to a bucket of a real S3 server that an earlier run began. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "tests/core/store/fixture_bucket.h"
#include "tests/harness/tmpdir.h"

/* What an upload tells, as the job of a backup writes it down. */
struct memory {
    pthread_mutex_t lock;
    struct upload_memory m;
    size_t sent;
    char said[1000];
};

static void on_begun(void *arg, const struct upload_known *u)
{
    struct memory *k = arg;
    pthread_mutex_lock(&k->lock);
    upload_memory_begun(&k->m, u);
    pthread_mutex_unlock(&k->lock);
}

static void on_sent(void *arg, const char *upload_id, const struct upload_part *part)
{
    struct memory *k = arg;
    pthread_mutex_lock(&k->lock);
    upload_memory_sent(&k->m, upload_id, part);
    k->sent++;
    pthread_mutex_unlock(&k->lock);
}

static void on_note(void *arg, bool warn, const char *text)
{
    struct memory *k = arg;
    size_t used = strlen(k->said);
    (void)snprintf(k->said + used, sizeof(k->said) - used, "%s: %s\n", warn ? "warn" : "info",
                   text);
}

static void prepare(struct memory *k)
{
    *k = (struct memory){.m = {.begun = on_begun, .sent = on_sent, .note = on_note, .arg = k}};
    pthread_mutex_init(&k->lock, NULL);
}

/* A run that ends before it commits: false and *err when it cannot even begin. */
static bool run_upload(struct store *store, struct memory *k, struct str bytes, bool commit,
                       struct error *err)
{
    const struct store_write how = {.memory = &k->m, .again = k->m.count > 0};
    struct store_writer *writer;
    k->sent = 0;
    k->said[0] = '\0';
    if (!store_open_write_as(store, ID ".tar.gz", &how, &writer, err))
        return false;
    must(store_write(writer, bytes, err), err);
    if (commit)
        must(store_commit(writer, err), err);
    store_writer_leave(writer);
    store_writer_free(writer);
    return true;
}

static void forget(struct memory *k)
{
    upload_memory_release(&k->m);
    pthread_mutex_destroy(&k->lock);
}

static void expect_stored(struct store *store, const char *data, size_t len)
{
    struct error err = {.text = ""};
    struct store_object *object;
    char *got = mem_alloc(len);
    must(store_open_object(store, ID ".tar.gz", &object, &err), &err);
    assert_int_equal(store_object_size(object), len);
    must(store_object_read(object, 0, got, len, &err), &err);
    assert_memory_equal(got, data, len);
    store_object_free(object);
    free(got);
}

/* Of 24 MiB two objects of two parts go out, the rest waits for the commit. */
static void further_objects_are_gone_on_with_too(void **state)
{
    (void)state;
    struct store_options options = bucket_options();
    struct error err = {.text = ""};
    struct memory k;
    options.max_parts = 2;
    struct store *store = bucket_open("again", &options);
    char *data = bucket_bytes();
    const struct str bytes = {data, 2 * BIG};
    prepare(&k);
    must(run_upload(store, &k, bytes, false, &err), &err);
    assert_int_equal(k.sent, 4);
    assert_int_equal(bucket_uploads(store, STR("again/")), 2);
    must(run_upload(store, &k, bytes, true, &err), &err);
    assert_int_equal(k.sent, 0);
    assert_non_null(strstr(k.said, ID ".tar.gz.001 goes on: 2 parts with 10485760 bytes"));
    expect_stored(store, data, 2 * BIG);
    must(run_upload(store, &k, bytes, true, &err), &err); /* nobody had heard of the end */
    assert_int_equal(k.sent, 0);
    assert_non_null(strstr(k.said, ID ".tar.gz.001 was uploaded whole by an earlier run"));
    assert_null(strstr(k.said, "warn: ")); /* all is well */
    expect_stored(store, data, 2 * BIG);
    assert_int_equal(bucket_uploads(store, STR("again/")), 0);
    must(store_remove(store, ID ".tar.gz", &err), &err);
    forget(&k);
    free(data);
    store_free(store);
}

static void sse_c_goes_on_only_with_its_own_key(void **state)
{
    (void)state;
    const struct lab_s3 *server = bucket_server();
    struct store_options options = bucket_options();
    struct error err = {.text = ""};
    struct memory k;
    const char *dir = tmpdir_new();
    char *data = bucket_bytes();
    const struct str bytes = {data, BIG};
    options.s3.endpoint_url = server->endpoint_tls;
    options.s3.ca_file = server->ca_file;
    options.max_parts = 2; /* both are sent before the next object begins */
    tmpdir_write(tmpdir_path(dir, "key"), "01234567890123456789012345678901", 32);
    tmpdir_write(tmpdir_path(dir, "other"), "99234567890123456789012345678901", 32);
    options.s3.sse_customer_key_file = tmpdir_path(dir, "key");
    struct store *own = bucket_open("sse-c-again", &options);
    options.s3.sse_customer_key_file = tmpdir_path(dir, "other");
    struct store *other = bucket_open("sse-c-again", &options);
    options.s3.sse_customer_key_file = NULL;
    struct store *none = bucket_open("sse-c-again", &options);
    prepare(&k);
    must(run_upload(own, &k, bytes, false, &err), &err);
    assert_int_equal(k.sent, 2);
    assert_false(run_upload(other, &k, bytes, true, &err));
    assert_int_equal(err.code, ERROR_CONFIG);
    assert_non_null(strstr(err.text, "begun with another SSE-C key: give that key again"));
    assert_false(run_upload(none, &k, bytes, true, &err));
    assert_int_equal(err.code, ERROR_CONFIG);
    assert_int_equal(bucket_uploads(own, STR("sse-c-again/")), 1);
    must(run_upload(own, &k, bytes, true, &err), &err);
    assert_int_equal(k.sent, 0); /* what follows the two parts is small */
    expect_stored(own, data, BIG);
    must(store_remove(own, ID ".tar.gz", &err), &err);
    store_free(none);
    store_free(other);
    store_free(own);
    forget(&k);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(further_objects_are_gone_on_with_too),
        cmocka_unit_test(sse_c_goes_on_only_with_its_own_key),
    };
    return cmocka_run_group_tests(tests, bucket_start, bucket_stop);
}
