/*
 * fingerprints.h - a set of 128-bit fingerprints: has this key been seen in this pass?
 *
 * SCAN may return a key twice while a table is resized. 128 bits, because a collision would drop a
 * key. Bounded: when the memory is used up, what is in stays known and new keys are no longer
 * remembered (then a key may come twice, and readers take the later record). One thread.
 */
#ifndef CORE_RECORD_FINGERPRINTS_H
#define CORE_RECORD_FINGERPRINTS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/str.h"

struct fingerprints;

struct fingerprints *fingerprints_new(size_t max_bytes);
void fingerprints_free(struct fingerprints *f); /* NULL is fine */
void fingerprints_clear(struct fingerprints *f);
/* true when the key was not there; it is now (if there was room). */
bool fingerprints_add(struct fingerprints *f, struct str key);
bool fingerprints_has(const struct fingerprints *f, struct str key);
bool fingerprints_is_full(const struct fingerprints *f);

#endif
