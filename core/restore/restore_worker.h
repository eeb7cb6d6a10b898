/*
 * restore_worker.h - one thread of a restore: the records of some shards into the target. Private
 * to core/restore/restore*.
 *
 * Workers share what is in struct restore_shared: constants, atomic counters, and a first error
 * under its lock. Each has its own connections.
 */
#ifndef CORE_RESTORE_RESTORE_WORKER_H
#define CORE_RESTORE_RESTORE_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/archive/record_stream.h"
#include "core/base/arena.h"
#include "core/record/key_bloom.h"
#include "core/record/temp_key.h"
#include "core/redis/pipeline.h"
#include "core/restore/restore.h"
#include "core/restore/restore_lane.h"
#include "core/restore/restore_pace.h"
#include "core/restore/restore_rate.h"

#define RESTORE_WORKERS_MAX 4
#define RESTORE_OUTAGE_MS 60000
#define RESTORE_SMALL_ITEMS 5000 /* more elements than that are built under a temporary name */

struct restore_shared {
    struct source *source;
    const struct redis_options *target;
    const struct restore_options *options;
    const struct restore_plan *plan;
    const struct part_group *groups;
    size_t group_count;
    size_t worker_count;
    struct task *task;
    struct temp_key_table *temps;
    struct restore_pace *pace; /* NULL: nobody is held back for a replica */
    int64_t clock_ahead_ms;    /* target's clock before ours */
    int64_t read_ms;           /* when the backup ended, on its servers' clock */
    int64_t started_ms;        /* our clock */
    struct slot_set shaken;
    const struct slot_set *again; /* NULL; else write the keys of these slots once more, see
                                     restore_again.h */
    struct restore_resume *resume;
    struct restore_repeat *repeat;
    bool resumed;    /* an earlier run of this job may have written keys */
    int64_t late_ms; /* start of this run after that of the first one */
    struct key_bloom
        *existed;     /* keys that were there before the first run; NULL: see existed_any */
    bool existed_any; /* there were some */
    const struct restore_lane *lanes;
    size_t lane_count;
    uint16_t *row_of_slot;      /* see restore_rows_of */
    _Atomic uint64_t *row_done; /* keys per node */
    _Atomic size_t next_group;
    _Atomic uint64_t next_temp;
    _Atomic bool stop;
    pthread_mutex_t lock; /* guards failed, total and meter */
    struct error failed;  /* the first error that ends the run */
    struct restore_result total;
    struct restore_meter meter;
};

/* One key that is on its way in the pipeline. */
struct restore_item {
    struct str key; /* in the worker's arena */
    enum record_type type;
    uint16_t slot;
    size_t skip;     /* commands before the ones that count (SELECT) */
    size_t commands; /* without those */
    struct record_position position;
    int64_t dies_ms; /* absolute deadline, on the target's clock; 0: none */
    bool transaction;
    bool only_new; /* RENAMENX or SET NX decided */
    bool repeats;  /* another record of this key may come */
    bool settled;
    bool
        burial; /* of what an earlier record of the key left, whose last one is past its deadline */
    uint32_t db;
    char why[160]; /* first error of the transaction */
};

struct restore_worker {
    struct restore_shared *shared;
    struct cluster *cluster;
    struct pipeline *pipeline;
    struct arena names; /* keys of the items; cleared with each flush */
    struct restore_item *items;
    size_t item_count, item_cap;
    struct restore_item
        *unsure; /* there, and it must be found out whose; keys in the names arena */
    size_t unsure_count, unsure_cap;
    struct record_position *redo; /* of those, to be replaced */
    size_t redo_count, redo_cap;
    struct restore_lane_place place;
    const struct slot_set *again; /* only keys of these slots, with care; NULL: all, as told */
    bool passing;                 /* no key that begins here */
    bool force;                   /* replace what is there, whatever the policy */
    bool repeats;                 /* another record of the key at hand may come */
    struct restore_result told;   /* what of result is in the journal */
    struct restore_result result;
    struct error fatal; /* met in a reply: ends the run after this flush */
    uint64_t paced;     /* keys that the meter was not told of yet */
    struct restore_rate rate;
    int64_t batch_us;    /* how long the last flush took */
    size_t probed;       /* the row that was asked last */
    uint64_t *row_bytes; /* in the pipeline, per row of the plan */
    uint16_t *row_slot;  /* a slot of each of those rows */
    uint64_t bytes;      /* in the pipeline */
    uint64_t bytes_most; /* then it is flushed */
};

/* What becomes of a key's expiry under the chosen mode. */
struct restore_expiry {
    enum { RESTORE_KEEP, RESTORE_RELATIVE, RESTORE_ABSOLUTE, RESTORE_DEAD } kind;
    int64_t ms; /* from now, or since 1970 on the target's clock */
};

struct restore_expiry restore_expiry_of(const struct restore_shared *s,
                                        const struct record_head *h);
/* PEXPIRE or PEXPIREAT; nothing (0 commands) for RESTORE_KEEP. */
bool restore_write_expiry(struct buf *out, struct str key, struct restore_expiry expiry,
                          size_t *commands, struct error *err) MUST_CHECK;

void *restore_worker_run(void *shared); /* thread start */

/* Slot of a key on the target. */
uint16_t restore_slot(const struct restore_shared *s, const struct record_head *h);
/* SLOT_COUNT entries, for free(): which node of the plan owns each slot; UINT16_MAX: none does. */
uint16_t *restore_rows_of(const struct restore_plan *plan, const struct cluster *c);
bool restore_append_select(struct buf *out, uint32_t db, struct error *err) MUST_CHECK;
/* restore_flow.c: when a worker may go on. Before `bytes` are written for a slot outside the
 * pipeline, and after their replies. The worker's connections have no reply pending. */
bool restore_flow_enter(struct restore_worker *w, uint16_t slot, uint64_t bytes,
                        struct error *err) MUST_CHECK;
void restore_flow_leave(struct restore_worker *w, uint16_t slot, uint64_t bytes);
/* The same for what is in the pipeline, which is sent and answered in between. */
bool restore_flow_flush(struct restore_worker *w, struct error *err) MUST_CHECK;
/* A request was put into the pipeline. */
void restore_flow_count(struct restore_worker *w, uint16_t slot, uint64_t bytes);
/* With a low rate small batches, so that the flow is even. */
bool restore_flow_is_due(const struct restore_worker *w);
/* Between two batches: the rate. */
bool restore_flow_pace(struct restore_worker *w, struct error *err) MUST_CHECK;
void restore_count_key(struct restore_worker *w, uint16_t slot);
void restore_fail_key(struct restore_worker *w, struct str key, const char *why);

enum restore_fate {
    RESTORE_WRITTEN,
    RESTORE_EXISTED, /* and stayed */
    RESTORE_EXPIRED,
    RESTORE_UNSURE,  /* there, and nobody knows by whom */
    RESTORE_KEPT,    /* there, and as the backup has it: an earlier run or attempt wrote it */
    RESTORE_CHANGED, /* there, other than the backup has it, and not from before the restore */
};

/* A key that came to its end without an error: count it. */
void restore_settle_key(struct restore_worker *w, struct str key, enum record_type type,
                        uint16_t slot, enum restore_fate fate);
/* NOPERM about this key alone: other keys may be allowed. */
bool restore_is_key_refused(const struct error *why);

/* May only a key be made, and none replaced? */
bool restore_only_new(const struct restore_worker *w);

/* restore_unsure.c: keys that are there although they need not be another's: a reply was lost, an
 * earlier run wrote them, a failover brought an old value back. */
/* Must this key that is there be compared with the backup? repeated: it was sent before. */
bool restore_has_doubt(const struct restore_worker *w, uint32_t db, struct str key, bool repeated);
/* Compare each of the list with what the backup has: the same value is as good as written. Those
 * that have to be replaced are in w->redo afterwards. Clears the list. */
bool restore_look_at_unsure(struct restore_worker *w, struct record_stream *stream,
                            struct error *err) MUST_CHECK;
/* The same for a large key before it is built; `first` is the record that the stream gave last, and
 * is so again. *settled: nothing is left to do. Sets w->force where it must be replaced. */
bool restore_look_first(struct restore_worker *w, struct record_stream *stream,
                        const struct record *first, bool *settled, struct error *err) MUST_CHECK;

/* restore_large.c: a key that is built under a temporary name. `first` is the record that the
 * stream gave last; further lines of its run are taken from the stream. False: the run ends. */
bool restore_large(struct restore_worker *w, struct record_stream *stream,
                   const struct record *first, struct error *err) MUST_CHECK;
/* Past the further lines of a key that is not built. */
bool restore_skip_large(struct restore_worker *w, struct record_stream *stream,
                        const struct record *first, struct error *err) MUST_CHECK;
bool restore_is_large(const struct record *r);

#endif
