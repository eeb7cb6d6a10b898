/*
 * hex.h - lower-case hexadecimal both ways. Pure; any thread.
 */
#ifndef CORE_BASE_HEX_H
#define CORE_BASE_HEX_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/str.h"

/* 0 to 15, or -1 when c is no digit of either case. */
int hex_value(char c);
/* out must hold 2 * len + 1 bytes. Returns out. */
char *hex_encode(char *out, const void *data, size_t len);
/* Exactly 2 * len digits of either case; false otherwise. */
bool hex_decode(void *out, size_t len, struct str text) MUST_CHECK;

#endif
