/*
 * verify_worker.h - one thread of a verification. Private to core/backup/verify*.
 *
 * Workers share struct verify_shared: constants, the draw and the report under the lock. Each has
 * its own connections and its own stream of records.
 */
#ifndef CORE_BACKUP_VERIFY_WORKER_H
#define CORE_BACKUP_VERIFY_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/backup/record_stream.h"
#include "core/backup/value_sum.h"
#include "core/backup/verify.h"
#include "core/base/rng.h"
#include "core/redis/cluster.h"

#define VERIFY_OUTAGE_MS 60000

struct verify_shared {
    struct source *source;
    const struct redis_options *target;
    const struct verify_options *options;
    const struct part_group *groups;
    size_t group_count;
    struct task *task;
    bool cluster;
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
    size_t skip; /* replies before the ones that count (SELECT) */
    /* What the server said. */
    struct error why;
    enum record_type live_type;
    bool there;
    int64_t deadline_ms;
    int64_t length; /* -1: not asked */
    struct value_sum *live;
    bool has_value;
};

void *verify_worker_run(void *shared); /* thread start */
/* Algorithm S: is the next key part of the sample? Thread-safe. */
bool verify_draw(struct verify_shared *s);

/* verify_large.c: read a key in windows, through an outage if need be. What the server said is in
 * c; false when the run ends. */
bool verify_read_large(const struct verify_shared *s, struct cluster *cluster,
                       struct verify_check *c, struct error *err) MUST_CHECK;

/* verify_judge.c: the verdict on a key whose facts and value are known; detail is for people. */
enum verify_verdict verify_judge(const struct verify_shared *s, struct verify_check *c,
                                 enum verify_deadline *saw, char *detail, size_t size);
/* Count it, and name it unless all is well. */
void verify_settle(struct verify_shared *s, const struct verify_check *c,
                   enum verify_verdict verdict, enum verify_deadline saw, const char *detail);
/* A key that the backup lacks; it is not among the checked ones. */
void verify_settle_extra(struct verify_shared *s, struct str key, enum record_type type);

/* verify_extra.c: look for such keys, after the workers have ended. */
bool verify_look_for_extra(struct verify_shared *s, struct error *err) MUST_CHECK;

#endif
