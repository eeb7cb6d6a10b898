/*
 * lines.h - where a model's text goes, line by line, each in the role that says how it is meant.
 *
 * A model fills it, a screen decides where the lines end up. Plain data, one thread.
 */
#ifndef VIEWS_SCREENS_LINES_H
#define VIEWS_SCREENS_LINES_H

#include "core/base/attr.h"
#include "tui/theme.h"

typedef void (*line_sink)(void *arg, enum role role, const char *text);

struct lines {
    line_sink add;
    void *arg;
};

/* One line of at most 599 bytes; what is longer is cut. */
void lines_say(const struct lines *to, enum role role, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
