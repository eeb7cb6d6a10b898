#include "core/redis/topology_build.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"

#define OPEN_SLOTS_MAX ((size_t)SLOT_COUNT * 2)
#define CLAIMS_MAX (UINT64_C(64) * SLOT_COUNT)

void topology_build_init(struct topology_build *b, enum topology_source source,
                         struct topology_self self)
{
    *b = (struct topology_build){.t = mem_zero(1, sizeof(*b->t)), .self = self};
    b->t->source = source;
    b->t->self = TOPOLOGY_NONE;
    for (size_t i = 0; i < SLOT_COUNT; i++)
        b->t->owner[i] = TOPOLOGY_NONE;
}

struct topology *topology_build_drop(struct topology_build *b)
{
    free(b->nodes);
    free(b->open);
    topology_free(b->t);
    return NULL;
}

struct topology_node *topology_build_node(struct topology_build *b, struct error *err)
{
    struct topology_node *n;

    if (b->t->count >= TOPOLOGY_NODES_MAX) {
        (void)error_set(err, ERROR_LIMIT, 0, "the cluster lists more than %d nodes",
                        TOPOLOGY_NODES_MAX);
        return NULL;
    }
    n = &ARRAY_PUSH(b->nodes, b->t->count, b->node_cap);
    *n = (struct topology_node){.primary = TOPOLOGY_NONE, .link_up = true, .offset = -1};
    return n;
}

struct str topology_build_keep(struct topology_build *b, struct str s)
{
    return arena_str(&b->t->arena, s);
}

bool topology_is_unknown_host(struct str host)
{
    return host.len == 0 || str_is(host, "?") || str_is(host, "NULL");
}

/* Later claims win: CLUSTER NODES never gives a slot twice, and a broken one must not crash us. */
void topology_build_claim(struct topology_build *b, uint16_t node, int first, int last)
{
    if (first > last || b->claimed > CLAIMS_MAX)
        return;
    b->claimed += (uint64_t)(last - first + 1);
    for (int slot = first; slot <= last; slot++)
        b->t->owner[slot] = node;
}

static bool is_self(const struct topology_build *b, const struct topology_node *n)
{
    if (b->self.port == 0 || (n->port != b->self.port && n->tls_port != b->self.port))
        return false;
    return str_equal(n->host, b->self.host) ||
           (n->hostname.len > 0 && str_equal(n->hostname, b->self.host));
}

static void find_primaries(struct topology *t)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->nodes[i].primary_id.len > 0)
            t->nodes[i].primary = topology_find_id(t, t->nodes[i].primary_id);
}

struct topology *topology_build_finish(struct topology_build *b)
{
    struct topology *t = b->t;

    t->nodes = arena_array(&t->arena, t->count + 1, sizeof(*t->nodes));
    t->open = arena_array(&t->arena, t->open_count + 1, sizeof(*t->open));
    if (t->count > 0)
        memcpy(t->nodes, b->nodes, t->count * sizeof(*t->nodes));
    if (t->open_count > 0)
        memcpy(t->open, b->open, t->open_count * sizeof(*t->open));
    free(b->nodes);
    free(b->open);
    find_primaries(t);
    for (size_t slot = 0; slot < SLOT_COUNT; slot++) {
        if (t->owner[slot] == TOPOLOGY_NONE)
            continue;
        t->assigned++;
        t->nodes[t->owner[slot]].slots++;
    }
    for (size_t i = 0; i < t->count; i++) {
        struct topology_node *n = &t->nodes[i];

        if (n->epoch > t->max_epoch)
            t->max_epoch = n->epoch;
        if (t->self == TOPOLOGY_NONE && is_self(b, n)) {
            t->self = (uint16_t)i;
            n->flags |= NODE_MYSELF;
        }
    }
    return t;
}

bool topology_is_id(struct str s)
{
    if (s.len == 0 || s.len > TOPOLOGY_ID_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
            return false;
    }
    return true;
}

bool topology_build_open(struct topology_build *b, const struct topology_open *open)
{
    struct topology_open *o;

    if (b->t->open_count >= OPEN_SLOTS_MAX)
        return false;
    o = &ARRAY_PUSH(b->open, b->t->open_count, b->open_cap);
    *o = *open;
    o->peer_id = topology_build_keep(b, open->peer_id);
    return true;
}
