/*
 * snapshot_read_private.h - members of a report, checked: what snapshot_read.c (the report) and
 * snapshot_keys_read.c (the keys file) share. Nobody else includes it.
 *
 * Each returns false with ERROR_CORRUPT naming the member. Strings go into the arena.
 */
#ifndef CORE_SNAPSHOT_SNAPSHOT_READ_PRIVATE_H
#define CORE_SNAPSHOT_SNAPSHOT_READ_PRIVATE_H

#include "core/snapshot/snapshot_read.h"

bool snapshot_bad(struct error *err, const char *member);
bool snapshot_want_u64(const json_t *doc, const char *name, uint64_t *out,
                       struct error *err) MUST_CHECK;
bool snapshot_want_text(const json_t *doc, const char *name, struct arena *arena, const char **out,
                        struct error *err) MUST_CHECK;
bool snapshot_want_digest(const json_t *doc, const char *name, struct digest128 *out,
                          struct error *err) MUST_CHECK;
/* One key, of a sample or a keys file. */
bool snapshot_want_key(const json_t *doc, struct arena *arena, struct key_facts *out,
                       struct error *err) MUST_CHECK;
/* "kind", "v" and "digest". */
bool snapshot_check_kind(const json_t *doc, const char *kind, struct error *err) MUST_CHECK;

#endif
