/*
 * key_bloom.h - "was this key among those?" for any number of keys in two bytes each.
 *
 * No key that was added is ever missed; of others a few in a thousand are taken for one, more
 * where far more keys come than were expected. Written to a file it outlives the process, with the
 * seed of its hash: keys that line up cannot be made beforehand. Any number of threads may add and
 * ask at once: of several that add one key, all but one find it there. Saving is for one thread
 * while nobody adds.
 */
#ifndef CORE_RECORD_KEY_BLOOM_H
#define CORE_RECORD_KEY_BLOOM_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/str.h"

struct key_bloom;

/* keys: how many are expected; at most 64 MiB are used. */
struct key_bloom *key_bloom_new(uint64_t keys);
void key_bloom_free(struct key_bloom *b); /* NULL is fine */
/* True when the key was there before, or seems so. db: 0 outside numbered databases. */
bool key_bloom_add(struct key_bloom *b, uint32_t db, struct str key);
bool key_bloom_has(const struct key_bloom *b, uint32_t db, struct str key);

/* Replaced as a whole, on disk when it returns. */
bool key_bloom_save(const struct key_bloom *b, const char *path, struct error *err) MUST_CHECK;
/* ERROR_NOT_FOUND, or ERROR_CORRUPT when the file is none of ours or damaged. */
bool key_bloom_load(const char *path, struct key_bloom **out, struct error *err) MUST_CHECK;

#endif
