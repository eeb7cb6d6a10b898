#include "core/value/slot_sums.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

#define PAGE_SLOTS 64

struct slot_sums {
    struct slot_sum *pages[SLOT_COUNT / PAGE_SLOTS]; /* NULL: no keys there */
};

static const struct slot_sum nothing;

struct slot_sums *slot_sums_new(void)
{
    return mem_zero(1, sizeof(struct slot_sums));
}

void slot_sums_free(struct slot_sums *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < SLOT_COUNT / PAGE_SLOTS; i++)
        free(s->pages[i]);
    free(s);
}

const struct slot_sum *slot_sums_at(const struct slot_sums *s, uint16_t slot)
{
    const struct slot_sum *page = s->pages[slot / PAGE_SLOTS];

    return page != NULL ? &page[slot % PAGE_SLOTS] : &nothing;
}

static struct slot_sum *room(struct slot_sums *s, uint16_t slot)
{
    struct slot_sum **page = &s->pages[slot / PAGE_SLOTS];

    if (*page == NULL)
        *page = mem_zero(PAGE_SLOTS, sizeof(**page));
    return &(*page)[slot % PAGE_SLOTS];
}

void slot_sums_add(struct slot_sums *s, const struct key_facts *k)
{
    struct slot_sum *sum = room(s, k->slot);

    sum->keys++;
    sum->bytes += k->bytes;
    sum->hyperloglog += k->hyperloglog;
    sum->fuzzy += k->fuzzy;
    sum->types[k->type]++;
    sum->type_ttl[k->type] += k->deadline != RECORD_NO_TIME;
    sum->type_bytes[k->type] += k->bytes;
    sum->content = digest128_add(sum->content, k->content);
    if (k->deadline == RECORD_NO_TIME)
        return;
    sum->with_ttl++;
    sum->deadlines = digest128_add(sum->deadlines, key_digest_deadline(k->key, k->db, k->deadline));
}

void slot_sums_set(struct slot_sums *s, uint16_t slot, const struct slot_sum *sum)
{
    *room(s, slot) = *sum;
}

void slot_sums_take(struct slot_sums *into, const struct slot_sums *from, uint16_t slot)
{
    const struct slot_sum *sum = slot_sums_at(from, slot);

    if (sum->keys > 0 || slot_sums_at(into, slot)->keys > 0)
        slot_sums_set(into, slot, sum);
}

void slot_sum_merge(struct slot_sum *into, const struct slot_sum *more)
{
    into->keys += more->keys;
    into->with_ttl += more->with_ttl;
    into->bytes += more->bytes;
    into->hyperloglog += more->hyperloglog;
    into->fuzzy += more->fuzzy;
    for (size_t i = 0; i < RECORD_TYPES; i++) {
        into->types[i] += more->types[i];
        into->type_ttl[i] += more->type_ttl[i];
        into->type_bytes[i] += more->type_bytes[i];
    }
    into->content = digest128_add(into->content, more->content);
    into->deadlines = digest128_add(into->deadlines, more->deadlines);
}

struct slot_sum slot_sums_total(const struct slot_sums *s)
{
    struct slot_sum total = {0};

    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        slot_sum_merge(&total, slot_sums_at(s, (uint16_t)slot));
    return total;
}

bool slot_sum_same_content(const struct slot_sum *a, const struct slot_sum *b)
{
    return a->keys == b->keys && digest128_equal(a->content, b->content);
}

bool slot_sum_same_deadlines(const struct slot_sum *a, const struct slot_sum *b)
{
    return a->with_ttl == b->with_ttl && digest128_equal(a->deadlines, b->deadlines);
}

uint32_t slot_sums_differ(const struct slot_sums *a, const struct slot_sums *b,
                          struct slot_set *out)
{
    uint32_t count = 0;

    if (out != NULL)
        *out = (struct slot_set){0};
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        if (slot_sum_same_content(slot_sums_at(a, (uint16_t)slot), slot_sums_at(b, (uint16_t)slot)))
            continue;
        count++;
        if (out != NULL)
            slot_set_add(out, (uint16_t)slot);
    }
    return count;
}
