#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/file.h"
#include "core/monitor/event_log.h"
#include "core/monitor/series.h"
#include "tests/harness/tmpdir.h"

static struct event event(int64_t at_ms, const char *text)
{
    struct event e = {.at_ms = at_ms, .kind = EVENT_DOWN, .level = EVENT_CRIT};

    (void)snprintf(e.text, sizeof(e.text), "%s", text);
    return e;
}

static void append(const char *path, int64_t at_ms, const char *text)
{
    struct event e = event(at_ms, text);
    struct error err;

    assert_true(event_log_append(path, &e, 1, &err));
}

static void log_gives_back_the_newest(void **state)
{
    char *path = event_log_path(tmpdir_new(), "prd");
    struct event_list list = {0};
    struct error err;

    (void)state;
    assert_true(event_log_read(path, 0, &list, NULL, &err));
    assert_int_equal(list.count, 0);
    append(path, 1755497195123, "one");
    append(path, 1755497196001, "two");
    append(path, 1755497197000, "three");
    assert_true(event_log_read(path, 2, &list, NULL, &err));
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0].text, "two");
    assert_int_equal(list.items[0].at_ms, 1755497196001);
    event_list_release(&list);
    free(path);
}

static void name_of_an_environment_cannot_leave_the_directory(void **state)
{
    char *path = event_log_path("/state", "../../etc/x y");

    (void)state;
    assert_string_equal(path, "/state/events/%2E.%2F..%2Fetc%2Fx%20y.jsonl");
    free(path);
}

static void torn_and_foreign_lines_are_skipped(void **state)
{
    char *path = event_log_path(tmpdir_new(), "a");
    struct event_list list = {0};
    struct error err;
    size_t skipped;

    (void)state;
    append(path, 1755497195123, "one");
    assert_true(
        file_append(path, STR("{\"kind\":\"down\"}\nrubbish\n{\"time\":\"2025"), false, &err));
    assert_true(event_log_read(path, 0, &list, &skipped, &err));
    assert_int_equal(list.count, 1);
    assert_int_equal(skipped, 3);
    event_list_release(&list);
    free(path);
}

static void follower_sees_what_others_append(void **state)
{
    char *path = event_log_path(tmpdir_new(), "a");
    struct event_follow *f = event_follow_new(path);
    struct event_list list = {0};
    struct error err;

    (void)state;
    assert_true(event_follow_next(f, &list, &err));
    assert_int_equal(list.count, 0);
    append(path, 1755497195123, "one");
    assert_true(event_follow_next(f, &list, &err));
    assert_int_equal(list.count, 1);
    append(path, 1755497195124, "two");
    append(path, 1755497195125, "three");
    assert_true(event_follow_next(f, &list, &err));
    assert_int_equal(list.count, 3);
    assert_true(event_follow_next(f, &list, &err));
    assert_int_equal(list.count, 3);
    event_list_release(&list);
    event_follow_free(f);
    free(path);
}

static void series_keeps_gaps_apart_from_zeros(void **state)
{
    struct series s = {0};
    double cells[4];
    double least;
    double most;

    (void)state;
    assert_true(series_is_gap(series_last(&s)));
    assert_false(series_range(&s, &least, &most));
    for (int i = 0; i < SERIES_MAX + 5; i++)
        series_add(&s, i);
    assert_int_equal(s.count, SERIES_MAX);
    assert_true(series_at(&s, 0) > 4.5 && series_at(&s, 0) < 5.5);
    series_add(&s, series_gap());
    assert_true(series_is_gap(series_last(&s)));
    series_add(&s, 0);
    series_cells(&s, 4, cells, 4);
    assert_true(series_is_gap(cells[2]));
    assert_false(series_is_gap(cells[3]));
}

static void rate_has_no_value_across_a_restart(void **state)
{
    struct series_rate r = {0};

    (void)state;
    assert_true(series_is_gap(series_rate_next(&r, 100, 1000)));
    assert_true(series_rate_next(&r, 300, 2000) > 199.9);
    assert_true(series_is_gap(series_rate_next(&r, -1, 3000)));
    assert_true(series_is_gap(series_rate_next(&r, 10, 4000)));
    assert_true(series_rate_next(&r, 20, 5000) > 9.9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_gives_back_the_newest),
        cmocka_unit_test(name_of_an_environment_cannot_leave_the_directory),
        cmocka_unit_test(torn_and_foreign_lines_are_skipped),
        cmocka_unit_test(follower_sees_what_others_append),
        cmocka_unit_test(series_keeps_gaps_apart_from_zeros),
        cmocka_unit_test(rate_has_no_value_across_a_restart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
