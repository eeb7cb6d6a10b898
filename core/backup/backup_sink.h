/*
 * backup_sink.h - where the readings of a backup go: into the parts of an archive
 * (backup_parts.c), or into the sums of a snapshot (snapshot_sink.c). The engine reads servers and
 * decides which readings are valid; a sink keeps them and knows nothing of servers.
 *
 * One worker for each reading of one node (a pass); its calls come from one thread, from open to
 * close. A small key: take, then keep or drop. A large key: pieces, numbered by head->chunk_seq;
 * one with number 0 begins the key anew (what came before of it never happened), and it counts only
 * when its last piece was accepted.
 */
#ifndef CORE_BACKUP_BACKUP_SINK_H
#define CORE_BACKUP_BACKUP_SINK_H

#include "core/base/error.h"
#include "core/record/fingerprints.h"
#include "core/record/record.h"
#include "core/redis/reply.h"
#include "core/redis/slot.h"
#include "core/value/value_read.h"

struct tally;

struct sink_pass {
    const char *node; /* address; like its id it lives until close */
    const char *node_id;
    uint32_t number; /* of the passes of a job, from 1 */
    uint32_t generation;
    bool by_slot;                    /* cluster mode */
    size_t workers;                  /* of this round: memory is shared among them */
    const struct fingerprints *seen; /* once it is full, a key may come twice in this pass */
};

enum sink_result {
    SINK_OK,
    SINK_BAD,   /* this key cannot be kept: ERROR_LIMIT means too large, else unreadable */
    SINK_FAILED /* the job cannot go on */
};

/* One piece of a large key: by type, `bytes` of a string, `items` of a hash, list, set or zset, a
 * `group` or `entries` of a stream. The last piece (head->chunk_last) has none of them but for a
 * stream's `state`; only a key that is not chunked at all comes whole with its `items`. */
struct sink_piece {
    const struct record_head *head;
    struct str bytes;
    const struct reply *items; /* flat: element …, field value …, member score … */
    const struct str *fields;  /* with deadlines; deadline_count 0: none of them has one */
    const int64_t *deadlines;
    size_t deadline_count;
    const struct stream_group *group;
    const struct reply *entries; /* as XRANGE gives them */
    const struct stream_state *state;
};

struct sink_ops {
    const char *stage; /* of the task while reading: "backup", "snapshot" */
    void *(*open)(void *ctx, const struct sink_pass *pass);
    /* A small key's reply. Only VALUE_WRITTEN is followed by keep or drop. */
    enum value_outcome (*take)(void *worker, const struct record_head *head, const struct reply *r,
                               struct error *err);
    bool (*keep)(void *worker, struct error *err); /* false: the job cannot go on */
    void (*drop)(void *worker);
    enum sink_result (*piece)(void *worker, const struct sink_piece *piece, struct error *err);
    /* NULL: nothing of a pass that does not end counts. Else, between two keys: every key of these
     * slots (perhaps none) was given, under a view that held, and this is what was counted. flush:
     * put everything away that was taken so far. */
    bool (*settled)(void *worker, const struct slot_set *slots, const struct tally *tally,
                    bool flush, struct error *err);
    /* The pass ended; whole: under a view that held to its end. */
    bool (*close)(void *worker, bool whole, struct error *err);
    /* The leader's, after close: what these slots hold is what this worker (NULL: it never began)
     * was told, and nothing that was told before. Outside cluster mode slot 0 stands for all. */
    void (*counts)(void *ctx, void *worker, const struct slot_set *slots);
    void (*free)(void *ctx, void *worker); /* the leader's; at any time after open */
};

struct backup_sink {
    const struct sink_ops *ops;
    void *ctx;
};

#endif
