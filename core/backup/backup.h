/*
 * backup.h - a whole cluster into one archive: all primaries side by side, every type, bounded
 * memory, and honest about what a topology that moved has spoilt.
 *
 * One worker thread per primary scans, reads and writes records; parts go through archive.h (or the
 * readings go to another sink, as a snapshot's). After
 * each round the slot map is compared with what the workers saw: slots whose owner, epoch or state
 * changed are read again on their owner under the next generation, at most BACKUP_ROUNDS times;
 * what is still unsettled then makes the backup incomplete. An outage that lasts too long, or
 * anything else that ends it early, leaves what is finished for a later run of the same job, which
 * checks it and reads the rest (checkpoint.h). Blocking; the cluster is used by the
 * calling thread only.
 */
#ifndef CORE_BACKUP_BACKUP_H
#define CORE_BACKUP_BACKUP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/archive/archive.h"
#include "core/archive/manifest.h"
#include "core/backup/backup_sink.h"
#include "core/base/error.h"
#include "core/jobs/task.h"
#include "core/record/filter.h"
#include "core/redis/cluster.h"

#define BACKUP_CHUNK_KEYS 5000
#define BACKUP_CHUNK_BYTES ((uint64_t)8 << 20)
#define BACKUP_CHUNK_BYTES_MAX ((uint64_t)64 << 20) /* readers hold a part in memory */
#define BACKUP_ROUNDS 4

enum backup_from {
    BACKUP_FROM_PRIMARIES,
    BACKUP_FROM_REPLICAS, /* and from nothing else: waits for one within the outage timeout */
    BACKUP_FROM_AUTO      /* a replica that is in order and at most 10 s behind, else the primary */
};

const char *backup_from_name(enum backup_from from);
bool backup_from_parse(const char *name, enum backup_from *out) MUST_CHECK;

struct backup_options {
    const char *env;
    struct filter filter;
    enum backup_from source;
    const char *slots;           /* as given, for the manifest; NULL: all */
    const char *const *identity; /* names of the cluster, for the manifest */
    size_t identity_count;
    uint64_t chunk_keys;            /* 0: BACKUP_CHUNK_KEYS */
    uint64_t chunk_bytes;           /* 0: BACKUP_CHUNK_BYTES */
    size_t max_memory;              /* bytes; 0: 256 MiB */
    uint64_t rate;                  /* keys a second over all nodes; 0: no limit */
    bool adaptive;                  /* rate auto: step back when the nodes answer slower */
    int outage_timeout_ms;          /* how long a lost primary is waited for; 0: 60,000 */
    bool strict;                    /* fuzzy keys are findings */
    struct archive_options archive; /* id, places, level, key; task is filled in */
    bool resume;                    /* go on with what the task's job wrote before */
    struct backup_sink sink;        /* ops set: readings go there, there is no archive */
};

struct backup_result {
    struct manifest
        *manifest;     /* as written; NULL when nothing was. With a sink: what it would say */
    uint64_t findings; /* > 0: incomplete, keys unreadable or too large (strict: fuzzy), functions
                          that could not be read or differ between nodes */
    uint64_t rounds;
    struct slot_set unsettled; /* incomplete: these could not be read while they held (outside
                                * cluster mode slot 0 stands for all) */
};

/* False: no backup was written (or its upload failed, then out->manifest tells of the local one);
 * err says how to go on when that can be done. */
bool backup_run(struct cluster *cluster, const struct backup_options *options, struct task *task,
                struct backup_result *out, struct error *err) MUST_CHECK;
void backup_result_release(struct backup_result *r);
/* The report: members of `doc`, findings included. */
void backup_report(const struct backup_result *r, json_t *doc);

#endif
