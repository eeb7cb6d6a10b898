/*
 * diff_facts.h - what is otherwise about two backups or snapshots beside their keys: servers,
 * versions, settings, replicas, slots' owners, functions.
 *
 * Facts that change from minute to minute (memory, offsets, uptime) are left out. Pure; any
 * thread. A fact is {"fact": "servers 127.0.0.1:7001 version", "a": …, "b": …}; a or b is null
 * when that side does not have it.
 */
#ifndef CORE_DIFF_DIFF_FACTS_H
#define CORE_DIFF_DIFF_FACTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct diff_side;

#define DIFF_FACTS_MAX 1000

/* An array, owned by the caller. */
json_t *diff_facts_of_sides(const struct diff_side *a, const struct diff_side *b);
/* The same from two snapshots' documents. */
json_t *diff_facts_of_snapshots(const json_t *a, const json_t *b);
/* How many of them make the sides differ: of snapshots all, else only function libraries. */
uint64_t diff_facts_findings(const json_t *facts, bool snapshots);

#endif
