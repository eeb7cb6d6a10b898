/*
 * registry.h - all screens, in one table: adding a screen is adding its row to registry.c.
 *
 * Number keys, palette, help, --view and the saved session read the table. A screen `x` lives in
 * views/screens/x.c and defines `const struct view_ops x_view`, declared here.
 */
#ifndef VIEWS_REGISTRY_H
#define VIEWS_REGISTRY_H

#include "tui/ui.h"

extern const struct view_ops cluster_view;
extern const struct view_ops nodes_view;
extern const struct view_ops slots_view;
extern const struct view_ops backups_view;
extern const struct view_ops backup_view;
extern const struct view_ops plan_view;
extern const struct view_ops jobs_view;
extern const struct view_ops event_list_view;
extern const struct view_ops log_view;
extern const struct view_ops setup_view;

/* Ends with an all-zero row. The first one opens at start. */
extern const struct ui_place registry[];

#endif
