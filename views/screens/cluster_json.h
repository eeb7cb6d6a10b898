/*
 * cluster_json.h - what the monitor knows as JSON: the one form for verbs (--json) and for saved
 * screens. Pure; numbers that are not known are null, never 0. The caller owns each document.
 */
#ifndef VIEWS_SCREENS_CLUSTER_JSON_H
#define VIEWS_SCREENS_CLUSTER_JSON_H

#include <jansson.h>

#include "core/monitor/snapshot.h"

json_t *cluster_status_json(const struct snapshot *s); /* summary, shards, nodes, findings */
json_t *cluster_nodes_json(const struct snapshot *s);
json_t *cluster_slots_json(const struct snapshot *s);
json_t *cluster_findings_json(const struct snapshot *s);
json_t *cluster_events_json(const struct event *events, size_t count);
/* Indented text, freed by the caller; takes doc. */
char *cluster_json_text(json_t *doc, bool pretty);

#endif
