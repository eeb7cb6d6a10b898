#include "core/value/key_sample.h"

#include <stdlib.h>

#include "core/base/alloc.h"

struct entry {
    uint64_t rank;
    struct key_facts facts; /* its strings are the entry's own */
};

/* A heap: the largest rank is first. */
struct key_sample {
    struct entry *entries;
    size_t count, max;
    uint64_t below;
};

struct key_sample *key_sample_new(size_t max)
{
    struct key_sample *s = mem_zero(1, sizeof(*s));

    s->max = max;
    s->entries = mem_zero(max + 1, sizeof(*s->entries));
    s->below = UINT64_MAX;
    return s;
}

static void release(struct entry *e)
{
    free(mem_unconst(e->facts.key.ptr));
    free(mem_unconst(e->facts.type_name.ptr));
}

void key_sample_free(struct key_sample *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->count; i++)
        release(&s->entries[i]);
    free(s->entries);
    free(s);
}

static void swap(struct entry *a, struct entry *b)
{
    struct entry moved = *a;

    *a = *b;
    *b = moved;
}

static void rise(struct key_sample *s, size_t i)
{
    for (; i > 0 && s->entries[(i - 1) / 2].rank < s->entries[i].rank; i = (i - 1) / 2)
        swap(&s->entries[(i - 1) / 2], &s->entries[i]);
}

static void drop_first(struct key_sample *s)
{
    size_t i = 0;

    release(&s->entries[0]);
    s->entries[0] = s->entries[--s->count];
    for (;;) {
        size_t most = i;

        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < s->count; child++)
            if (s->entries[child].rank > s->entries[most].rank)
                most = child;
        if (most == i)
            return;
        swap(&s->entries[i], &s->entries[most]);
        i = most;
    }
}

void key_sample_limit(struct key_sample *s, uint64_t below)
{
    if (below < s->below)
        s->below = below;
    while (s->count > 0 && s->entries[0].rank >= s->below)
        drop_first(s);
}

void key_sample_offer(struct key_sample *s, const struct key_facts *k)
{
    uint64_t rank = key_digest_rank(k->key, k->db);
    struct entry *e;

    if (rank >= s->below || k->key.len > KEY_SAMPLE_NAME_MAX)
        return;
    e = &s->entries[s->count];
    e->rank = rank;
    e->facts = *k;
    e->facts.key.ptr = mem_copy_str(k->key);
    e->facts.type_name.ptr = mem_copy_str(k->type_name);
    rise(s, s->count++);
    if (s->count > s->max)
        key_sample_limit(s, s->entries[0].rank);
}

uint64_t key_sample_below(const struct key_sample *s)
{
    return s->below;
}

size_t key_sample_count(const struct key_sample *s)
{
    return s->count;
}

static int by_facts(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;

    return key_facts_compare(&x->facts, &y->facts);
}

void key_sample_sort(struct key_sample *s)
{
    if (s->count > 1)
        qsort(s->entries, s->count, sizeof(*s->entries), by_facts);
}

const struct key_facts *key_sample_at(const struct key_sample *s, size_t i)
{
    return &s->entries[i].facts;
}
