/*
 * verify_worker.h - one thread of a verification. Private to core/verify/verify*.
 *
 * Workers share struct verify_shared: constants, the draw and the report under the lock. Each has
 * its own connections and its own stream of records.
 */
#ifndef CORE_VERIFY_VERIFY_WORKER_H
#define CORE_VERIFY_VERIFY_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/archive/record_stream.h"
#include "core/base/arena.h"
#include "core/base/rng.h"
#include "core/record/key_bloom.h"
#include "core/redis/cluster.h"
#include "core/redis/pipeline.h"
#include "core/value/value_sum.h"
#include "core/verify/verify.h"

#define VERIFY_OUTAGE_MS 60000
#define VERIFY_BATCH 250
#define VERIFY_LARGE_ITEMS 5000
#define VERIFY_LARGE_BYTES (1 << 20)
#define VERIFY_DATABASES_MAX 1024

/* What the forward pass found in one slot. */
struct verify_slot {
    uint32_t verdicts[VERIFY_VERDICTS];
    int64_t next_death; /* of the keys that were there, the first that dies; 0: none does */
};

struct verify_shared {
    struct source *source;
    const struct redis_options *target;
    const struct verify_options *options;
    const struct part_group *groups;
    size_t group_count;
    size_t worker_count;
    struct task *task;
    bool cluster;
    bool field_ttl; /* hashes may have fields with deadlines that the backup knows nothing of */
    int64_t clock_ahead_ms;
    int64_t read_ms;
    uint64_t total; /* keys to look at; 0: not known */
    _Atomic size_t next_group;
    _Atomic bool stop;
    _Atomic uint64_t checked;
    pthread_mutex_t lock; /* guards the rest */
    struct rng rng;
    uint64_t draw_left;  /* keys that the draw has not seen yet */
    uint64_t draw_needs; /* keys still to be drawn */
    struct error failed;
    struct verify_report *report;
    struct verify_slot *slots; /* SLOT_COUNT of them */
    struct key_bloom *seen;    /* keys that were there; NULL: nobody asks */
    struct slot_set repeated;  /* slots in which a key may have been counted twice */
    uint32_t *before;          /* keys of each slot when the workers began; NULL: not counted */
};

/* One key that is being looked at. The facts come first, the value after them. */
struct verify_check {
    struct record_position position;
    struct str key;          /* in the batch's arena */
    struct record_head head; /* its strings are not valid, but key is */
    struct value_sum *saved;
    bool large;
    bool timed; /* a hash whose fields have deadlines */
    bool misplaced;
    uint64_t print; /* of the live value; 0: it was not read */
    uint64_t was;   /* print of the live value in the round before; 0: there was none */
    size_t skip;    /* replies before the ones that count (SELECT) */
    /* What the server said. */
    bool nowhere; /* it has no such database */
    struct error why;
    enum record_type live_type;
    bool there;
    int64_t deadline_ms;
    int64_t length; /* -1: not asked */
    struct value_sum *live;
    bool has_value;
    struct str *fields; /* of a live hash whose deadlines are asked for, in the batch's arena */
    struct str *values;
    size_t field_count;
    bool compared;
    bool changing; /* not what it was in the round before */
    struct value_difference difference;
};

/* A key that is looked at again in the next round. */
struct verify_again {
    struct record_position position;
    uint64_t was;
};

struct verify_worker {
    struct verify_shared *s;
    struct cluster *cluster;
    struct pipeline *facts;
    struct pipeline *values;
    struct pipeline *deadlines;
    const struct part_group *group;
    struct record_stream *stream;
    struct arena names;
    struct arena scratch;
    struct verify_check checks[VERIFY_BATCH];
    size_t count;
    size_t bytes; /* of the values in the batch, about */
    struct verify_again *again;
    size_t again_count, again_cap;
    unsigned round;
    bool last_round;
    size_t row;        /* of the group at work */
    uint64_t seen;     /* keys of it that were looked at */
    uint64_t expected; /* 0: not known */
};

void *verify_worker_run(void *shared); /* thread start */
/* Algorithm S: is the next key part of the sample? Thread-safe. */
bool verify_draw(struct verify_shared *s);
/* Bytes that one worker may keep in items of values. */
size_t verify_memory(const struct verify_shared *s);
int64_t verify_outage_ms(const struct verify_shared *s);
/* Add up all lines of the key at hand; a run that was taken back gives *whole false. */
bool verify_sum_lines(const struct verify_shared *s, struct record_stream *stream,
                      struct verify_check *c, const struct record *r, bool *whole,
                      struct error *err) MUST_CHECK;

/* verify_read.c: the facts and the values of a batch, pipelined. */
void verify_read_init(struct verify_worker *w);
void verify_read_release(struct verify_worker *w);
bool verify_read_facts(struct verify_worker *w, struct error *err) MUST_CHECK;
bool verify_read_values(struct verify_worker *w, struct error *err) MUST_CHECK;
/* SELECT in front of and behind commands about a key of another database; counts it in *n. */
bool verify_append_select(struct buf *out, uint32_t key_db, uint32_t db, size_t *n,
                          struct error *err) MUST_CHECK;
bool verify_worth_reading(const struct verify_check *c);
bool verify_is_large(const struct verify_check *c);

/* verify_large.c: read a key in windows, through an outage if need be. What the server said is in
 * c; false when the run ends. */
bool verify_read_large(const struct verify_shared *s, struct cluster *cluster,
                       struct verify_check *c, struct error *err) MUST_CHECK;
/* SELECT, on a connection with nothing pending. */
bool verify_select(struct conn *conn, uint32_t db, struct error *err) MUST_CHECK;
/* An error that is not about the key or command: the node is away, or the slot has moved. */
bool verify_passes(const struct conn *conn, const struct error *why);

/* verify_closer.c: compare what was read. In the last round large values whose sums differ are read
 * again range by range, as often as memory asks for. */
bool verify_compare(struct verify_worker *w, struct verify_check *c, struct error *err) MUST_CHECK;

/* verify_judge.c: the verdict on a key whose facts and value are known; detail is for people. */
enum verify_verdict verify_judge(const struct verify_shared *s, struct verify_check *c,
                                 enum verify_deadline *saw, char *detail, size_t size);
struct verify_expiry verify_expiry_rule(const struct verify_shared *s);
bool verify_is_finding(enum verify_verdict verdict);
/* Count it, and name it unless all is well. */
void verify_settle(struct verify_shared *s, const struct verify_check *c,
                   enum verify_verdict verdict, enum verify_deadline saw, const char *detail);
/* A key that is not among the checked ones: extra or stray. */
void verify_settle_other(struct verify_shared *s, struct str key, enum record_type type,
                         enum verify_verdict verdict, const char *detail);

/* verify_target.c: what the servers are like, before; who owns what, after. */
bool verify_look_at_target(struct verify_shared *s, struct error *err) MUST_CHECK;
/* The numbers of all databases that have keys, rising. */
bool verify_list_databases(struct cluster *c, uint32_t *out, size_t *count,
                           struct error *err) MUST_CHECK;
/* Verdicts of slots added up by the nodes that own them. */
void verify_sum_by_node(struct verify_shared *s, struct cluster *c);

#endif
