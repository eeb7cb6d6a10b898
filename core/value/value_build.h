/*
 * value_build.h - a record's value as the commands that create it, appended to a pipeline.
 *
 * Everything but streams (stream_write.h). One command carries at most VALUE_BUILD_ITEMS elements
 * or VALUE_BUILD_BYTES, so that none holds a server up. The key may not exist yet, or hold the
 * lines of the same chunk run before this one. Pure; a buf belongs to one thread.
 */
#ifndef CORE_VALUE_VALUE_BUILD_H
#define CORE_VALUE_VALUE_BUILD_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/record/record.h"

#define VALUE_BUILD_ITEMS 500
#define VALUE_BUILD_BYTES ((size_t)512 << 10)
#define VALUE_FIELD_DEADLINE_MAX ((int64_t)((1ull << 46) - 2)) /* Redis refuses later ones */

/* Add this line's string bytes, elements, pairs or members to `key`; *commands counts up by the
 * number of commands. RECORD_STREAM and RECORD_OPAQUE are not for here (ERROR_INTERNAL). */
bool value_build(struct buf *out, struct str key, const struct record *r, size_t *commands,
                 struct error *err) MUST_CHECK;
/* Field deadlines of a hash line, each moved by shift_ms and held below the limit above. */
bool value_build_deadlines(struct buf *out, struct str key, const struct record *r,
                           int64_t shift_ms, size_t *commands, struct error *err) MUST_CHECK;
/* How many elements (of a string: bytes) the server has now: STRLEN, HLEN, LLEN, SCARD, ZCARD. */
bool value_build_length(struct buf *out, struct str key, enum record_type type,
                        struct error *err) MUST_CHECK;

#endif
