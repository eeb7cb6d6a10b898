/*
 * topology.h - one node's view of a cluster: its nodes, who owns each slot, open slots.
 *
 * Built by core/redis/topology_parse.h and immutable afterwards, so readers need no lock; owned by
 * one holder, freed with topology_free. Every struct str in it lives in its arena and is
 * NUL-terminated. Different nodes have different views: whoever needs the truth asks several and
 * compares (topology_differ). Nodes are referred to by index into nodes[].
 */
#ifndef CORE_REDIS_TOPOLOGY_H
#define CORE_REDIS_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/str.h"
#include "core/redis/slot.h"

#define TOPOLOGY_NONE UINT16_MAX /* no such node: unowned slot, primary not known */
#define TOPOLOGY_NODES_MAX 4096  /* a view with more is refused (ERROR_LIMIT) */

enum node_role { NODE_ROLE_UNKNOWN, NODE_ROLE_PRIMARY, NODE_ROLE_REPLICA };

/* Flags as CLUSTER NODES writes them; SHARDS knows only FAIL and LOADING, SLOTS none. */
enum node_flag {
    NODE_MYSELF = 1 << 0,
    NODE_PFAIL = 1 << 1, /* "fail?": this observer cannot reach it */
    NODE_FAIL = 1 << 2,  /* agreed by a majority of primaries */
    NODE_HANDSHAKE = 1 << 3,
    NODE_NOADDR = 1 << 4,
    NODE_NOFAILOVER = 1 << 5,
    NODE_LOADING = 1 << 6
};

struct topology_node {
    struct str id;         /* 40 hex digits; empty where the source gives none */
    struct str host;       /* what to connect to: IPv4, IPv6 without brackets, or a name; an empty
                            * host in the source became the host the reply came from; empty only
                            * with NODE_NOADDR */
    struct str hostname;   /* announced name, or empty */
    struct str shard_id;   /* Redis 7.2, Valkey 7.2 and later, else empty */
    struct str primary_id; /* a replica's primary, or empty */
    uint16_t port;         /* for clients: plain or TLS as the server chose to show; 0 unknown */
    uint16_t tls_port;     /* only SHARDS gives it apart from port, else 0 */
    uint16_t bus_port;     /* 0 unknown */
    uint16_t primary;      /* index of primary_id, or TOPOLOGY_NONE */
    enum node_role role;
    unsigned flags;       /* enum node_flag */
    bool link_up;         /* the observer's bus link; true where the source does not say */
    uint64_t epoch;       /* config epoch; 0 where the source does not say */
    int64_t ping_sent_ms; /* server's clock, 0 = none pending */
    int64_t pong_received_ms;
    int64_t offset; /* replication offset (SHARDS), -1 unknown */
    uint32_t slots; /* how many it owns in this view */
};

struct topology_open {
    uint16_t slot;
    bool importing;     /* else migrating away */
    uint16_t node;      /* whose line said so (always myself) */
    struct str peer_id; /* to or from */
};

enum topology_source { TOPOLOGY_FROM_NODES, TOPOLOGY_FROM_SHARDS, TOPOLOGY_FROM_SLOTS };

struct topology {
    struct arena arena;
    enum topology_source source;
    struct topology_node *nodes;
    size_t count;
    uint16_t self;              /* index of the node that answered, or TOPOLOGY_NONE */
    uint16_t owner[SLOT_COUNT]; /* index of the owning primary, or TOPOLOGY_NONE */
    uint32_t assigned;          /* slots with an owner */
    struct topology_open *open;
    size_t open_count;
    uint64_t max_epoch;
    uint32_t ignored; /* lines or entries that could not be understood and were left out */
};

void topology_free(struct topology *t); /* NULL is fine */

/* Index of the node, or TOPOLOGY_NONE. By address: host or hostname compared as text. */
uint16_t topology_find_id(const struct topology *t, struct str id);
uint16_t topology_find_address(const struct topology *t, struct str host, uint16_t port);
/* The owner of a slot, or NULL. */
const struct topology_node *topology_owner(const struct topology *t, uint16_t slot);
/* The slots that node `index` owns. */
void topology_slots_of(const struct topology *t, uint16_t index, struct slot_set *out);
/* Slots without an owner. */
void topology_uncovered(const struct topology *t, struct slot_set *out);
/* Slots whose owner (compared by node id, by address where an id is empty) is not the same in the
 * two views. Returns how many; out may be NULL. Epochs do not tell that slots moved: this does. */
uint32_t topology_differ(const struct topology *a, const struct topology *b, struct slot_set *out);
/* Slots that are migrating or importing in this view. */
void topology_open_slots(const struct topology *t, struct slot_set *out);
/* A number that is equal for views that agree about owners, roles and primaries. */
uint64_t topology_fingerprint(const struct topology *t);

#endif
