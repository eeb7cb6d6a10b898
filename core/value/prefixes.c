#include "core/value/prefixes.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/map.h"
#include "core/redis/slot.h"

#define PAGE_SLOTS 64
#define OTHER 0 /* the row for all without one of their own */

struct name {
    struct str text;
    uint64_t keys;
    size_t id;
    bool at_least;
};

struct slot_cells {
    struct prefix_count *cells; /* by id */
    size_t count;
};

struct prefixes {
    struct map *by_text; /* -> struct name */
    struct name *names[PREFIXES_MAX + 1];
    size_t count; /* with OTHER */
    bool folded;
    struct slot_cells *pages[SLOT_COUNT / PAGE_SLOTS];
};

struct str prefix_of(struct str key, char out[PREFIX_BYTES])
{
    static const char ends[] = {':', '/', '|', '.'};
    size_t len = 0;

    for (size_t i = 0; i < key.len && i < PREFIX_BYTES; i++) {
        bool digit = key.ptr[i] >= '0' && key.ptr[i] <= '9';

        if (!digit || len == 0 || out[len - 1] != '#')
            out[len++] = digit ? '#' : key.ptr[i];
        if (memchr(ends, key.ptr[i], sizeof(ends)) != NULL)
            return (struct str){out, len};
    }
    return STR("");
}

struct prefixes *prefixes_new(void)
{
    struct prefixes *p = mem_zero(1, sizeof(*p));

    p->by_text = map_new();
    p->names[OTHER] = mem_zero(1, sizeof(*p->names[OTHER]));
    p->count = 1;
    return p;
}

static void free_name(struct name *n)
{
    free(mem_unconst(n->text.ptr));
    free(n);
}

void prefixes_free(struct prefixes *p)
{
    if (p == NULL)
        return;
    map_free(p->by_text, NULL);
    for (size_t i = 0; i < p->count; i++)
        free_name(p->names[i]);
    for (size_t i = 0; i < SLOT_COUNT / PAGE_SLOTS; i++) {
        for (size_t k = 0; p->pages[i] != NULL && k < PAGE_SLOTS; k++)
            free(p->pages[i][k].cells);
        free(p->pages[i]);
    }
    free(p);
}

/* ---- folding ----------------------------------------------------------------------------------
 */

static int by_size(const void *a, const void *b)
{
    const struct name *const *x = a;
    const struct name *const *y = b;

    if ((*x)->keys != (*y)->keys)
        return (*x)->keys > (*y)->keys ? -1 : 1;
    return str_compare((*x)->text, (*y)->text);
}

static void add_count(struct prefix_count *into, const struct prefix_count *more)
{
    into->keys += more->keys;
    into->with_ttl += more->with_ttl;
    into->bytes += more->bytes;
}

/* Cells move to the place that `to` gives their id. */
static void move_cells(struct slot_cells *s, const size_t *to)
{
    struct prefix_count *cells;

    if (s->count == 0)
        return;
    cells = mem_zero(PREFIXES_MAX / 2 + 1, sizeof(*cells));
    for (size_t i = 0; i < s->count; i++)
        add_count(&cells[to[i]], &s->cells[i]);
    free(s->cells);
    s->cells = cells;
    s->count = PREFIXES_MAX / 2 + 1;
}

/* The larger half keeps its rows; the rest becomes "other". */
static void fold(struct prefixes *p)
{
    size_t to[PREFIXES_MAX + 1] = {0};
    size_t kept = PREFIXES_MAX / 2 + 1;

    qsort(p->names + 1, p->count - 1, sizeof(struct name *), by_size);
    for (size_t i = 1; i < p->count; i++) {
        to[p->names[i]->id] = i < kept ? i : OTHER;
        p->names[i]->id = i;
        if (i < kept)
            continue;
        p->names[OTHER]->keys += p->names[i]->keys;
        (void)map_remove(p->by_text, p->names[i]->text);
        free_name(p->names[i]);
    }
    p->count = kept;
    p->folded = true;
    for (size_t i = 0; i < SLOT_COUNT / PAGE_SLOTS; i++)
        for (size_t k = 0; p->pages[i] != NULL && k < PAGE_SLOTS; k++)
            move_cells(&p->pages[i][k], to);
}

static struct name *find(struct prefixes *p, struct str text)
{
    struct name *n = map_get(p->by_text, text);

    if (n != NULL)
        return n;
    if (p->count == PREFIXES_MAX + 1)
        fold(p);
    n = mem_zero(1, sizeof(*n));
    n->text = (struct str){mem_copy_str(text), text.len};
    n->id = p->count;
    n->at_least = p->folded;
    p->names[p->count++] = n;
    (void)map_put(p->by_text, n->text, n);
    return n;
}

/* ---- counting ---------------------------------------------------------------------------------
 */

static struct prefix_count *cell(struct prefixes *p, uint16_t slot, size_t id)
{
    struct slot_cells **page = &p->pages[slot / PAGE_SLOTS];
    struct slot_cells *s;

    if (*page == NULL)
        *page = mem_zero(PAGE_SLOTS, sizeof(**page));
    s = &(*page)[slot % PAGE_SLOTS];
    if (id >= s->count) {
        size_t count = id + 4 < PREFIXES_MAX ? id + 4 : PREFIXES_MAX + 1;

        s->cells = mem_resize(s->cells, count, sizeof(*s->cells));
        memset(s->cells + s->count, 0, (count - s->count) * sizeof(*s->cells));
        s->count = count;
    }
    return &s->cells[id];
}

void prefixes_add(struct prefixes *p, const struct key_facts *k)
{
    char text[PREFIX_BYTES];
    struct name *n = find(p, prefix_of(k->key, text));
    struct prefix_count *c = cell(p, k->slot, n->id);

    n->keys++;
    c->keys++;
    c->with_ttl += k->deadline != RECORD_NO_TIME;
    c->bytes += k->bytes;
}

void prefixes_take(struct prefixes *into, const struct prefixes *from, uint16_t slot)
{
    const struct slot_cells *page = from->pages[slot / PAGE_SLOTS];
    const struct slot_cells *s = page != NULL ? &page[slot % PAGE_SLOTS] : NULL;

    for (size_t i = 0; s != NULL && i < s->count && i < from->count; i++) {
        struct name *n;

        if (s->cells[i].keys == 0)
            continue;
        n = i == OTHER ? into->names[OTHER] : find(into, from->names[i]->text);
        n->keys += s->cells[i].keys;
        n->at_least = n->at_least || from->names[i]->at_least;
        add_count(cell(into, slot, n->id), &s->cells[i]);
    }
}

/* ---- the table --------------------------------------------------------------------------------
 */

static int by_rank(const void *a, const void *b)
{
    const struct prefix_row *x = a;
    const struct prefix_row *y = b;

    if (x->count.keys != y->count.keys)
        return x->count.keys > y->count.keys ? -1 : 1;
    return str_compare(x->name, y->name);
}

size_t prefixes_list(const struct prefixes *p, struct prefix_row *out, size_t limit,
                     struct prefix_count *other)
{
    struct prefix_row *rows = mem_zero(p->count, sizeof(*rows));
    size_t count = 0;

    for (size_t i = 1; i < p->count; i++)
        rows[i] = (struct prefix_row){.name = p->names[i]->text, .at_least = p->names[i]->at_least};
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        const struct slot_cells *page = p->pages[slot / PAGE_SLOTS];
        const struct slot_cells *s = page != NULL ? &page[slot % PAGE_SLOTS] : NULL;

        for (size_t i = 0; s != NULL && i < s->count && i < p->count; i++)
            add_count(&rows[i].count, &s->cells[i]);
    }
    *other = rows[OTHER].count;
    qsort(rows + 1, p->count - 1, sizeof(*rows), by_rank);
    for (size_t i = 1; i < p->count; i++) {
        if (count < limit && rows[i].count.keys > 0)
            out[count++] = rows[i];
        else
            add_count(other, &rows[i].count);
    }
    free(rows);
    return count;
}
