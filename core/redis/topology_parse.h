/*
 * topology_parse.h - replies of CLUSTER NODES, SHARDS and SLOTS into a struct topology.
 *
 * The bytes come from outside: hostile input ends in ERROR_CORRUPT or ERROR_LIMIT, never in a
 * crash. Fields that a newer server appends are ignored; a line that is no node at all is counted
 * in topology.ignored. `self` is the address that answered: it fills empty hosts, and its node is
 * found by it where the reply has no "myself". Pure; any thread. NULL on failure; the result is
 * the caller's (topology_free).
 * Source: Redis documentation of CLUSTER NODES, CLUSTER SHARDS and CLUSTER SLOTS.
 */
#ifndef CORE_REDIS_TOPOLOGY_PARSE_H
#define CORE_REDIS_TOPOLOGY_PARSE_H

#include "core/base/error.h"
#include "core/redis/topology.h"

struct reply;

struct topology_self {
    struct str host;
    uint16_t port;
};

/* The text of CLUSTER NODES. An answer without a single node is ERROR_CORRUPT. */
struct topology *topology_parse_nodes(struct str text, struct topology_self self,
                                      struct error *err) MUST_CHECK;
/* CLUSTER SHARDS as RESP2 gives it (flat field, value lists). */
struct topology *topology_parse_shards(const struct reply *r, struct topology_self self,
                                       struct error *err) MUST_CHECK;
/* CLUSTER SLOTS. No slot assigned yet gives a topology without nodes. */
struct topology *topology_parse_slots(const struct reply *r, struct topology_self self,
                                      struct error *err) MUST_CHECK;
/* "host:port", split at the last colon (IPv6 has no brackets in replies, but they are accepted);
 * used for MOVED and ASK too. An empty host is left empty. false when there is no valid port. */
bool topology_parse_address(struct str text, struct str *host, uint16_t *port) MUST_CHECK;

#endif
