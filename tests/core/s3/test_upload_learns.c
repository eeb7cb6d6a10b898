/* What an upload learns on its way: fresh keys, the server's clock, the bucket's region; once for
 * all its threads. Fault test 22. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/format.h"
#include "tests/core/s3/fixture_upload.h"
#include "tests/core/s3/group_kit.h"

#define MINUTE_MS ((int64_t)60 * 1000)

/* A service that hands out the right keys with session tokens t1, t2, … */
struct key_service {
    _Atomic int given;
    int64_t first_life_ms; /* of t1; the others live for an hour */
    int fail_from;         /* from that request on it answers 500; 0: never */
    char body[600];
};

static void give_keys(void *ctx, const struct http_seen *request, struct http_reply *reply)
{
    struct key_service *s = ctx;
    (void)request;
    int n = atomic_fetch_add(&s->given, 1) + 1;
    char until[FORMAT_MAX];
    int64_t life_ms = n == 1 ? s->first_life_ms : 60 * MINUTE_MS;
    format_rfc3339(until, sizeof(until), clock_real_ms() + life_ms);
    (void)snprintf(s->body, sizeof(s->body),
                   "{\"AccessKeyId\":\"" S3_FAKE_ACCESS_KEY "\",\"SecretAccessKey\":\"" //
                   S3_FAKE_SECRET_KEY "\",\"Token\":\"t%d\",\"Expiration\":\"%s\"}",
                   n, until);
    reply->body = s->body;
    if (s->fail_from > 0 && n >= s->fail_from)
        reply->status = 500;
}

/* How the bucket changes its mind from its `after`th request on. */
struct mood {
    size_t after;
    size_t seen;
    size_t refused;
    int64_t clock_ahead_ms;
    const char *region;
};

static bool refuse(struct mood *m, struct http_reply *reply, int status, const char *body)
{
    m->refused++;
    reply->status = status;
    reply->body = body;
    return true;
}

static bool expire_first_token(void *ctx, const struct http_seen *request, bool done,
                               struct http_reply *reply)
{
    struct mood *m = ctx;
    char token[64];
    if (done || m->seen++ < m->after)
        return false;
    http_seen_header(request, "x-amz-security-token", token, sizeof(token));
    return strcmp(token, "t1") == 0 &&
           refuse(m, reply, 400, "<Error><Code>ExpiredToken</Code></Error>");
}

static bool keep_another_clock(void *ctx, const struct http_seen *request, bool done,
                               struct http_reply *reply)
{
    struct mood *m = ctx;
    char date[64];
    int64_t stamp_ms;
    if (done)
        return false;
    http_seen_header(request, "x-amz-date", date, sizeof(date));
    assert_true(format_parse_utc(str_from(date), &stamp_ms));
    int64_t now_ms = clock_real_ms() + (m->seen++ < m->after ? 0 : m->clock_ahead_ms);
    int64_t apart_ms = stamp_ms > now_ms ? stamp_ms - now_ms : now_ms - stamp_ms;
    if (apart_ms < 15 * MINUTE_MS)
        return false;
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm tm;
    char http_date[64];
    assert_non_null(gmtime_r(&seconds, &tm));
    strftime(http_date, sizeof(http_date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    (void)snprintf(reply->headers, sizeof(reply->headers), "Date: %s\r\n", http_date);
    return refuse(m, reply, 403, "<Error><Code>RequestTimeTooSkewed</Code></Error>");
}

static bool insist_on_region(void *ctx, const struct http_seen *request, bool done,
                             struct http_reply *reply)
{
    struct mood *m = ctx;
    char authorization[1024];
    char scope[64];
    if (done)
        return false;
    http_seen_header(request, "authorization", authorization, sizeof(authorization));
    (void)snprintf(scope, sizeof(scope), "/%s/s3/aws4_request", m->region);
    if (strstr(authorization, scope) != NULL)
        return false;
    return refuse(m, reply, 400,
                  "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region>"
                  "</Error>");
}

static void expect_whole(struct s3_fake *fake, const struct upload_options *options)
{
    struct upload_result r = upload_run(fake, options);
    if (!r.ok)
        fail_msg("%s", r.err.text);
    assert_true(upload_is_whole(fake, UPLOAD_BYTES));
    assert_int_equal(s3_fake_bad_signatures(fake), 0);
}

/* after 1: all three parts are under way with the old token when it ends. */
static void a_token_that_expires_while_uploading_is_fetched_once(void **state)
{
    (void)state;
    struct key_service service = {.first_life_ms = 60 * MINUTE_MS};
    struct http_server *keys = http_server_start(give_keys, &service);
    for (size_t after = 0; after < 4; after++) {
        struct mood mood = {.after = after};
        struct s3_fake *fake = s3_fake_start(expire_first_token, &mood);
        struct machine m = machine_new();
        machine_set(&m, "AWS_CONTAINER_CREDENTIALS_FULL_URI", http_server_url(keys));
        const struct upload_options options = {.tries = 4, .machine = &m};
        atomic_store(&service.given, 0);
        expect_whole(fake, &options);
        assert_int_equal(atomic_load(&service.given), 2);
        assert_true(mood.refused >= 1);
        s3_fake_stop(fake);
    }
    http_server_stop(keys);
}

static void keys_are_renewed_five_minutes_before_they_end(void **state)
{
    (void)state;
    struct key_service service = {.first_life_ms = 4 * MINUTE_MS};
    struct http_server *keys = http_server_start(give_keys, &service);
    struct mood mood = {.after = 1}; /* the first call may go with t1, none after it */
    struct s3_fake *fake = s3_fake_start(expire_first_token, &mood);
    struct machine m = machine_new();
    machine_set(&m, "AWS_CONTAINER_CREDENTIALS_FULL_URI", http_server_url(keys));
    const struct upload_options options = {.tries = 4, .machine = &m};
    expect_whole(fake, &options);
    s3_fake_stop(fake);
    http_server_stop(keys);
    assert_int_equal(atomic_load(&service.given), 2);
    assert_int_equal(mood.refused, 0);
}

static void keys_that_cannot_be_renewed_are_used_to_their_end(void **state)
{
    (void)state;
    struct key_service service = {.first_life_ms = 4 * MINUTE_MS, .fail_from = 2};
    struct http_server *keys = http_server_start(give_keys, &service);
    struct s3_fake *fake = s3_fake_start(NULL, NULL);
    struct machine m = machine_new();
    machine_set(&m, "AWS_CONTAINER_CREDENTIALS_FULL_URI", http_server_url(keys));
    const struct upload_options options = {.tries = 4, .machine = &m};
    expect_whole(fake, &options);
    s3_fake_stop(fake);
    http_server_stop(keys);
    assert_int_equal(atomic_load(&service.given), 2); /* it is not asked at every call */
}

static void a_clock_20_minutes_off_is_corrected_by_one_offset(void **state)
{
    (void)state;
    static const int64_t ahead[] = {20 * MINUTE_MS, -20 * MINUTE_MS};
    for (size_t i = 0; i < COUNT_OF(ahead); i++) {
        struct mood mood = {.clock_ahead_ms = ahead[i]};
        struct s3_fake *fake = s3_fake_start(keep_another_clock, &mood);
        const struct upload_options options = {.tries = 4};
        expect_whole(fake, &options);
        assert_int_equal(mood.refused, 1);
        s3_fake_stop(fake);
    }
}

static void a_clock_that_jumps_while_uploading_does_not_end_it(void **state)
{
    (void)state;
    struct mood mood = {.clock_ahead_ms = 20 * MINUTE_MS, .after = 2};
    struct s3_fake *fake = s3_fake_start(keep_another_clock, &mood);
    const struct upload_options options = {.tries = 4};
    expect_whole(fake, &options);
    assert_true(mood.refused >= 1 && mood.refused <= 3); /* those that were under way */
    s3_fake_stop(fake);
}

static void a_wrong_region_is_taken_over_after_one_refusal(void **state)
{
    (void)state;
    struct mood mood = {.region = "eu-west-3"};
    struct s3_fake *fake = s3_fake_start(insist_on_region, &mood);
    const struct upload_options options = {.tries = 4};
    expect_whole(fake, &options);
    assert_int_equal(mood.refused, 1);
    s3_fake_stop(fake);
}

static void a_region_that_is_refused_again_ends_the_upload(void **state)
{
    (void)state;
    struct mood mood = {.region = "nowhere-1"};
    struct s3_fake *fake = s3_fake_start(insist_on_region, &mood);
    const struct upload_options options = {.tries = 4};
    struct upload_result r = upload_run(fake, &options);
    assert_false(r.ok);
    assert_int_equal(r.err.code, ERROR_CONFIG);
    assert_non_null(strstr(r.err.text, "storage.region"));
    assert_int_equal(s3_fake_objects(fake), 0);
    s3_fake_stop(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_that_expires_while_uploading_is_fetched_once),
        cmocka_unit_test(keys_are_renewed_five_minutes_before_they_end),
        cmocka_unit_test(keys_that_cannot_be_renewed_are_used_to_their_end),
        cmocka_unit_test(a_clock_20_minutes_off_is_corrected_by_one_offset),
        cmocka_unit_test(a_clock_that_jumps_while_uploading_does_not_end_it),
        cmocka_unit_test(a_wrong_region_is_taken_over_after_one_refusal),
        cmocka_unit_test(a_region_that_is_refused_again_ends_the_upload),
    };
    return cmocka_run_group_tests(tests, s3_group_start, s3_group_stop);
}
