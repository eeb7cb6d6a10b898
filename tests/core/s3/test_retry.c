/* Which answers are worth another try, and how long is waited before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "core/s3/multipart.h"
#include "core/s3/retry.h"

static void answers_are_judged_by_code_then_status(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        int status;
        enum retry_verdict verdict;
    } cases[] = {
        {"", 500, RETRY_LATER},
        {"SlowDown", 503, RETRY_LATER},
        {"RequestTimeout", 400, RETRY_LATER},
        {"", 429, RETRY_LATER},
        {"", 509, RETRY_LATER},
        {"BadDigest", 400, RETRY_LATER},
        {"RequestTimeTooSkewed", 403, RETRY_CLOCK},
        {"ExpiredToken", 400, RETRY_CREDENTIALS},
        {"PermanentRedirect", 301, RETRY_REGION},
        {"", 301, RETRY_REGION},
        {"AuthorizationHeaderMalformed", 400, RETRY_REGION},
        {"AccessDenied", 403, RETRY_NEVER},
        {"", 403, RETRY_NEVER},
        {"SignatureDoesNotMatch", 403, RETRY_NEVER},
        {"NoSuchBucket", 404, RETRY_NEVER},
        {"EntityTooSmall", 400, RETRY_NEVER},
        {"InvalidPart", 400, RETRY_NEVER},
        {"PreconditionFailed", 412, RETRY_NEVER},
        {"NoSuchUpload", 200, RETRY_NEVER},
        {"", 507, RETRY_NEVER},
        {"Unheard", 418, RETRY_NEVER},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (retry_judge(cases[i].status, str_from(cases[i].code)) != cases[i].verdict)
            fail_msg("%d %s", cases[i].status, cases[i].code);
}

static void refusals_carry_the_right_exit_status(void **state)
{
    (void)state;
    assert_int_equal(error_exit_status(retry_error_code(404, STR("NoSuchBucket"))), 6);
    assert_int_equal(error_exit_status(retry_error_code(403, STR("AccessDenied"))), 4);
    assert_int_equal(error_exit_status(retry_error_code(403, STR(""))), 4);
    assert_int_equal(error_exit_status(retry_error_code(400, STR("QuotaExceeded"))), 6);
    assert_int_equal(error_exit_status(retry_error_code(504, STR(""))), 3);
    assert_true(strlen(retry_advice(404, STR("NoSuchBucket"))) > 0);
}

static void pauses_double_up_to_the_cap_and_jitter_fully(void **state)
{
    (void)state;
    struct rng rng = {.state = 1};
    int64_t least = INT64_MAX;
    int64_t most = 0;
    for (unsigned failures = 0; failures < 100; failures++) {
        int64_t top = failures < 7 ? 200 << failures : 20000;
        int64_t pause = retry_delay_ms(failures, 200, 20000, rng_next(&rng));
        assert_true(pause >= 0 && pause <= (top < 20000 ? top : 20000));
        if (failures > 10) {
            least = pause < least ? pause : least;
            most = pause > most ? pause : most;
        }
    }
    assert_true(least < 4000 && most > 16000);
    assert_int_equal(retry_delay_ms(3, 0, 20000, 12345), 0);
    assert_int_equal(retry_delay_ms(0, 200, 20000, UINT64_MAX) <= 200, 1);
}

static void one_part_size_fits_the_whole_estimate(void **state)
{
    (void)state;
    static const struct {
        size_t part;
        int64_t estimate;
        size_t expected_mib;
    } cases[] = {{0, 0, 16},
                 {1, 0, 5},
                 {(5 << 20) + 1, 0, 6},
                 {0, (int64_t)1 << 30, 16},
                 {0, (int64_t)1 << 40, 175}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct multipart_options o = {.part_bytes = cases[i].part,
                                            .estimate_bytes = cases[i].estimate};
        size_t size = multipart_part_size(&o);
        assert_int_equal(size, cases[i].expected_mib << 20);
        assert_true((int64_t)size * 9000 >= cases[i].estimate / 2 * 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_judged_by_code_then_status),
        cmocka_unit_test(refusals_carry_the_right_exit_status),
        cmocka_unit_test(pauses_double_up_to_the_cap_and_jitter_fully),
        cmocka_unit_test(one_part_size_fits_the_whole_estimate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
