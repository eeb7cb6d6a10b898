/*
 * restore_kit.h - a hand-written backup restored by the engine itself, in the test's process, so
 * that options and deadlines can be set as a test needs them. Part of one test program each.
 */
#ifndef TESTS_ENGINE_RESTORE_KIT_H
#define TESTS_ENGINE_RESTORE_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/attr.h"
#include "core/restore/restore.h"
#include "tests/harness/tmpdir.h"

struct kit {
    struct source *source;
    struct task *task;
    struct address seed;
    struct redis_options target;
    struct restore_options options;
    struct restore_plan *plan;
    struct restore_result result;
    struct error err;
};

/* A directory as an older tool leaves it: one part and a manifest that says little. */
static inline const char *kit_backup(const char *part, size_t len)
{
    const char *dir = tmpdir_path(tmpdir_new(), "redis-backup-local-20260101T000000Z-00aa");
    const char *keys = tmpdir_path(dir, "keys");

    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(mkdir(keys, 0700), 0);
    tmpdir_write(tmpdir_path(keys, "keys-part-0001.jsonl"), part, len);
    tmpdir_write(tmpdir_path(dir, "metadata.json"), "{\"env\":\"local\"}", 15);
    return dir;
}

static inline void kit_open(struct kit *k, const char *dir, uint16_t port)
{
    *k = (struct kit){.task = task_new_plain()};
    if (!source_open(&(struct source_options){.path = dir}, &k->source, &k->err))
        fail_msg("%s", k->err.text);
    k->seed = (struct address){.port = port};
    (void)snprintf(k->seed.host, sizeof(k->seed.host), "127.0.0.1");
    k->target = (struct redis_options){.seeds = &k->seed,
                                       .seed_count = 1,
                                       .command_timeout_ms = 2000,
                                       .connect_timeout_ms = 2000,
                                       .outage_timeout_ms = 10000};
}

/* Plan and run; false with k->err. */
static inline bool kit_restore(struct kit *k)
{
    restore_plan_free(k->plan);
    k->plan = NULL;
    k->err = (struct error){0};
    k->result = (struct restore_result){0};
    return restore_survey(k->source, &k->target, &k->options, k->task, &k->plan, &k->err) &&
           restore_run(k->source, &k->target, &k->options, k->plan, k->task, &k->result, &k->err);
}

/* A restore that runs beside the test: kit_open into `kit`, set options, then kit_run_begin. */
struct kit_run {
    struct kit kit;
    pthread_t thread;
    bool ok; /* once it is done */
    _Atomic bool done;
};

static inline void *kit_run_thread(void *arg)
{
    struct kit_run *r = arg;

    r->ok = kit_restore(&r->kit);
    atomic_store(&r->done, true);
    return NULL;
}

static inline void kit_run_begin(struct kit_run *r)
{
    assert_int_equal(pthread_create(&r->thread, NULL, kit_run_thread, r), 0);
}

static inline void kit_run_join(struct kit_run *r)
{
    assert_int_equal(pthread_join(r->thread, NULL), 0);
}

static inline void kit_close(struct kit *k)
{
    restore_plan_free(k->plan);
    source_close(k->source);
    task_free(k->task);
}

#endif
