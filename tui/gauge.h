/*
 * gauge.h - progress bars. Never a made-up percentage: an unknown total shows as unknown.
 */
#ifndef TUI_GAUGE_H
#define TUI_GAUGE_H

#include <stdint.h>

#include "tui/canvas.h"

/* "[####----]" over at.w. total 0: "[????????]" with what is known left to the caller. Full only
 * when done >= total. */
void gauge_draw(struct canvas *c, struct rect at, enum role role, uint64_t done, uint64_t total);
/* The bar as text of `width` columns, for a table cell. Returns out. */
char *gauge_text(char *out, size_t size, int width, uint64_t done, uint64_t total, bool ascii);

#endif
