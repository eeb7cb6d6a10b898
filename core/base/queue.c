#include "core/base/queue.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/base/alloc.h"

struct slot {
    void *item;
    size_t weight;
};

struct queue {
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t room;
    pthread_cond_t filled;
    struct slot *ring; /* max_items long */
    size_t max_items;
    size_t max_weight;
    size_t first;
    size_t count;
    size_t weight;
    bool closed;
    bool aborted;
};

struct queue *queue_new(size_t max_items, size_t max_weight)
{
    struct queue *q = mem_zero(1, sizeof(*q));

    (void)pthread_mutex_init(&q->mutex, NULL);
    (void)pthread_cond_init(&q->room, NULL);
    (void)pthread_cond_init(&q->filled, NULL);
    q->ring = mem_zero(max_items, sizeof(*q->ring));
    q->max_items = max_items;
    q->max_weight = max_weight;
    return q;
}

void queue_free(struct queue *q)
{
    if (q == NULL)
        return;
    (void)pthread_cond_destroy(&q->filled);
    (void)pthread_cond_destroy(&q->room);
    (void)pthread_mutex_destroy(&q->mutex);
    free(q->ring);
    free(q);
}

static bool is_full(const struct queue *q, size_t weight)
{
    if (q->count == 0)
        return false;
    return q->count == q->max_items || weight > q->max_weight || q->weight > q->max_weight - weight;
}

bool queue_push(struct queue *q, void *item, size_t weight)
{
    bool taken;

    pthread_mutex_lock(&q->mutex);
    while (!q->closed && !q->aborted && is_full(q, weight))
        pthread_cond_wait(&q->room, &q->mutex);
    taken = !q->closed && !q->aborted;
    if (taken) {
        q->ring[(q->first + q->count) % q->max_items] = (struct slot){item, weight};
        q->count++;
        q->weight += weight;
        pthread_cond_signal(&q->filled);
    }
    pthread_mutex_unlock(&q->mutex);
    return taken;
}

/* The caller holds the mutex and count > 0. */
static void *take_first(struct queue *q)
{
    struct slot s = q->ring[q->first];

    q->first = (q->first + 1) % q->max_items;
    q->count--;
    q->weight -= s.weight;
    pthread_cond_broadcast(&q->room); /* a light item may fit where a heavy one still waits */
    return s.item;
}

void *queue_pop(struct queue *q)
{
    void *item = NULL;

    pthread_mutex_lock(&q->mutex);
    while (q->count == 0 && !q->closed && !q->aborted)
        pthread_cond_wait(&q->filled, &q->mutex);
    if (q->count > 0 && !q->aborted)
        item = take_first(q);
    pthread_mutex_unlock(&q->mutex);
    return item;
}

void *queue_take(struct queue *q)
{
    void *item = NULL;

    pthread_mutex_lock(&q->mutex);
    if (q->count > 0)
        item = take_first(q);
    pthread_mutex_unlock(&q->mutex);
    return item;
}

static void end(struct queue *q, bool abort_too)
{
    pthread_mutex_lock(&q->mutex);
    q->closed = true;
    q->aborted = q->aborted || abort_too;
    pthread_cond_broadcast(&q->room);
    pthread_cond_broadcast(&q->filled);
    pthread_mutex_unlock(&q->mutex);
}

void queue_close(struct queue *q)
{
    end(q, false);
}

void queue_abort(struct queue *q)
{
    end(q, true);
}

size_t queue_count(struct queue *q)
{
    size_t n;

    pthread_mutex_lock(&q->mutex);
    n = q->count;
    pthread_mutex_unlock(&q->mutex);
    return n;
}
