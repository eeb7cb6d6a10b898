/*
 * record_json.h - the JSON scanner below the record reader: strings are decoded where they stand.
 *
 * A scan walks writable memory of one line that ends in a NUL byte; whatever it returns points into
 * that memory. Strict JSON with optional spaces: raw control characters, invalid UTF-8, lone
 * surrogates, leading zeros and anything nested deeper than RECORD_DEPTH_MAX are ERROR_CORRUPT,
 * naming the byte. Only record_read.c and record_value.c use it. One thread.
 * Source: RFC 8259; RFC 4648.
 */
#ifndef CORE_RECORD_RECORD_JSON_H
#define CORE_RECORD_RECORD_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/str.h"

struct scan {
    char *base;
    char *at;
    char *end; /* *end is NUL */
};

/* Always false: "byte N: <what>". */
bool scan_fail(const struct scan *s, struct error *err, const char *what);
char scan_peek(struct scan *s); /* the next byte after spaces, NUL at the end */
bool scan_byte(struct scan *s, char byte, struct error *err) MUST_CHECK;
/* The next byte is `byte`: taken. */
bool scan_take(struct scan *s, char byte);
/* Between elements: a comma (*more), or `close` (taken). */
bool scan_more(struct scan *s, char close, bool *more, struct error *err) MUST_CHECK;
/* '[' or '{'; *empty when `close` follows at once (taken). */
bool scan_open(struct scan *s, char open, char close, bool *empty, struct error *err) MUST_CHECK;
bool scan_string(struct scan *s, struct str *out, struct error *err) MUST_CHECK;
/* A string; `binary`: of base64, decoded too. */
bool scan_data(struct scan *s, bool binary, struct str *out, struct error *err) MUST_CHECK;
bool scan_name(struct scan *s, struct str *out, struct error *err) MUST_CHECK; /* and its colon */
bool scan_i64(struct scan *s, int64_t *out, struct error *err) MUST_CHECK;
/* A string that is a number of 64 bits, or a plain number. */
bool scan_u64(struct scan *s, uint64_t *out, struct error *err) MUST_CHECK;
bool scan_bool(struct scan *s, bool *out, struct error *err) MUST_CHECK;
bool scan_null(struct scan *s); /* `null` was next and is taken */
/* A string or a number as its text. */
bool scan_text_or_number(struct scan *s, struct str *out, struct error *err) MUST_CHECK;
bool scan_skip(struct scan *s, struct error *err) MUST_CHECK; /* any value; leaves its bytes */

#endif
