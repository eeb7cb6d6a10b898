#include "core/restore/restore_size.h"

#define SCORE_BYTES 8
#define COMPACT_BYTES 64 /* longer elements make a server leave the compact encoding */
#define TTL_BYTES 48     /* the entry in the table of expiries */
#define ENTRY_BYTES 7    /* the id as a difference, lengths, less the field names that are shared */
#define STREAM_BYTES 4300 /* its last node has room for more */
#define LIST_BYTES 60
#define SET_BYTES 110
#define KEY_BYTES 72 /* table entry, object, string header, room in the table */

/* Elements up to which the compact form is kept, what an element costs in it beside its bytes, and
 * what it costs in the full form: table or list entry, string headers, allocator's rounding. */
struct cost {
    size_t compact_items;
    uint64_t compact;
    uint64_t full;
};

static const struct cost costs[RECORD_TYPES] = {
    [RECORD_HASH] = {128, 7, 44},
    [RECORD_LIST] = {SIZE_MAX, 4, 4},
    [RECORD_ZSET] = {128, 8, 85},
};

static const struct cost set_costs[] = {
    [RESTORE_SETS_VALKEY] = {128, 4, 14},
    [RESTORE_SETS_REDIS] = {128, 4, 40},
    [RESTORE_SETS_OLD] = {0, 0, 44},
};

struct measure {
    uint64_t bytes;
    uint64_t longest;
};

static void add(struct measure *m, struct str item)
{
    m->bytes += item.len;
    if (item.len > m->longest)
        m->longest = item.len;
}

static void add_entries(const struct record *r, struct measure *m)
{
    for (size_t i = 0; i < record_count(r); i++) {
        struct record_entry e;

        record_entry(r, i, &e);
        m->bytes += ENTRY_BYTES;
        for (size_t k = 0; k < e.count; k++)
            add(m, record_entry_item(r, &e, k));
    }
}

static void add_groups(const struct record *r, struct measure *m)
{
    size_t count;
    const struct stream_group *groups = record_groups(r, &count);

    for (size_t i = 0; i < count; i++) {
        add(m, groups[i].name);
        for (size_t k = 0; k < groups[i].consumer_count; k++)
            add(m, groups[i].consumers[k]);
        m->bytes += groups[i].pending_count * sizeof(struct stream_pending);
    }
}

static struct measure value_of(const struct record *r)
{
    struct measure m = {0, 0};

    switch (record_head(r)->type) {
    case RECORD_STRING:
        add(&m, record_string(r));
        break;
    case RECORD_LIST:
    case RECORD_SET:
        for (size_t i = 0; i < record_count(r); i++)
            add(&m, record_item(r, i));
        break;
    case RECORD_HASH:
    case RECORD_ZSET:
        for (size_t i = 0; i < record_count(r); i++) {
            struct str first;
            struct str second;

            record_pair(r, i, &first, &second);
            add(&m, first);
            if (record_head(r)->type == RECORD_HASH)
                add(&m, second);
            else
                m.bytes += SCORE_BYTES;
        }
        break;
    case RECORD_STREAM:
        add_entries(r, &m);
        add_groups(r, &m);
        break;
    case RECORD_OPAQUE:
        add(&m, record_dump(r));
        break;
    case RECORD_TYPES:
        break;
    }
    return m;
}

uint64_t restore_size_payload(const struct record *r)
{
    return record_head(r)->key.len + value_of(r).bytes;
}

/* Allocators round up to a size class: an eighth in the middle. */
static uint64_t rounded(uint64_t bytes)
{
    return bytes < 128 ? (bytes + 15) / 16 * 16 : bytes + bytes / 12;
}

/* Entries share nodes of up to 100 with their field names; a group's pending entry costs a node in
 * two trees. */
static uint64_t stream_memory(const struct record *r, const struct measure *m)
{
    size_t count;
    const struct stream_group *groups = record_groups(r, &count);
    uint64_t sum = m->bytes + (record_has_state(r) ? STREAM_BYTES : 0);

    for (size_t i = 0; i < count; i++)
        sum += 500 + 300 * groups[i].consumer_count + 120 * groups[i].pending_count;
    return sum;
}

static uint64_t value_memory(const struct record *r, enum restore_size_sets sets)
{
    const struct record_head *h = record_head(r);
    const struct cost *c = h->type == RECORD_SET ? &set_costs[sets] : &costs[h->type];
    struct measure m = value_of(r);
    size_t count = record_count(r);

    if (h->type == RECORD_STRING)
        return rounded(m.bytes + 3);
    if (h->type == RECORD_STREAM)
        return stream_memory(r, &m);
    if (h->type == RECORD_OPAQUE)
        return 2 * m.bytes; /* a payload is packed; nobody knows what becomes of it */
    if (!h->chunked && count <= c->compact_items &&
        (m.longest <= COMPACT_BYTES || h->type == RECORD_LIST))
        return rounded(m.bytes + c->compact * count + 16) +
               (h->type == RECORD_LIST ? LIST_BYTES : 0);
    return m.bytes + m.bytes / 12 + c->full * count + (h->type == RECORD_SET ? SET_BYTES : 0);
}

uint64_t restore_size_memory(const struct record *r, enum restore_size_sets sets)
{
    const struct record_head *h = record_head(r);
    uint64_t sum = value_memory(r, sets) + 40 * record_deadlines(r);

    if (h->chunked && h->chunk_seq > 0)
        return sum;
    return sum + KEY_BYTES + rounded(h->key.len + 3) +
           (h->ttl_millis != RECORD_NO_TIME ? TTL_BYTES : 0);
}
