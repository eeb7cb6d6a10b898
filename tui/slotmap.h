/*
 * slotmap.h - which group owns which of many numbered slots, drawn as a map of letters that zooms.
 *
 * Knows nothing of servers: a slot has a group (from 0, or SLOTMAP_NONE) and a mark. One cell
 * stands for one or more slots; when they differ the worst mark wins, then the group that owns
 * most. Groups are A..Z, then aa, ab … (slotmap_name); in a one-column cell group 26 and up shows
 * its last letter, and neighbouring groups differ in colour. Pure.
 */
#ifndef TUI_SLOTMAP_H
#define TUI_SLOTMAP_H

#include <stdint.h>

#include "tui/canvas.h"

#define SLOTMAP_NONE UINT16_MAX

enum slotmap_mark {
    SLOTMAP_OK,
    SLOTMAP_MOVING,   /* migrating or importing: the letter in lower case, ">" with more than 26
                         groups */
    SLOTMAP_SUSPECT,  /* ? */
    SLOTMAP_FAILED,   /* ! */
    SLOTMAP_DISPUTED, /* # nodes disagree about the owner */
    SLOTMAP_UNOWNED,  /* . nobody owns it (also any slot of SLOTMAP_NONE) */
    SLOTMAP_MARKS
};

struct slotmap {
    const uint16_t *group; /* [count] */
    const uint8_t *mark;   /* [count] enum slotmap_mark; NULL: all SLOTMAP_OK */
    size_t count;          /* 16384 */
};

struct slotmap_zoom {
    size_t first;    /* first slot shown */
    size_t per_cell; /* 0: as many as needed to show all */
    size_t cursor;   /* slot under the cursor; SIZE_MAX: no cursor */
};

/* "A".."Z", "aa", "ab" … Returns out. */
char *slotmap_name(char *out, size_t size, size_t group);
/* Slots per cell that shows everything from zoom->first on in `at`: a power of two. */
size_t slotmap_scale(const struct slotmap *m, struct rect at, bool ruler);
/* Draw with (or without) the slot numbers at the left of each row. Returns slots per cell. */
size_t slotmap_draw(const struct slotmap *m, const struct slotmap_zoom *zoom, struct canvas *c,
                    struct rect at, bool ruler);
/* "64 slots/cell  A-Z shard  a-z moving  ? pfail  ! fail  . none  # disputed": 74 columns. */
char *slotmap_legend(char *out, size_t size, const struct slotmap *m, size_t per_cell);
/* Cells in one row of a map drawn there. */
size_t slotmap_row_cells(struct rect at, bool ruler);

#endif
