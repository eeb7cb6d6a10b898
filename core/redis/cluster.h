/*
 * cluster.h - the routing client of jobs: finds the nodes from any seed that answers, keeps the map
 * of slots, sends each command to the owner of its key and follows MOVED, ASK, TRYAGAIN and the
 * rest.
 *
 * Modes: a cluster; a primary behind sentinels; a single server (with its replicas, if it says so).
 * All three offer the same nodes and calls. Blocking, one thread: a worker thread makes its own.
 * Outages (no quorum, loading, refused connections, a primary that was demoted) are waited out with
 * back-off up to options.outage_timeout_ms, then ERROR_UNREACHABLE names the last cause; cancel is
 * heard within a second. Addresses announced by servers pass options.map everywhere.
 * Replies live until the next call on the same struct cluster.
 */
#ifndef CORE_REDIS_CLUSTER_H
#define CORE_REDIS_CLUSTER_H

#include "core/redis/capability.h"
#include "core/redis/options.h"
#include "core/redis/topology.h"

struct cluster;

#define CLUSTER_ID_MAX 48 /* bytes with the terminator */

/* One node as this client sees it; plain data. */
struct cluster_node {
    char id[CLUSTER_ID_MAX];  /* node id; "host:port" where there is none (single, Sentinel) */
    struct address address;   /* where we connect: mapped */
    struct address announced; /* what the servers call it */
    char server_name[ADDRESS_HOST_MAX]; /* TLS name to verify; "" = address.host */
    enum node_role role;
    bool failing;     /* the view says fail, or fail? */
    uint16_t primary; /* replica: index of its primary in this list, or TOPOLOGY_NONE */
    uint32_t slots;   /* a cluster's primary; 16384 for the primary of the other modes */
};

/* options must outlive it. */
struct cluster *cluster_new(const struct redis_options *options);
void cluster_free(struct cluster *c); /* NULL is fine */

/* Find out the mode, the nodes and the map. Tries every seed, within the outage budget only when
 * `patient`, else one round. The error lists what was tried. ERROR_AUTH ends it at once. */
bool cluster_connect(struct cluster *c, bool patient, struct error *err) MUST_CHECK;
enum redis_mode cluster_mode(const struct cluster *c); /* never AUTO once connected */
/* Ask again, seeds and known nodes alike; the old map stays when nobody answers. */
bool cluster_refresh(struct cluster *c, struct error *err) MUST_CHECK;

/* ---- what it looks like: valid until the next refresh (calls may refresh) ----------------------
 */
size_t cluster_nodes(const struct cluster *c, const struct cluster_node **nodes);
/* The view that routing uses; NULL in single and Sentinel mode. */
const struct topology *cluster_topology(const struct cluster *c);
const struct cluster_node *cluster_find(const struct cluster *c, const char *id); /* or NULL */
/* The primary that owns the slot, or NULL when uncovered. */
const struct cluster_node *cluster_owner(const struct cluster *c, uint16_t slot);
/* Rises with every refresh that changed owners, roles or addresses. */
uint64_t cluster_version(const struct cluster *c);
/* Slots for which MOVED or ASK was seen since the last call; cleared by it. */
void cluster_take_dirty(struct cluster *c, struct slot_set *out);

/* ---- connections ------------------------------------------------------------------------------
 */
/* The connection to a node that this cluster keeps: opened, ready, nothing pending. Used for
 * pipelines between calls. One attempt, no back-off. */
struct conn *cluster_node_conn(struct cluster *c, const char *id, struct error *err);
/* A new one, owned by the caller (its own thread may use it); not opened yet. readonly: READONLY is
 * part of its greeting. NULL when there is no such node. */
struct conn *cluster_new_conn(struct cluster *c, const char *id, bool readonly, struct error *err);
/* What this node can do, asked once per connection and remembered. */
const struct capability *cluster_capability(struct cluster *c, const char *id, struct error *err);

/* ---- calls ------------------------------------------------------------------------------------
 */
struct cluster_request {
    struct str key; /* decides the slot, unless `slot` is set */
    bool by_slot;
    uint16_t slot;
    struct command command;
    int timeout_ms; /* 0 = the default */
    bool once;      /* never send it twice when the outcome of the first is not known: then
                     * ERROR_TIMEOUT or ERROR_UNREACHABLE is returned */
};

/* The reply of the node that owns the key. Redirections and outages are handled; what remains is
 * the caller's: values, and errors about data or permissions (reply_check). */
bool cluster_request(struct cluster *c, const struct cluster_request *request,
                     const struct reply **reply, struct error *err) MUST_CHECK;
/* The same for a command that may be sent twice (reads, idempotent writes). */
bool cluster_call(struct cluster *c, struct str key, struct command command,
                  const struct reply **reply, struct error *err) MUST_CHECK;
/* On one node, without routing; waits out LOADING, BUSY and refused connections. The id may be that
 * of a node in the list, which may be another list afterwards. */
bool cluster_call_node(struct cluster *c, const char *id, struct command command,
                       const struct reply **reply, struct error *err) MUST_CHECK;

/* For pipelines: learn from an error reply that came back for `slot`. MOVED corrects the map and
 * fills *to; ASK fills *to; READONLY, CLUSTERDOWN … mark the map as stale. Returns what to do. */
enum reply_action cluster_learn(struct cluster *c, const struct reply *r, uint16_t slot,
                                struct address *to);
/* A ready connection to an address that MOVED or ASK named (already mapped by cluster_learn). */
struct conn *cluster_address_conn(struct cluster *c, const struct address *a, struct error *err);

#endif
