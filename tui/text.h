/*
 * text.h - how wide text is on a terminal and where to cut it. Units are columns, not bytes.
 *
 * Text is walked one visible piece at a time: a character with its combining marks, or one byte of
 * something that may not be shown, as \xNN. So a walk over hostile bytes yields only harmless ones.
 * With `ascii` everything outside ASCII is shown as \xNN too. UI thread (uses the process locale).
 */
#ifndef TUI_TEXT_H
#define TUI_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/str.h"

#define TEXT_POINTS 3 /* a base character and up to two combining marks; more are left out */

struct text_piece {
    uint32_t point[4]; /* code points to draw, unused ones 0; for \xNN its four characters */
    int width;         /* columns: 1 or 2, or 4 for \xNN */
    bool escaped;      /* point[] are four separate ASCII characters */
};

/* Choose the character set from the environment's locale, once, before any thread. False: it is not
 * UTF-8, so draw ASCII. *cjk says that the locale is Chinese, Japanese or Korean (its terminals may
 * draw box lines two columns wide). */
bool text_start(bool *cjk);
/* Cut the next visible piece off *rest; false at the end. */
bool text_next(struct str *rest, bool ascii, struct text_piece *piece);
/* Columns that the whole text takes. */
int text_width(struct str text, bool ascii);
/* Bytes of `text` that fit into `columns`; never inside a piece. */
size_t text_fit(struct str text, int columns, bool ascii);
/* Bytes of `text` to leave out in front so that at least `columns` columns are skipped. */
size_t text_skip(struct str text, int columns, bool ascii);
/* Case-insensitive (ASCII letters) search; the offset, or text.len when absent. "" is found at 0.
 */
size_t text_search(struct str text, struct str needle);

#endif
