#include "core/redis/cluster.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/redis/cluster_private.h"

struct cluster *cluster_new(const struct redis_options *options)
{
    struct cluster *c = mem_zero(1, sizeof(*c));
    c->options = options;
    c->mode = options->mode;
    if (c->mode == REDIS_MODE_AUTO && options->sentinel_count > 0)
        c->mode = REDIS_MODE_SENTINEL;
    memset(c->owner, 0xff, sizeof(c->owner));
    return c;
}

void cluster_free(struct cluster *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->pool_count; i++)
        conn_free(c->pool[i].conn);
    free(c->pool);
    free(c->nodes);
    topology_free(c->topology);
    free(c);
}

int cluster_outage_ms(const struct cluster *c)
{
    return c->options->outage_timeout_ms > 0 ? c->options->outage_timeout_ms : CLUSTER_OUTAGE_MS;
}

bool cluster_connect(struct cluster *c, bool patient, struct error *err)
{
    struct backoff b;
    backoff_init(&b, cluster_outage_ms(c));
    for (;;) {
        struct error why = {0};
        if (cluster_discover(c, &why)) {
            backoff_over(&b, &c->options->cancel);
            return true;
        }
        if (!patient || (why.code != ERROR_UNREACHABLE && why.code != ERROR_TIMEOUT)) {
            *err = why;
            return false;
        }
        if (!backoff_wait(&b, &c->options->cancel, &why, err))
            return false;
    }
}

enum redis_mode cluster_mode(const struct cluster *c)
{
    return c->mode;
}

bool cluster_refresh(struct cluster *c, struct error *err)
{
    return cluster_discover(c, err);
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static uint64_t mix_number(uint64_t hash, uint64_t number)
{
    return (hash ^ number) * UINT64_C(1099511628211);
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        hash = mix_number(hash, (unsigned char)*c);
    return mix_number(hash, 0);
}

static uint64_t fingerprint(const struct cluster *c)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < c->count; i++) {
        const struct cluster_node *n = &c->nodes[i];
        hash = mix_text(mix_text(hash, n->id), n->address.host);
        hash = mix_number(mix_number(hash, n->address.port), (uint64_t)n->role);
        hash = mix_number(hash, n->primary);
    }
    for (size_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t at = c->owner[slot];
        hash = mix_text(hash, at == TOPOLOGY_NONE ? "-" : c->nodes[at].id);
    }
    return hash;
}

static void set_owners(struct cluster *c)
{
    memset(c->owner, 0xff, sizeof(c->owner));
    for (size_t i = 0; i < c->count; i++) {
        struct cluster_node *n = &c->nodes[i];
        if (c->topology == NULL && n->role == NODE_ROLE_PRIMARY) {
            for (size_t slot = 0; slot < SLOT_COUNT; slot++)
                c->owner[slot] = (uint16_t)i;
            return;
        }
        if (c->topology == NULL)
            continue;
        uint16_t at = topology_find_id(c->topology, str_from(n->id));
        for (size_t slot = 0; at != TOPOLOGY_NONE && slot < SLOT_COUNT; slot++)
            if (c->topology->owner[slot] == at)
                c->owner[slot] = (uint16_t)i;
    }
}

void cluster_install(struct cluster *c, struct cluster_node *nodes, size_t count,
                     struct topology *topology)
{
    free(c->nodes);
    topology_free(c->topology);
    c->nodes = nodes;
    c->count = count;
    c->topology = topology;
    set_owners(c);
    uint64_t now = fingerprint(c);
    if (now != c->fingerprint || c->version == 0) {
        c->fingerprint = now;
        c->version++;
    }
}

size_t cluster_nodes(const struct cluster *c, const struct cluster_node **nodes)
{
    *nodes = c->nodes;
    return c->count;
}

const struct topology *cluster_topology(const struct cluster *c)
{
    return c->topology;
}

const struct cluster_node *cluster_find(const struct cluster *c, const char *id)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->nodes[i].id, id) == 0)
            return &c->nodes[i];
    return NULL;
}

const struct cluster_node *cluster_owner(const struct cluster *c, uint16_t slot)
{
    uint16_t at = slot < SLOT_COUNT ? c->owner[slot] : TOPOLOGY_NONE;
    return at == TOPOLOGY_NONE ? NULL : &c->nodes[at];
}

uint64_t cluster_version(const struct cluster *c)
{
    return c->version;
}

void cluster_take_dirty(struct cluster *c, struct slot_set *out)
{
    *out = c->dirty;
    memset(&c->dirty, 0, sizeof(c->dirty));
}

/* ---- connections ----------------------------------------------------------------------------- */

struct pooled *cluster_pooled(struct cluster *c, const struct address *a, const char *server_name)
{
    for (size_t i = 0; i < c->pool_count; i++)
        if (address_equal(conn_address(c->pool[i].conn), a))
            return &c->pool[i];
    struct conn_options o = redis_options_conn(c->options);
    o.tls_server_name = server_name != NULL && server_name[0] != '\0' ? server_name : NULL;
    ARRAY_PUSH(c->pool, c->pool_count, c->pool_cap) = (struct pooled){.conn = conn_new(a, &o)};
    return &c->pool[c->pool_count - 1];
}

struct conn *cluster_open_conn(struct cluster *c, const struct address *a, const char *server_name,
                               struct error *err)
{
    struct conn *conn = cluster_pooled(c, a, server_name)->conn;
    if (conn_state(conn) == CONN_READY) {
        /* Idle since when? Hear first whether the server has closed it. */
        conn_process(conn);
    }
    if (conn_state(conn) == CONN_READY && conn_pending(conn) > 0)
        conn_close(conn); /* somebody left replies untaken: they are nobody's now */
    return conn_open(conn, err) ? conn : NULL;
}

static const struct cluster_node *known(const struct cluster *c, const char *id, struct error *err)
{
    const struct cluster_node *n = cluster_find(c, id);
    if (n == NULL)
        (void)error_set(err, ERROR_NOT_FOUND, 0, "no node %.40s in the cluster", id);
    return n;
}

struct conn *cluster_node_conn(struct cluster *c, const char *id, struct error *err)
{
    const struct cluster_node *n = known(c, id, err);
    return n == NULL ? NULL : cluster_open_conn(c, &n->address, n->server_name, err);
}

struct conn *cluster_new_conn(struct cluster *c, const char *id, bool readonly, struct error *err)
{
    const struct cluster_node *n = known(c, id, err);
    if (n == NULL)
        return NULL;
    struct conn_options o = redis_options_conn(c->options);
    o.tls_server_name = n->server_name[0] != '\0' ? n->server_name : NULL;
    o.readonly = readonly;
    return conn_new(&n->address, &o);
}

struct conn *cluster_address_conn(struct cluster *c, const struct address *a, struct error *err)
{
    return cluster_open_conn(c, a, NULL, err);
}

const struct capability *cluster_capability(struct cluster *c, const char *id, struct error *err)
{
    const struct cluster_node *n = known(c, id, err);
    if (n == NULL || cluster_open_conn(c, &n->address, n->server_name, err) == NULL)
        return NULL;
    struct pooled *p = cluster_pooled(c, &n->address, n->server_name);
    if (p->capability_of != conn_generation(p->conn)) {
        if (!capability_load(p->conn, &p->capability, err))
            return NULL;
        p->capability_of = conn_generation(p->conn);
    }
    return &p->capability;
}
