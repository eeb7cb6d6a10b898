/* Several monitors on one log: each event is in it once, whoever dies, stops or comes late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/monitor/event_log.h"
#include "core/monitor/event_share.h"
#include "tests/harness/tmpdir.h"
#include "tests/harness/wait.h"

#define WRITERS 3

struct fixture {
    char *path;
    struct event_share *share[WRITERS];
    struct event_list shown[WRITERS];
    size_t waiting; /* which one a condition steps */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return -1;
    f->path = event_log_path(tmpdir_new(), "test");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < WRITERS; i++) {
        event_share_free(f->share[i]);
        event_list_release(&f->shown[i]);
    }
    free(f->path);
    free(f);
    return 0;
}

static void join(struct fixture *f, size_t who, int64_t interval_ms)
{
    f->share[who] = event_share_new(f->path, interval_ms);
}

static void leave(struct fixture *f, size_t who)
{
    event_share_free(f->share[who]);
    f->share[who] = NULL;
}

static struct event make(enum event_kind kind, const char *node, const char *text)
{
    struct event e = {.kind = kind, .level = EVENT_WARN, .at_ms = clock_real_ms()};

    (void)snprintf(e.node, sizeof(e.node), "%s", node);
    (void)snprintf(e.text, sizeof(e.text), "%s", text);
    return e;
}

static void step(struct fixture *f, size_t who)
{
    struct event_list none = {0};
    struct error err;

    assert_true(event_share_step(f->share[who], &none, &f->shown[who], &err));
}

static void see(struct fixture *f, size_t who, const struct event *e)
{
    struct event_list own = {0};
    struct error err;

    ARRAY_PUSH(own.items, own.count, own.cap) = *e;
    assert_true(event_share_step(f->share[who], &own, &f->shown[who], &err));
    assert_int_equal(own.count, 0);
    event_list_release(&own);
}

static void expect_log(const struct fixture *f, const char *const *texts)
{
    struct event_list list = {0};
    struct error err;
    size_t skipped;
    size_t i;

    assert_true(event_log_read(f->path, 0, &list, &skipped, &err));
    assert_int_equal(skipped, 0);
    for (i = 0; texts[i] != NULL; i++) {
        assert_true(i < list.count);
        assert_string_equal(list.items[i].text, texts[i]);
    }
    assert_int_equal(list.count, i);
    event_list_release(&list);
}

#define EXPECT_LOG(f, ...) expect_log((f), (const char *const[]){__VA_ARGS__, NULL})

static void what_two_saw_is_stored_once_and_shown_to_both(void **state)
{
    struct fixture *f = *state;
    struct event e = make(EVENT_DOWN, "a", "a is down (seen by 2 of 6)");
    struct event late = make(EVENT_DOWN, "a", "a is down (seen by 5 of 6)");

    join(f, 0, 1000);
    join(f, 1, 1000);
    step(f, 0);
    step(f, 1);
    assert_true(event_share_writes(f->share[0]));
    assert_false(event_share_writes(f->share[1]));
    see(f, 1, &late); /* the follower sees it first */
    see(f, 0, &e);
    step(f, 1);
    EXPECT_LOG(f, "a is down (seen by 2 of 6)");
    assert_int_equal(f->shown[0].count, 1);
    assert_int_equal(f->shown[1].count, 1);
    assert_string_equal(f->shown[1].items[0].text, "a is down (seen by 2 of 6)");
}

static bool takes_over(void *context)
{
    struct fixture *f = context;

    step(f, f->waiting);
    return event_share_writes(f->share[f->waiting]);
}

static void the_next_one_writes_what_a_dead_writer_did_not(void **state)
{
    struct fixture *f = *state;
    struct event first = make(EVENT_SUSPECTED, "a", "a is suspected");
    struct event second = make(EVENT_DOWN, "a", "a is down");
    struct event third = make(EVENT_FAILOVER, "a", "failover");

    join(f, 0, 1000);
    join(f, 1, 1000);
    step(f, 0);
    step(f, 1);
    see(f, 0, &first); /* stored by the writer … */
    see(f, 1, &first);
    see(f, 1, &second); /* … who dies before it sees this */
    assert_false(event_share_writes(f->share[1]));
    leave(f, 0);
    f->waiting = 1;
    assert_true(wait_until(takes_over, f, 5000));
    see(f, 1, &third);
    EXPECT_LOG(f, "a is suspected", "a is down", "failover");
    assert_int_equal(f->shown[1].count, 3);
}

static void what_the_dead_writer_stored_last_is_not_stored_again(void **state)
{
    struct fixture *f = *state;
    struct event e = make(EVENT_DOWN, "a", "a is down");
    struct event again = make(EVENT_DOWN, "a", "a is down, again");

    join(f, 0, 1000);
    join(f, 1, 1000);
    step(f, 0);
    step(f, 1);
    see(f, 0, &e);
    leave(f, 0);
    f->waiting = 1;
    assert_true(wait_until(takes_over, f, 5000));
    see(f, 1, &e); /* this one is late, and writes by now */
    EXPECT_LOG(f, "a is down");
    see(f, 1, &again); /* a second time is a second event */
    EXPECT_LOG(f, "a is down", "a is down, again");
}

static void a_stopped_writer_is_replaced_and_finds_out(void **state)
{
    struct fixture *f = *state;
    struct event e = make(EVENT_DOWN, "a", "a is down");

    join(f, 0, 1000);
    join(f, 1, 1000);
    step(f, 0);
    step(f, 1);
    /* 0 is not called any more, as if it had been stopped with its lock held. */
    f->waiting = 1;
    assert_true(wait_until(takes_over, f, 15000));
    see(f, 1, &e);
    see(f, 0, &e);
    assert_false(event_share_writes(f->share[0]));
    EXPECT_LOG(f, "a is down");
    assert_int_equal(f->shown[0].count, 1);
}

static void a_slow_writer_gives_way_to_a_fast_one(void **state)
{
    struct fixture *f = *state;

    join(f, 0, 60000);
    join(f, 1, 1000);
    step(f, 0);
    assert_true(event_share_writes(f->share[0]));
    step(f, 1);
    assert_true(event_share_writes(f->share[1]));
    step(f, 0);
    assert_false(event_share_writes(f->share[0]));
    step(f, 1);
    assert_true(event_share_writes(f->share[1]));
}

static void only_one_of_three_writes(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < WRITERS; i++)
        join(f, i, 1000);
    for (int round = 0; round < 3; round++) {
        size_t writers = 0;

        for (size_t i = 0; i < WRITERS; i++)
            step(f, i);
        for (size_t i = 0; i < WRITERS; i++)
            writers += event_share_writes(f->share[i]) ? 1 : 0;
        assert_int_equal(writers, 1);
    }
}

static bool is_stored(void *context)
{
    struct fixture *f = context;
    struct event_list list = {0};
    struct error err;
    bool found;

    step(f, 0);
    step(f, 1);
    found = event_log_read(f->path, 0, &list, NULL, &err) && list.count == 1;
    event_list_release(&list);
    return found;
}

static void what_only_a_follower_can_see_is_stored_too(void **state)
{
    struct fixture *f = *state;
    struct event e = make(EVENT_SILENT, "a", "a does not answer");

    join(f, 0, 100);
    join(f, 1, 100);
    step(f, 0);
    see(f, 1, &e);
    assert_false(event_share_writes(f->share[1]));
    assert_true(wait_until(is_stored, f, 15000));
    step(f, 0);
    step(f, 1);
    assert_int_equal(f->shown[0].count, 1);
    assert_int_equal(f->shown[1].count, 1);
}

static void a_directory_that_cannot_be_written_is_an_error_and_still_shown(void **state)
{
    struct fixture *f = *state;
    struct event e = make(EVENT_DOWN, "a", "a is down");
    struct event_list own = {0};
    struct error err;

    f->share[0] = event_share_new("/proc/nowhere/test.jsonl", 1000);
    ARRAY_PUSH(own.items, own.count, own.cap) = e;
    assert_false(event_share_step(f->share[0], &own, &f->shown[0], &err));
    assert_int_equal(f->shown[0].count, 1);
    event_list_release(&own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_two_saw_is_stored_once_and_shown_to_both, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_next_one_writes_what_a_dead_writer_did_not, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_the_dead_writer_stored_last_is_not_stored_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_stopped_writer_is_replaced_and_finds_out, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_slow_writer_gives_way_to_a_fast_one, setup, teardown),
        cmocka_unit_test_setup_teardown(only_one_of_three_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(what_only_a_follower_can_see_is_stored_too, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            a_directory_that_cannot_be_written_is_an_error_and_still_shown, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
