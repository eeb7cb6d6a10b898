/*
 * map.h - a hash map from bytes to a pointer, and nothing more.
 *
 * Keys are copied; values are the caller's. Iteration order is insertion order as long as
 * nothing is removed. Seeded per process, so hostile keys cannot line up. One thread.
 */
#ifndef CORE_BASE_MAP_H
#define CORE_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/str.h"

struct map;

struct map *map_new(void);
void map_free(struct map *m, void (*free_value)(void *)); /* free_value may be NULL */
void *map_get(const struct map *m, struct str key);       /* NULL when absent */
/* Returns the value that was there before, NULL when new. value must not be NULL. */
void *map_put(struct map *m, struct str key, void *value);
void *map_remove(struct map *m, struct str key); /* the removed value, or NULL */
size_t map_count(const struct map *m);
/* Walk: start with *at = 0; false at the end. key stays valid until the map changes. */
bool map_next(const struct map *m, size_t *at, struct str *key, void **value);

#endif
