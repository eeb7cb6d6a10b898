/*
 * table.h - rows of a model with columns, cursor, marks, sort and filter. The view supplies data,
 * not drawing: cells and ids come from table_ops.
 *
 * The cursor and the marks follow the row's id, never its position; after the model changed call
 * table_sync. `<` `>` and the sort menu pick the sort column, `I` inverts, `/` filters (`!text`
 * inverts, `column=text` looks into one column), h l scroll the columns that do not fit. Columns
 * appear in priority order when the terminal is narrow. UI thread.
 */
#ifndef TUI_TABLE_H
#define TUI_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "tui/lineedit.h"
#include "tui/widget.h"

#define TABLE_COLUMNS_MAX 32
#define TABLE_ID_MAX 512

struct table_column {
    const char *name; /* heading, also the name in a `column=text` filter (case ignored) */
    int width;        /* columns it wants */
    int grow;         /* share of spare width; 0 = fixed */
    int priority;     /* 0 always shown; higher numbers go first when there is no room */
    enum align align;
    bool hidden; /* only shown with `w` (wide) */
};

struct table_cell {
    struct str text; /* any bytes; points into the model or to `scratch` */
    char scratch[96];
    enum role role; /* ROLE_TEXT unless set */
};

struct table_ops {
    const struct table_column *columns;
    size_t columns_count;
    size_t (*count)(const void *model);
    /* Fill *out (text empty, role ROLE_TEXT on entry). */
    void (*cell)(const void *model, size_t row, size_t column, struct table_cell *out);
    /* What the row is, the same after a refresh; at most TABLE_ID_MAX bytes matter. */
    struct str (*id)(const void *model, size_t row);
    /* <0, 0, >0. NULL: rows compare by the text of their cells. */
    int (*compare)(const void *model, size_t a, size_t b, size_t column);
    /* True: the row always stays directly below the one before it (a replica under its primary)
     * when sorted and follows it when filtered. NULL: no row does. */
    bool (*attached)(const void *model, size_t row);
    /* What `y` copies of a row: an address, a name. NULL: its id, or its cells when the id is no
     * text. */
    void (*copy)(const void *model, size_t row, struct buf *out);
    const char *empty; /* shown instead of rows: "no jobs yet; B starts a backup" */
};

struct table {
    struct widget widget; /* first */
    const struct table_ops *ops;
    const void *model;
    size_t *order; /* model rows in the order shown */
    size_t shown, order_cap;
    size_t cursor; /* into order */
    char cursor_id[TABLE_ID_MAX];
    size_t cursor_id_len;
    struct map *marks; /* by id; NULL while empty */
    int sort;          /* column, -1 = as the model gives them */
    bool inverted, wide;
    struct widget_seen *seen; /* what the last draw showed */
    size_t scroll;            /* columns scrolled to the right */
    bool filtering;           /* the filter is being typed */
    struct lineedit filter;
};

/* sort: column to sort by at first, -1 for the model's order. The model is borrowed. */
void table_init(struct table *t, const struct table_ops *ops, const void *model, int sort);
void table_release(struct table *t);
/* The model's content changed (or moved: pass the new address). Keeps cursor and marks by id. */
void table_sync(struct table *t, const void *model);
void table_draw(const struct table *t, struct canvas *c, struct rect at, bool focused);
/* The model row under the cursor; false when there is none. */
bool table_selected(const struct table *t, size_t *row);
bool table_select_id(struct table *t, struct str id);
size_t table_mark_count(const struct table *t);
bool table_is_marked(const struct table *t, struct str id);
/* Walk the marked ids: start with *at = 0. */
bool table_next_mark(const struct table *t, size_t *at, struct str *id);
void table_unmark_all(struct table *t);
/* "sort:NAME^  filter:x  rows 6/19  marked 2": for the title of the pane. Returns out. */
char *table_status(const struct table *t, char *out, size_t size);
/* Sort by a column, -1 for the model's order. */
void table_sort_by(struct table *t, int column);
/* Esc: closes the filter line or clears the filter; false when there was nothing to do. */
bool table_back(struct table *t);

extern const struct widget_ops table_widget;

#endif
