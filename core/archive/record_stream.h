/*
 * record_stream.h - the records of some parts of a backup, one after another: parsed, filtered, and
 * without those that a later reading of their slot superseded.
 *
 * One thread per stream; several streams may share one source. A position can be kept and gone back
 * to, which is how a key of many lines is begun again.
 */
#ifndef CORE_ARCHIVE_RECORD_STREAM_H
#define CORE_ARCHIVE_RECORD_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/archive/source.h"
#include "core/base/error.h"
#include "core/record/filter.h"

/* Parts that must be read in order by one reader: those of one shard. */
struct part_group {
    const char *shard; /* points into the manifest */
    size_t *parts;
    size_t count;
};

/* All parts, grouped; freed with part_groups_free. */
struct part_group *part_groups(const struct manifest *m, size_t *count);
void part_groups_free(struct part_group *groups, size_t count);

struct record_position {
    size_t part; /* index into the group */
    size_t offset;
};

struct record_stream;

/* filter may be NULL. All three outlive the stream. */
struct record_stream *record_stream_new(struct source *source, const struct part_group *group,
                                        const struct filter *filter);
void record_stream_free(struct record_stream *s);
/* The next record that counts, or NULL in *out at the end; it lives until the next call. */
bool record_stream_next(struct record_stream *s, const struct record **out,
                        struct error *err) MUST_CHECK;
/* Where the record that was given last begins. */
struct record_position record_stream_position(const struct record_stream *s);
/* The next record is the one at this position. */
void record_stream_seek(struct record_stream *s, struct record_position p);
uint64_t record_stream_left_out(const struct record_stream *s); /* keys passed over */

#endif
