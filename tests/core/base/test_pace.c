#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/pace.h"

#define SECOND INT64_C(1000000)

/* Workers that take turns, each reading `batch` keys in cost_us; how many keys in `seconds`. */
static uint64_t run(uint64_t rate, unsigned workers, unsigned batch, int64_t cost_us, int seconds)
{
    struct pace p = {0};
    int64_t clock[64] = {0};
    int64_t end = SECOND + (int64_t)seconds * SECOND;
    uint64_t keys = 0;

    for (unsigned i = 0; i < workers; i++)
        clock[i] = SECOND;
    for (;;) {
        unsigned first = 0;
        int64_t until;

        for (unsigned i = 1; i < workers; i++)
            if (clock[i] < clock[first])
                first = i;
        if (clock[first] >= end)
            return keys;
        clock[first] += cost_us;
        keys += batch;
        until = pace_take(&p, batch, rate, clock[first]);
        if (until > clock[first])
            clock[first] = until;
    }
}

static void expect_within(uint64_t got, uint64_t want, unsigned percent)
{
    if (got * 100 < want * (100 - percent) || got * 100 > want * (100 + percent))
        fail_msg("%llu keys instead of %llu", (unsigned long long)got, (unsigned long long)want);
}

static void a_rate_holds_within_five_percent(void **state)
{
    static const uint64_t rates[] = {50, 500, 3000, 20000, 100000};
    static const unsigned workers[] = {1, 3, 40};

    (void)state;
    for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++)
        for (size_t w = 0; w < sizeof(workers) / sizeof(workers[0]); w++)
            expect_within(
                run(rates[r], workers[w], pace_batch(rates[r], workers[w], 1000), 200, 60),
                rates[r] * 60, 5);
}

static void batches_that_cost_time_do_not_slow_the_whole_down(void **state)
{
    (void)state;
    expect_within(run(10000, 3, 1000, 150000, 60), 600000, 5);
}

static void a_pause_is_not_made_up_for_by_a_burst(void **state)
{
    struct pace p = {0};
    int64_t now = SECOND;
    uint64_t keys = 0;

    (void)state;
    (void)pace_take(&p, 100, 1000, now);
    now += 600 * SECOND; /* paused for ten minutes */
    while (pace_take(&p, 100, 1000, now) <= now)
        keys += 100;
    assert_true(keys <= 600);
}

static void a_small_rate_is_read_in_small_batches(void **state)
{
    (void)state;
    assert_int_equal(pace_batch(0, 3, 1000), 1000);
    assert_int_equal(pace_batch(1000000, 3, 1000), 1000);
    assert_int_equal(pace_batch(3000, 3, 1000), 100);
    assert_int_equal(pace_batch(7, 3, 1000), 1);
}

static void see(struct pace_auto *a, int64_t probe_us, int times)
{
    for (int i = 0; i < times; i++)
        pace_auto_see(a, probe_us);
}

static void a_quiet_node_is_read_at_full_speed(void **state)
{
    struct pace_auto a = {0};

    (void)state;
    see(&a, 150, 1000);
    assert_int_equal(pace_auto_rest(&a, 10000), 0);
}

static void a_node_that_answers_slower_is_given_way(void **state)
{
    struct pace_auto a = {0};

    (void)state;
    see(&a, 150, 40);
    see(&a, 5000, 6); /* more than half of the newest ones */
    assert_true(pace_auto_rest(&a, 10000) >= 5000);
    see(&a, 5000, 40); /* two seconds of it */
    assert_true(pace_auto_rest(&a, 10000) >= 150000);
    assert_true(pace_auto_rest(&a, 10000) <= 190000); /* never stops for good */
}

static void speed_comes_back_when_the_load_is_gone(void **state)
{
    struct pace_auto a = {0};

    (void)state;
    see(&a, 150, 40);
    see(&a, 5000, 100);
    assert_true(pace_auto_rest(&a, 10000) > 0);
    see(&a, 150, 80); /* four seconds */
    assert_int_equal(pace_auto_rest(&a, 10000), 0);
}

static void single_slow_answers_change_nothing(void **state)
{
    struct pace_auto a = {0};

    (void)state;
    see(&a, 150, 40);
    for (int i = 0; i < 20; i++) {
        see(&a, 40000, 2);
        see(&a, 150, 7);
    }
    assert_int_equal(pace_auto_rest(&a, 10000), 0);
}

static void a_node_that_stays_slower_becomes_the_measure(void **state)
{
    struct pace_auto a = {0};

    (void)state;
    see(&a, 1000, 40);
    see(&a, 4000, 20 * 600); /* ten minutes on a longer way */
    assert_int_equal(pace_auto_rest(&a, 10000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_holds_within_five_percent),
        cmocka_unit_test(batches_that_cost_time_do_not_slow_the_whole_down),
        cmocka_unit_test(a_pause_is_not_made_up_for_by_a_burst),
        cmocka_unit_test(a_small_rate_is_read_in_small_batches),
        cmocka_unit_test(a_quiet_node_is_read_at_full_speed),
        cmocka_unit_test(a_node_that_answers_slower_is_given_way),
        cmocka_unit_test(speed_comes_back_when_the_load_is_gone),
        cmocka_unit_test(single_slow_answers_change_nothing),
        cmocka_unit_test(a_node_that_stays_slower_becomes_the_measure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
