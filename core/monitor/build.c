/* A snapshot from the targets' last answers and the agreed view. */
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/monitor/events_internal.h"
#include "core/monitor/monitor_internal.h"

struct building {
    struct monitor *m;
    struct snapshot *s;
    const struct topology *view; /* NULL outside Cluster and before the first */
    const struct target **of;    /* the target of each node, may be NULL */
    int64_t now_ms;
};

bool build_is_stale(const struct monitor *m, const struct target *t, int64_t now_ms)
{
    int64_t interval = atomic_load(&m->interval_ms);
    int64_t since = t->answered_ms >= 0 ? t->answered_ms : m->started_ms;

    /* One poll may get lost; but of a node that never answered there is nothing to go on. */
    return t->missed >= (t->answered_ms < 0 ? 1 : 2) ||
           now_ms - since > interval * 2 + (interval > 500 ? interval / 2 : 250);
}

static struct str keep(const struct building *b, struct str s)
{
    return arena_str(&b->s->arena, s);
}

static int64_t rounded(double value)
{
    return series_is_gap(value) || value < 0 ? -1 : (int64_t)(value + 0.5);
}

/* ---- what a node says of itself ---- */

static void fill_server(const struct building *b, struct monitor_node *n, const struct target *t)
{
    const struct info *i = &t->info;

    n->version = keep(b, i->version);
    n->flavour = keep(b, i->flavour);
    n->run_id = keep(b, i->run_id);
    n->replid = keep(b, i->replid);
    n->uptime_s = i->uptime_s;
    n->memory = i->used_memory;
    n->memory_rss = i->used_memory_rss;
    n->maxmemory = i->maxmemory;
    n->maxmemory_policy = keep(b, i->maxmemory_policy);
    n->clients = i->connected_clients;
    n->maxclients = i->maxclients;
    n->blocked_clients = i->blocked_clients;
    n->ops_per_sec = i->ops_per_sec;
    n->input_per_sec = rounded(t->in);
    n->output_per_sec = rounded(t->out);
    n->evicted_per_sec = rounded(t->evicted);
    n->rejected_connections = i->rejected_connections;
    n->hits_pct = t->hits + t->misses > 0 ? rounded(1000 * t->hits / (t->hits + t->misses)) : -1;
}

static void fill_keys(struct monitor_node *n, const struct target *t)
{
    if (t->sentinel)
        return;
    if (t->has_info && t->info.keys >= 0 && !t->refused[ASK_INFO]) {
        n->keys = t->info.keys;
        n->keys_expiring = t->info.keys_expiring;
        n->keys_source = MONITOR_KEYS_INFO;
    } else if (t->dbsize >= 0) {
        n->keys = t->dbsize;
        n->keys_source = MONITOR_KEYS_DBSIZE;
    }
}

static void fill_persistence(struct monitor_node *n, const struct info *i)
{
    n->loading = i->loading == 1 || i->async_loading == 1;
    n->loading_eta_s = i->loading_eta_s;
    n->saving = i->bgsave_in_progress == 1 || i->aof_rewrite_in_progress == 1;
    n->aof_enabled = i->aof_enabled == 1;
    n->save_failed = str_is(i->last_bgsave_status, "err") ||
                     str_is(i->last_aof_write_status, "err") ||
                     str_is(i->last_aof_rewrite_status, "err");
    n->last_save_s = i->last_save_s;
    n->changes_since_save = i->changes_since_save;
}

static void fill_replication(const struct building *b, struct monitor_node *n,
                             const struct target *t)
{
    const struct info *i = &t->info;

    n->backlog_size = i->backlog_size;
    n->connected_replicas = i->connected_replicas;
    n->failover_state = keep(b, i->failover_state);
    n->offset = i->role == INFO_ROLE_REPLICA ? i->replica_offset : i->primary_offset;
    if (i->role == INFO_ROLE_REPLICA && n->role == MONITOR_REPLICA) {
        n->link_up = str_is(i->primary_link, "up") ? 1 : 0;
        n->link_down_s = i->primary_link_down_s;
        n->syncing = i->primary_sync_in_progress == 1;
    }
}

static void clear_numbers(struct monitor_node *n)
{
    n->uptime_s = n->keys = n->keys_expiring = n->memory = n->memory_rss = n->maxmemory = -1;
    n->clients = n->maxclients = n->blocked_clients = n->ops_per_sec = -1;
    n->input_per_sec = n->output_per_sec = n->evicted_per_sec = n->hits_pct = -1;
    n->rejected_connections = n->loading_eta_s = n->last_save_s = n->changes_since_save = -1;
    n->offset = n->backlog_size = n->link_down_s = n->lag_bytes = n->lag_ms = -1;
    n->lag_backlog_permille = n->connected_replicas = n->rtt_us = n->answered_ms = -1;
    n->link_up = -1;
    n->shard = n->primary = SNAPSHOT_NONE;
}

static void fill_from_target(const struct building *b, struct monitor_node *n,
                             const struct target *t)
{
    n->seed = t->seed;
    n->missed = t->missed;
    n->answered_ms = t->answered_ms;
    n->rtt_us = t->rtt_us;
    n->stale = t->polls > 0 && build_is_stale(b->m, t, b->now_ms);
    n->reachable = t->missed == 0 && t->answered_ms >= 0 && !n->stale;
    n->error = keep(b, str_from(t->error));
    n->error_code = t->error_code;
    n->ops = t->ops;
    n->has_view = events_has_view(b->m->events, str_from(t->name));
    n->view_agrees = events_agrees(b->m->events, str_from(t->name));
    if (!n->stale && target_role(t) != MONITOR_ROLE_UNKNOWN && t->has_info)
        n->role = target_role(t);
    fill_keys(n, t);
    if (!t->has_info)
        return;
    fill_server(b, n, t);
    fill_persistence(n, &t->info);
    fill_replication(b, n, t);
}

/* ---- how the others see it ---- */

static enum monitor_role role_of(enum node_role role)
{
    return role == NODE_ROLE_PRIMARY   ? MONITOR_PRIMARY
           : role == NODE_ROLE_REPLICA ? MONITOR_REPLICA
                                       : MONITOR_ROLE_UNKNOWN;
}

static void fill_from_view(const struct building *b, struct monitor_node *n,
                           const struct topology_node *v)
{
    size_t suspected;
    size_t down;
    char name[EVENT_NAME];

    events_address(name, v->host, v->port);
    n->id = keep(b, v->id);
    n->host = keep(b, v->host);
    n->hostname = keep(b, v->hostname);
    n->port = v->port;
    n->address = keep(b, str_from(name));
    n->role = role_of(v->role);
    n->flags = v->flags & ~(unsigned)NODE_MYSELF;
    n->epoch = v->epoch;
    n->slots = v->slots;
    events_held_down(b->m->events, v->id, &suspected, &down);
    n->suspected_by = (unsigned)suspected;
    n->down_by = (unsigned)down;
    n->observers = (unsigned)events_observers(b->m->events, NULL);
}

static enum monitor_node_state state_of(const struct monitor_node *n)
{
    if (n->down_by > 0)
        return MONITOR_NODE_FAIL;
    if (n->suspected_by > 0)
        return MONITOR_NODE_PFAIL;
    if (n->stale)
        return n->error_code == ERROR_AUTH ? MONITOR_NODE_DENIED : MONITOR_NODE_SILENT;
    if (n->answered_ms < 0)
        return MONITOR_NODE_UNKNOWN;
    return n->loading ? MONITOR_NODE_LOADING : MONITOR_NODE_OK;
}

static size_t list_cluster(struct building *b, struct monitor_node *nodes)
{
    size_t count = 0;

    for (size_t i = 0; i < b->view->count; i++) {
        const struct topology_node *v = &b->view->nodes[i];
        struct monitor_node *n = &nodes[count];
        const struct target *t;
        char name[EVENT_NAME];

        if (v->flags & NODE_HANDSHAKE)
            continue;
        clear_numbers(n);
        fill_from_view(b, n, v);
        n->shard = events_shard(b->m->events, v->id);
        events_address(name, v->host, v->port);
        t = discover_find(b->m, v->id.ptr);
        if (t == NULL)
            t = discover_find_name(b->m, name);
        if (t != NULL)
            fill_from_target(b, n, t);
        n->state = state_of(n);
        count++;
    }
    return count;
}

/* Servers without a cluster, and every target before the first view. */
static size_t list_targets(struct building *b, struct monitor_node *nodes, size_t count)
{
    for (size_t i = 0; i < b->m->target_count; i++) {
        const struct target *t = b->m->targets[i];
        struct monitor_node *n = &nodes[count];

        if (b->view != NULL && !t->sentinel)
            continue;
        clear_numbers(n);
        n->id = keep(b, str_from(t->name));
        n->address = keep(b, str_from(t->name));
        n->host = keep(b, str_from(t->announced.host));
        n->port = t->announced.port;
        n->role = t->sentinel ? MONITOR_ROLE_SENTINEL : target_role(t);
        n->shard = t->sentinel || b->m->mode == REDIS_MODE_CLUSTER ||
                           b->m->mode == REDIS_MODE_AUTO || n->role == MONITOR_ROLE_UNKNOWN
                       ? SNAPSHOT_NONE
                       : 0;
        fill_from_target(b, n, t);
        build_ask_sentinels(b->m, n);
        n->state = state_of(n);
        count++;
    }
    return count;
}

/* Shard by shard, in a shard the primary with slots, other primaries, replicas; sentinels last. */
static int by_place(const void *a, const void *b)
{
    const struct monitor_node *x = a;
    const struct monitor_node *y = b;
    bool sx = x->role == MONITOR_ROLE_SENTINEL;
    bool sy = y->role == MONITOR_ROLE_SENTINEL;

    if (sx != sy)
        return sx ? 1 : -1;
    if (x->shard != y->shard)
        return x->shard < y->shard ? -1 : 1;
    if ((x->slots > 0) != (y->slots > 0))
        return x->slots > 0 ? -1 : 1;
    if ((x->role == MONITOR_PRIMARY) != (y->role == MONITOR_PRIMARY))
        return x->role == MONITOR_PRIMARY ? -1 : 1;
    return str_compare(x->address, y->address);
}

/* ---- shards, slots, lag ---- */

/* Two servers may call themselves primary for a moment (the old one was started again): the one
 * that the Sentinels name is it. */
static void prefer_named(const struct building *b)
{
    struct snapshot *s = b->s;
    char name[EVENT_NAME];
    uint16_t at = SNAPSHOT_NONE;

    if (s->shard_count == 1 && build_named_primary(b->m, name))
        at = snapshot_find_address(s, str_from(name));
    if (at == SNAPSHOT_NONE || s->nodes[at].role != MONITOR_PRIMARY)
        return;
    s->shards[0].primary = at;
    s->shards[0].keys = s->nodes[at].keys;
}

static void list_shards(struct building *b)
{
    struct snapshot *s = b->s;

    s->shards = arena_array(&s->arena, s->node_count + 1, sizeof(*s->shards));
    for (size_t i = 0; i < s->node_count; i++) {
        struct monitor_node *n = &s->nodes[i];
        struct monitor_shard *shard;

        if (n->shard == SNAPSHOT_NONE)
            continue;
        if (s->shard_count == 0 || s->shards[s->shard_count - 1].number != n->shard)
            s->shards[s->shard_count++] = (struct monitor_shard){.number = n->shard,
                                                                 .primary = SNAPSHOT_NONE,
                                                                 .first_node = (uint16_t)i,
                                                                 .keys = -1};
        shard = &s->shards[s->shard_count - 1];
        shard->node_count++;
        shard->slots += n->slots;
        if (n->role == MONITOR_PRIMARY && shard->primary == SNAPSHOT_NONE &&
            (n->slots > 0 || n->state != MONITOR_NODE_FAIL)) {
            shard->primary = (uint16_t)i;
            shard->keys = n->keys;
        }
    }
    prefer_named(b);
    for (size_t k = 0; k < s->shard_count; k++) {
        for (size_t i = 0; i < s->shards[k].node_count; i++)
            s->nodes[s->shards[k].first_node + i].shard = (uint16_t)k;
    }
}

static void link_replicas(struct building *b)
{
    struct snapshot *s = b->s;

    for (size_t i = 0; i < s->node_count; i++) {
        struct monitor_node *n = &s->nodes[i];
        const struct target *mine = b->of[i];
        const struct target *theirs;
        uint16_t at = b->view == NULL ? TOPOLOGY_NONE : topology_find_id(b->view, n->id);

        if (n->role != MONITOR_REPLICA)
            continue;
        if (at != TOPOLOGY_NONE)
            n->primary = snapshot_find_id(s, b->view->nodes[at].primary_id);
        else if (n->shard != SNAPSHOT_NONE)
            n->primary = s->shards[n->shard].primary;
        theirs = n->primary == SNAPSHOT_NONE ? NULL : b->of[n->primary];
        /* Only two fresh answers can be compared, and only over a link that works. */
        if (mine == NULL || theirs == NULL || n->stale || s->nodes[n->primary].stale ||
            theirs->missed > 0 || n->link_up != 1 || n->offset < 0 ||
            theirs->info.primary_offset < 0)
            continue;
        n->lag_bytes = theirs->info.primary_offset - n->offset;
        n->lag_bytes = n->lag_bytes < 0 ? 0 : n->lag_bytes;
        n->lag_ms = target_lag_ms(theirs, n->offset, b->now_ms);
        if (theirs->info.backlog_size > 0)
            n->lag_backlog_permille = n->lag_bytes / (theirs->info.backlog_size / 1000 + 1);
    }
}

static void fill_slots(struct building *b)
{
    struct monitor_slots *slots = b->s->slots;
    struct slot_set migrating;
    struct slot_set importing;
    struct slot_set disputed;
    uint16_t *index;

    if (b->view == NULL)
        return;
    slots->known = true;
    index = mem_alloc((b->view->count + 1) * sizeof(*index));
    for (size_t i = 0; i < b->view->count; i++)
        index[i] = snapshot_find_id(b->s, b->view->nodes[i].id);
    events_open_slots(b->m->events, &migrating, &importing);
    slots->disputed = events_disputed(b->m->events, &disputed);
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owner = b->view->owner[slot];
        uint16_t at = owner == TOPOLOGY_NONE ? SNAPSHOT_NONE : index[owner];
        unsigned state = 0;

        slots->owner[slot] = at;
        state |= at == SNAPSHOT_NONE ? SLOT_UNCOVERED : 0U;
        state |= slot_set_has(&migrating, (uint16_t)slot) ? SLOT_MIGRATING : 0U;
        state |= slot_set_has(&importing, (uint16_t)slot) ? SLOT_IMPORTING : 0U;
        state |= slot_set_has(&disputed, (uint16_t)slot) ? SLOT_DISPUTED : 0U;
        if (at != SNAPSHOT_NONE && b->s->nodes[at].down_by > 0)
            state |= SLOT_FAIL;
        else if (at != SNAPSHOT_NONE && b->s->nodes[at].suspected_by > 0)
            state |= SLOT_PFAIL;
        slots->state[slot] = (uint8_t)state;
        slots->uncovered += (state & SLOT_UNCOVERED) != 0;
        slots->fail += (state & SLOT_FAIL) != 0;
        slots->pfail += (state & SLOT_PFAIL) != 0;
        slots->open += (state & (SLOT_MIGRATING | SLOT_IMPORTING)) != 0;
        slots->ok += (state & (SLOT_UNCOVERED | SLOT_FAIL | SLOT_PFAIL)) == 0;
    }
    free(index);
}

static void list_sentinels(struct building *b)
{
    struct snapshot *s = b->s;

    s->sentinels = arena_array(&s->arena, s->node_count + 1, sizeof(*s->sentinels));
    for (size_t i = 0; i < s->node_count; i++) {
        const struct target *t = b->of[i];

        for (size_t k = 0; t != NULL && t->sentinel && k < t->masters.count; k++) {
            const struct sentinel_instance *x = &t->masters.items[k];
            char name[EVENT_NAME];

            if (!str_is(x->name, b->m->master_name))
                continue;
            events_address(name, x->host, x->port);
            s->sentinels[s->sentinel_count++] =
                (struct monitor_sentinel){.node = (uint16_t)i,
                                          .primary = keep(b, str_from(name)),
                                          .quorum = x->quorum,
                                          .known_sentinels = x->num_sentinels,
                                          .known_replicas = x->num_replicas,
                                          .config_epoch = x->config_epoch,
                                          .sdown = (x->flags & SENTINEL_SDOWN) != 0,
                                          .odown = (x->flags & SENTINEL_ODOWN) != 0,
                                          .failover = (x->flags & SENTINEL_FAILOVER) != 0,
                                          .tilt = t->info.sentinel_tilt == 1};
            break;
        }
    }
}

static void fill_events(struct building *b)
{
    struct snapshot *s = b->s;
    const struct event_list *recent = &b->m->recent;

    s->events = arena_array(&s->arena, recent->count + 1, sizeof(*s->events));
    s->event_count = recent->count;
    if (recent->count > 0)
        memcpy(s->events, recent->items, recent->count * sizeof(*s->events));
}

static void find_targets(struct building *b)
{
    b->of = arena_array(&b->s->arena, b->s->node_count + 1,
                        sizeof(*b->of)); /* NOLINT(bugprone-sizeof-expression) */
    for (size_t i = 0; i < b->s->node_count; i++) {
        const struct monitor_node *n = &b->s->nodes[i];

        b->of[i] = discover_find(b->m, n->id.ptr);
        if (b->of[i] == NULL)
            b->of[i] = discover_find_name(b->m, n->address.ptr);
    }
}

struct snapshot *build_snapshot(struct monitor *m)
{
    struct building b = {.m = m, .s = snapshot_new(), .now_ms = clock_mono_ms()};
    struct snapshot *s = b.s;
    size_t most;

    b.view = m->mode == REDIS_MODE_CLUSTER ? events_agreed(m->events) : NULL;
    s->number = ++m->number;
    s->taken_ms = b.now_ms;
    s->real_ms = clock_real_ms();
    s->interval_ms = atomic_load(&m->interval_ms);
    s->mode = m->mode;
    if (m->mode == REDIS_MODE_SENTINEL)
        s->master_name = keep(&b, str_from(m->master_name));
    most = m->target_count + (b.view == NULL ? 0 : b.view->count);
    s->nodes = arena_array(&s->arena, most + 1, sizeof(*s->nodes));
    if (b.view != NULL)
        s->node_count = list_cluster(&b, s->nodes);
    s->node_count = list_targets(&b, s->nodes, s->node_count);
    qsort(s->nodes, s->node_count, sizeof(*s->nodes), by_place);
    find_targets(&b);
    list_shards(&b);
    link_replicas(&b);
    fill_slots(&b);
    list_sentinels(&b);
    fill_events(&b);
    memcpy(s->series, m->series, sizeof(s->series));
    build_sums(s);
    build_state(m, s);
    return s;
}
