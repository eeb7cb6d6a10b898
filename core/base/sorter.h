/*
 * sorter.h - puts any number of records in order with bounded memory: what does not fit goes to an
 * unlinked temporary file in sorted runs, which are merged while they are read.
 *
 * A record is a key and data, both any bytes. Order: keys bytewise (memcmp, shorter first). Each
 * key comes out once: of several records with one key, the one that was added last. Add all, then
 * sort, then read once. Nothing is left on disk, whatever happens. One thread per sorter.
 */
#ifndef CORE_BASE_SORTER_H
#define CORE_BASE_SORTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/str.h"

#define SORTER_RECORD_MAX ((size_t)1 << 30) /* bytes of key and data together */
#define SORTER_MEMORY_LEAST ((size_t)64 << 10)

struct sorter;

/* dir: where temporary files go, copied; used only when `memory` bytes (of records and their index)
 * do not suffice. A record larger than that is held alone, also while it is returned: any number of
 * them takes the memory of the largest. */
struct sorter *sorter_new(const char *dir, size_t memory);
void sorter_free(struct sorter *s);              /* NULL is fine */
void sorter_clear(struct sorter *s);             /* empty again, ready for adding */
uint64_t sorter_count(const struct sorter *s);   /* records added */
uint64_t sorter_spilled(const struct sorter *s); /* bytes written to disk since it was new */

/* ERROR_STORAGE: the disk; ERROR_LIMIT: the record is too large. */
bool sorter_add(struct sorter *s, struct str key, struct str data, struct error *err) MUST_CHECK;
/* No more records. keep: bytes that it may hold from now on, until it is read to its end; what is
 * more goes to disk. 0: as little as possible. */
bool sorter_sort(struct sorter *s, size_t keep, struct error *err) MUST_CHECK;
/* The next record; true with *end at the end; false with err. Lives until the next call. */
bool sorter_next(struct sorter *s, struct str *key, struct str *data, bool *end,
                 struct error *err) MUST_CHECK;

#endif
