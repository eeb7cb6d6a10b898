/*
 * nodes_model.h - one row per node: the text of each column. Pure; used by the cluster and nodes
 * screens and by the verbs.
 *
 * A value that is not known is "?" or "-", never 0; a value of a node that does not answer has a
 * '~' in front.
 */
#ifndef VIEWS_SCREENS_NODES_MODEL_H
#define VIEWS_SCREENS_NODES_MODEL_H

#include "core/monitor/snapshot.h"
#include "tui/table.h"

enum nodes_column {
    NODES_SHARD,
    NODES_ADDRESS,
    NODES_ROLE,
    NODES_STATE,
    NODES_SLOTS,
    NODES_KEYS,
    NODES_MEMORY,
    NODES_PERCENT,
    NODES_OPS,
    NODES_CLIENTS,
    NODES_LAG,
    NODES_LINK,
    NODES_FLAGS,
    NODES_UP,
    NODES_EPOCH,
    NODES_RTT,
    NODES_VERSION,
    NODES_ID,
    NODES_COLUMNS
};

struct nodes_text {
    char text[96]; /* escaped */
    enum role role;
};

struct nodes_text nodes_model_text(const struct snapshot *s, size_t row, enum nodes_column column);
struct nodes_text nodes_model_address(const struct snapshot *s, size_t row);
/* "1,234" or "?"; "212k" short. */
struct nodes_text nodes_model_count(int64_t n);
struct nodes_text nodes_model_short(int64_t n);
/* A table whose model is a const struct snapshot; rows are its nodes. */
extern const struct table_ops nodes_table_ops;

#endif
