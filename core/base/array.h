/*
 * array.h - growth for arrays kept as pointer, count and capacity in their owner.
 */
#ifndef CORE_BASE_ARRAY_H
#define CORE_BASE_ARRAY_H

#include <stddef.h>

/* Make room for `need` items of `size` bytes: returns the (moved) array and sets *cap. */
void *array_reserve(void *items, size_t *cap, size_t need, size_t size);

/* ARRAY_PUSH(x->items, x->count, x->cap) = item; grows when full and counts one up. */
#define ARRAY_PUSH(items, count, cap)                                           \
    (*((items) = array_reserve((items), &(cap), (count) + 1, sizeof(*(items))), \
       &(items)[(count)++]))

#endif
