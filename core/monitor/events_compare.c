/* What changed between two views of one observer: owners, roles, members. */
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/monitor/events_internal.h"

#define MOVES_MAX 64
#define RANGES_SHOWN 4

/* Slots that went from one member to another. */
struct move {
    uint16_t from, to;
    struct slot_set slots;
};

struct moves {
    struct move *items;
    size_t count, cap;
};

void events_count(struct events *t, const struct topology *view, bool add)
{
    for (size_t i = 0; i < view->count; i++) {
        const struct topology_node *n = &view->nodes[i];
        struct member *m = n->flags & NODE_HANDSHAKE ? NULL : events_member(t, n->id);
        unsigned one = add ? 1 : UINT32_MAX; /* adding it takes one away */

        if (m == NULL)
            continue;
        m->listed_by += one;
        if (n->flags & NODE_FAIL)
            m->down_by += one;
        else if (n->flags & NODE_PFAIL)
            m->suspected_by += one;
    }
}

/* Member index of each node of a view, and one more for "none". Freed by the caller. */
static uint16_t *member_indexes(struct events *t, const struct topology *view)
{
    uint16_t *index = mem_alloc((view->count + 1) * sizeof(*index));

    for (size_t i = 0; i < view->count; i++) {
        const struct member *m = events_find(t, view->nodes[i].id);

        index[i] = m == NULL ? MEMBER_NONE : m->index;
    }
    return index;
}

static uint16_t owner_in(const struct topology *view, const uint16_t *index, uint32_t slot)
{
    uint16_t at = view->owner[slot];

    return at == TOPOLOGY_NONE ? MEMBER_NONE : index[at];
}

static void add_move(struct moves *moves, uint16_t from, uint16_t to, uint16_t slot)
{
    struct move *m;

    for (size_t i = moves->count; i > 0; i--) {
        if (moves->items[i - 1].from == from && moves->items[i - 1].to == to) {
            slot_set_add(&moves->items[i - 1].slots, slot);
            return;
        }
    }
    if (moves->count >= MOVES_MAX)
        return;
    m = &ARRAY_PUSH(moves->items, moves->count, moves->cap);
    *m = (struct move){.from = from, .to = to};
    slot_set_add(&m->slots, slot);
}

static struct member *member_at(const struct events *t, uint16_t index)
{
    return index == MEMBER_NONE ? NULL : t->members[index];
}

static const struct topology_node *node_of(const struct topology *view, const struct member *m)
{
    uint16_t at =
        view == NULL || m == NULL ? TOPOLOGY_NONE : topology_find_id(view, str_from(m->id));

    return at == TOPOLOGY_NONE ? NULL : &view->nodes[at];
}

static bool was_replica_of(const struct events *t, const struct topology *before,
                           const struct member *who, uint16_t primary)
{
    const struct topology_node *n = node_of(before, who);

    if (n != NULL && n->role == NODE_ROLE_REPLICA && n->primary_id.len > 0 &&
        str_is(n->primary_id, t->members[primary]->id))
        return true;
    return who->followed == primary || (who->role == NODE_ROLE_REPLICA && who->primary == primary);
}

static const char *how_it_went(const struct topology_node *old, const struct member *m)
{
    if (m->down_by > 0 || (old != NULL && (old->flags & (NODE_FAIL | NODE_PFAIL)) != 0))
        return "the old primary is down";
    if (old != NULL && old->role == NODE_ROLE_REPLICA)
        return "the old primary follows it";
    return "the old primary has not said yet";
}

static void tell_move(const struct comparing *c, const struct move *move)
{
    struct member *to = member_at(c->t, move->to);
    const struct member *from = member_at(c->t, move->from);
    const struct topology_node *n = node_of(c->after, to);
    const struct topology_node *old = node_of(c->after, from);
    struct event_about about = {
        .observer = c->observer, .at_ms = c->at_ms, .node = from, .other = to};
    struct error ignored;
    struct buf ranges;

    buf_init(&ranges, EVENT_TEXT);
    if (!slot_set_format(&move->slots, RANGES_SHOWN, &ranges, &ignored))
        buf_clear(&ranges);
    about.epoch = n == NULL ? 0 : n->epoch;
    if (from == NULL) {
        about.kind = EVENT_RESHARD;
        about.level = EVENT_NOTICE;
        about.node = to;
        events_tell(c->t, c->out, &about, "slots %s now belong to %s", ranges.data, to->address);
    } else if (was_replica_of(c->t, c->before, to, move->from)) {
        about.kind = EVENT_FAILOVER;
        about.level = EVENT_CRIT;
        if (old != NULL && old->role == NODE_ROLE_REPLICA)
            about.level = EVENT_NOTICE;
        events_tell(c->t, c->out, &about, "failover %s -> %s, slots %s, epoch %llu; %s",
                    from->address, to->address, ranges.data, (unsigned long long)about.epoch,
                    how_it_went(old, from));
        to->took_epoch = about.epoch;
        to->role = NODE_ROLE_PRIMARY;
        to->primary = MEMBER_NONE;
        to->followed = MEMBER_NONE;
    } else {
        about.kind = EVENT_RESHARD;
        about.level = EVENT_NOTICE;
        events_tell(c->t, c->out, &about, "%u slots moved %s -> %s: %s",
                    (unsigned)slot_set_count(&move->slots), from->address, to->address,
                    ranges.data);
    }
    buf_release(&ranges);
}

static void tell_moves(const struct comparing *c, const struct moves *moves)
{
    for (size_t i = 0; i < moves->count; i++) {
        uint32_t at = 0;
        uint16_t first;
        uint16_t last;

        if (moves->items[i].to == MEMBER_NONE)
            continue; /* told as uncovered; who gets them next has them from the owner before */
        tell_move(c, &moves->items[i]);
        while (slot_set_next_range(&moves->items[i].slots, &at, &first, &last))
            for (uint32_t slot = first; slot <= last; slot++)
                c->t->owner[slot] = moves->items[i].to;
    }
}

static void compare_owners(const struct comparing *c)
{
    uint16_t *old = member_indexes(c->t, c->before);
    uint16_t *new = member_indexes(c->t, c->after);
    struct moves moves = {0};

    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t x = owner_in(c->before, old, slot);
        uint16_t y = owner_in(c->after, new, slot);

        if (x != y && c->t->owner[slot] == x)
            add_move(&moves, x, y, (uint16_t)slot);
    }
    tell_moves(c, &moves);
    free(moves.items);
    free(old);
    free(new);
}

void events_settle(struct events *t, int64_t at_ms, struct event_list *out)
{
    struct moves moves = {0};
    const struct comparing c = {.t = t, .after = t->agreed, .at_ms = at_ms, .out = out};
    uint16_t *index;

    if (t->agreed == NULL || t->agree_count != events_observers(t, NULL))
        return;
    index = member_indexes(t, t->agreed);
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t now = owner_in(t->agreed, index, slot);

        if (now != t->owner[slot])
            add_move(&moves, t->owner[slot], now, (uint16_t)slot);
    }
    tell_moves(&c, &moves);
    free(moves.items);
    free(index);
}

/* ---- members ---- */

/* Someone else who was at this address and is gone or down. */
static const struct member *predecessor(const struct events *t, const struct member *m)
{
    for (size_t i = 0; i < t->member_count; i++) {
        const struct member *other = t->members[i];

        if (other != m && strcmp(other->address, m->address) == 0 &&
            (!other->present || other->down_by > 0 || other->suspected_by > 0 || other->silent))
            return other;
    }
    return NULL;
}

static void tell_new(const struct comparing *c, struct member *m)
{
    const struct member *before = predecessor(c->t, m);
    struct event_about about = {.kind = before != NULL ? EVENT_REPLACED : EVENT_JOINED,
                                .level = EVENT_NOTICE,
                                .node = m,
                                .other = before,
                                .observer = c->observer,
                                .at_ms = c->at_ms};

    if (before != NULL)
        events_tell(c->t, c->out, &about, "%s has a new node id %.8s, before it was %.8s",
                    m->address, m->id, before->id);
    else
        events_tell(c->t, c->out, &about, "%s joined with node id %.8s", m->address, m->id);
}

static void tell_role(const struct comparing *c, struct member *m, const struct topology_node *n)
{
    struct member *primary = events_find(c->t, n->primary_id);
    uint16_t follows = primary == NULL ? MEMBER_NONE : primary->index;
    struct event_about about = {.kind = EVENT_ROLE,
                                .level = EVENT_NOTICE,
                                .node = m,
                                .other = primary,
                                .observer = c->observer,
                                .epoch = n->epoch,
                                .at_ms = c->at_ms};

    m->followed = MEMBER_NONE;
    if (n->role == NODE_ROLE_PRIMARY && m->role == NODE_ROLE_REPLICA) {
        m->followed = m->primary;
        events_tell(c->t, c->out, &about, "%s became a primary", m->address);
    } else if (n->role == NODE_ROLE_REPLICA && primary != NULL) {
        bool turned = m->role == NODE_ROLE_PRIMARY;

        about.level = turned ? EVENT_NOTICE : EVENT_INFO;
        events_tell(c->t, c->out, &about, "%s %s %s", m->address,
                    turned ? "is now a replica of" : "follows now", primary->address);
    }
    m->role = n->role;
    m->primary = follows;
}

/* Did this observer see the change, and was the state before it what was told last? */
static bool role_is_news(const struct events *t, const struct member *m,
                         const struct topology_node *before, const struct topology_node *after)
{
    const char *told = m->primary == MEMBER_NONE ? "" : t->members[m->primary]->id;

    if (before == NULL || after->role == NODE_ROLE_UNKNOWN || (after->flags & NODE_HANDSHAKE) != 0)
        return false;
    if (before->role == after->role && str_equal(before->primary_id, after->primary_id))
        return false;
    if (m->role == after->role && str_is(after->primary_id, told))
        return false;
    return m->role == before->role || m->role == NODE_ROLE_UNKNOWN;
}

static void compare_roles(const struct comparing *c)
{
    for (size_t i = 0; i < c->after->count; i++) {
        const struct topology_node *n = &c->after->nodes[i];
        struct member *m = events_find(c->t, n->id);

        if (m != NULL && role_is_news(c->t, m, node_of(c->before, m), n))
            tell_role(c, m, n);
    }
}

/* Addresses, and members that nobody had told of. */
static void take_members(const struct comparing *c)
{
    for (size_t i = 0; i < c->after->count; i++) {
        const struct topology_node *n = &c->after->nodes[i];
        struct member *m = n->flags & NODE_HANDSHAKE ? NULL : events_find(c->t, n->id);
        const struct member *primary = events_find(c->t, n->primary_id);

        if (m == NULL)
            continue;
        if (n->host.len > 0)
            events_address(m->address, n->host, n->port);
        if (m->present)
            continue;
        m->present = true;
        m->role = n->role;
        m->primary = primary == NULL ? MEMBER_NONE : primary->index;
        if (c->t->primed)
            tell_new(c, m);
    }
}

static void take_owners(struct events *t, const struct topology *view)
{
    uint16_t *index = member_indexes(t, view);

    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
        t->owner[slot] = owner_in(view, index, slot);
    free(index);
}

void events_compare(const struct comparing *c)
{
    take_members(c);
    if (!c->t->primed) {
        take_owners(c->t, c->after);
        c->t->primed = true;
    } else if (c->before != NULL) {
        if (topology_differ(c->before, c->after, NULL) > 0)
            compare_owners(c);
        compare_roles(c);
    }
}
