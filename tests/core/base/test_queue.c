#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "core/base/clock.h"
#include "core/base/queue.h"

#define ITEMS ((size_t)20000)
#define THREADS ((size_t)3)

struct work {
    struct queue *in;
    struct queue *out;
    size_t first;
    size_t moved;
    bool pushed;
};

static int numbers[THREADS * ITEMS];

static void *produce(void *arg)
{
    struct work *w = arg;

    for (size_t i = 0; i < ITEMS; i++)
        w->moved += queue_push(w->in, &numbers[w->first + i], 1 + i % 7);
    return NULL;
}

static void *consume(void *arg)
{
    struct work *w = arg;
    int *item;

    while ((item = queue_pop(w->in)) != NULL) {
        (*item)++; /* only one thread can have it */
        w->moved++;
    }
    return NULL;
}

static void every_item_reaches_exactly_one_consumer(void **state)
{
    struct queue *q = queue_new(8, 20);
    struct work makers[THREADS];
    struct work takers[THREADS];
    pthread_t threads[2 * THREADS];
    size_t moved = 0;

    (void)state;
    for (size_t i = 0; i < THREADS; i++) {
        makers[i] = (struct work){.in = q, .first = i * ITEMS};
        takers[i] = (struct work){.in = q};
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &makers[i]), 0);
        assert_int_equal(pthread_create(&threads[THREADS + i], NULL, consume, &takers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    queue_close(q);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[THREADS + i], NULL), 0);
        moved += takers[i].moved;
        assert_int_equal(makers[i].moved, ITEMS);
    }
    assert_int_equal(moved, THREADS * ITEMS);
    for (size_t i = 0; i < THREADS * ITEMS; i++)
        assert_int_equal(numbers[i], 1);
    queue_free(q);
}

static void *push_one(void *arg)
{
    struct work *w = arg;

    w->pushed = queue_push(w->in, &numbers[1], 5);
    return NULL;
}

static void an_abort_frees_who_waits(void **state)
{
    struct queue *q = queue_new(4, 10);
    struct work w = {.in = q, .pushed = true};
    pthread_t thread;

    (void)state;
    assert_true(queue_push(q, &numbers[0], 8));
    assert_int_equal(pthread_create(&thread, NULL, push_one, &w), 0);
    queue_abort(q);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(w.pushed);
    assert_null(queue_pop(q));
    assert_ptr_equal(queue_take(q), &numbers[0]); /* what is left can still be freed */
    assert_null(queue_take(q));
    queue_free(q);
}

static void a_closed_queue_drains(void **state)
{
    struct queue *q = queue_new(4, 10);

    (void)state;
    assert_true(queue_push(q, &numbers[0], 100)); /* heavier than all, but alone */
    queue_close(q);
    assert_false(queue_push(q, &numbers[1], 1));
    assert_int_equal(queue_count(q), 1);
    assert_ptr_equal(queue_pop(q), &numbers[0]);
    assert_null(queue_pop(q));
    queue_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_reaches_exactly_one_consumer),
        cmocka_unit_test(an_abort_frees_who_waits),
        cmocka_unit_test(a_closed_queue_drains),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
