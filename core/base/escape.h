/*
 * escape.h - the one function that bytes from outside pass before screen, log, stderr or file.
 *
 * C0, DEL, C1 (U+0080-9F), bidi controls (202A-202E, 2066-2069), zero-width and other format
 * characters, line and paragraph separators, unassigned-looking noncharacters and invalid UTF-8
 * become \xNN (bytes); a backslash becomes \\ only with ESCAPE_BACKSLASH. The result is valid
 * UTF-8 and cannot move a cursor. Pure; any thread.
 */
#ifndef CORE_BASE_ESCAPE_H
#define CORE_BASE_ESCAPE_H

#include "core/base/buf.h"

/* Append the visible form; fails only at out's ceiling. */
bool escape_append(struct buf *out, struct str raw, struct error *err) MUST_CHECK;
/* Into a fixed array, cut at a character boundary with "…" when it does not fit. Returns out. */
char *escape_text(char *out, size_t size, struct str raw);
/* The number of bytes of the (valid) character at s.ptr and its code point; 0 when invalid. */
size_t escape_decode(struct str s, uint32_t *point);
/* true when the code point may be shown as it is. */
bool escape_is_visible(uint32_t point);

#endif
