/*
 * table_order.h - which rows of a table are shown, and in which order. Used by table.c only.
 */
#ifndef TUI_TABLE_ORDER_H
#define TUI_TABLE_ORDER_H

#include "tui/table.h"

/* Fill t->order from the model: filter, then sort. Attached rows stay below their head, and a group
 * is shown when one of its rows matches. */
void table_order_build(struct table *t);
/* The text of a cell, as shown and compared. */
void table_cell_get(const struct table *t, size_t row, size_t column, struct table_cell *out);

#endif
