#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "core/value/value_sum.h"

#define MANY 50000
#define FEW 1000

static struct value_sum *saved;
static struct value_sum *live;
static struct value_rule rule;

/* ---- large values ------------------------------------------------------------------------------
 */

struct change {
    int differ, missing, added; /* each this-th element; 0: none */
    int again;                  /* each this-th element comes twice */
};

static void put(struct value_sum *s, const char *name, int i, const char *value)
{
    char field[24];
    int len = snprintf(field, sizeof(field), "%s%d", name, i);

    value_sum_pair(s, (struct str){field, (size_t)len}, str_from(value));
}

static bool each(int step, int i)
{
    return step > 0 && i % step == 0;
}

static void fill_saved(void)
{
    value_sum_start(saved, RECORD_HASH);
    for (int i = 1; i <= MANY; i++)
        put(saved, "f", i, "v");
}

/* The live side in another order. */
static void fill_live(const struct change *c)
{
    value_sum_start(live, RECORD_HASH);
    for (int i = MANY; i >= 1; i--) {
        if (each(c->added, i))
            put(live, "more", i, "v");
        if (each(c->missing, i))
            continue;
        put(live, "f", i, each(c->differ, i) ? "w" : "v");
        if (each(c->again, i))
            put(live, "f", i, each(c->differ, i) ? "w" : "v");
    }
}

static struct value_difference look_closer(const struct change *c, size_t max_items, int *passes)
{
    struct value_focus *focus = value_focus_new(saved, live, &rule);
    struct value_difference d;

    for (*passes = 0; value_focus_next(focus, max_items); ++*passes) {
        value_sum_focus(saved, focus);
        value_sum_focus(live, focus);
        fill_saved();
        fill_live(c);
        value_focus_take(focus, saved, live, &rule);
    }
    d = value_focus_result(focus);
    value_sum_focus(saved, NULL);
    value_sum_focus(live, NULL);
    value_focus_free(focus);
    return d;
}

static struct value_difference compare(const struct change *c)
{
    value_sum_clear(saved);
    value_sum_clear(live);
    value_sum_limit(saved, FEW);
    value_sum_limit(live, FEW);
    fill_saved();
    fill_live(c);
    return value_sum_compare_by(saved, live, &rule);
}

static void equal_large_values_need_no_second_look(void **ctx UNUSED)
{
    struct value_difference d = compare(&(struct change){0});

    assert_true(d.same);
    assert_false(d.unsure);
}

static void the_second_look_counts_what_differs(void **ctx UNUSED)
{
    static const struct {
        struct change change;
        const char *what;
    } cases[] = {
        {{.differ = MANY}, "50000 fields saved: 1 differ, 0 missing, 0 added"},
        {{.missing = 25000, .added = 25000}, "50000 fields saved: 0 differ, 2 missing, 2 added"},
        {{.differ = 1}, "50000 fields saved: 50000 differ, 0 missing, 0 added"},
        {{.differ = 10, .missing = 3, .added = 7, .again = 2},
         "50000 fields saved: 3334 differ, 16666 missing, 7142 added"},
    };
    int passes;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct value_difference d = compare(&cases[i].change);

        assert_true(d.unsure);
        assert_false(d.same);
        d = look_closer(&cases[i].change, SIZE_MAX, &passes);
        assert_int_equal(passes, 1);
        assert_string_equal(d.what, cases[i].what);
        (void)compare(&cases[i].change);
        d = look_closer(&cases[i].change, 7000, &passes);
        assert_string_equal(d.what, cases[i].what);
        assert_true(i < 2 || passes > 3);
    }
}

/* A scan may give an element twice: that is no difference. */
static void elements_that_come_twice_are_no_difference(void **ctx UNUSED)
{
    struct change twice = {.again = 1000};
    struct value_difference d = compare(&twice);
    int passes;

    assert_true(d.unsure);
    d = look_closer(&twice, SIZE_MAX, &passes);
    assert_true(d.same);
}

static void a_sum_that_is_cleared_forgets_that_it_was_large(void **ctx UNUSED)
{
    (void)compare(&(struct change){0});
    value_sum_clear(saved);
    value_sum_clear(live);
    value_sum_start(saved, RECORD_HASH);
    value_sum_start(live, RECORD_HASH);
    put(saved, "f", 1, "v");
    put(live, "f", 1, "w");
    assert_string_equal(value_sum_compare_by(saved, live, &rule).what,
                        "1 fields saved: 1 differ, 0 missing, 0 added");
}

/* Deadlines of fields that move keep no range equal: every one is looked at. */
static void deadlines_of_many_fields_are_compared_with_the_tolerance(void **ctx UNUSED)
{
    struct value_focus *focus = NULL;
    struct value_difference d;

    rule = (struct value_rule){.latest_shift_ms = 500, .tolerance_ms = 10};
    value_sum_limit(saved, FEW);
    value_sum_limit(live, FEW);
    for (int pass = 0; pass < 2; pass++) {
        focus = pass == 0 ? NULL : value_focus_new(saved, live, &rule);
        if (pass == 1)
            assert_true(value_focus_next(focus, SIZE_MAX));
        value_sum_focus(saved, focus);
        value_sum_focus(live, focus);
        value_sum_start(saved, RECORD_HASH);
        value_sum_start(live, RECORD_HASH);
        for (int i = 0; i < FEW * 3; i++) {
            char name[24];
            int len = snprintf(name, sizeof(name), "%d", i);

            value_sum_pair_until(saved, (struct str){name, (size_t)len}, STR("v"), 1000000);
            value_sum_pair_until(live, (struct str){name, (size_t)len}, STR("v"),
                                 i < 5 ? 1000511 : 1000500);
        }
        if (pass == 0)
            assert_true(value_sum_compare_by(saved, live, &rule).unsure);
    }
    value_focus_take(focus, saved, live, &rule);
    d = value_focus_result(focus);
    assert_true(d.same);
    assert_int_equal(d.deadlines, 5);
    value_sum_focus(saved, NULL);
    value_sum_focus(live, NULL);
    value_focus_free(focus);
}

static void fill_timed(struct value_sum *s, bool timed)
{
    value_sum_start(s, RECORD_HASH);
    for (int i = 0; i < FEW * 3; i++) {
        char name[24];
        int len = snprintf(name, sizeof(name), "%d", i);
        struct str field = {name, (size_t)len};

        if (timed && i % 3 == 0)
            value_sum_pair_until(s, field, STR("v"), 1000000);
        else
            value_sum_pair(s, field, STR("v"));
    }
}

/* A restore that gave fields their remaining life has moved every deadline: equal ones are wrong,
 * and equal sums must not hide that. */
static void deadlines_that_should_have_moved_are_found_in_large_hashes(void **ctx UNUSED)
{
    struct value_focus *focus;

    rule =
        (struct value_rule){.earliest_shift_ms = 500, .latest_shift_ms = 900, .tolerance_ms = 10};
    value_sum_limit(saved, FEW);
    value_sum_limit(live, FEW);
    fill_timed(saved, true);
    fill_timed(live, true);
    assert_true(value_sum_compare_by(saved, live, &rule).unsure);
    focus = value_focus_new(saved, live, &rule);
    assert_true(value_focus_next(focus, SIZE_MAX));
    value_sum_focus(saved, focus);
    value_sum_focus(live, focus);
    fill_timed(saved, true);
    fill_timed(live, true);
    value_focus_take(focus, saved, live, &rule);
    assert_int_equal(value_focus_result(focus).deadlines, FEW);
    value_sum_focus(saved, NULL);
    value_sum_focus(live, NULL);
    value_focus_free(focus);
}

/* Nothing to move, or within the tolerance: then equal sums are all there is to know. */
static void equal_sums_suffice_where_equal_deadlines_are_right(void **ctx UNUSED)
{
    static const struct {
        struct value_rule rule;
        bool timed, unsure;
    } cases[] = {
        {{.earliest_shift_ms = 500, .latest_shift_ms = 900, .tolerance_ms = 10}, false, false},
        {{.earliest_shift_ms = 500, .latest_shift_ms = 900, .tolerance_ms = 500}, true, false},
        {{.latest_shift_ms = 900, .tolerance_ms = 10}, true, false},
        {{.no_deadlines = true}, false, false},
        {{.no_deadlines = true}, true, true},
    };

    value_sum_limit(saved, FEW);
    value_sum_limit(live, FEW);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        value_sum_clear(saved);
        value_sum_clear(live);
        fill_timed(saved, cases[i].timed);
        fill_timed(live, cases[i].timed);
        assert_int_equal(value_sum_compare_by(saved, live, &cases[i].rule).unsure, cases[i].unsure);
    }
}

/* ---- fields that die ---------------------------------------------------------------------------
 */

static struct value_difference with_one_field_gone(int64_t deadline)
{
    value_sum_clear(saved);
    value_sum_clear(live);
    value_sum_start(saved, RECORD_HASH);
    value_sum_start(live, RECORD_HASH);
    value_sum_pair_until(saved, STR("a"), STR("v"), deadline);
    value_sum_pair(saved, STR("b"), STR("v"));
    value_sum_pair(live, STR("b"), STR("v"));
    return value_sum_compare_by(saved, live, &rule);
}

static void a_field_may_be_gone_once_its_deadline_has_come(void **ctx UNUSED)
{
    struct value_difference d;

    rule = (struct value_rule){.now_ms = 10000, .tolerance_ms = 100};
    d = with_one_field_gone(10100);
    assert_true(d.same);
    assert_int_equal(d.expired, 1);
    assert_false(with_one_field_gone(10101).same);
    assert_false(with_one_field_gone(RECORD_NO_TIME).same);
    rule.earliest_shift_ms = 1000; /* a restore gave it that much more */
    assert_false(with_one_field_gone(10100).same);
    assert_true(with_one_field_gone(9100).same);
    rule = (struct value_rule){.now_ms = 10000, .tolerance_ms = 100, .no_deadlines = true};
    assert_false(with_one_field_gone(1).same);
}

static void a_hash_may_be_gone_when_all_its_fields_may(void **ctx UNUSED)
{
    rule = (struct value_rule){.now_ms = 10000};
    value_sum_clear(saved);
    value_sum_start(saved, RECORD_HASH);
    assert_false(value_sum_may_be_gone(saved, &rule));
    value_sum_pair_until(saved, STR("a"), STR("v"), 9000);
    value_sum_pair_until(saved, STR("b"), STR("v"), 10000);
    assert_true(value_sum_may_be_gone(saved, &rule));
    value_sum_pair_until(saved, STR("c"), STR("v"), 10001);
    assert_false(value_sum_may_be_gone(saved, &rule));
    value_sum_clear(saved);
    value_sum_start(saved, RECORD_HASH);
    value_sum_pair_until(saved, STR("a"), STR("v"), 9000);
    value_sum_pair(saved, STR("b"), STR("v"));
    assert_false(value_sum_may_be_gone(saved, &rule));
}

static void a_restore_without_deadlines_must_have_left_none(void **ctx UNUSED)
{
    rule = (struct value_rule){.no_deadlines = true, .tolerance_ms = 100000};
    value_sum_clear(saved);
    value_sum_clear(live);
    value_sum_start(saved, RECORD_HASH);
    value_sum_start(live, RECORD_HASH);
    value_sum_pair_until(saved, STR("a"), STR("v"), 5000);
    value_sum_pair_until(live, STR("a"), STR("v"), 5000);
    assert_int_equal(value_sum_compare_by(saved, live, &rule).deadlines, 1);
    value_sum_clear(live);
    value_sum_start(live, RECORD_HASH);
    value_sum_pair(live, STR("a"), STR("v"));
    assert_int_equal(value_sum_compare_by(saved, live, &rule).deadlines, 0);
}

/* ---- streams -----------------------------------------------------------------------------------
 */

struct stream_case {
    int64_t delivered_ms;
    bool has_read;
    uint64_t read;
    bool has_counters;
    uint64_t added;
};

static void fill_stream(struct value_sum *s, const struct stream_case *c)
{
    struct str consumers[] = {STR("c"), STR("idle")};
    struct stream_pending pending = {{1, 1}, 0, c->delivered_ms, 2};
    struct stream_group group = {.name = STR("g"),
                                 .last_delivered = {1, 1},
                                 .has_entries_read = c->has_read,
                                 .entries_read = c->read,
                                 .consumers = consumers,
                                 .consumer_count = 2,
                                 .pending = &pending,
                                 .pending_count = 1};
    struct stream_state state = {
        .last_id = {1, 1}, .has_counters = c->has_counters, .entries_added = c->added};
    struct str fields[] = {STR("f"), STR("v")};

    value_sum_clear(s);
    value_sum_start(s, RECORD_STREAM);
    value_sum_group(s, &group);
    value_sum_entry(s, (struct stream_id){1, 1}, fields, 2);
    value_sum_state(s, &state);
}

static void streams_are_compared_with_counters_and_times_where_both_have_them(void **ctx UNUSED)
{
    static const struct stream_case whole = {50000, true, 1, true, 1};
    static const struct stream_case old = {50000, false, 0, false, 0};
    const struct {
        struct stream_case saved, live;
        bool same, partly;
        const char *what;
    } cases[] = {
        {whole, {50000, true, 1, true, 1}, true, false, ""},
        {whole, {51100, true, 1, true, 1}, true, false, ""},
        {whole,
         {51101, true, 1, true, 1},
         false,
         false,
         "1 pending entries were delivered at another time"},
        {whole,
         {50000, true, 0, true, 1},
         false,
         false,
         "a group's entries-read: 1 saved, 0 there"},
        {whole,
         {50000, false, 0, true, 1},
         false,
         false,
         "a group's entries-read: 1 saved, unknown there"},
        {whole, {50000, true, 1, true, 2}, false, false, "entries-added: 1 saved, 2 there"},
        {old, {50000, true, 1, true, 7}, true, true, ""},
        {whole, {50000, false, 0, false, 0}, true, true, ""},
    };

    rule = (struct value_rule){.tolerance_ms = 100, .pending_times = true};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct value_difference d;

        fill_stream(saved, &cases[i].saved);
        fill_stream(live, &cases[i].live);
        d = value_sum_compare_by(saved, live, &rule);
        if (d.same != cases[i].same || strcmp(d.what, cases[i].what) != 0)
            fail_msg("case %zu: %s", i, d.what);
        assert_int_equal(d.partly, cases[i].partly);
    }
}

static void the_print_changes_with_the_value(void **ctx UNUSED)
{
    static const struct stream_case one = {50000, true, 1, true, 1};
    static const struct stream_case two = {50001, true, 1, true, 1};
    uint64_t print;

    fill_stream(live, &one);
    print = value_sum_print(live);
    fill_stream(live, &one);
    assert_true(value_sum_print(live) == print);
    fill_stream(live, &two);
    assert_false(value_sum_print(live) == print);
}

static int set_up(void **ctx UNUSED)
{
    saved = value_sum_new();
    live = value_sum_new();
    rule = (struct value_rule){0};
    return 0;
}

static int tear_down(void **ctx UNUSED)
{
    value_sum_free(saved);
    value_sum_free(live);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(equal_large_values_need_no_second_look),
        TEST(the_second_look_counts_what_differs),
        TEST(elements_that_come_twice_are_no_difference),
        TEST(a_sum_that_is_cleared_forgets_that_it_was_large),
        TEST(deadlines_of_many_fields_are_compared_with_the_tolerance),
        TEST(deadlines_that_should_have_moved_are_found_in_large_hashes),
        TEST(equal_sums_suffice_where_equal_deadlines_are_right),
        TEST(a_field_may_be_gone_once_its_deadline_has_come),
        TEST(a_hash_may_be_gone_when_all_its_fields_may),
        TEST(a_restore_without_deadlines_must_have_left_none),
        TEST(streams_are_compared_with_counters_and_times_where_both_have_them),
        TEST(the_print_changes_with_the_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
