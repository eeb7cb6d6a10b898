/* Copies out of a bucket: ranges side by side, broken off and gone on with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/file.h"
#include "core/store/fetch.h"
#include "tests/core/s3/group_kit.h"
#include "tests/harness/s3_fake.h"
#include "tests/harness/tmpdir.h"

#define PIECE ((size_t)64 << 10)
#define BYTES (40 * PIECE + 123)

struct world {
    struct s3_fake *fake;
    struct store *store;
    const char *dir;
    char path[300];
    char *bytes;
    /* the server's mood */
    size_t fail_after; /* GETs of the object that are answered; SIZE_MAX: all */
    size_t gets;
};

static bool break_off(void *ctx, const struct http_seen *request, bool done,
                      struct http_reply *reply)
{
    struct world *w = ctx;
    if (done || strcmp(request->method, "GET") != 0)
        return false;
    if (w->gets++ < w->fail_after)
        return false;
    reply->status = 403;
    reply->body = "<Error><Code>AccessDenied</Code></Error>";
    return true;
}

static void fill_bytes(char *bytes, uint32_t x)
{
    for (size_t i = 0; i < BYTES; i++) {
        x = x * 1103515245 + 12345;
        bytes[i] = (char)(x >> 16);
    }
}

static int start(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct error err = {.text = ""};
    w->fail_after = SIZE_MAX;
    w->dir = tmpdir_new();
    w->bytes = malloc(BYTES);
    fill_bytes(w->bytes, 1);
    w->fake = s3_fake_start(break_off, w);
    s3_fake_put(w->fake, "p/x.tar.gz", w->bytes, BYTES);
    (void)snprintf(w->path, sizeof(w->path), "%s/x.tar.gz", w->dir);
    const struct store_options options = {.s3 = {.endpoint_url = s3_fake_url(w->fake),
                                                 .access_key = S3_FAKE_ACCESS_KEY,
                                                 .secret_key = S3_FAKE_SECRET_KEY,
                                                 .tries = 2,
                                                 .backoff_base_ms = 2}};
    *state = w;
    return store_open("s3://bucket/p", &options, &w->store, &err) ? 0 : -1;
}

static int stop(void **state)
{
    struct world *w = *state;
    store_free(w->store);
    s3_fake_stop(w->fake);
    free(w->bytes);
    free(w);
    return 0;
}

static struct fetch_options options_of(const struct world *w)
{
    return (struct fetch_options){
        .from = w->store, .name = "x.tar.gz", .path = w->path, .workers = 4, .piece_bytes = PIECE};
}

static void must(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s", err->text);
}

static void expect_file(const struct world *w)
{
    struct buf got;
    struct error err;
    char partial[320];
    buf_init(&got, BYTES + 1);
    must(file_read(w->path, &got, &err), &err);
    assert_int_equal(got.len, BYTES);
    assert_memory_equal(got.data, w->bytes, BYTES);
    buf_release(&got);
    (void)snprintf(partial, sizeof(partial), "%s.partial", w->path);
    assert_false(file_exists(partial));
    (void)snprintf(partial, sizeof(partial), "%s.partial.json", w->path);
    assert_false(file_exists(partial));
}

/* Runs to the end; *facts as they were then. */
static void fetch_all(const struct world *w, struct fetch_facts *facts, char *why, size_t size)
{
    const struct fetch_options options = options_of(w);
    struct fetch *f = NULL;
    struct error err = {.text = ""};
    must(fetch_begin(&options, &f, &err), &err);
    must(fetch_run(f, &err), &err);
    assert_false(file_exists(w->path)); /* not before the caller says so */
    must(fetch_keep(f, &err), &err);
    *facts = *fetch_facts(f);
    (void)snprintf(why, size, "%s", facts->not_reused);
    fetch_free(f);
    expect_file(w);
}

static void break_after(struct world *w, size_t gets)
{
    const struct fetch_options options = options_of(w);
    struct fetch *f = NULL;
    struct error err = {.text = ""};
    w->gets = 0;
    w->fail_after = gets;
    must(fetch_begin(&options, &f, &err), &err);
    assert_false(fetch_run(f, &err));
    assert_int_equal(err.code, ERROR_AUTH);
    fetch_free(f);
    assert_false(file_exists(w->path));
    w->fail_after = SIZE_MAX;
    w->gets = 0;
}

static void an_object_arrives_whole_in_pieces(void **state)
{
    struct world *w = *state;
    struct fetch_facts facts;
    char why[100];
    fetch_all(w, &facts, why, sizeof(why));
    assert_int_equal(facts.size_bytes, BYTES);
    assert_int_equal(facts.reused_bytes, 0);
    assert_string_equal(why, "");
    assert_int_equal(w->gets, 41);
}

static void what_came_before_the_break_is_not_fetched_again(void **state)
{
    struct world *w = *state;
    struct fetch_facts facts;
    char why[100];
    break_after(w, 25);
    fetch_all(w, &facts, why, sizeof(why));
    assert_int_equal(facts.reused_bytes, 25 * PIECE);
    assert_int_equal(w->gets, 41 - 25);
}

static void damaged_pieces_of_the_partial_file_are_fetched_again(void **state)
{
    struct world *w = *state;
    struct fetch_facts facts;
    char why[100];
    char partial[320];
    break_after(w, 40);
    (void)snprintf(partial, sizeof(partial), "%s.partial", w->path);
    FILE *file = fopen(partial, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)(7 * PIECE + 5), SEEK_SET), 0);
    assert_int_equal(fwrite("damage", 1, 6, file), 6);
    fclose(file);
    fetch_all(w, &facts, why, sizeof(why));
    assert_int_equal(w->gets, 2); /* the damaged one, and the one that never came */
}

static void an_object_that_was_replaced_is_fetched_from_its_beginning(void **state)
{
    struct world *w = *state;
    struct fetch_facts facts;
    char why[100];
    break_after(w, 30);
    fill_bytes(w->bytes, 2);
    s3_fake_put(w->fake, "p/x.tar.gz", w->bytes, BYTES);
    fetch_all(w, &facts, why, sizeof(why));
    assert_string_equal(why, "the object was replaced since");
    assert_int_equal(facts.reused_bytes, 0);
    assert_int_equal(w->gets, 41);
}

static void an_object_that_is_replaced_meanwhile_is_no_success(void **state)
{
    struct world *w = *state;
    const struct fetch_options options = options_of(w);
    struct fetch *f = NULL;
    struct error err = {.text = ""};
    must(fetch_begin(&options, &f, &err), &err);
    s3_fake_put(w->fake, "p/x.tar.gz", w->bytes, BYTES);
    assert_false(fetch_run(f, &err));
    assert_int_equal(err.code, ERROR_CONFLICT);
    fetch_free(f);
    assert_false(file_exists(w->path));
}

static void a_broken_state_file_is_no_reason_to_fail(void **state)
{
    struct world *w = *state;
    struct fetch_facts facts;
    char why[100];
    static const char *const texts[] = {"", "{", "[]", "{\"v\":1}", "{\"v\":2,\"pieces\":[null]}"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        (void)remove(w->path);
        tmpdir_write(tmpdir_path(w->dir, "x.tar.gz.partial"), "rubbish", 7);
        tmpdir_write(tmpdir_path(w->dir, "x.tar.gz.partial.json"), texts[i], strlen(texts[i]));
        fetch_all(w, &facts, why, sizeof(why));
        assert_true(why[0] != '\0');
        assert_int_equal(facts.reused_bytes, 0);
    }
}

static void a_file_that_is_there_is_replaced_only_on_request(void **state)
{
    struct world *w = *state;
    struct fetch_options options = options_of(w);
    struct fetch *f = NULL;
    struct error err = {.text = ""};
    tmpdir_write(w->path, "old", 3);
    assert_false(fetch_begin(&options, &f, &err));
    assert_int_equal(err.code, ERROR_CONFLICT);
    options.replace = true;
    must(fetch_begin(&options, &f, &err), &err);
    must(fetch_run(f, &err) && fetch_keep(f, &err), &err);
    fetch_free(f);
    expect_file(w);
}

static void two_at_once_do_not_write_one_file(void **state)
{
    struct world *w = *state;
    const struct fetch_options options = options_of(w);
    struct fetch *one = NULL;
    struct fetch *two = NULL;
    struct error err = {.text = ""};
    must(fetch_begin(&options, &one, &err), &err);
    assert_false(fetch_begin(&options, &two, &err));
    assert_int_equal(err.code, ERROR_LOCKED);
    must(fetch_run(one, &err) && fetch_keep(one, &err), &err);
    fetch_free(one);
    expect_file(w);
}

static bool always(void *ctx)
{
    (void)ctx;
    return true;
}

static void a_cancelled_fetch_can_go_on(void **state)
{
    struct world *w = *state;
    struct fetch_options options = options_of(w);
    struct fetch_facts facts;
    struct fetch *f = NULL;
    struct error err = {.text = ""};
    char why[100];
    break_after(w, 10);
    options.cancelled = always;
    must(fetch_begin(&options, &f, &err), &err);
    assert_false(fetch_run(f, &err));
    assert_int_equal(err.code, ERROR_CANCELLED);
    fetch_free(f);
    fetch_all(w, &facts, why, sizeof(why));
    assert_true(facts.reused_bytes > 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_object_arrives_whole_in_pieces),
        CASE(what_came_before_the_break_is_not_fetched_again),
        CASE(damaged_pieces_of_the_partial_file_are_fetched_again),
        CASE(an_object_that_was_replaced_is_fetched_from_its_beginning),
        CASE(an_object_that_is_replaced_meanwhile_is_no_success),
        CASE(a_broken_state_file_is_no_reason_to_fail),
        CASE(a_file_that_is_there_is_replaced_only_on_request),
        CASE(two_at_once_do_not_write_one_file),
        CASE(a_cancelled_fetch_can_go_on),
    };
    return cmocka_run_group_tests(tests, s3_group_start, s3_group_stop);
}
