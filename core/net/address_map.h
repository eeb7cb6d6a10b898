/*
 * address_map.h - from the addresses that servers announce to those that we can reach.
 *
 * For NAT, containers and bastions. Rules: exact "host:port" first, then exact "host", then the
 * longest matching CIDR block; the target is "host" (the port stays) or "host:port". At most one
 * rule applies: results are not mapped again. Immutable once filled; then any thread may read.
 */
#ifndef CORE_NET_ADDRESS_MAP_H
#define CORE_NET_ADDRESS_MAP_H

#include "core/net/address.h"

struct address_map;

struct address_map *address_map_new(void);
void address_map_free(struct address_map *m); /* NULL is fine */
/* from: "10.0.0.1:6379", "10.0.0.1", "[fd00::1]:6379", "name", "10.0.0.0/8", "fd00::/8".
 * to: "host", "host:port", "[v6]", "[v6]:port". ERROR_CONFIG names the bad half. A `from` that is
 * already there is an error. */
bool address_map_add(struct address_map *m, struct str from, struct str to,
                     struct error *err) MUST_CHECK;
/* Rewrites *a when a rule matches; true if it did. m may be NULL (nothing maps). */
bool address_map_apply(const struct address_map *m, struct address *a);
size_t address_map_count(const struct address_map *m);

#endif
