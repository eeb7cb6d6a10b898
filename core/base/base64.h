/*
 * base64.h - RFC 4648 standard alphabet, with padding; strict on the way in. Pure; any thread.
 */
#ifndef CORE_BASE_BASE64_H
#define CORE_BASE_BASE64_H

#include "core/base/buf.h"

bool base64_encode(struct buf *out, struct str raw, struct error *err) MUST_CHECK;
/* ERROR_CORRUPT on any byte outside the alphabet, wrong padding or non-zero trailing bits. */
bool base64_decode(struct buf *out, struct str text, struct error *err) MUST_CHECK;

#endif
