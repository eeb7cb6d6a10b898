/*
 * backup_large.h - one large key read in windows, as a run of pieces; shared by backup_large.c and
 * backup_stream.c only.
 *
 * WATCH, windows, MULTI, EXEC: when EXEC is not nil, nothing touched the key and the run is exact;
 * only then its last piece is given to the sink. Otherwise the run stays without one, which voids
 * it, and the key is read again.
 */
#ifndef CORE_BACKUP_BACKUP_LARGE_H
#define CORE_BACKUP_BACKUP_LARGE_H

#include "core/backup/backup_private.h"
#include "core/base/escape.h"

enum run_outcome {
    RUN_OK,
    RUN_RETRY,      /* changed while it was read */
    RUN_SETTLED,    /* gone, forbidden or moved: already counted */
    RUN_LATER,      /* the server is busy, loading or without quorum */
    RUN_OTHER_TYPE, /* replaced by a key of another type */
    RUN_BAD,        /* cannot be kept: err */
    RUN_BROKEN      /* the shard's pass ended */
};

struct run {
    struct shard *s;
    struct item *item;
    struct record_head head;
    uint64_t seq;
    uint64_t count;
    uint64_t window; /* elements */
    bool whole;      /* one window held it all: kept as a small key is, proven before */
    enum run_outcome outcome;
    struct error err;
    struct stream_state stream;
    struct str *fields; /* with deadlines, in the scratch arena */
    int64_t *deadlines;
    size_t field_count;
};

/* All return false with the outcome set. */
/* The next piece, for the sink; its head and number are filled in. */
bool run_piece(struct run *run, struct sink_piece *piece);
/* One command; an error reply settles the item. */
bool run_call(struct run *run, struct command command, const struct reply **r);
/* The same for a command that is on its way already (shard_send). */
bool run_reply(struct run *run, const struct reply **r);
/* backup_stream.c: groups with their pending entries first, then the entries. */
bool run_stream(struct run *run);

#endif
