/*
 * canvas_mem.h - a canvas as text: for golden tests, --script --dump and saved screens.
 *
 * One line per row, trailing blanks removed, '\n' after each. UTF-8.
 */
#ifndef TUI_CANVAS_MEM_H
#define TUI_CANVAS_MEM_H

#include "tui/canvas.h"

char *canvas_mem_text(const struct canvas *c);       /* freed by the caller */
char *canvas_mem_row(const struct canvas *c, int y); /* one row without '\n'; freed by the caller */
/* Roles as letters, one per cell ('a' + role), same shape as the text before trimming. */
char *canvas_mem_roles(const struct canvas *c);
/* True when the text occurs in one row; x and y (may be NULL) say where it starts. */
bool canvas_mem_find(const struct canvas *c, const char *text, int *x, int *y);

#endif
