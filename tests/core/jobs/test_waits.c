/* A job that waits through an outage says so, and stops saying so: what progress.json and the
 * journal have about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/jobs/task_internal.h"
#include "tests/harness/wait.h"

#define WHY "cannot connect to 127.0.0.1:1: Connection refused"
#define LEFT_MS 60000

/* The member "waiting" as it stands now; NULL without one. Owned by the caller. */
static json_t *shown(struct task *t)
{
    struct progress view;
    json_t *doc;
    json_t *waiting;

    progress_init(&view);
    doc = task_progress_doc(t, &view);
    waiting = json_incref(json_object_get(doc, "waiting"));
    json_decref(doc);
    progress_release(&view);
    return waiting;
}

static bool is_shown_while_it_waits(void *task)
{
    json_t *waiting;
    bool there;

    task_waits(task, WHY, LEFT_MS);
    waiting = shown(task);
    there = waiting != NULL;
    json_decref(waiting);
    return there;
}

static bool is_gone(void *task)
{
    json_t *waiting = shown(task);
    bool gone = waiting == NULL;

    json_decref(waiting);
    return gone;
}

static void a_short_retry_is_no_news(void **state)
{
    struct task *t = task_new_plain();
    struct error err;

    (void)state;
    task_waits(t, WHY, LEFT_MS);
    assert_null(shown(t));
    assert_true(task_checkpoint(t, &err));
    assert_null(shown(t));
    task_free(t);
}

static void what_lasts_is_shown_until_the_thread_goes_on(void **state)
{
    struct task *t = task_new_plain();
    struct progress read;
    struct error err;
    json_t *doc;
    json_t *waiting;
    int64_t began = clock_real_ms();

    (void)state;
    assert_true(wait_until(is_shown_while_it_waits, t, 10000));
    waiting = shown(t);
    assert_string_equal(json_text(waiting, "why", ""), WHY);

    /* read again as another process does */
    doc = json_pack("{s:o}", "waiting", waiting);
    progress_init(&read);
    progress_from_json(&read, doc);
    assert_string_equal(read.waiting.why, WHY);
    assert_true(read.waiting.since_ms >= began - 1000);
    assert_true(read.waiting.since_ms <= clock_real_ms());
    assert_true(read.waiting.until_ms > clock_real_ms() + LEFT_MS / 2);
    progress_release(&read);
    json_decref(doc);

    assert_true(task_checkpoint(t, &err));
    assert_true(wait_until(is_gone, t, 10000));
    assert_int_equal(atomic_load(&t->waiting), 0);
    task_free(t);
}

/* Some loops pass a checkpoint between two attempts: it is one outage all the same. */
static void checkpoints_between_attempts_do_not_begin_it_anew(void **state)
{
    struct task *t = task_new_plain();
    int64_t until = clock_after(1500);
    struct error err;
    json_t *waiting;

    (void)state;
    while (clock_mono_ms() < until) {
        task_waits(t, WHY, LEFT_MS);
        assert_true(task_checkpoint(t, &err));
        clock_sleep_ms(20);
    }
    waiting = shown(t);
    assert_non_null(waiting);
    json_decref(waiting);
    task_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_retry_is_no_news),
        cmocka_unit_test(what_lasts_is_shown_until_the_thread_goes_on),
        cmocka_unit_test(checkpoints_between_attempts_do_not_begin_it_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
