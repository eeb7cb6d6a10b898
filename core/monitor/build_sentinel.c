/* What the Sentinels that answer say of a server: whether it is the primary, and whether it lives.
 */
#include <string.h>

#include "core/monitor/events_internal.h"
#include "core/monitor/monitor_internal.h"

bool build_named_primary(const struct monitor *m, char *name)
{
    const struct sentinel_instance *x = m->mode == REDIS_MODE_SENTINEL ? discover_master(m) : NULL;

    if (x != NULL)
        events_address(name, x->host, x->port);
    return x != NULL;
}

static const struct sentinel_instance *find(const struct sentinel_list *list,
                                            const struct monitor_node *n)
{
    for (size_t i = 0; i < list->count; i++) {
        char name[EVENT_NAME];

        events_address(name, list->items[i].host, list->items[i].port);
        if (str_is(n->address, name))
            return &list->items[i];
    }
    return NULL;
}

/* Of this group only: a Sentinel may watch several. */
static const struct sentinel_instance *find_master(const struct monitor *m, const struct target *t,
                                                   const struct monitor_node *n)
{
    const struct sentinel_instance *x = find(&t->masters, n);

    return x != NULL && str_is(x->name, m->master_name) ? x : NULL;
}

/* A server that is silent cannot say that it was demoted, or what it ever was. */
static void correct_role(const struct monitor *m, struct monitor_node *n, bool is_replica)
{
    char name[EVENT_NAME];

    if (!build_named_primary(m, name) || n->role == MONITOR_ROLE_SENTINEL)
        return;
    if (n->stale && n->role == MONITOR_PRIMARY && !str_is(n->address, name))
        n->role = MONITOR_REPLICA;
    if (n->role != MONITOR_ROLE_UNKNOWN)
        return;
    if (str_is(n->address, name))
        n->role = MONITOR_PRIMARY;
    else if (is_replica)
        n->role = MONITOR_REPLICA;
    n->shard = n->role == MONITOR_ROLE_UNKNOWN ? SNAPSHOT_NONE : 0;
}

void build_ask_sentinels(const struct monitor *m, struct monitor_node *n)
{
    bool is_replica = false;
    unsigned sdown = 0;
    unsigned odown = 0;

    if (m->mode != REDIS_MODE_SENTINEL)
        return;
    for (size_t i = 0; i < m->target_count; i++) {
        const struct target *t = m->targets[i];
        const struct sentinel_instance *x;
        const struct sentinel_instance *replica;

        if (!t->sentinel || t->missed > 0 || t->answered_ms < 0)
            continue;
        replica = find(&t->replicas, n);
        is_replica = is_replica || replica != NULL;
        x = find_master(m, t, n);
        x = x == NULL ? replica : x;
        x = x == NULL ? find(&t->peers, n) : x;
        if (x == NULL)
            continue;
        n->observers++;
        sdown += (x->flags & SENTINEL_SDOWN) != 0;
        odown += (x->flags & SENTINEL_ODOWN) != 0;
    }
    correct_role(m, n, is_replica);
    /* Only a primary can be ODOWN; of the others all Sentinels must say the same. */
    if (sdown > 0 && sdown == n->observers)
        odown = sdown;
    n->down_by = odown;
    n->suspected_by = odown > 0 ? 0 : sdown;
}
