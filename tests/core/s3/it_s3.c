/* The client against a real S3 server, which checks signatures, hashes, owners and clocks. */
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
#include "core/s3/multipart.h"
#include "core/s3/s3.h"
#include "tests/harness/lab.h"

#define MIB ((size_t)1 << 20)

struct world {
    struct lab *lab;
    const struct lab_s3 *server;
};

static struct s3_options options_of(const struct lab_s3 *server)
{
    return (struct s3_options){.bucket = server->bucket,
                               .endpoint_url = server->endpoint,
                               .region = server->region,
                               .access_key = server->access_key,
                               .secret_key = server->secret_key,
                               .tries = 3,
                               .backoff_base_ms = 20};
}

static struct s3 *open_client(const struct s3_options *options)
{
    struct s3 *s3 = NULL;
    struct error err = {.text = ""};
    if (!s3_new(options, &s3, &err))
        fail_msg("%s", err.text);
    return s3;
}

static bool collect(void *ctx, struct str bytes, struct error *err)
{
    return buf_append(ctx, bytes, err);
}

static void put(struct s3 *s3, const char *key, const char *text)
{
    struct error err = {.text = ""};
    if (!s3_put(s3, str_from(key), str_from(text), &err))
        fail_msg("put %s: %s", key, err.text);
}

static void expect_content(struct s3 *s3, const char *key, int64_t from, int64_t length,
                           const char *expected)
{
    struct error err = {.text = ""};
    struct buf got;
    buf_init(&got, MIB);
    const struct s3_get get = {.key = str_from(key), .from = from, .length = length};
    if (!s3_get(s3, &get, collect, &got, &err))
        fail_msg("get %s: %s", key, err.text);
    assert_string_equal(got.data, expected);
    buf_release(&got);
}

static const char *const odd_keys[] = {
    "odd/plain.txt",      "odd/with space",
    "odd/plus+sign",      "odd/per%cent",
    "odd/per%20cent",     "odd/\xC3\xA9t\xC3\xA9",
    "odd//double//slash", "odd/tilde~and'quote",
    "odd/<xml>&\"amp\"",  "odd/\xED\x95\x9C\xEA\xB8\x80",
    "odd/a=b?c#d&e",      "odd/(par)!*$,;:@",
};

static void check_odd_keys(const struct s3_options *options)
{
    struct s3 *s3 = open_client(options);
    struct error err = {.text = ""};
    for (size_t i = 0; i < COUNT_OF(odd_keys); i++)
        put(s3, odd_keys[i], odd_keys[i]);
    for (size_t i = 0; i < COUNT_OF(odd_keys); i++)
        expect_content(s3, odd_keys[i], 0, -1, odd_keys[i]);
    struct s3_page page;
    const struct s3_list list = {.prefix = STR("odd/")};
    if (!s3_list(s3, &list, &page, &err))
        fail_msg("%s", err.text);
    assert_int_equal(page.count, COUNT_OF(odd_keys));
    for (size_t i = 0; i < COUNT_OF(odd_keys); i++) {
        size_t hits = 0;
        for (size_t at = 0; at < page.count; at++)
            hits += str_is(page.items[at].key, odd_keys[i]);
        assert_int_equal(hits, 1);
    }
    s3_page_release(&page);
    for (size_t i = 0; i < COUNT_OF(odd_keys); i++)
        assert_true(s3_delete(s3, str_from(odd_keys[i]), &err));
    assert_true(s3_list(s3, &list, &page, &err));
    assert_int_equal(page.count, 0);
    s3_page_release(&page);
    s3_free(s3);
}

static void odd_keys_survive_path_style_over_http(void **state)
{
    const struct world *w = *state;
    struct s3_options options = options_of(w->server);
    check_odd_keys(&options);
}

static void odd_keys_survive_path_style_over_https(void **state)
{
    const struct world *w = *state;
    struct s3_options options = options_of(w->server);
    options.endpoint_url = w->server->endpoint_tls;
    options.ca_file = w->server->ca_file;
    check_odd_keys(&options);
}

static void odd_keys_survive_virtual_hosts(void **state)
{
    const struct world *w = *state;
    struct s3_options options = options_of(w->server);
    options.endpoint_url = w->server->endpoint_vhost;
    options.addressing = S3_ADDRESSING_VIRTUAL;
    check_odd_keys(&options);
}

static void ranges_give_exactly_their_bytes(void **state)
{
    const struct world *w = *state;
    struct s3_options options = options_of(w->server);
    struct s3 *s3 = open_client(&options);
    struct error err;
    put(s3, "range", "0123456789");
    expect_content(s3, "range", 0, 1, "0");
    expect_content(s3, "range", 3, 4, "3456");
    expect_content(s3, "range", 7, -1, "789");
    expect_content(s3, "range", 8, 100, "89");
    expect_content(s3, "range", 5, 0, "");
    assert_true(s3_delete(s3, STR("range"), &err));
    s3_free(s3);
}

static void head_tells_size_time_and_etag(void **state)
{
    const struct world *w = *state;
    struct s3_options options = options_of(w->server);
    struct s3 *s3 = open_client(&options);
    struct s3_object object;
    struct error err;
    put(s3, "head", "hello");
    assert_true(s3_head(s3, STR("head"), &object, &err));
    assert_int_equal(object.size_bytes, 5);
    assert_true(llabs((long long)(object.modified_ms - clock_real_ms())) < 60000);
    assert_string_equal(object.etag, "\"5d41402abc4b2a76b9719d911017c592\"");
    assert_false(s3_head(s3, STR("not-there"), &object, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_true(s3_delete(s3, STR("head"), &err));
    assert_true(s3_delete(s3, STR("head"), &err));
    s3_free(s3);
}

static void a_replaced_object_is_not_read_on(void **state)
{
    const struct world *w = *state;
    struct s3_options options = options_of(w->server);
    struct s3 *s3 = open_client(&options);
    struct s3_object object;
    struct error err;
    struct buf got;
    buf_init(&got, MIB);
    put(s3, "etag", "first");
    assert_true(s3_head(s3, STR("etag"), &object, &err));
    put(s3, "etag", "other");
    const struct s3_get get = {.key = STR("etag"), .length = -1, .etag = object.etag};
    assert_false(s3_get(s3, &get, collect, &got, &err));
    assert_int_equal(err.code, ERROR_CONFLICT);
    assert_int_equal(got.len, 0);
    assert_true(s3_delete(s3, STR("etag"), &err));
    buf_release(&got);
    s3_free(s3);
}

static void listing_goes_on_past_one_page(void **state)
{
    const struct world *w = *state;
    struct s3_options options = options_of(w->server);
    struct s3 *s3 = open_client(&options);
    struct error err = {.text = ""};
    struct s3_page page;
    char key[64];
    const size_t total = 1100;
    for (size_t i = 0; i < total; i++) {
        (void)snprintf(key, sizeof(key), "many/%04zu", i);
        put(s3, key, "");
    }
    struct buf token;
    buf_init(&token, 4096);
    size_t seen = 0;
    size_t pages = 0;
    do {
        const struct s3_list list = {.prefix = STR("many/"), .token = buf_str(&token)};
        if (!s3_list(s3, &list, &page, &err))
            fail_msg("%s", err.text);
        for (size_t i = 0; i < page.count; i++) {
            (void)snprintf(key, sizeof(key), "many/%04zu", seen++);
            assert_true(str_is(page.items[i].key, key));
        }
        pages++;
        buf_clear(&token);
        assert_true(buf_append(&token, page.next, &err));
        s3_page_release(&page);
    } while (token.len > 0);
    assert_int_equal(seen, total);
    assert_int_equal(pages, 2);
    const struct s3_list folders = {.delimiter = '/'};
    assert_true(s3_list(s3, &folders, &page, &err));
    assert_int_equal(page.count, 1);
    assert_true(page.items[0].is_prefix);
    assert_true(str_is(page.items[0].key, "many/"));
    s3_page_release(&page);
    for (size_t i = 0; i < total; i++) {
        (void)snprintf(key, sizeof(key), "many/%04zu", i);
        assert_true(s3_delete(s3, str_from(key), &err));
    }
    buf_release(&token);
    s3_free(s3);
}

/* The same bytes at the same place in every run. */
static char *pattern(size_t len)
{
    char *data = mem_alloc(len);
    for (size_t i = 0; i < len; i++)
        data[i] = (char)((i * 2654435761U) >> 13);
    return data;
}

struct compare {
    const char *data;
    size_t at;
    size_t len;
};

static bool compare_bytes(void *ctx, struct str bytes, struct error *err)
{
    struct compare *c = ctx;
    if (bytes.len > c->len - c->at || memcmp(c->data + c->at, bytes.ptr, bytes.len) != 0)
        return error_set(err, ERROR_CORRUPT, 0, "bytes differ after %zu", c->at);
    c->at += bytes.len;
    return true;
}

static struct multipart *start_upload(struct s3 *s3, const char *key)
{
    const struct multipart_options options = {.part_bytes = MULTIPART_PART_MIN, .workers = 3};
    struct multipart *m = NULL;
    struct error err;
    assert_true(multipart_new(s3, str_from(key), &options, &m, &err));
    return m;
}

static void three_parts_become_one_object(void **state)
{
    const struct world *w = *state;
    struct s3_options options = options_of(w->server);
    struct s3 *s3 = open_client(&options);
    struct error err = {.text = ""};
    const size_t len = 2 * MULTIPART_PART_MIN + 12345;
    char *data = pattern(len);
    struct multipart *m = start_upload(s3, "multi part+1.bin");
    for (size_t at = 0; at < len; at += 700001) {
        size_t take = len - at < 700001 ? len - at : 700001;
        if (!multipart_write(m, (struct str){data + at, take}, &err))
            fail_msg("%s", err.text);
    }
    struct s3_object object;
    if (!multipart_commit(m, &object, &err))
        fail_msg("%s", err.text);
    assert_int_equal(object.size_bytes, len);
    assert_int_equal(strlen(object.token), 32);
    assert_non_null(strstr(object.etag, "-3\""));
    assert_int_equal(multipart_sent(m), len);
    multipart_free(m);
    struct compare compare = {data, 0, len};
    const struct s3_get get = {.key = STR("multi part+1.bin"), .length = -1};
    if (!s3_get(s3, &get, compare_bytes, &compare, &err))
        fail_msg("%s", err.text);
    assert_int_equal(compare.at, len);
    assert_true(s3_delete(s3, STR("multi part+1.bin"), &err));
    free(data);
    s3_free(s3);
}

static void a_small_stream_becomes_one_put(void **state)
{
    const struct world *w = *state;
    struct s3_options options = options_of(w->server);
    struct s3 *s3 = open_client(&options);
    struct error err = {.text = ""};
    struct s3_object object;
    struct multipart *m = start_upload(s3, "small");
    assert_true(multipart_write(m, STR("tiny"), &err));
    if (!multipart_commit(m, &object, &err))
        fail_msg("%s", err.text);
    multipart_free(m);
    assert_null(strchr(object.etag, '-'));
    expect_content(s3, "small", 0, -1, "tiny");
    m = start_upload(s3, "small");
    assert_true(multipart_commit(m, &object, &err));
    multipart_free(m);
    assert_int_equal(object.size_bytes, 0);
    assert_true(s3_delete(s3, STR("small"), &err));
    s3_free(s3);
}

static void an_abandoned_upload_leaves_nothing(void **state)
{
    const struct world *w = *state;
    struct s3_options options = options_of(w->server);
    struct s3 *s3 = open_client(&options);
    struct error err = {.text = ""};
    struct s3_uploads uploads;
    struct s3_object object;
    char *data = pattern(2 * MULTIPART_PART_MIN + 1);
    struct multipart *m = start_upload(s3, "gone");
    assert_true(multipart_write(m, (struct str){data, 2 * MULTIPART_PART_MIN + 1}, &err));
    if (!s3_list_uploads(s3, STR("gone"), &uploads, &err))
        fail_msg("%s", err.text);
    assert_int_equal(uploads.count, 1);
    assert_true(str_is(uploads.items[0].key, "gone"));
    assert_true(llabs((long long)(uploads.items[0].started_ms - clock_real_ms())) < 60000);
    s3_uploads_release(&uploads);
    multipart_free(m);
    assert_true(s3_list_uploads(s3, STR(""), &uploads, &err));
    assert_int_equal(uploads.count, 0);
    s3_uploads_release(&uploads);
    assert_false(s3_head(s3, STR("gone"), &object, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    free(data);
    s3_free(s3);
}

static bool flag_is_set(void *ctx)
{
    return *(const bool *)ctx;
}

static void a_cancelled_upload_leaves_nothing(void **state)
{
    const struct world *w = *state;
    struct s3_options options = options_of(w->server);
    bool cancelled = false; /* read by workers only after it was set for good: see below */
    options.cancelled = flag_is_set;
    options.cancel_ctx = &cancelled;
    struct s3 *s3 = open_client(&options);
    struct error err = {.text = ""};
    struct s3_object object;
    struct multipart *m = start_upload(s3, "stopped");
    assert_true(multipart_write(m, STR("half"), &err));
    cancelled = true; /* no part was submitted yet, so no other thread runs */
    assert_false(multipart_commit(m, &object, &err));
    assert_int_equal(err.code, ERROR_CANCELLED);
    assert_false(multipart_write(m, STR("more"), &err));
    multipart_free(m);
    cancelled = false;
    assert_false(s3_head(s3, STR("stopped"), &object, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    s3_free(s3);
}

struct refusal {
    const char *name;
    void (*change)(struct s3_options *options, const struct lab_s3 *server);
    enum error_code code;
    const char *says; /* a piece of what the operator reads */
};

static void wrong_bucket(struct s3_options *o, const struct lab_s3 *s)
{
    (void)s;
    o->bucket = "no-such-bucket-here";
}

static void wrong_access_key(struct s3_options *o, const struct lab_s3 *s)
{
    (void)s;
    o->access_key = "AKIDOESNOTEXIST00000";
}

static void wrong_secret_key(struct s3_options *o, const struct lab_s3 *s)
{
    (void)s;
    o->secret_key = "wrong-secret-value-42";
}

static void foreign_user(struct s3_options *o, const struct lab_s3 *s)
{
    o->access_key = s->other_access_key;
    o->secret_key = s->other_secret_key;
}

static void nobody_listens(struct s3_options *o, const struct lab_s3 *s)
{
    (void)s;
    o->endpoint_url = "http://127.0.0.1:1";
}

static void unknown_ca(struct s3_options *o, const struct lab_s3 *s)
{
    o->endpoint_url = s->endpoint_tls;
}

static void tls_to_a_plain_port(struct s3_options *o, const struct lab_s3 *s)
{
    static char url[64];
    (void)snprintf(url, sizeof(url), "https%s", s->endpoint + strlen("http"));
    o->endpoint_url = url;
}

static const struct refusal refusals[] = {
    {"no bucket", wrong_bucket, ERROR_STORAGE, "create the bucket"},
    {"unknown key", wrong_access_key, ERROR_AUTH, "check the access key"},
    {"wrong secret", wrong_secret_key, ERROR_AUTH, "check the access key and secret key"},
    {"no permission", foreign_user, ERROR_AUTH, "lack this permission"},
    {"not listening", nobody_listens, ERROR_UNREACHABLE, "check the endpoint"},
    {"unknown CA", unknown_ca, ERROR_CONFIG, "CA file"},
    {"TLS to http", tls_to_a_plain_port, ERROR_UNREACHABLE, "http rather than https"},
};

static void refusals_say_what_to_do(void **state)
{
    const struct world *w = *state;
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        struct s3_options options = options_of(w->server);
        refusals[i].change(&options, w->server);
        struct s3 *s3 = open_client(&options);
        struct error err = {.text = ""};
        if (s3_check(s3, &err))
            fail_msg("%s: accepted", refusals[i].name);
        if (err.code != refusals[i].code || strstr(err.text, refusals[i].says) == NULL)
            fail_msg("%s: %s (%s)", refusals[i].name, err.text, error_code_name(err.code));
        assert_null(strchr(err.text, '\n'));
        assert_null(strstr(err.text, "wrong-secret-value-42"));
        s3_free(s3);
    }
}

static int start(void **state)
{
    static struct world w;
    struct error err;
    const struct lab_options options = {.kind = LAB_S3_ONLY, .s3 = true};
    w.lab = s3_global_init(&err) ? lab_start(&options) : NULL;
    w.server = w.lab != NULL ? lab_s3(w.lab) : NULL;
    *state = &w;
    return w.server != NULL ? 0 : -1;
}

static int stop(void **state)
{
    const struct world *w = *state;
    lab_stop(w->lab);
    s3_global_release();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_keys_survive_path_style_over_http),
        cmocka_unit_test(odd_keys_survive_path_style_over_https),
        cmocka_unit_test(odd_keys_survive_virtual_hosts),
        cmocka_unit_test(ranges_give_exactly_their_bytes),
        cmocka_unit_test(head_tells_size_time_and_etag),
        cmocka_unit_test(a_replaced_object_is_not_read_on),
        cmocka_unit_test(listing_goes_on_past_one_page),
        cmocka_unit_test(three_parts_become_one_object),
        cmocka_unit_test(a_small_stream_becomes_one_put),
        cmocka_unit_test(an_abandoned_upload_leaves_nothing),
        cmocka_unit_test(a_cancelled_upload_leaves_nothing),
        cmocka_unit_test(refusals_say_what_to_do),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
