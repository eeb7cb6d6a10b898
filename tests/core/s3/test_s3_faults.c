/* The client against a scripted server: faults that a real one will not show on demand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/s3/s3.h"
#include "tests/core/s3/group_kit.h"
#include "tests/harness/http_server.h"

#define SECRET "topsecret-value-0123456789"
#define ERROR_BODY(code) "<?xml version=\"1.0\"?><Error><Code>" code "</Code></Error>"
/* One scripted answer; the last row of a script repeats. The order is that of the tables.
 * NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct step {
    int status;
    const char *headers;
    const char *body;
    bool drop;
    size_t cut_after;
    int delay_ms;
};

#define SEEN_MAX 64

struct script {
    const struct step *steps;
    size_t step_count;
    _Atomic size_t requests;
    char methods[SEEN_MAX][16];
    char targets[SEEN_MAX][256];
    char heads[SEEN_MAX][4096];
};

static void play(void *ctx, const struct http_seen *request, struct http_reply *reply)
{
    struct script *s = ctx;
    size_t n = atomic_load(&s->requests);
    const struct step *step = &s->steps[n < s->step_count ? n : s->step_count - 1];
    if (n < SEEN_MAX) {
        (void)snprintf(s->methods[n], sizeof(s->methods[n]), "%s", request->method);
        (void)snprintf(s->targets[n], sizeof(s->targets[n]), "%.255s", request->target);
        (void)snprintf(s->heads[n], sizeof(s->heads[n]), "%.4095s", request->head);
    }
    reply->status = step->status;
    reply->body = step->body;
    reply->drop = step->drop;
    reply->cut_after = step->cut_after;
    reply->delay_ms = step->delay_ms;
    if (step->headers != NULL)
        (void)snprintf(reply->headers, sizeof(reply->headers), "%s", step->headers);
    atomic_store(&s->requests, n + 1);
}

static struct s3 *client(const char *url)
{
    const struct s3_options options = {.bucket = "bucket",
                                       .endpoint_url = url,
                                       .access_key = "AKIDEXAMPLE",
                                       .secret_key = SECRET,
                                       .tries = 4,
                                       .backoff_base_ms = 5,
                                       .connect_timeout_ms = 5000};
    struct s3 *s3 = NULL;
    struct error err = {.text = ""};
    if (!s3_new(&options, &s3, &err))
        fail_msg("%s", err.text);
    return s3;
}

static bool collect(void *ctx, struct str bytes, struct error *err)
{
    return buf_append(ctx, bytes, err);
}

struct get_result {
    bool ok;
    struct error err;
    char body[256];
    size_t requests;
};

static struct get_result run_get(struct script *script, int64_t from, int64_t length)
{
    struct get_result r = {.err = {.text = ""}};
    struct http_server *server = http_server_start(play, script);
    struct s3 *s3 = client(http_server_url(server));
    struct buf got;
    buf_init(&got, sizeof(r.body) - 1);
    const struct s3_get get = {.key = STR("key"), .from = from, .length = length};
    r.ok = s3_get(s3, &get, collect, &got, &r.err);
    (void)snprintf(r.body, sizeof(r.body), "%s", got.data);
    buf_release(&got);
    s3_free(s3);
    http_server_stop(server);
    r.requests = script->requests;
    assert_null(strstr(r.err.text, SECRET));
    return r;
}

#define SCRIPT(rows)                                  \
    {                                                 \
        .steps = (rows), .step_count = COUNT_OF(rows) \
    }

static void server_errors_are_tried_again(void **state)
{
    (void)state;
    static const struct step steps[] = {{500, NULL, ERROR_BODY("InternalError")},
                                        {503, NULL, ERROR_BODY("SlowDown")},
                                        {0, NULL, NULL, .drop = true},
                                        {200, NULL, "hello"}};
    struct script script = SCRIPT(steps);
    struct get_result r = run_get(&script, 0, -1);
    assert_true(r.ok);
    assert_string_equal(r.body, "hello");
    assert_int_equal(r.requests, 4);
}

static void tries_come_to_an_end(void **state)
{
    (void)state;
    static const struct step steps[] = {{503, NULL, ERROR_BODY("SlowDown")}};
    struct script script = SCRIPT(steps);
    struct get_result r = run_get(&script, 0, -1);
    assert_false(r.ok);
    assert_int_equal(r.err.code, ERROR_STORAGE);
    assert_non_null(strstr(r.err.text, "after 4 tries"));
    assert_non_null(strstr(r.err.text, "SlowDown"));
    assert_int_equal(r.requests, 4);
}

static void a_server_that_never_answered_gets_few_tries(void **state)
{
    (void)state;
    static const struct step steps[] = {{0, NULL, NULL, .drop = true}};
    struct script script = SCRIPT(steps);
    struct get_result r = run_get(&script, 0, -1);
    assert_false(r.ok);
    assert_int_equal(r.err.code, ERROR_UNREACHABLE);
    assert_int_equal(r.requests, 3);
}

static void refusals_are_not_tried_again(void **state)
{
    (void)state;
    static const struct {
        struct step step;
        enum error_code code;
    } cases[] = {{{403, NULL, ERROR_BODY("AccessDenied")}, ERROR_AUTH},
                 {{403, NULL, ERROR_BODY("SignatureDoesNotMatch")}, ERROR_AUTH},
                 {{403, NULL, ERROR_BODY("InvalidAccessKeyId")}, ERROR_AUTH},
                 {{404, NULL, ERROR_BODY("NoSuchBucket")}, ERROR_STORAGE},
                 {{404, NULL, ERROR_BODY("NoSuchKey")}, ERROR_NOT_FOUND},
                 {{412, NULL, ERROR_BODY("PreconditionFailed")}, ERROR_CONFLICT},
                 {{507, NULL, NULL}, ERROR_STORAGE},
                 {{301, "Location: http://127.0.0.1:1/\r\n", NULL}, ERROR_CONFIG}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct script script = {.steps = &cases[i].step, .step_count = 1};
        struct get_result r = run_get(&script, 0, -1);
        assert_false(r.ok);
        assert_int_equal(r.err.code, cases[i].code);
        assert_int_equal(r.requests, 1);
    }
}

static void expired_credentials_are_fetched_once_more(void **state)
{
    (void)state;
    static const struct step steps[] = {{400, NULL, ERROR_BODY("ExpiredToken")}};
    struct script script = SCRIPT(steps);
    struct get_result r = run_get(&script, 0, -1);
    assert_false(r.ok);
    assert_int_equal(r.err.code, ERROR_AUTH);
    assert_int_equal(r.requests, 2);
}

static void wrong_region_is_signed_again_once(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {400, NULL,
         "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region></Error>"},
        {200, NULL, "there"}};
    struct script script = SCRIPT(steps);
    struct get_result r = run_get(&script, 0, -1);
    assert_true(r.ok);
    assert_non_null(strstr(script.heads[0], "/us-east-1/s3/aws4_request"));
    assert_non_null(strstr(script.heads[1], "/eu-west-3/s3/aws4_request"));
    struct script again = {.steps = steps, .step_count = 1};
    r = run_get(&again, 0, -1);
    assert_false(r.ok);
    assert_int_equal(r.err.code, ERROR_CONFIG);
    assert_int_equal(r.requests, 2);
}

static void a_hostile_region_is_not_taken_over(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {400, NULL,
         "<Error><Code>AuthorizationHeaderMalformed</Code><Region>x/../y host</Region></Error>"}};
    struct script script = SCRIPT(steps);
    struct get_result r = run_get(&script, 0, -1);
    assert_false(r.ok);
    assert_int_equal(r.requests, 1);
}

static void a_skewed_clock_is_corrected_once(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {403, "Date: Fri, 24 May 2013 00:00:00 GMT\r\n", ERROR_BODY("RequestTimeTooSkewed")},
        {200, NULL, "now"}};
    struct script script = SCRIPT(steps);
    struct get_result r = run_get(&script, 0, -1);
    assert_true(r.ok);
    assert_null(strstr(script.heads[0], "20130524T0000"));
    assert_non_null(strstr(script.heads[1], "20130524T0000"));
    struct script again = {.steps = steps, .step_count = 1};
    r = run_get(&again, 0, -1);
    assert_false(r.ok);
    assert_int_equal(r.requests, 2);
    assert_non_null(strstr(r.err.text, "clock"));
}

static void a_broken_download_goes_on_where_it_stopped(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {200, "ETag: \"v1\"\r\n", "0123456789", .cut_after = 4},
        {206, "ETag: \"v1\"\r\nContent-Range: bytes 4-9/10\r\n", "456789", .cut_after = 3},
        {206, "ETag: \"v1\"\r\nContent-Range: bytes 7-9/10\r\n", "789"}};
    struct script script = SCRIPT(steps);
    struct get_result r = run_get(&script, 0, -1);
    assert_true(r.ok);
    assert_string_equal(r.body, "0123456789");
    assert_null(strstr(script.heads[0], "if-match"));
    assert_non_null(strstr(script.heads[1], "range: bytes=4-"));
    assert_non_null(strstr(script.heads[1], "if-match: \"v1\""));
    assert_non_null(strstr(script.heads[2], "range: bytes=7-"));
}

static void an_ignored_range_is_cut_out_of_the_whole(void **state)
{
    (void)state;
    static const struct step steps[] = {{200, NULL, "0123456789"}};
    struct script script = SCRIPT(steps);
    struct get_result r = run_get(&script, 3, 4);
    assert_true(r.ok);
    assert_string_equal(r.body, "3456");
}

static void a_range_under_status_200_is_understood(void **state)
{
    (void)state;
    static const struct step steps[] = {{200, "Content-Range: bytes 3-6/10\r\n", "3456"}};
    struct script script = SCRIPT(steps);
    struct get_result r = run_get(&script, 3, 4);
    assert_true(r.ok);
    assert_string_equal(r.body, "3456");
}

static void another_range_than_asked_is_refused(void **state)
{
    (void)state;
    static const struct step steps[] = {{206, "Content-Range: bytes 0-3/10\r\n", "0123"}};
    struct script script = SCRIPT(steps);
    struct get_result r = run_get(&script, 3, 4);
    assert_false(r.ok);
    assert_int_equal(r.err.code, ERROR_CORRUPT);
    assert_string_equal(r.body, "");
}

static bool flag_is_set(void *ctx)
{
    const _Atomic size_t *requests = ctx;
    return atomic_load(requests) > 0;
}

static void cancel_ends_a_silent_server_within_a_second(void **state)
{
    (void)state;
    static const struct step steps[] = {{200, NULL, "late", .delay_ms = 60000}};
    struct script script = SCRIPT(steps);
    struct http_server *server = http_server_start(play, &script);
    const struct s3_options options = {.bucket = "bucket",
                                       .endpoint_url = http_server_url(server),
                                       .access_key = "A",
                                       .secret_key = SECRET,
                                       .cancelled = flag_is_set,
                                       .cancel_ctx = &script.requests};
    struct s3 *s3 = NULL;
    struct error err;
    assert_true(s3_new(&options, &s3, &err));
    int64_t start = clock_mono_ms();
    assert_false(s3_check(s3, &err));
    assert_int_equal(err.code, ERROR_CANCELLED);
    assert_true(clock_mono_ms() - start < 3000);
    s3_free(s3);
    http_server_stop(server);
}

static void a_silent_server_is_given_up(void **state)
{
    (void)state;
    static const struct step steps[] = {{200, NULL, "late", .delay_ms = 60000}};
    struct script script = SCRIPT(steps);
    struct http_server *server = http_server_start(play, &script);
    const struct s3_options options = {.bucket = "bucket",
                                       .endpoint_url = http_server_url(server),
                                       .access_key = "A",
                                       .secret_key = SECRET,
                                       .tries = 1,
                                       .stall_timeout_ms = 300};
    struct s3 *s3 = NULL;
    struct error err;
    assert_true(s3_new(&options, &s3, &err));
    assert_false(s3_check(s3, &err));
    assert_int_equal(err.code, ERROR_TIMEOUT);
    s3_free(s3);
    http_server_stop(server);
}

static void hostile_listings_are_refused(void **state)
{
    (void)state;
#define LIST(inner) "<ListBucketResult>" inner "</ListBucketResult>"
    static const struct step cases[] = {
        {200, NULL, LIST("<Contents><Key>other/x</Key><Size>1</Size></Contents>")},
        {200, NULL, LIST("<Contents><Key>p/x</Key><Size>-1</Size></Contents>")},
        {200, NULL, LIST("<IsTruncated>true</IsTruncated>")},
        {200, NULL,
         LIST("<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>")},
        {200, NULL, LIST("<EncodingType>url</EncodingType><Contents><Key>p/%zz</Key></Contents>")},
        {200, NULL, "<!DOCTYPE a [<!ENTITY b \"c\">]>" LIST("<Contents/>")},
        {200, NULL, "<ListBucketResult><Contents><Key>p/x</Key>"},
        {200, NULL, "<html><body>Welcome</body></html>"},
        {200, NULL, ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct script script = {.steps = &cases[i], .step_count = 1};
        struct http_server *server = http_server_start(play, &script);
        struct s3 *s3 = client(http_server_url(server));
        struct s3_page page;
        struct error err;
        const struct s3_list list = {.prefix = STR("p/"), .token = STR("t")};
        assert_false(s3_list(s3, &list, &page, &err));
        assert_int_equal(err.code, ERROR_CORRUPT);
        assert_int_equal(page.count, 0);
        s3_free(s3);
        http_server_stop(server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_errors_are_tried_again),
        cmocka_unit_test(tries_come_to_an_end),
        cmocka_unit_test(a_server_that_never_answered_gets_few_tries),
        cmocka_unit_test(refusals_are_not_tried_again),
        cmocka_unit_test(expired_credentials_are_fetched_once_more),
        cmocka_unit_test(wrong_region_is_signed_again_once),
        cmocka_unit_test(a_hostile_region_is_not_taken_over),
        cmocka_unit_test(a_skewed_clock_is_corrected_once),
        cmocka_unit_test(a_broken_download_goes_on_where_it_stopped),
        cmocka_unit_test(an_ignored_range_is_cut_out_of_the_whole),
        cmocka_unit_test(a_range_under_status_200_is_understood),
        cmocka_unit_test(another_range_than_asked_is_refused),
        cmocka_unit_test(cancel_ends_a_silent_server_within_a_second),
        cmocka_unit_test(a_silent_server_is_given_up),
        cmocka_unit_test(hostile_listings_are_refused),
    };
    return cmocka_run_group_tests(tests, s3_group_start, s3_group_stop);
}
