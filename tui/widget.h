/*
 * widget.h - a part of a screen that has the keys: table, pager, form, or a view's own.
 *
 * A widget is a struct whose first member is `struct widget`. Its action rows run with the widget
 * itself as state, below the view's own rows and above the global ones. Drawing never changes it,
 * except for struct widget_seen: what fitted at the last draw, which paging and the mouse need.
 */
#ifndef TUI_WIDGET_H
#define TUI_WIDGET_H

#include "core/base/buf.h"
#include "tui/action.h"
#include "tui/canvas.h"
#include "tui/key.h"

struct widget_ops {
    const char *name;             /* "Table": heading in the help overlay */
    const struct action *actions; /* may be NULL */
    /* Offered every key before all tables while `grabs` is true (a filter or field is being typed).
     * Returns true when it used the key. */
    bool (*grabs)(const void *widget);
    bool (*key)(void *widget, uint32_t key);
    /* Esc: true when there was something to close or clear. May be NULL. */
    bool (*back)(void *widget);
    /* A press or the wheel somewhere on the screen. True when it was for this widget. May be NULL.
     */
    bool (*mouse)(void *widget, const struct key_mouse *mouse);
    /* What `y` copies: the selected thing as text. False when nothing is selected. May be NULL. */
    bool (*selected)(const void *widget, struct buf *out);
};

struct widget {
    const struct widget_ops *ops;
};

/* Owned by the widget, written by its draw function. */
struct widget_seen {
    size_t top;       /* first row shown */
    int page;         /* rows that fitted */
    struct rect area; /* where they were */
};

#endif
