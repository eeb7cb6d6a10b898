/*
 * cluster_model.h - the lines of the cluster screen that are no table: state line, coverage, trend,
 * Sentinel agreement, strip. Pure: a snapshot in, text and roles out.
 */
#ifndef VIEWS_SCREENS_CLUSTER_MODEL_H
#define VIEWS_SCREENS_CLUSTER_MODEL_H

#include "core/monitor/snapshot.h"
#include "tui/theme.h"

struct cluster_line {
    char text[400];
    enum role role;
};

/* "STATE ok  SLOTS 16384/16384 ok …  NODES 6/6  KEYS 48.2M …" */
struct cluster_line cluster_state_line(const struct snapshot *s, bool wide);
/* No node tells its view of the slots any more: what is shown of them is the last that was known.
 */
bool cluster_map_is_old(const struct snapshot *s);
/* The warning when most nodes are silent, or nothing answers; empty text when there is none. */
struct cluster_line cluster_warning(const struct snapshot *s, int64_t now_mono_ms);
/* A row per shard; row 0 is the heading. False past the end. */
bool cluster_coverage_line(const struct snapshot *s, size_t row, struct cluster_line *out);
/* "view agree: 6/6 …", "open slots: 0" */
struct cluster_line cluster_agreement(const struct snapshot *s);
/* A row per Sentinel; row 0 is the heading. False past the end. */
bool cluster_sentinel_line(const struct snapshot *s, size_t row, struct cluster_line *out);

struct cluster_trend {
    const char *label; /* "ops/s" */
    char value[24];
    enum monitor_series series;
};
/* False past the end. */
bool cluster_trend_row(const struct snapshot *s, size_t row, struct cluster_trend *out);
/* The worst finding as one line, or "no alert". */
struct cluster_line cluster_worst(const struct snapshot *s);
enum role cluster_state_role(enum monitor_state state);

#endif
