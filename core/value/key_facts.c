#include "core/value/key_facts.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/sorter.h"

/* A spool's record: the key sorts by slot, database, name; the data is the rest. */
struct order {
    uint16_t slot; /* big-endian, as db */
    uint32_t db;
} __attribute__((packed));

struct rest {
    struct digest128 content;
    int64_t deadline;
    uint64_t bytes;
    uint8_t type;
    bool hyperloglog;
    bool fuzzy;
}; /* then the TYPE word */

struct key_spool {
    struct sorter *sorter;
    struct buf key;
    struct buf data;
};

int key_facts_compare(const struct key_facts *a, const struct key_facts *b)
{
    if (a->slot != b->slot)
        return a->slot < b->slot ? -1 : 1;
    if (a->db != b->db)
        return a->db < b->db ? -1 : 1;
    return str_compare(a->key, b->key);
}

struct key_spool *key_spool_new(const char *dir, size_t memory)
{
    struct key_spool *s = mem_zero(1, sizeof(*s));

    s->sorter = sorter_new(dir, memory);
    buf_init(&s->key, SORTER_RECORD_MAX);
    buf_init(&s->data, SORTER_RECORD_MAX);
    return s;
}

void key_spool_free(struct key_spool *s)
{
    if (s == NULL)
        return;
    sorter_free(s->sorter);
    buf_release(&s->key);
    buf_release(&s->data);
    free(s);
}

bool key_spool_add(struct key_spool *s, const struct key_facts *k, struct error *err)
{
    struct order order = {htobe16(k->slot), htobe32(k->db)};
    struct rest rest;

    memset(&rest, 0, sizeof(rest)); /* its padding goes to disk as well */
    rest.content = k->content;
    rest.deadline = k->deadline;
    rest.bytes = k->bytes;
    rest.type = (uint8_t)k->type;
    rest.hyperloglog = k->hyperloglog;
    rest.fuzzy = k->fuzzy;
    buf_clear(&s->key);
    buf_clear(&s->data);
    return buf_append(&s->key, (struct str){(const char *)&order, sizeof(order)}, err) &&
           buf_append(&s->key, k->key, err) &&
           buf_append(&s->data, (struct str){(const char *)&rest, sizeof(rest)}, err) &&
           buf_append(&s->data, k->type_name, err) &&
           sorter_add(s->sorter, buf_str(&s->key), buf_str(&s->data), err);
}

uint64_t key_spool_count(const struct key_spool *s)
{
    return sorter_count(s->sorter);
}

bool key_spool_sort(struct key_spool *s, size_t keep, struct error *err)
{
    return sorter_sort(s->sorter, keep, err);
}

bool key_spool_next(struct key_spool *s, struct key_facts *out, bool *end, struct error *err)
{
    struct order order;
    struct rest rest;
    struct str key;
    struct str data;

    if (!sorter_next(s->sorter, &key, &data, end, err))
        return false;
    if (*end)
        return true;
    memcpy(&order, key.ptr, sizeof(order));
    memcpy(&rest, data.ptr, sizeof(rest));
    *out = (struct key_facts){.key = str_slice(key, sizeof(order), key.len),
                              .db = be32toh(order.db),
                              .slot = be16toh(order.slot),
                              .type = (enum record_type)rest.type,
                              .type_name = str_slice(data, sizeof(rest), data.len),
                              .content = rest.content,
                              .deadline = rest.deadline,
                              .bytes = rest.bytes,
                              .hyperloglog = rest.hyperloglog,
                              .fuzzy = rest.fuzzy};
    return true;
}
