/* Uploads to a server that fails: whole or not there, never a success that is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/core/s3/fixture_upload.h"
#include "tests/core/s3/group_kit.h"

#define SEEDS 30

/* Every fifth call meets one of these, as the seed has it; Complete twice as often one of its own.
 */
enum fault {
    FAULT_500,
    FAULT_503,
    FAULT_SLOW_DOWN,
    FAULT_RESET,      /* before the request is carried out */
    FAULT_LOST_REPLY, /* after it */
    FAULT_CUT_REPLY,
    FAULT_TIMEOUT,
    FAULT_ERROR_UNDER_200, /* Complete only, and not carried out */
    FAULTS
};

struct faults {
    uint32_t seed;
    enum fault next;
    bool fails;
    size_t met;
    size_t lies; /* 200 with an error inside */
};

static uint32_t roll(struct faults *f)
{
    f->seed ^= f->seed << 13;
    f->seed ^= f->seed >> 17;
    f->seed ^= f->seed << 5;
    return f->seed;
}

static bool is_complete(const struct http_seen *request)
{
    return strcmp(request->method, "POST") == 0 && strstr(request->target, "uploadId=") != NULL;
}

static bool before(struct faults *f, const struct http_seen *request, struct http_reply *reply)
{
    f->fails = roll(f) % 5 == 0;
    f->next = (enum fault)(roll(f) % FAULTS);
    if (is_complete(request) && roll(f) % 2 == 0) {
        f->fails = true;
        f->next = roll(f) % 2 == 0 ? FAULT_ERROR_UNDER_200 : FAULT_CUT_REPLY;
    }
    f->met += f->fails;
    if (!f->fails)
        return false;
    switch (f->next) {
    case FAULT_500:
        reply->status = 500;
        return true;
    case FAULT_503:
        reply->status = 503;
        return true;
    case FAULT_SLOW_DOWN:
        reply->status = 503;
        reply->body = "<Error><Code>SlowDown</Code></Error>";
        return true;
    case FAULT_RESET:
        reply->drop = true;
        return true;
    case FAULT_TIMEOUT:
        reply->status = 400;
        reply->body = "<Error><Code>RequestTimeout</Code></Error>";
        return true;
    case FAULT_ERROR_UNDER_200:
        reply->body = "<?xml version=\"1.0\"?>\n\n   <Error><Code>InternalError</Code></Error>";
        f->lies += is_complete(request);
        return is_complete(request);
    case FAULT_LOST_REPLY:
    case FAULT_CUT_REPLY:
    case FAULTS:
        break;
    }
    return false;
}

static bool meet(void *ctx, const struct http_seen *request, bool done, struct http_reply *reply)
{
    struct faults *f = ctx;
    if (!done)
        return before(f, request, reply);
    if (f->fails && f->next == FAULT_LOST_REPLY)
        reply->drop = true;
    if (f->fails && f->next == FAULT_CUT_REPLY && reply->body != NULL)
        reply->cut_after = 20;
    return false;
}

/* Fault test 20. */
static void one_call_in_five_fails_and_the_object_is_whole_or_the_upload_gone(void **state)
{
    (void)state;
    size_t whole = 0;
    size_t failed = 0;
    size_t met = 0;
    size_t lies = 0;
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
        struct faults faults = {.seed = seed * 2654435761U};
        struct s3_fake *fake = s3_fake_start(meet, &faults);
        const struct upload_options options = {.tries = seed % 3 == 0 ? 1 : 8,
                                               .never_replace = true};
        struct upload_result r = upload_run(fake, &options);
        if (r.ok && !upload_is_whole(fake, UPLOAD_BYTES))
            fail_msg("seed %u: success without the object", (unsigned)seed);
        if (!r.ok && r.err.text[0] == '\0')
            fail_msg("seed %u: failed without saying why", (unsigned)seed);
        if (!r.ok && s3_fake_objects(fake) > 0 && !upload_is_whole(fake, UPLOAD_BYTES))
            fail_msg("seed %u: failed and left something else", (unsigned)seed);
        if (s3_fake_uploads(fake) > 0)
            fail_msg("seed %u: an upload was left behind", (unsigned)seed);
        assert_int_equal(s3_fake_bad_signatures(fake), 0);
        whole += r.ok;
        failed += !r.ok;
        s3_fake_stop(fake);
        met += faults.met;
        lies += faults.lies;
    }
    assert_true(whole > SEEDS / 2);
    assert_true(failed > 0);
    assert_true(met > SEEDS / 2);
    assert_true(lies > 0);
}

/* Says 200 to Complete with this body, as often as it is asked, and carries nothing out. */
static bool lie(void *ctx, const struct http_seen *request, bool done, struct http_reply *reply)
{
    if (done || !is_complete(request))
        return false;
    reply->body = ctx;
    return true;
}

/* Fault test 20: never "success" on Error. */
static void complete_that_only_says_200_is_a_failure_and_aborts(void **state)
{
    (void)state;
    static char error_body[] = "<Error><Code>InternalError</Code></Error>";
    static char cut_body[] = "<CompleteMultipartUploadResult><ETag>x";
    static char empty_body[] = " \n ";
    static char *const bodies[] = {error_body, cut_body, empty_body};
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct s3_fake *fake = s3_fake_start(lie, bodies[i]);
        const struct upload_options options = {.tries = 3};
        struct upload_result r = upload_run(fake, &options);
        assert_false(r.ok);
        assert_non_null(strstr(r.err.text, "after 3 tries"));
        assert_int_equal(s3_fake_objects(fake), 0);
        assert_int_equal(s3_fake_uploads(fake), 0);
        s3_fake_stop(fake);
    }
}

struct lost {
    size_t completes;
    bool carried_out; /* the first Complete is; else only its reply is lost */
};

static bool lose_first_reply(void *ctx, const struct http_seen *request, bool done,
                             struct http_reply *reply)
{
    struct lost *lost = ctx;
    if (!is_complete(request))
        return false;
    if (!done)
        lost->completes++;
    if (lost->completes > 1 && !done && !lost->carried_out) {
        reply->status = 404;
        reply->body = "<Error><Code>NoSuchUpload</Code></Error>";
        return true;
    }
    if (lost->completes == 1)
        reply->drop = true;
    return !done && lost->completes == 1 && !lost->carried_out;
}

/* Fault test 21: success via token and size. */
static void a_lost_reply_to_complete_is_settled_by_token_and_size(void **state)
{
    (void)state;
    for (int conditional = 0; conditional < 2; conditional++) {
        struct lost lost = {.carried_out = true};
        struct s3_fake *fake = s3_fake_start(lose_first_reply, &lost);
        const struct upload_options options = {.tries = 4, .never_replace = conditional == 1};
        struct upload_result r = upload_run(fake, &options);
        if (!r.ok)
            fail_msg("%s", r.err.text);
        assert_int_equal(lost.completes, 2);
        assert_true(upload_is_whole(fake, UPLOAD_BYTES));
        assert_int_equal(s3_fake_uploads(fake), 0);
        s3_fake_stop(fake);
    }
}

/* Fault test 21: failure, the old object untouched. Even one of the same size. */
static void a_lost_upload_over_an_older_object_is_a_failure_and_leaves_it_alone(void **state)
{
    (void)state;
    struct lost lost = {.carried_out = false};
    struct s3_fake *fake = s3_fake_start(lose_first_reply, &lost);
    char *old = calloc(1, UPLOAD_BYTES);
    size_t len = 0;
    s3_fake_put(fake, UPLOAD_KEY, old, UPLOAD_BYTES);
    const struct upload_options options = {.tries = 4};
    struct upload_result r = upload_run(fake, &options);
    assert_false(r.ok);
    assert_int_equal(r.err.code, ERROR_NOT_FOUND);
    const char *now = s3_fake_object(fake, UPLOAD_KEY, &len);
    assert_int_equal(len, UPLOAD_BYTES);
    assert_memory_equal(now, old, len);
    assert_int_equal(s3_fake_uploads(fake), 0);
    free(old);
    s3_fake_stop(fake);
}

static void an_upload_that_may_not_replace_leaves_a_newcomer_alone(void **state)
{
    (void)state;
    static const size_t sizes[] = {100, UPLOAD_BYTES};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct s3_fake *fake = s3_fake_start(NULL, NULL);
        s3_fake_put(fake, UPLOAD_KEY, "old", 3);
        const struct upload_options options = {
            .tries = 3, .never_replace = true, .bytes = sizes[i]};
        struct upload_result r = upload_run(fake, &options);
        assert_false(r.ok);
        assert_int_equal(r.err.code, ERROR_CONFLICT);
        assert_string_equal(s3_fake_object(fake, UPLOAD_KEY, NULL), "old");
        assert_int_equal(s3_fake_uploads(fake), 0);
        s3_fake_stop(fake);
    }
}

static void a_server_without_conditions_is_asked_once_more_without(void **state)
{
    (void)state;
    static const size_t sizes[] = {100, UPLOAD_BYTES};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct s3_fake *fake = s3_fake_start(NULL, NULL);
        s3_fake_refuse_conditions(fake);
        const struct upload_options options = {
            .tries = 3, .never_replace = true, .bytes = sizes[i]};
        struct upload_result r = upload_run(fake, &options);
        if (!r.ok)
            fail_msg("%s", r.err.text);
        assert_true(upload_is_whole(fake, sizes[i]));
        s3_fake_stop(fake);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_call_in_five_fails_and_the_object_is_whole_or_the_upload_gone),
        cmocka_unit_test(complete_that_only_says_200_is_a_failure_and_aborts),
        cmocka_unit_test(a_lost_reply_to_complete_is_settled_by_token_and_size),
        cmocka_unit_test(a_lost_upload_over_an_older_object_is_a_failure_and_leaves_it_alone),
        cmocka_unit_test(an_upload_that_may_not_replace_leaves_a_newcomer_alone),
        cmocka_unit_test(a_server_without_conditions_is_asked_once_more_without),
    };
    return cmocka_run_group_tests(tests, s3_group_start, s3_group_stop);
}
