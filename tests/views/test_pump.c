#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "views/pump.h"

struct question {
    int number;
    int answer;
    bool slow; /* until it is told that nobody waits any more */
};

struct asker {
    int done, last;
};

static _Atomic(int) released;
static _Atomic(int) started;

static void work(void *data, const _Atomic(bool) *stale)
{
    struct question *q = data;
    int64_t deadline = clock_after(10000);

    started++;
    while (q->slow && !*stale && clock_left_ms(deadline) > 0)
        clock_sleep_ms(1);
    q->answer = q->number * 2;
}

static void done(void *owner, void *data)
{
    struct asker *a = owner;

    a->done++;
    a->last = ((struct question *)data)->answer;
}

static void release(void *data)
{
    released++;
    free(data);
}

static void ask(struct pump *p, struct asker *a, int channel, int number, bool slow)
{
    struct question *q = mem_zero(1, sizeof(*q));

    q->number = number;
    q->slow = slow;
    pump_ask(p, &(struct app_request){.work = work,
                                      .done = done,
                                      .release = release,
                                      .data = q,
                                      .owner = a,
                                      .channel = channel});
}

static void drain_until_released(struct pump *p, int count)
{
    int64_t deadline = clock_after(10000);

    while (released < count && clock_left_ms(deadline) > 0) {
        pump_drain(p);
        clock_sleep_ms(1);
    }
    assert_int_equal(released, count);
}

static struct pump *start(void)
{
    struct error err;
    struct pump *p = pump_new(&err);

    assert_non_null(p);
    released = started = 0;
    return p;
}

static void every_question_is_answered_on_the_asking_thread(void **state)
{
    struct pump *p = start();
    struct asker askers[50] = {{0, 0}};

    (void)state;
    for (int i = 0; i < 50; i++)
        ask(p, &askers[i], 0, i, false);
    drain_until_released(p, 50);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(askers[i].done, 1);
        assert_int_equal(askers[i].last, i * 2);
    }
    pump_free(p);
}

static void a_newer_question_makes_the_older_answer_stale(void **state)
{
    struct pump *p = start();
    struct asker a = {0, 0};

    (void)state;
    ask(p, &a, 1, 1, true);
    ask(p, &a, 2, 5, false); /* another channel: not concerned */
    ask(p, &a, 1, 2, false);
    drain_until_released(p, 3);
    assert_int_equal(a.done, 2);
    assert_false(pump_is_waiting(p, &a, 1));
    pump_free(p);
}

static void a_forgotten_owner_hears_nothing(void **state)
{
    struct pump *p = start();
    struct asker a = {0, 0};

    (void)state;
    ask(p, &a, 1, 1, true);
    assert_true(pump_is_waiting(p, &a, 1));
    pump_forget(p, &a);
    assert_false(pump_is_waiting(p, &a, 1));
    drain_until_released(p, 1);
    assert_int_equal(a.done, 0);
    pump_free(p);
}

static void leaving_releases_what_was_never_started(void **state)
{
    struct pump *p = start();
    struct asker a = {0, 0};

    (void)state;
    for (int i = 0; i < 200; i++)
        ask(p, &a, i, i, true);
    pump_free(p);
    assert_int_equal(released, 200);
    assert_int_equal(a.done, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_question_is_answered_on_the_asking_thread),
        cmocka_unit_test(a_newer_question_makes_the_older_answer_stale),
        cmocka_unit_test(a_forgotten_owner_hears_nothing),
        cmocka_unit_test(leaving_releases_what_was_never_started),
    };

    return cmocka_run_group_tests_name("pump", tests, NULL, NULL);
}
