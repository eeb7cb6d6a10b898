/*
 * restore_size.h - how many bytes a record carries, and how much memory a server will need for it.
 * Private to core/restore/restore*; pure.
 *
 * The memory figures follow what MEMORY USAGE said of keys of each type and many sizes on redis 7.0
 * and valkey 8, compact and full encodings; tests/core/restore/it_restore_fit.c holds them against
 * used_memory. They are for a plan: within a quarter or so.
 */
#ifndef CORE_RESTORE_RESTORE_SIZE_H
#define CORE_RESTORE_RESTORE_SIZE_H

#include <stdint.h>

#include "core/record/record.h"

/* Key, elements, scores, entries of this line: what is sent, without the protocol's own. */
uint64_t restore_size_payload(const struct record *r);
/* How the server keeps sets: Valkey packs large ones closer, Redis before 7.2 packs no small ones.
 */
enum restore_size_sets { RESTORE_SETS_VALKEY, RESTORE_SETS_REDIS, RESTORE_SETS_OLD };

/* Memory of what this line adds to the server: with the key's own share at its first line. */
uint64_t restore_size_memory(const struct record *r, enum restore_size_sets sets);

#endif
