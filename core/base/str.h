/*
 * str.h - a borrowed view of bytes owned by somebody else, and checked numbers from text.
 *
 * Anything that came from outside (server, file, S3) is a struct str: it may hold any byte,
 * NUL included, and is never freed through the view. ptr may be NULL only when len is 0.
 */
#ifndef CORE_BASE_STR_H
#define CORE_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/attr.h"

struct str {
    const char *ptr;
    size_t len;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})

struct str str_from(const char *text); /* NULL gives the empty view */
bool str_equal(struct str a, struct str b);
bool str_is(struct str a, const char *text);
int str_compare(struct str a, struct str b); /* bytewise, shorter first on a common prefix */
bool str_starts(struct str a, const char *prefix);
bool str_ends(struct str a, const char *suffix);
/* Offset of the first (last) `byte`, or a.len when absent. */
size_t str_find(struct str a, char byte);
size_t str_find_last(struct str a, char byte);
struct str str_slice(struct str a, size_t from, size_t to); /* clamped to a */
struct str str_trim(struct str a);                          /* spaces, tabs, CR, LF */
/* Cut the piece before `byte` off *rest into *piece; the whole rest when absent. false when *rest
 * is used up (rest->ptr becomes NULL after the last piece). */
bool str_split(struct str *rest, char byte, struct str *piece);

/* The whole view must be one number in range; no spaces, no leading '+'. */
bool str_to_u64(struct str a, uint64_t *out) MUST_CHECK;
bool str_to_i64(struct str a, int64_t *out) MUST_CHECK;
bool str_to_u32(struct str a, uint32_t *out) MUST_CHECK;
bool str_to_int(struct str a, int min, int max, int *out) MUST_CHECK;
/* Accepts inf, -inf, decimal and exponent forms; refuses nan. */
bool str_to_double(struct str a, double *out) MUST_CHECK;

/* Valid UTF-8 (no surrogates, no overlong forms, at most U+10FFFF) without a NUL byte. */
bool str_is_text(struct str a);
/* Edit distance up to `limit` (limit + 1 when further): for "did you mean". */
size_t str_distance(struct str a, struct str b, size_t limit);
/* Bytes at most `size - 1` copied and terminated; true when all of it fitted. */
bool str_copy(struct str a, char *out, size_t size);

#endif
