/*
 * identity.h - which cluster is this, and does it need protection?
 *
 * A cluster is known by its node ids, a Sentinel deployment by master name and the sentinels' run
 * ids, a single server by its address. What each environment turned out to be is remembered, so
 * that -n, REDIS_NODES or a tunnel that leads to a known protected cluster gets its protection,
 * and a protected environment whose nodes are suddenly another cluster refuses every change. Pure
 * functions over plain data; identity_store.h keeps the memory on disk.
 */
#ifndef CORE_CONFIG_IDENTITY_H
#define CORE_CONFIG_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/config/environment.h"

#define IDENTITY_IDS_MAX 10000

enum cluster_kind { KIND_NONE, KIND_CLUSTER, KIND_SENTINEL, KIND_SINGLE };

/* Owns its strings. */
struct cluster_identity {
    enum cluster_kind kind;
    char *master_name; /* KIND_SENTINEL only */
    char **ids;        /* node ids, sentinels' run ids, or the one address; sorted, no doubles */
    size_t count;
};

void cluster_identity_init(struct cluster_identity *id, enum cluster_kind kind);
void cluster_identity_add(struct cluster_identity *id,
                          const char *text); /* copies; keeps order, drops doubles */
void cluster_identity_set_master(struct cluster_identity *id, const char *name);
void cluster_identity_copy(struct cluster_identity *to, const struct cluster_identity *from);
void cluster_identity_release(struct cluster_identity *id);
/* Same cluster: same kind, (Sentinel) same master name, and at least one id in common. */
bool cluster_identity_same(const struct cluster_identity *a, const struct cluster_identity *b);
/* "cluster of 6 nodes (3f2a…)": escaped, for messages. */
char *cluster_identity_show(const struct cluster_identity *id, char *out, size_t size);

/* What one environment was last seen to be. */
struct identity_memory {
    char *environment;
    struct cluster_identity identity;
    bool protected; /* as it was then: counts when this config does not know the environment */
    int64_t first_ms, last_ms; /* real time */
};

struct identity_memories {
    struct identity_memory *items;
    size_t count, cap;
};

const struct identity_memory *identity_memory_find(const struct identity_memories *all,
                                                   const char *environment);

/* What was just seen through the environment's nodes. */
struct identity_observed {
    struct cluster_identity identity;
    bool all_loopback; /* every node announces a loopback address */
};

enum identity_match {
    IDENTITY_UNSEEN,  /* nothing was observed (unreachable): nothing may be changed anyway */
    IDENTITY_FIRST,   /* the environment had no memory: this is its cluster from now on */
    IDENTITY_MATCHES, /* the cluster it always was */
    IDENTITY_DIFFERS  /* another cluster than last time */
};

struct identity_decision {
    enum identity_match match;
    bool protected;    /* this cluster needs protection, by whatever name we came */
    bool refused;      /* no change until the new cluster is accepted */
    bool remember;     /* the observation should now be stored for this environment */
    char known_as[64]; /* another environment that this cluster is known as, or "" */
    char text[300];    /* one line for people: why, and what to do; "" when all is plain */
};

/* The decision. `protections` answers for environments of this config: see below. */
struct identity_question {
    const struct environment *env; /* as selected */
    const struct identity_memories *memories;
    const struct identity_observed *observed; /* NULL: nothing could be observed */
    /* All environments of this config: their protection beats the remembered one. */
    const struct environment *const *environments;
    size_t environment_count;
};
void identity_decide(const struct identity_question *q, struct identity_decision *out);

#endif
