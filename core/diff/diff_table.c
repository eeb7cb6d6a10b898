#include "core/diff/diff_table.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "core/base/alloc.h"

struct diff_table {
    struct diff_entry *places;
    size_t place_count; /* a third more than keys fit in */
    size_t capacity;
    size_t count;
};

struct diff_print diff_print_of(uint32_t db, struct str key)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(key.len > 0 ? key.ptr : "", key.len, db);
    struct diff_print print = {hash.high64, hash.low64};

    if (print.high == 0 && print.low == 0)
        print.low = 1;
    return print;
}

int diff_print_compare(struct diff_print a, struct diff_print b)
{
    if (a.high != b.high)
        return a.high < b.high ? -1 : 1;
    return (a.low > b.low) - (a.low < b.low);
}

size_t diff_table_keys(uint64_t bytes)
{
    uint64_t places = bytes / sizeof(struct diff_entry);

    return (size_t)(places - places / 4);
}

struct diff_table *diff_table_new(size_t keys)
{
    struct diff_table *t = mem_zero(1, sizeof(*t));

    t->capacity = keys > 0 ? keys : 1;
    t->place_count = t->capacity + t->capacity / 3 + 1;
    t->places = mem_zero(t->place_count, sizeof(*t->places));
    return t;
}

void diff_table_free(struct diff_table *t)
{
    if (t == NULL)
        return;
    free(t->places);
    free(t);
}

void diff_table_clear(struct diff_table *t)
{
    if (t->count == 0) /* memory that was never touched stays so */
        return;
    memset(t->places, 0, t->place_count * sizeof(*t->places));
    t->count = 0;
}

size_t diff_table_capacity(const struct diff_table *t)
{
    return t->capacity;
}

size_t diff_table_count(const struct diff_table *t)
{
    return t->count;
}

static bool is_free(const struct diff_entry *e)
{
    return e->print.high == 0 && e->print.low == 0;
}

/* The place where it is, or where it would go. */
static struct diff_entry *place_of(const struct diff_table *t, struct diff_print print)
{
    size_t at = (size_t)(print.low % t->place_count);

    while (!is_free(&t->places[at]) &&
           (t->places[at].print.high != print.high || t->places[at].print.low != print.low))
        at = at + 1 == t->place_count ? 0 : at + 1;
    return &t->places[at];
}

struct diff_entry *diff_table_find(const struct diff_table *t, struct diff_print print)
{
    struct diff_entry *e = place_of(t, print);

    return is_free(e) ? NULL : e;
}

struct diff_entry *diff_table_add(struct diff_table *t, struct diff_print print)
{
    struct diff_entry *e = place_of(t, print);

    if (!is_free(e))
        return e;
    if (t->count == t->capacity)
        return NULL;
    t->count++;
    *e = (struct diff_entry){.print = print, .type = {DIFF_NO_TYPE, DIFF_NO_TYPE}};
    return e;
}

struct diff_entry *diff_table_next(const struct diff_table *t, size_t *at)
{
    while (*at < t->place_count) {
        struct diff_entry *e = &t->places[(*at)++];

        if (!is_free(e))
            return e;
    }
    return NULL;
}
