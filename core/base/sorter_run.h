/*
 * sorter_run.h - the sorted runs of a sorter on disk, merged while they are read. Only sorter.c and
 * sorter_run.c include it.
 *
 * A record, in memory and in files alike: length of the key, length of the data (32 bits each, this
 * machine's order), key, data. Runs are read with pread, each through its own buffer, which does
 * not grow: of a record that is larger only the front is held until it is returned, so that any
 * number of runs of large records takes the memory of one record.
 */
#ifndef CORE_BASE_SORTER_RUN_H
#define CORE_BASE_SORTER_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/error.h"

#define SORTER_HEAD (2 * sizeof(uint32_t))

struct sorter_run {
    uint64_t from; /* bytes of the file */
    uint64_t to;
};

/* Only what stands in front of key and data. */
bool sorter_head_put(struct buf *out, struct str key, struct str data,
                     struct error *err) MUST_CHECK;
bool sorter_record_put(struct buf *out, struct str key, struct str data,
                       struct error *err) MUST_CHECK;
void sorter_record(const char *at, struct str *key, struct str *data);

struct sorter_merge;

/* `runs` is copied; of equal keys the later run's record comes first. buffer: bytes for each run,
 * more than SORTER_HEAD. */
struct sorter_merge *sorter_merge_new(int fd, const struct sorter_run *runs, size_t count,
                                      size_t buffer);
void sorter_merge_free(struct sorter_merge *m); /* NULL is fine */
bool sorter_merge_next(struct sorter_merge *m, struct str *key, struct str *data, bool *end,
                       struct error *err) MUST_CHECK;

#endif
