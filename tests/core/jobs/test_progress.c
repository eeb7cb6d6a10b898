/* Rates, totals and time left, and the two outside-byte parsers of progress and control. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/json.h"
#include "core/jobs/control.h"
#include "core/jobs/progress.h"

static void rate_follows_the_last_seconds(void **unused)
{
    (void)unused;
    struct progress p;
    progress_init(&p);
    for (int64_t s = 0; s <= 40; s++) {
        uint64_t done = s <= 20 ? (uint64_t)s * 1000 : 20000 + (uint64_t)(s - 20) * 100;
        progress_set_row(&p, 0, "A", done, 100000);
        progress_tick(&p, s * 1000, false);
        if (s == 0) {
            assert_int_equal(p.rows[0].rate, -1);
            assert_int_equal(p.rows[0].eta_ms, -1);
        }
        if (s == 20) {
            assert_int_equal(p.rows[0].rate, 1000);
            assert_int_equal(p.rows[0].eta_ms, 80000);
            assert_int_equal(p.total.rate, 1000);
        }
    }
    assert_int_equal(p.rows[0].rate, 100); /* the fast start is out of the window */
    assert_int_equal(p.total.eta_ms, (100000 - 22000) * 10);
    progress_release(&p);
}

static void total_is_unknown_while_one_row_is(void **unused)
{
    (void)unused;
    struct progress p;
    progress_init(&p);
    progress_set_row(&p, 0, "A", 10, 100);
    progress_set_row(&p, 1, "B", 5, 0);
    progress_tick(&p, 0, false);
    assert_int_equal(p.total.done, 15);
    assert_int_equal(p.total.total, 0);
    progress_set_row(&p, 1, "B", 5, 50);
    progress_tick(&p, 10, false);
    assert_int_equal(p.total.total, 150);
    progress_set_row(&p, 2, "empty", 0, 0);
    progress_set_word(&p, 2, "done"); /* a shard without keys is known */
    progress_tick(&p, 20, false);
    assert_int_equal(p.total.total, 150);
    progress_set_total(&p, 3, 4);
    progress_tick(&p, 30, false);
    assert_int_equal(p.total.total, 4);
    progress_release(&p);
}

static void pause_shows_no_time_left(void **unused)
{
    (void)unused;
    struct progress p;
    progress_init(&p);
    for (int64_t s = 0; s < 5; s++) {
        progress_set_row(&p, 0, "A", (uint64_t)s * 10, 1000);
        progress_tick(&p, s * 1000, false);
    }
    assert_int_equal(p.rows[0].rate, 10);
    progress_tick(&p, 6000, true);
    assert_int_equal(p.rows[0].rate, 0);
    assert_int_equal(p.rows[0].eta_ms, -1);
    progress_tick(&p, 3600000, false); /* an hour's pause does not count into the rate */
    progress_set_row(&p, 0, "A", 50, 1000);
    progress_tick(&p, 3601000, false);
    assert_int_equal(p.rows[0].rate, 10);
    progress_release(&p);
}

static void row_that_starts_again_gets_a_new_rate(void **unused)
{
    (void)unused;
    struct progress p;
    progress_init(&p);
    for (int64_t s = 0; s < 5; s++) {
        progress_set_row(&p, 0, "A", (uint64_t)s * 1000, 10000);
        progress_tick(&p, s * 1000, false);
    }
    progress_set_row(&p, 0, NULL, 0, 10000);
    progress_tick(&p, 5000, false);
    assert_int_equal(p.rows[0].rate, -1);
    assert_string_equal(p.rows[0].name, "A");
    progress_release(&p);
}

static void document_reads_back(void **unused)
{
    (void)unused;
    struct progress p;
    struct progress q;
    progress_init(&p);
    progress_init(&q);
    progress_set_row(&p, 0, "A 127.0.0.1:7001", 10, 100);
    progress_set_row(&p, 1, "B 127.0.0.1:7002", 0, 0);
    progress_set_word(&p, 1, "waiting");
    progress_set_counter(&p, "ttl", 7);
    progress_add_counter(&p, "ttl", INT64_MAX);
    progress_tick(&p, 0, false);
    json_t *doc = progress_to_json(&p);
    progress_from_json(&q, doc);
    json_decref(doc);
    assert_int_equal(q.row_count, 2);
    assert_string_equal(q.rows[0].name, "A 127.0.0.1:7001");
    assert_int_equal(q.rows[0].total, 100);
    assert_int_equal(q.rows[1].total, 0);
    assert_int_equal(q.rows[1].rate, -1);
    assert_string_equal(q.rows[1].word, "waiting");
    assert_true(progress_counter(&q, "ttl") == INT64_MAX);
    progress_copy(&q, &p);
    assert_int_equal(q.row_count, 2);
    progress_release(&p);
    progress_release(&q);
}

static void limits_hold_whatever_is_reported(void **unused)
{
    (void)unused;
    struct progress p;
    char name[400];
    progress_init(&p);
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    progress_set_row(&p, SIZE_MAX, name, UINT64_MAX, UINT64_MAX);
    assert_int_equal(p.row_count, PROGRESS_ROWS);
    assert_true(strlen(p.rows[PROGRESS_ROWS - 1].name) < PROGRESS_NAME);
    for (int i = 0; i < 200; i++) {
        (void)snprintf(name, sizeof(name), "counter-%d", i);
        progress_set_counter(&p, name, i);
    }
    assert_int_equal(p.counter_count, PROGRESS_COUNTERS);
    progress_tick(&p, 0, false);
    json_t *doc = progress_to_json(&p);
    assert_non_null(doc);
    json_decref(doc);
    progress_release(&p);
}

static void hostile_progress_stays_unknown(void **unused)
{
    (void)unused;
    static const char *const texts[] = {
        "{}",
        "{\"rows\":7,\"total\":[],\"counters\":\"x\",\"stage\":3}",
        "{\"rows\":[1,null,{\"done\":-5,\"total\":-1,\"name\":7}],\"total\":{\"done\":1e400}}",
        "{\"counters\":{\"a\":1.5,\"b\":true,\"\":1}}",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct error err = {0};
        struct progress p;
        progress_init(&p);
        json_t *doc = json_parse(str_from(texts[i]), "test", &err);
        progress_from_json(&p, doc);
        assert_true(p.row_count == 0 || p.rows[0].done == 0);
        json_decref(doc);
        progress_release(&p);
    }
}

static void control_refuses_what_it_does_not_understand(void **unused)
{
    (void)unused;
    static const char *const bad[] = {"",
                                      "{",
                                      "[]",
                                      "null",
                                      "{\"v\":2,\"seq\":1}",
                                      "{\"v\":1,\"seq\":-1}",
                                      "{\"v\":1,\"seq\":1,\"rate\":-1}",
                                      "{\"v\":1,\"seq\":1,\"cancel\":3}",
                                      "{\"v\":1,\"seq\":1,\"seq\":2}",
                                      "{\"v\":1,\"seq\":1}garbage"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct control c = {0};
        struct error err = {0};
        if (control_parse(str_from(bad[i]), &c, &err))
            fail_msg("accepted %s", bad[i]);
        assert_int_equal(err.code, ERROR_CORRUPT);
    }
    struct control c = {0};
    struct error err = {0};
    assert_true(control_parse(
        STR("{\"v\":1,\"seq\":3,\"run_id\":\"0123456789012345678901234567890123456789\","
            "\"pause\":true,\"rate\":5,\"cancel\":1}"),
        &c, &err));
    assert_int_equal(c.seq, 3);
    assert_int_equal(strlen(c.run_id), 32); /* cut, so it fits no run */
    assert_true(c.pause);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rate_follows_the_last_seconds),
        cmocka_unit_test(total_is_unknown_while_one_row_is),
        cmocka_unit_test(pause_shows_no_time_left),
        cmocka_unit_test(row_that_starts_again_gets_a_new_rate),
        cmocka_unit_test(document_reads_back),
        cmocka_unit_test(limits_hold_whatever_is_reported),
        cmocka_unit_test(hostile_progress_stays_unknown),
        cmocka_unit_test(control_refuses_what_it_does_not_understand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
