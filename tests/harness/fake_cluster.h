/*
 * fake_cluster.h - hundreds of made-up cluster nodes on ports of 127.0.0.1, served by one thread:
 * for clusters larger than a machine can run, and for nodes that behave as no real one will.
 *
 * Each node answers INFO, CLUSTER INFO, CLUSTER NODES, DBSIZE, PING and the greeting from one
 * shared model, which the test edits between fake_cluster_edit and fake_cluster_done. Nodes are
 * numbered from 0: first the primaries, then their replicas, shard by shard. Test thread only.
 */
#ifndef TESTS_HARNESS_FAKE_CLUSTER_H
#define TESTS_HARNESS_FAKE_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fake_manner {
    FAKE_WELL,
    FAKE_MUTE,       /* accepts, reads, never answers */
    FAKE_HALF,       /* sends half of its INFO and nothing more */
    FAKE_GARBAGE,    /* answers with bytes that are no protocol */
    FAKE_GONE,       /* nobody listens; connections are closed */
    FAKE_NOAUTH,     /* wants a password */
    FAKE_MAXCLIENTS, /* says so and closes */
    FAKE_LOADING,    /* INFO says loading; CLUSTER answers -LOADING */
};

struct fake_node {
    uint16_t port;
    char id[41];
    char run_id[41];
    char replid[41];
    enum fake_manner manner;
    size_t primary; /* SIZE_MAX: it is one */
    unsigned first_slot, last_slot;
    bool has_slots;
    unsigned epoch;
    bool fail;          /* every node holds it FAIL */
    size_t pfail_by;    /* … this many nodes, from the first on, hold it PFAIL */
    bool forgotten;     /* no node lists it */
    bool refuses_info;  /* the three answer NOPERM */
    bool refuses_nodes; /* CLUSTER NODES */
    bool refuses_cluster_info;
    bool bgsave_failed;
    bool state_fail; /* cluster_state:fail */
    long long keys, offset;
    size_t polls; /* INFO asked so far */
    size_t views; /* CLUSTER NODES asked so far */
};

struct fake_cluster;

/* Aborts the test when there are no ports to be had. Slots are shared out evenly. */
struct fake_cluster *fake_cluster_start(size_t shards, size_t replicas);
void fake_cluster_stop(struct fake_cluster *c);
size_t fake_cluster_count(const struct fake_cluster *c);
/* CPU time of the serving thread, for a test that measures its own process. */
int64_t fake_cluster_cpu_ms(struct fake_cluster *c);
uint16_t fake_cluster_port(struct fake_cluster *c, size_t node);
/* The model, locked. Ports and ids stay as they are. */
struct fake_node *fake_cluster_edit(struct fake_cluster *c);
void fake_cluster_done(struct fake_cluster *c);
/* A new manner also closes the node's connections: the next answer is already the new one. */
void fake_cluster_manner(struct fake_cluster *c, size_t node, enum fake_manner manner);
/* Fail the primary of a shard and let its first replica take the slots. */
void fake_cluster_fail_over(struct fake_cluster *c, size_t shard);

#endif
