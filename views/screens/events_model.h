/*
 * events_model.h - events as rows of a table, the newest first. Pure; used by the cluster and
 * events screens.
 */
#ifndef VIEWS_SCREENS_EVENTS_MODEL_H
#define VIEWS_SCREENS_EVENTS_MODEL_H

#include "core/monitor/events.h"
#include "tui/table.h"

struct events_model {
    const struct event *events; /* oldest first */
    size_t count;
};

enum events_column {
    EVENTS_TIME,
    EVENTS_LEVEL,
    EVENTS_KIND,
    EVENTS_SHARD,
    EVENTS_TEXT,
    EVENTS_BY,
    EVENTS_COLUMNS
};

/* Row 0 is the newest. */
const struct event *events_model_at(const struct events_model *m, size_t row);
enum role events_model_role(enum event_level level);
const char *events_model_level(enum event_level level); /* "INFO" "EVENT" "WARN" "CRIT" */
/* The table's model is a struct events_model. */
extern const struct table_ops events_table_ops;

#endif
