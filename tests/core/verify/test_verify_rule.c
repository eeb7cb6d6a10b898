#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "core/verify/verify_rule.h"

#define TOLERANCE 30000

/* Read at 1000 s with 500 s to live; the deadline is 1500 s; now it is 1200 s. */
static struct record_head mortal(void)
{
    struct record_head h;

    record_head_init(&h);
    h.ttl_millis = 500000;
    h.expire_at_millis = 1500000;
    return h;
}

static struct verify_expiry at(int64_t now_ms)
{
    return (struct verify_expiry){.now_ms = now_ms, .tolerance_ms = TOLERANCE, .read_ms = 1000000};
}

static struct verify_expiry after_restore(int64_t now_ms, enum restore_ttl ttl)
{
    struct verify_expiry e = at(now_ms);

    e.restored =
        (struct verify_restored){.known = true, .ttl = ttl, .from_ms = 2000000, .to_ms = 2100000};
    return e;
}

static bool fits(const struct verify_expiry *e, const struct record_head *h, int64_t live,
                 enum verify_deadline want)
{
    enum verify_deadline saw = VERIFY_DEADLINE_NONE;
    bool ok = verify_deadline_fits(e, h, live, &saw);

    assert_int_equal(saw, want);
    return ok;
}

static void a_key_without_expiry_must_have_none(void **ctx UNUSED)
{
    struct verify_expiry e = at(1200000);
    struct record_head h;
    int64_t first;
    int64_t last;

    record_head_init(&h);
    assert_false(verify_deadline_span(&e, &h, &first, &last));
    assert_true(fits(&e, &h, RECORD_NO_TIME, VERIFY_DEADLINE_NONE));
    assert_false(fits(&e, &h, 1500000, VERIFY_DEADLINE_NONE));
    assert_int_equal(verify_absent(&e, &h), VERIFY_MISSING);
}

static void without_a_restore_the_deadline_lies_between_original_and_renewed(void **ctx UNUSED)
{
    struct verify_expiry e = at(1200000);
    struct record_head h = mortal();

    assert_false(fits(&e, &h, RECORD_NO_TIME, VERIFY_DEADLINE_NONE));
    assert_true(fits(&e, &h, 1500000, VERIFY_DEADLINE_ORIGINAL));
    assert_true(fits(&e, &h, 1500000 - TOLERANCE, VERIFY_DEADLINE_ORIGINAL));
    assert_false(fits(&e, &h, 1500000 - TOLERANCE - 1, VERIFY_DEADLINE_MOVED));
    assert_true(fits(&e, &h, 1600000, VERIFY_DEADLINE_MOVED));
    assert_true(fits(&e, &h, 1700000 + TOLERANCE, VERIFY_DEADLINE_MOVED));
    assert_false(fits(&e, &h, 1700000 + TOLERANCE + 1, VERIFY_DEADLINE_MOVED));
}

static void before_the_backup_ended_the_original_is_the_latest(void **ctx UNUSED)
{
    struct verify_expiry e = at(900000); /* a clock that is behind */
    struct record_head h = mortal();

    assert_true(fits(&e, &h, 1500000 + TOLERANCE, VERIFY_DEADLINE_ORIGINAL));
    assert_false(fits(&e, &h, 1500000 + TOLERANCE + 1, VERIFY_DEADLINE_MOVED));
}

static void without_its_deadline_a_record_counts_from_the_end_of_the_backup(void **ctx UNUSED)
{
    struct verify_expiry e = at(1000000);
    struct record_head h = mortal();

    h.expire_at_millis = RECORD_NO_TIME;
    h.ttl_millis = 200000;
    assert_true(fits(&e, &h, 1200000, VERIFY_DEADLINE_ORIGINAL));
    assert_false(fits(&e, &h, 1200000 + TOLERANCE + 1, VERIFY_DEADLINE_MOVED));
}

static void an_absent_key_is_missing_until_its_deadline(void **ctx UNUSED)
{
    struct record_head h = mortal();
    struct verify_expiry e = at(1500000 - TOLERANCE - 1);

    assert_int_equal(verify_absent(&e, &h), VERIFY_MISSING);
    e.now_ms++;
    assert_int_equal(verify_absent(&e, &h), VERIFY_EXPIRED);
}

static void after_a_restore_with_remaining_life_its_own_times_count(void **ctx UNUSED)
{
    struct verify_expiry e = after_restore(2200000, RESTORE_TTL_REMAINING);
    struct record_head h = mortal();

    assert_false(fits(&e, &h, 1500000, VERIFY_DEADLINE_ORIGINAL));
    assert_false(fits(&e, &h, 2500000 - TOLERANCE - 1, VERIFY_DEADLINE_MOVED));
    assert_true(fits(&e, &h, 2500000 - TOLERANCE, VERIFY_DEADLINE_MOVED));
    assert_true(fits(&e, &h, 2600000 + TOLERANCE, VERIFY_DEADLINE_MOVED));
    assert_false(fits(&e, &h, 2600000 + TOLERANCE + 1, VERIFY_DEADLINE_MOVED));
    assert_int_equal(verify_absent(&e, &h), VERIFY_MISSING);
    e.now_ms = 2500000 - TOLERANCE;
    assert_int_equal(verify_absent(&e, &h), VERIFY_EXPIRED);
}

static void a_restore_that_left_keys_alone_left_their_deadlines_too(void **ctx UNUSED)
{
    struct verify_expiry e = after_restore(2200000, RESTORE_TTL_REMAINING);
    struct record_head h = mortal();

    e.restored.kept_some = true;
    assert_true(fits(&e, &h, 1500000, VERIFY_DEADLINE_ORIGINAL));
    assert_false(fits(&e, &h, 2600000 + TOLERANCE + 1, VERIFY_DEADLINE_MOVED));
    assert_int_equal(verify_absent(&e, &h), VERIFY_EXPIRED);
}

static void after_a_restore_with_absolute_deadlines_the_original_counts(void **ctx UNUSED)
{
    struct verify_expiry e = after_restore(1200000, RESTORE_TTL_ABSOLUTE);
    struct record_head h = mortal();

    assert_true(fits(&e, &h, 1500000, VERIFY_DEADLINE_ORIGINAL));
    assert_false(fits(&e, &h, 1500000 + TOLERANCE + 1, VERIFY_DEADLINE_MOVED));
    assert_int_equal(verify_absent(&e, &h), VERIFY_MISSING);
    e.now_ms = 1500000;
    assert_int_equal(verify_absent(&e, &h), VERIFY_EXPIRED);
}

static void after_a_restore_without_expiry_no_key_may_expire(void **ctx UNUSED)
{
    struct verify_expiry e = after_restore(9000000, RESTORE_TTL_NONE);
    struct record_head h = mortal();

    assert_true(fits(&e, &h, RECORD_NO_TIME, VERIFY_DEADLINE_NONE));
    assert_false(fits(&e, &h, 1500000, VERIFY_DEADLINE_NONE));
    assert_int_equal(verify_absent(&e, &h), VERIFY_MISSING);
}

static void every_verdict_has_its_word(void **ctx UNUSED)
{
    static const char *const words[] = {"same",    "differs", "missing",    "extra",
                                        "expired", "ttl",     "unreadable", "misplaced"};

    for (int v = 0; v < VERIFY_VERDICTS; v++)
        assert_string_equal(verify_verdict_name((enum verify_verdict)v), words[v]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_without_expiry_must_have_none),
        cmocka_unit_test(without_a_restore_the_deadline_lies_between_original_and_renewed),
        cmocka_unit_test(before_the_backup_ended_the_original_is_the_latest),
        cmocka_unit_test(without_its_deadline_a_record_counts_from_the_end_of_the_backup),
        cmocka_unit_test(an_absent_key_is_missing_until_its_deadline),
        cmocka_unit_test(after_a_restore_with_remaining_life_its_own_times_count),
        cmocka_unit_test(a_restore_that_left_keys_alone_left_their_deadlines_too),
        cmocka_unit_test(after_a_restore_with_absolute_deadlines_the_original_counts),
        cmocka_unit_test(after_a_restore_without_expiry_no_key_may_expire),
        cmocka_unit_test(every_verdict_has_its_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
