/*
 * theme_builtin.h - the themes that need no file. Constant data, used by theme.c only.
 */
#ifndef TUI_THEME_BUILTIN_H
#define TUI_THEME_BUILTIN_H

#include "tui/theme.h"

#define THEME_BUILTINS 4

extern const struct theme theme_builtins[THEME_BUILTINS];

#endif
