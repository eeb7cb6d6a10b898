/*
 * cluster_private.h - the inside of struct cluster, shared by cluster.c (nodes and connections),
 * cluster_find.c (discovery) and cluster_call.c (routing). For nobody else.
 */
#ifndef CORE_REDIS_CLUSTER_PRIVATE_H
#define CORE_REDIS_CLUSTER_PRIVATE_H

#include "core/redis/cluster.h"

struct pooled {
    struct conn *conn;
    struct capability capability;
    uint64_t capability_of; /* generation of conn that it belongs to; 0 = none */
};

struct cluster {
    const struct redis_options *options;
    enum redis_mode mode; /* AUTO until connected */
    struct topology *topology;
    struct cluster_node *nodes;
    size_t count;
    size_t cap;
    uint16_t owner[SLOT_COUNT]; /* index into nodes, or TOPOLOGY_NONE; MOVED corrects it */
    uint64_t fingerprint;
    uint64_t version;
    struct slot_set dirty;
    bool stale;          /* MOVED named a node that we don't know */
    int64_t stale_until; /* do not refresh for that reason before */
    struct pooled *pool; /* one per address */
    size_t pool_count;
    size_t pool_cap;
};

#define CLUSTER_OUTAGE_MS 60000

int cluster_outage_ms(const struct cluster *c);
/* One round of discovery for the mode, or for any mode while AUTO. The old nodes stay on failure.
 */
bool cluster_discover(struct cluster *c, struct error *err) MUST_CHECK;
/* Exchange the nodes (takes them and the topology) and see whether that is news. */
void cluster_install(struct cluster *c, struct cluster_node *nodes, size_t count,
                     struct topology *topology);
/* Sends on a pooled connection to this address; server_name may be NULL. */
struct pooled *cluster_pooled(struct cluster *c, const struct address *a, const char *server_name);
struct conn *cluster_open_conn(struct cluster *c, const struct address *a, const char *server_name,
                               struct error *err);

#endif
