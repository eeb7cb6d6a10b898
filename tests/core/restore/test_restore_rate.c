/* test_restore_rate.c - a number of keys a second, and giving way while the nodes answer slowly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "core/restore/restore_rate.h"

#define SECOND INT64_C(1000000)

/* Workers that write batches of `keys` in took_us each, for 60 s of a made-up clock. */
static uint64_t keys_in_a_minute(unsigned workers, uint64_t keys, uint64_t rate, int64_t took_us)
{
    struct restore_meter m = {0};
    int64_t free_at[8] = {0};
    uint64_t sum = 0;

    for (;;) {
        unsigned next = 0;
        int64_t now;

        for (unsigned i = 1; i < workers; i++)
            if (free_at[i] < free_at[next])
                next = i;
        now = free_at[next] + took_us;
        if (now > 60 * (int64_t)SECOND)
            return sum;
        sum += keys;
        free_at[next] = now + restore_meter_wait_us(&m, keys, rate, now) / 1000 * 1000;
    }
}

static void a_rate_holds_within_a_twentieth(void **ctx UNUSED)
{
    static const struct {
        unsigned workers;
        uint64_t keys;
        uint64_t rate;
        int64_t took_us;
    } cases[] = {{1, 20, 100, 900},      {4, 1, 7, 300},         {4, 6, 100, 900},
                 {4, 1000, 300000, 700}, {3, 667, 10000, 20000}, {2, 1000, 150000, 5000}};

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t want = cases[i].rate * 60;
        uint64_t got =
            keys_in_a_minute(cases[i].workers, cases[i].keys, cases[i].rate, cases[i].took_us);

        assert_in_range(got, want - want / 20, want + want / 20);
    }
}

static void time_lost_to_a_slow_server_is_not_made_up_for(void **ctx UNUSED)
{
    struct restore_meter m = {0};
    int64_t now = SECOND;

    assert_int_equal(restore_meter_wait_us(&m, 100, 1000, now), 0);
    now += 10 * SECOND;
    assert_int_equal(restore_meter_wait_us(&m, 100, 1000, now), 0);
    assert_int_equal(restore_meter_wait_us(&m, 100, 1000, now), SECOND / 10);
}

static void without_a_rate_nobody_waits(void **ctx UNUSED)
{
    struct restore_meter m = {0};

    assert_int_equal(restore_meter_wait_us(&m, 1000000, 0, 5), 0);
    assert_int_equal(restore_meter_wait_us(&m, 1000000, 0, 6), 0);
}

static void slow_answers_make_the_pauses_longer_and_quick_ones_take_them_back(void **ctx UNUSED)
{
    struct restore_rate r = {0};
    int64_t pause = 0;
    int64_t before;

    for (int i = 0; i < 20; i++)
        assert_int_equal(restore_rate_pause_ms(&r, 10000, 200), 0);
    pause = restore_rate_pause_ms(&r, 10000, 9000);
    assert_true(pause > 0);
    before = pause;
    for (int i = 0; i < 20; i++)
        pause = restore_rate_pause_ms(&r, 10000, 9000);
    assert_true(pause > 10 * before);
    assert_in_range(pause, 150, 200); /* a twentieth of the time is left */
    for (int i = 0; i < 20; i++)
        pause = restore_rate_pause_ms(&r, 10000, 250);
    assert_int_equal(pause, 0);
}

static void a_little_noise_changes_nothing(void **ctx UNUSED)
{
    struct restore_rate r = {0};

    (void)restore_rate_pause_ms(&r, 10000, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(restore_rate_pause_ms(&r, 10000, 4900), 0);
}

static void no_pause_is_longer_than_a_second(void **ctx UNUSED)
{
    struct restore_rate r = {0};
    int64_t pause = 0;

    (void)restore_rate_pause_ms(&r, 1000, 100);
    for (int i = 0; i < 50; i++)
        pause = restore_rate_pause_ms(&r, 2000000, 900000);
    assert_int_equal(pause, RESTORE_RATE_PAUSE_MOST_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_holds_within_a_twentieth),
        cmocka_unit_test(time_lost_to_a_slow_server_is_not_made_up_for),
        cmocka_unit_test(without_a_rate_nobody_waits),
        cmocka_unit_test(slow_answers_make_the_pauses_longer_and_quick_ones_take_them_back),
        cmocka_unit_test(a_little_noise_changes_nothing),
        cmocka_unit_test(no_pause_is_longer_than_a_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
