#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/redis/command.h"
#include "core/redis/topology_parse.h"
#include "core/verify/verify_search.h"

#define AT_ONCE 1000   /* counts in one pipeline */
#define STILL_ROUNDS 5 /* for a map that keeps changing */

static bool count_slots(struct verify_look *x, struct conn *conn, const uint16_t *slots,
                        size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct buf *out = conn_out(conn);

        if (!command_begin(out, 3, err) || !command_arg_text(out, "CLUSTER", err) ||
            !command_arg_text(out, "COUNTKEYSINSLOT", err) || !command_arg_u64(out, slots[i], err))
            return false;
    }
    if (!conn_appended(conn, count, 0, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct reply *r;
        int64_t number;

        if (!conn_next_reply(conn, &r, err) ||
            !reply_want_i64(r, "CLUSTER COUNTKEYSINSLOT", &number, err))
            return false;
        x->counted[slots[i]] = number > 0 && number < UINT32_MAX ? (uint32_t)number : 0;
    }
    return true;
}

/* Of the database at hand into `counted`: slots that the node owns, or all others. */
static bool count_side(struct verify_look *x, struct conn *conn, bool owned, struct error *err)
{
    uint16_t slots[AT_ONCE];
    size_t count = 0;

    for (uint32_t slot = 0; slot <= SLOT_COUNT; slot++) {
        if (slot < SLOT_COUNT && (x->owner[slot] == x->node) == owned)
            slots[count++] = (uint16_t)slot;
        if (count == AT_ONCE || (slot == SLOT_COUNT && count > 0)) {
            if (!task_checkpoint(x->s->task, err) || !count_slots(x, conn, slots, count, err))
                return false;
            count = 0;
        }
    }
    return true;
}

static uint64_t sum_side(const struct verify_look *x, bool owned)
{
    uint64_t sum = 0;

    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
        if ((x->owner[slot] == x->node) == owned)
            sum += x->counted[slot];
    return sum;
}

bool verify_read_view(struct conn *conn, struct slot_set *importing, bool *primary,
                      struct error *err)
{
    const struct address *a = conn_address(conn);
    struct topology_self self = {str_from(a->host), a->port};
    const struct reply *r;
    struct topology *t;
    struct str text;

    *importing = (struct slot_set){{0}};
    if (!conn_call(conn, COMMAND(STR("CLUSTER"), STR("NODES")), 0, &r, err) ||
        !reply_want_string(r, "CLUSTER NODES", &text, err))
        return false;
    t = topology_parse_nodes(text, self, err);
    if (t == NULL)
        return false;
    for (size_t i = 0; i < t->open_count; i++)
        if (t->open[i].importing)
            slot_set_add(importing, t->open[i].slot);
    *primary = t->self == TOPOLOGY_NONE || t->nodes[t->self].role != NODE_ROLE_REPLICA;
    topology_free(t);
    return true;
}

static bool note_foreign(struct verify_look *x, struct conn *conn, struct error *err)
{
    struct slot_set importing;
    bool primary;

    if (!verify_read_view(conn, &importing, &primary, err))
        return false;
    if (!primary)
        return true; /* it was demoted, which the map of another node did not tell yet */
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        struct verify_foreign f = {.db = x->db,
                                   .slot = (uint16_t)slot,
                                   .count = x->counted[slot],
                                   .importing = slot_set_has(&importing, (uint16_t)slot)};

        if (x->owner[slot] == x->node || f.count == 0)
            continue;
        memcpy(f.id, x->primaries[x->node], sizeof(f.id));
        ARRAY_PUSH(x->foreign, x->foreign_count, x->foreign_cap) = f;
    }
    return true;
}

/* The node's own total tells whether it has keys of slots that it does not own: rarely, so those
 * slots are counted only then. */
static bool count_database(struct verify_look *x, struct conn *conn, struct error *err)
{
    size_t foreign = x->foreign_count;
    const struct reply *r;
    int64_t all;

    memset(x->counted, 0, sizeof(x->counted));
    if ((x->db != 0 && !verify_select(conn, x->db, err)) || !count_side(x, conn, true, err) ||
        !conn_call(conn, COMMAND(STR("DBSIZE")), 0, &r, err) ||
        !reply_want_i64(r, "DBSIZE", &all, err))
        return false;
    if ((uint64_t)all > sum_side(x, true) &&
        (!count_side(x, conn, false, err) || !note_foreign(x, conn, err))) {
        x->foreign_count = foreign; /* it is done again */
        return false;
    }
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
        if (x->owner[slot] == x->node)
            x->live[slot] += x->counted[slot];
    return true;
}

void verify_read_map(struct verify_look *x)
{
    const struct cluster_node *nodes;
    const struct cluster_node *last = NULL;
    size_t count = cluster_nodes(x->cluster, &nodes);

    free(x->primaries);
    x->primaries = mem_zero(count + 1, sizeof(*x->primaries));
    x->primary_count = 0;
    for (size_t i = 0; i < count; i++)
        if (nodes[i].role == NODE_ROLE_PRIMARY)
            (void)str_copy(str_from(nodes[i].id), x->primaries[x->primary_count++],
                           sizeof(*x->primaries));
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        const struct cluster_node *owner = cluster_owner(x->cluster, (uint16_t)slot);

        if (slot > 0 && owner == last) {
            x->owner[slot] = x->owner[slot - 1];
            continue;
        }
        last = owner;
        x->owner[slot] = SLOT_NONE;
        for (size_t i = 0; owner != NULL && i < x->primary_count; i++)
            if (strcmp(x->primaries[i], owner->id) == 0)
                x->owner[slot] = (uint16_t)i;
    }
    memset(x->live, 0, sizeof(x->live));
    x->foreign_count = 0;
}

void verify_moved_slots(const struct verify_look *x, struct slot_set *out)
{
    *out = (struct slot_set){{0}};
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        const struct cluster_node *owner = cluster_owner(x->cluster, (uint16_t)slot);
        const char *then = x->owner[slot] == SLOT_NONE ? "" : x->primaries[x->owner[slot]];

        if (strcmp(then, owner == NULL ? "" : owner->id) != 0)
            slot_set_add(out, (uint16_t)slot);
    }
}

static bool count_nodes(struct verify_look *x, struct error *err)
{
    for (x->node = 0; x->node < x->primary_count; x->node++)
        for (size_t i = 0; i < x->database_count; i++) {
            x->db = x->databases[i];
            if (!verify_on_node(x, x->primaries[x->node], count_database, err))
                return false;
        }
    return true;
}

bool verify_count(struct verify_look *x, struct error *err)
{
    if (!x->s->cluster) {
        verify_read_map(x);
        return true;
    }
    task_stage(x->s->task, "count");
    for (unsigned round = 0; round < STILL_ROUNDS; round++) {
        struct slot_set moved;

        verify_read_map(x);
        if (!count_nodes(x, err) || !cluster_refresh(x->cluster, err))
            return false;
        verify_moved_slots(x, &moved);
        if (slot_set_count(&moved) == 0)
            return true;
    }
    /* Slots keep moving: list them all, and say nothing of who holds what. */
    memset(x->live, 0xff, sizeof(x->live));
    x->foreign_count = 0;
    x->restless = true;
    return true;
}
