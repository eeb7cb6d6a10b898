/*
 * identity.h - which cluster is this? A mode and a list of names that outlive addresses.
 *
 * Cluster: the node ids. Sentinel: the master name and the sentinels' run ids. Single server: its
 * address. Two identities are the same while the mode is equal and at least one name is shared
 * (Sentinel: the master name as well), so replacing nodes one by one keeps a cluster itself. Plain
 * data, names in an owned list; one thread.
 */
#ifndef CORE_REDIS_IDENTITY_H
#define CORE_REDIS_IDENTITY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/base/str.h"
#include "core/redis/topology.h"

enum identity_mode { IDENTITY_NONE, IDENTITY_CLUSTER, IDENTITY_SENTINEL, IDENTITY_SINGLE };

struct identity {
    enum identity_mode mode;
    char *master; /* Sentinel only, else NULL */
    char **names; /* sorted, without duplicates */
    size_t count;
};

/* Each fills a zeroed or released identity. */
void identity_from_topology(struct identity *out, const struct topology *t);
void identity_from_sentinel(struct identity *out, struct str master, const struct str *run_ids,
                            size_t count);
void identity_from_address(struct identity *out, struct str host, uint16_t port);
void identity_release(struct identity *id);
void identity_copy(struct identity *to, const struct identity *from);
/* Add a name; empty names are left out, a known one changes nothing. */
void identity_add(struct identity *id, struct str name);

bool identity_same(const struct identity *a, const struct identity *b);
/* "cluster", "sentinel", "single", "none" */
const char *identity_mode_name(enum identity_mode mode);
/* {"mode","master_name"?,"names":[…]}; the caller owns it. */
json_t *identity_to_json(const struct identity *id);
/* ERROR_CORRUPT when it is none; at most 4096 names of at most 512 bytes. */
bool identity_from_json(struct identity *out, const json_t *doc, struct error *err) MUST_CHECK;

#endif
