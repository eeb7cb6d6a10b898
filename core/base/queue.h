/*
 * queue.h - a bounded queue between threads: bounded by the number of items and by their weight.
 *
 * Any number of threads push and pop. Items are the caller's pointers; the queue never frees them.
 * An item heavier than the whole bound is let in when the queue is empty, so nothing waits for
 * ever. After queue_close pops drain what is left; after queue_abort both ends give up at once.
 */
#ifndef CORE_BASE_QUEUE_H
#define CORE_BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/attr.h"

struct queue;

struct queue *queue_new(size_t max_items, size_t max_weight); /* both > 0; weight in bytes */
void queue_free(struct queue *q);                             /* no thread may be inside */
/* Waits for room. false: closed or aborted, the item is still the caller's. */
bool queue_push(struct queue *q, void *item, size_t weight) MUST_CHECK;
/* Waits for an item; NULL: closed and empty, or aborted. */
void *queue_pop(struct queue *q);
void *queue_take(struct queue *q); /* without waiting, also after an abort: to free what is left */
void queue_close(struct queue *q); /* no more pushes */
void queue_abort(struct queue *q);
size_t queue_count(struct queue *q);

#endif
