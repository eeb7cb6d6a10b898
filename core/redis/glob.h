/*
 * glob.h - the pattern rules of KEYS, SCAN MATCH and ACLs, byte for byte as the server has them.
 *
 * '*' any run, '?' one byte, "[a-z]" and "[^a-z]" classes (an unclosed class ends with the
 * pattern), '\' quotes the next byte. Not fnmatch: '/' and '.' are ordinary. Linear in
 * pattern times text, never exponential. Pure; any thread; both may hold any byte.
 */
#ifndef CORE_REDIS_GLOB_H
#define CORE_REDIS_GLOB_H

#include <stdbool.h>

#include "core/base/str.h"

bool glob_match(struct str pattern, struct str text);
/* The same, ASCII letters compared without case. */
bool glob_match_nocase(struct str pattern, struct str text);
/* true when the pattern has no special byte: only one text can match it. */
bool glob_is_literal(struct str pattern);
/* A hash slot that every match must lie in, or SLOT_NONE: a literal pattern, or one whose hash tag
 * is literal and comes before any special byte. The server (7.4 and later) narrows SCAN the same
 * way. */
uint16_t glob_slot(struct str pattern);

#endif
