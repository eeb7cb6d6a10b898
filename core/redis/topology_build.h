/*
 * topology_build.h - how the parsers put a struct topology together: nodes and claims of slots in
 * growing arrays, moved into the topology's arena at the end.
 *
 * Only core/redis/topology_parse*.c include this. One thread. A builder ends in exactly one of
 * topology_build_finish and topology_build_drop.
 */
#ifndef CORE_REDIS_TOPOLOGY_BUILD_H
#define CORE_REDIS_TOPOLOGY_BUILD_H

#include "core/base/error.h"
#include "core/redis/topology.h"
#include "core/redis/topology_parse.h"

#define TOPOLOGY_HOST_MAX 255
#define TOPOLOGY_ID_MAX 64

struct topology_build {
    struct topology *t;
    struct topology_self self;
    size_t node_cap;
    size_t open_cap;
    uint64_t claimed; /* slots claimed so far, to stop a reply that repeats itself for ever */
    struct topology_node *nodes;
    struct topology_open *open;
};

void topology_build_init(struct topology_build *b, enum topology_source source,
                         struct topology_self self);
struct topology *topology_build_drop(struct topology_build *b); /* always NULL */
struct topology *topology_build_finish(struct topology_build *b);
/* NULL and ERROR_LIMIT past TOPOLOGY_NODES_MAX. Valid until the next call. */
struct topology_node *topology_build_node(struct topology_build *b, struct error *err);
bool topology_build_open(struct topology_build *b, const struct topology_open *open);
/* A later claim of a slot wins. */
void topology_build_claim(struct topology_build *b, uint16_t node, int first, int last);
struct str topology_build_keep(struct topology_build *b, struct str s); /* copy into the arena */

bool topology_is_id(struct str s);           /* 1 to 64 letters and digits */
bool topology_is_unknown_host(struct str s); /* "", "?", "NULL" */

#endif
