/* Which servers are there: seeds, and whatever the answers name. */
#include <stdlib.h>
#include <string.h>

#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/monitor/events_internal.h"
#include "core/monitor/monitor_internal.h"

struct target *discover_find(const struct monitor *m, const char *id)
{
    for (size_t i = 0; i < m->target_count; i++)
        if (strcmp(m->targets[i]->id, id) == 0)
            return m->targets[i];
    return NULL;
}

struct target *discover_find_name(const struct monitor *m, const char *name)
{
    for (size_t i = 0; i < m->target_count; i++)
        if (strcmp(m->targets[i]->name, name) == 0)
            return m->targets[i];
    return NULL;
}

static struct target *add(struct monitor *m, const struct address *announced,
                          const char *server_name, bool sentinel)
{
    struct address connect = *announced;
    struct target *t;

    if (m->target_count >= TARGETS_MAX)
        return NULL;
    (void)address_map_apply(m->redis->map, &connect);
    t = target_new(announced, &connect, sentinel ? &m->sentinel_conn : &m->conn, server_name);
    t->sentinel = sentinel;
    t->next_ms = clock_mono_ms();
    t->wanted = true;
    if (sentinel)
        t->messages = conn_new(&connect, &m->sentinel_conn);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression) */
    ARRAY_PUSH(m->targets, m->target_count, m->target_cap) = t;
    return t;
}

static void add_seeds(struct monitor *m, const struct address *seeds, size_t count, bool sentinel)
{
    for (size_t i = 0; i < count; i++) {
        char name[EVENT_NAME];
        struct target *t;

        events_address(name, str_from(seeds[i].host), seeds[i].port);
        if (discover_find_name(m, name) != NULL)
            continue;
        /* Seeds are written as we reach them: the map is for what servers announce. */
        if (m->target_count >= TARGETS_MAX)
            return;
        t = target_new(&seeds[i], &seeds[i], sentinel ? &m->sentinel_conn : &m->conn, "");
        t->sentinel = sentinel;
        t->seed = true;
        t->next_ms = clock_mono_ms();
        if (sentinel)
            t->messages = conn_new(&seeds[i], &m->sentinel_conn);
        /* NOLINTNEXTLINE(bugprone-sizeof-expression) */
        ARRAY_PUSH(m->targets, m->target_count, m->target_cap) = t;
    }
}

void discover_seeds(struct monitor *m)
{
    if (m->mode == REDIS_MODE_SENTINEL)
        add_seeds(m, m->redis->sentinels, m->redis->sentinel_count, true);
    else
        add_seeds(m, m->redis->seeds, m->redis->seed_count, false);
}

/* A node that answers may be known by another address (a seed's name, another interface): one
 * connection per node is enough. */
static void want_node(struct monitor *m, const struct topology_node *n)
{
    struct address a;
    char name[EVENT_NAME];
    struct target *known = n->id.len > 0 ? discover_find(m, n->id.ptr) : NULL;

    if ((n->flags & (NODE_NOADDR | NODE_HANDSHAKE)) != 0 || n->host.len == 0 ||
        !address_set(&a, n->host, n->port))
        return;
    events_address(name, str_from(a.host), a.port);
    if (known == NULL || (known->missed > 2 && strcmp(known->name, name) != 0))
        known = discover_find_name(m, name);
    if (known == NULL)
        known = add(m, &a, n->hostname.len > 0 ? n->hostname.ptr : "", false);
    if (known == NULL)
        return;
    known->wanted = true;
    /* It has not said its own id yet: what the others call it is better than nothing. */
    if (strcmp(known->id, known->name) == 0 && n->id.len > 0)
        (void)str_copy(n->id, known->id, sizeof(known->id));
}

static void want_address(struct monitor *m, struct str host, int64_t port, bool sentinel)
{
    struct address a;
    char name[EVENT_NAME];
    struct target *known;

    if (port < 1 || port > 65535 || !address_set(&a, host, (uint16_t)port))
        return;
    events_address(name, str_from(a.host), a.port);
    known = discover_find_name(m, name);
    if (known == NULL)
        known = add(m, &a, "", sentinel);
    if (known != NULL)
        known->wanted = true;
}

const struct sentinel_instance *discover_master(const struct monitor *m)
{
    const struct sentinel_instance *best = NULL;

    for (size_t i = 0; i < m->target_count; i++) {
        const struct target *t = m->targets[i];

        for (size_t k = 0; t->sentinel && k < t->masters.count; k++) {
            const struct sentinel_instance *x = &t->masters.items[k];

            if (str_is(x->name, m->master_name) &&
                (best == NULL || x->config_epoch > best->config_epoch))
                best = x;
        }
    }
    return best;
}

static void want_group(struct monitor *m)
{
    const struct sentinel_instance *master = discover_master(m);

    if (master == NULL)
        return;
    want_address(m, master->host, master->port, false);
    for (size_t i = 0; i < m->target_count; i++) {
        const struct sentinel_list replicas = m->targets[i]->replicas;
        const struct sentinel_list peers = m->targets[i]->peers;

        if (!m->targets[i]->sentinel)
            continue;
        for (size_t k = 0; k < replicas.count; k++)
            want_address(m, replicas.items[k].host, replicas.items[k].port, false);
        for (size_t k = 0; k < peers.count; k++)
            want_address(m, peers.items[k].host, peers.items[k].port, true);
    }
}

/* A single server: its replicas, and the primary of one that is a replica. */
static void want_replication(struct monitor *m)
{
    size_t count = m->target_count;

    for (size_t i = 0; i < count; i++) {
        const struct target *t = m->targets[i];

        if (!t->has_info)
            continue;
        for (size_t k = 0; k < t->info.replica_count; k++)
            want_address(m, t->info.replicas[k].host, t->info.replicas[k].port, false);
        if (t->info.role == INFO_ROLE_REPLICA)
            want_address(m, t->info.primary_host, t->info.primary_port, false);
    }
}

static void drop(struct monitor *m, size_t at)
{
    events_forget(m->events, str_from(m->targets[at]->name));
    target_free(m->targets[at]);
    m->targets[at] = m->targets[--m->target_count];
}

static bool is_double(const struct monitor *m, const struct target *t)
{
    for (size_t i = 0; i < m->target_count; i++) {
        const struct target *other = m->targets[i];

        if (other != t && other->wanted && strcmp(other->id, t->id) == 0)
            return true;
    }
    return false;
}

static bool nobody_answers(const struct monitor *m)
{
    for (size_t i = 0; i < m->target_count; i++)
        if (m->targets[i]->missed == 0)
            return false;
    return true;
}

void discover_targets(struct monitor *m)
{
    const struct topology *view = events_agreed(m->events);
    bool known = m->mode != REDIS_MODE_CLUSTER || view != NULL;

    /* With nobody left to ask the way, ask where the operator said. */
    if (nobody_answers(m))
        discover_seeds(m);
    for (size_t i = 0; i < m->target_count; i++)
        m->targets[i]->wanted = false;
    if (m->mode == REDIS_MODE_CLUSTER && view != NULL) {
        for (size_t i = 0; i < view->count; i++)
            want_node(m, &view->nodes[i]);
    } else if (m->mode == REDIS_MODE_SENTINEL) {
        known = discover_master(m) != NULL;
        want_group(m);
    } else if (m->mode == REDIS_MODE_SINGLE) {
        want_replication(m);
    }
    for (size_t i = m->target_count; i > 0 && known; i--) {
        struct target *t = m->targets[i - 1];
        bool keep = t->wanted || (t->seed && !is_double(m, t)) || t->busy;

        /* Outside Cluster a node that left no trace may only be down: keep what has answered. */
        if (!keep && (m->mode == REDIS_MODE_CLUSTER || t->answered_ms < 0))
            drop(m, i - 1);
    }
}
