/*
 * pager.h - text to read: scroll, search, follow the tail. Holds a copy of its lines.
 *
 * Lines may hold any byte; at most PAGER_LINES are kept (the oldest go first). UI thread.
 */
#ifndef TUI_PAGER_H
#define TUI_PAGER_H

#include "tui/lineedit.h"
#include "tui/widget.h"

#define PAGER_LINES 10000

struct pager_line {
    char *text;
    size_t len;
    enum role role;
};

struct pager {
    struct widget widget; /* first */
    struct pager_line *lines;
    size_t count, cap;
    size_t top;
    struct widget_seen *seen; /* what the last draw showed */
    int column;               /* first column shown */
    bool follow;              /* stay at the end as lines arrive */
    bool wrap;
    bool searching; /* the search text is being typed */
    struct lineedit search;
};

void pager_init(struct pager *p, bool follow);
void pager_release(struct pager *p);
void pager_clear(struct pager *p);
void pager_add(struct pager *p, enum role role, struct str line);
void pager_set_text(struct pager *p, struct str text); /* split at '\n', ROLE_TEXT */
void pager_draw(const struct pager *p, struct canvas *c, struct rect at, bool focused);
bool pager_back(struct pager *p); /* Esc: closes the search line or clears the search */

extern const struct widget_ops pager_widget;

#endif
