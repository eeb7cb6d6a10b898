/*
 * cluster_text.h - a screen as plain text, for saving: drawn once more on a wide canvas. UI thread.
 */
#ifndef VIEWS_SCREENS_CLUSTER_TEXT_H
#define VIEWS_SCREENS_CLUSTER_TEXT_H

#include "tui/view.h"

/* Freed by the caller. */
char *cluster_screen_text(const struct view_ops *view, const void *state);

#endif
