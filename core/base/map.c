#include "core/base/map.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/rng.h"

#define ABSENT SIZE_MAX

struct entry {
    char *key; /* NULL once removed */
    size_t len;
    uint64_t hash;
    void *value;
};

struct map {
    struct entry *entries; /* in the order of insertion, holes where one was removed */
    size_t used, cap, live;
    size_t *slots; /* open addressing: index into entries + 1; 0 is free */
    size_t slot_count;
    uint64_t seed;
};

static uint64_t hash(const struct map *m, struct str key)
{
    uint64_t h = m->seed ^ (key.len * 0x9e3779b97f4a7c15u);

    for (size_t i = 0; i < key.len; i++) {
        h ^= (unsigned char)key.ptr[i];
        h *= 0x100000001b3u;
        h ^= h >> 29;
    }
    h ^= m->seed >> 7;
    h *= 0xbf58476d1ce4e5b9u;
    return h ^ (h >> 32);
}

struct map *map_new(void)
{
    struct map *m = mem_zero(1, sizeof(*m));

    rng_bytes(&m->seed, sizeof(m->seed));
    return m;
}

void map_free(struct map *m, void (*free_value)(void *))
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->used; i++) {
        if (m->entries[i].key == NULL)
            continue;
        if (free_value != NULL)
            free_value(m->entries[i].value);
        free(m->entries[i].key);
    }
    free(m->entries);
    free(m->slots);
    free(m);
}

static void place(struct map *m, size_t index)
{
    size_t at = m->entries[index].hash & (m->slot_count - 1);

    while (m->slots[at] != 0)
        at = (at + 1) & (m->slot_count - 1);
    m->slots[at] = index + 1;
}

/* Close the holes and size the slots for twice the live entries. */
static void rebuild(struct map *m)
{
    size_t out = 0;

    for (size_t i = 0; i < m->used; i++)
        if (m->entries[i].key != NULL)
            m->entries[out++] = m->entries[i];
    m->used = out;
    m->slot_count = 16;
    while (m->slot_count < m->used * 4)
        m->slot_count *= 2;
    free(m->slots);
    m->slots = mem_zero(m->slot_count, sizeof(*m->slots));
    for (size_t i = 0; i < m->used; i++)
        place(m, i);
}

static size_t find(const struct map *m, struct str key, uint64_t h)
{
    if (m->slot_count == 0)
        return ABSENT;
    for (size_t at = h & (m->slot_count - 1); m->slots[at] != 0;
         at = (at + 1) & (m->slot_count - 1)) {
        const struct entry *e = &m->entries[m->slots[at] - 1];

        if (e->key != NULL && e->hash == h && str_equal((struct str){e->key, e->len}, key))
            return m->slots[at] - 1;
    }
    return ABSENT;
}

void *map_get(const struct map *m, struct str key)
{
    size_t at = find(m, key, hash(m, key));

    return at == ABSENT ? NULL : m->entries[at].value;
}

void *map_put(struct map *m, struct str key, void *value)
{
    uint64_t h = hash(m, key);
    size_t at = find(m, key, h);

    if (at != ABSENT) {
        void *old = m->entries[at].value;

        m->entries[at].value = value;
        return old;
    }
    if ((m->used + 1) * 2 > m->slot_count)
        rebuild(m);
    ARRAY_PUSH(m->entries, m->used, m->cap) =
        (struct entry){.key = mem_copy_str(key), .len = key.len, .hash = h, .value = value};
    place(m, m->used - 1);
    m->live++;
    return NULL;
}

void *map_remove(struct map *m, struct str key)
{
    size_t at = find(m, key, hash(m, key));
    void *value;

    if (at == ABSENT)
        return NULL;
    value = m->entries[at].value;
    free(m->entries[at].key);
    m->entries[at].key = NULL;
    m->live--;
    return value;
}

size_t map_count(const struct map *m)
{
    return m->live;
}

bool map_next(const struct map *m, size_t *at, struct str *key, void **value)
{
    while (*at < m->used && m->entries[*at].key == NULL)
        ++*at;
    if (*at >= m->used)
        return false;
    *key = (struct str){m->entries[*at].key, m->entries[*at].len};
    *value = m->entries[*at].value;
    ++*at;
    return true;
}
