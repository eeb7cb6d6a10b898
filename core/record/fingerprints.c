#include "core/record/fingerprints.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"

#define FIRST_SLOTS 4096

struct fingerprint {
    uint64_t high;
    uint64_t low; /* 0: free */
};

struct fingerprints {
    struct fingerprint *table;
    size_t slots; /* a power of two, at least half of them free */
    size_t count;
    size_t max_slots;
    uint64_t seed; /* keys that line up cannot be made */
};

struct fingerprints *fingerprints_new(size_t max_bytes)
{
    struct fingerprints *f = mem_zero(1, sizeof(*f));

    rng_bytes(&f->seed, sizeof(f->seed));
    f->slots = FIRST_SLOTS;
    f->max_slots = max_bytes / sizeof(*f->table);
    f->table = mem_zero(f->slots, sizeof(*f->table));
    return f;
}

void fingerprints_free(struct fingerprints *f)
{
    if (f == NULL)
        return;
    free(f->table);
    free(f);
}

void fingerprints_clear(struct fingerprints *f)
{
    memset(f->table, 0, f->slots * sizeof(*f->table));
    f->count = 0;
}

static struct fingerprint *find(struct fingerprint *table, size_t slots, struct fingerprint print)
{
    size_t at = (size_t)print.low & (slots - 1);

    while (table[at].low != 0 && (table[at].low != print.low || table[at].high != print.high))
        at = (at + 1) & (slots - 1);
    return &table[at];
}

static void grow(struct fingerprints *f)
{
    size_t slots = f->slots * 2;
    struct fingerprint *table = mem_zero(slots, sizeof(*table));

    for (size_t i = 0; i < f->slots; i++)
        if (f->table[i].low != 0)
            *find(table, slots, f->table[i]) = f->table[i];
    free(f->table);
    f->table = table;
    f->slots = slots;
}

bool fingerprints_is_full(const struct fingerprints *f)
{
    return f->count >= f->slots / 2 && f->slots * 2 > f->max_slots;
}

static struct fingerprint print_of(const struct fingerprints *f, struct str key)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(key.len > 0 ? key.ptr : "", key.len, f->seed);

    return (struct fingerprint){hash.high64, hash.low64 != 0 ? hash.low64 : 1};
}

bool fingerprints_has(const struct fingerprints *f, struct str key)
{
    return find(f->table, f->slots, print_of(f, key))->low != 0;
}

bool fingerprints_add(struct fingerprints *f, struct str key)
{
    struct fingerprint print = print_of(f, key);
    struct fingerprint *place = find(f->table, f->slots, print);

    if (place->low != 0)
        return false;
    if (f->count >= f->slots / 2) {
        if (fingerprints_is_full(f))
            return true;
        grow(f);
        place = find(f->table, f->slots, print);
    }
    *place = print;
    f->count++;
    return true;
}
