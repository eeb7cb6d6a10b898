/*
 * canvas.h - where views draw: a grid of cells in memory. canvas_curses.h puts a grid on the
 * terminal, canvas_mem.h turns it into text for tests, --script and saved screens.
 *
 * Units are terminal columns and rows. Drawing outside the clip is cut, never an error; a wide
 * character is never split. Bytes that could drive a terminal are shown as \xNN, so any text from
 * a server may be handed in as it is. One thread (the UI's).
 */
#ifndef TUI_CANVAS_H
#define TUI_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/attr.h"
#include "core/base/str.h"
#include "tui/rect.h"
#include "tui/text.h"
#include "tui/theme.h"

enum align { ALIGN_LEFT, ALIGN_RIGHT, ALIGN_CENTER };

/* Signs that exist in two forms, UTF-8 and ASCII. */
enum glyph {
    GLYPH_HLINE,
    GLYPH_VLINE,
    GLYPH_TOP_LEFT,
    GLYPH_TOP_RIGHT,
    GLYPH_BOTTOM_LEFT,
    GLYPH_BOTTOM_RIGHT,
    GLYPH_TEE, /* a branch of a tree with more below */
    GLYPH_END, /* the last branch */
    GLYPH_FULL,
    GLYPH_EMPTY,
    GLYPH_UP,
    GLYPH_DOWN,
    GLYPHS
};

struct cell {
    uint32_t point[TEXT_POINTS]; /* point[0] 0: the right half of a wide character */
    uint8_t width;               /* 1, 2, or 0 for a right half */
    uint8_t role;                /* enum role */
};

struct canvas;

struct canvas *canvas_new(int w, int h, bool ascii);
void canvas_free(struct canvas *c);
/* Change the size; the content is cleared. At least 1x1. */
void canvas_resize(struct canvas *c, int w, int h);
void canvas_clear(struct canvas *c); /* blanks in ROLE_TEXT, no cursor, clip = everything */
struct rect canvas_area(const struct canvas *c);
bool canvas_is_ascii(const struct canvas *c);
/* Box lines in ASCII although text is UTF-8 (locales whose terminals draw lines too wide). */
void canvas_plain_lines(struct canvas *c, bool plain);
const struct cell *canvas_cell(const struct canvas *c, int x, int y); /* NULL outside */

/* Restrict drawing to the overlap of `to` and the present clip; returns the one before, to be put
 * back with canvas_unclip. */
struct rect canvas_clip(struct canvas *c, struct rect to);
void canvas_unclip(struct canvas *c, struct rect before);

/* Text in the first row of `at`, cut with an ellipsis when it is wider. The rest of the row stays
 * as it is. Returns the columns used. */
int canvas_text(struct canvas *c, struct rect at, enum role role, struct str text);
int canvas_print(struct canvas *c, struct rect at, enum role role, const char *text);
int canvas_format(struct canvas *c, struct rect at, enum role role, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* The same, aligned in at.w. */
void canvas_align(struct canvas *c, struct rect at, enum role role, enum align align,
                  struct str text);
/* Words wrapped over the rows of `at`; '\n' starts a row. Returns rows used; with c NULL only
 * counts. */
int canvas_wrap(struct canvas *c, struct rect at, enum role role, struct str text);
void canvas_fill(struct canvas *c, struct rect at, enum role role); /* blanks */
void canvas_tint(struct canvas *c, struct rect at, enum role role); /* text stays, role changes */
void canvas_glyph(struct canvas *c, int x, int y, enum role role, enum glyph glyph);
void canvas_point(struct canvas *c, int x, int y, enum role role, uint32_t point);
const char *canvas_glyph_text(const struct canvas *c, enum glyph glyph); /* for use inside text */
/* A frame with a title at the left and a note at the right, either may be NULL: "+-[ title ]---[
 * note ]-+". Returns the inside. The inside is not cleared. */
struct rect canvas_box(struct canvas *c, struct rect at, enum role role, const char *title,
                       const char *note);
/* The terminal's cursor; hidden unless set after canvas_clear. */
void canvas_set_cursor(struct canvas *c, int x, int y);
void canvas_hide_cursor(struct canvas *c);
bool canvas_cursor(const struct canvas *c, int *x, int *y);

#endif
