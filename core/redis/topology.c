#include "core/redis/topology.h"

#include <stdlib.h>
#include <string.h>

void topology_free(struct topology *t)
{
    if (t == NULL)
        return;
    arena_release(&t->arena);
    free(t);
}

uint16_t topology_find_id(const struct topology *t, struct str id)
{
    for (size_t i = 0; i < t->count && id.len > 0; i++)
        if (str_equal(t->nodes[i].id, id))
            return (uint16_t)i;
    return TOPOLOGY_NONE;
}

uint16_t topology_find_address(const struct topology *t, struct str host, uint16_t port)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct topology_node *n = &t->nodes[i];

        if (n->port != port && n->tls_port != port)
            continue;
        if (str_equal(n->host, host) || (n->hostname.len > 0 && str_equal(n->hostname, host)))
            return (uint16_t)i;
    }
    return TOPOLOGY_NONE;
}

const struct topology_node *topology_owner(const struct topology *t, uint16_t slot)
{
    uint16_t at = slot < SLOT_COUNT ? t->owner[slot] : TOPOLOGY_NONE;

    return at == TOPOLOGY_NONE ? NULL : &t->nodes[at];
}

void topology_slots_of(const struct topology *t, uint16_t index, struct slot_set *out)
{
    *out = (struct slot_set){0};
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
        if (t->owner[slot] == index)
            slot_set_add(out, (uint16_t)slot);
}

void topology_uncovered(const struct topology *t, struct slot_set *out)
{
    topology_slots_of(t, TOPOLOGY_NONE, out);
}

static bool same_node(const struct topology_node *a, const struct topology_node *b)
{
    if (a->id.len > 0 && b->id.len > 0)
        return str_equal(a->id, b->id);
    return a->port == b->port && str_equal(a->host, b->host);
}

uint32_t topology_differ(const struct topology *a, const struct topology *b, struct slot_set *out)
{
    /* Owners change in long runs: remember the last pair of indexes and its answer. */
    uint16_t last_a = TOPOLOGY_NONE;
    uint16_t last_b = TOPOLOGY_NONE;
    bool last_same = true;
    uint32_t count = 0;

    if (out != NULL)
        *out = (struct slot_set){0};
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t x = a->owner[slot];
        uint16_t y = b->owner[slot];

        if (x != last_a || y != last_b) {
            last_a = x;
            last_b = y;
            if (x == TOPOLOGY_NONE || y == TOPOLOGY_NONE)
                last_same = x == y;
            else
                last_same = same_node(&a->nodes[x], &b->nodes[y]);
        }
        if (last_same)
            continue;
        count++;
        if (out != NULL)
            slot_set_add(out, (uint16_t)slot);
    }
    return count;
}

void topology_open_slots(const struct topology *t, struct slot_set *out)
{
    *out = (struct slot_set){0};
    for (size_t i = 0; i < t->open_count; i++)
        slot_set_add(out, t->open[i].slot);
}

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
    const unsigned char *p = data;

    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h ^ (h >> 29);
}

static uint64_t mix_str(uint64_t h, struct str s)
{
    h = mix(h, &s.len, sizeof(s.len));
    return s.len > 0 ? mix(h, s.ptr, s.len) : h;
}

static uint64_t node_key(const struct topology_node *n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    h = mix_str(h, n->id);
    return n->id.len > 0 ? h : mix(mix_str(h, n->host), &n->port, sizeof(n->port));
}

uint64_t topology_fingerprint(const struct topology *t)
{
    uint64_t sum = 0;
    uint32_t slot = 0;

    /* Sums, so that the order in which a node lists the others does not matter. */
    for (size_t i = 0; i < t->count; i++) {
        const struct topology_node *n = &t->nodes[i];
        int role = (int)n->role;

        if (n->flags & NODE_HANDSHAKE)
            continue;
        sum += mix_str(mix(node_key(n), &role, sizeof(role)), n->primary_id);
    }
    while (slot < SLOT_COUNT) {
        uint32_t first = slot;
        uint16_t at = t->owner[slot];
        uint32_t range[2];

        while (slot < SLOT_COUNT && t->owner[slot] == at)
            slot++;
        if (at == TOPOLOGY_NONE)
            continue;
        range[0] = first;
        range[1] = slot;
        sum += mix(node_key(&t->nodes[at]), range, sizeof(range));
    }
    return sum;
}
