/*
 * snapshot_read.h - a snapshot's report and its keys file, read back and checked: for diff, for the
 * console, for whoever keeps them.
 *
 * Both may come from anywhere, so every member that is used is checked and the limits of
 * core/base/json.h hold. A struct snapshot owns everything in it. Any number of threads may read
 * one; a keys reader belongs to one thread.
 * Source: docs/schema/snapshot.schema.json, docs/schema/snapshot-key-line.schema.json.
 */
#ifndef CORE_SNAPSHOT_SNAPSHOT_READ_H
#define CORE_SNAPSHOT_SNAPSHOT_READ_H

#include <jansson.h>

#include "core/base/arena.h"
#include "core/codec/gzip.h"
#include "core/value/slot_sums.h"

#define SNAPSHOT_KIND "snapshot"
#define SNAPSHOT_KEYS_KIND "snapshot-keys"
#define SNAPSHOT_VERSION 1
#define SNAPSHOT_BYTES_MAX ((size_t)64 << 20)
#define SNAPSHOT_LINE_MAX ((size_t)66 << 20) /* of a keys file */

/* Rows of the tables by type and by prefix. */
struct snapshot_row {
    const char *name;
    uint64_t keys;
    uint64_t with_ttl;
    uint64_t bytes;
    bool at_least; /* prefixes: some of its keys were counted as "other" before it was named */
};

struct snapshot_node_row { /* a primary that was read */
    const char *id;
    const char *addr;
    uint64_t slots;
    uint64_t keys;
    uint64_t with_ttl;
    uint64_t bytes;
};

/* A key of the sample; with `below` it tells which keys are in: those of a smaller rank. */
struct snapshot_sample {
    bool taken;
    uint64_t
        below; /* key_digest_rank of every key in the sample is smaller; UINT64_MAX: all keys */
    struct key_facts *keys; /* in the order of key_facts_compare */
    size_t count;
};

struct snapshot {
    struct arena arena;
    json_t *doc;    /* the whole report; facts that differ are looked for here: "servers", … */
    const char *id; /* of the job, or "" */
    const char *run_id; /* ties a keys file to its report */
    const char *env;
    const char *mode; /* cluster, sentinel, single */
    bool complete;
    const char *reason; /* why not complete; "" otherwise */
    bool filtered;
    const char **match;
    size_t match_count;
    const char **types;
    size_t type_count;
    const char *slots;  /* as asked for; "" = all */
    int64_t started_ms; /* servers' clock */
    int64_t finished_ms;
    struct slot_set covered; /* slots that were read to the end on an owner that held */
    struct slot_sums *sums;
    struct slot_sum total; /* of the slots: checked against the report's own totals */
    uint64_t vanished;
    uint64_t unreadable;
    uint64_t too_large;
    struct snapshot_row *by_type;
    size_t by_type_count;
    struct snapshot_row *by_prefix;
    size_t by_prefix_count;
    struct snapshot_row other; /* keys whose prefix has no row of its own */
    struct snapshot_node_row *nodes;
    size_t node_count;
    struct snapshot_sample sample;
    const char *keys_file; /* name of the keys file, beside the report; NULL: none was made */
};

/* Does this document claim to be a snapshot's report? ("kind") */
bool snapshot_is_report(const json_t *doc);
/* ERROR_CORRUPT names the member that is wrong; ERROR_UNSUPPORTED: a newer version or another
 * digest. `name` is for messages. */
bool snapshot_parse(struct str text, const char *name, struct snapshot **out,
                    struct error *err) MUST_CHECK;
bool snapshot_load(const char *path, struct snapshot **out, struct error *err) MUST_CHECK;
void snapshot_free(struct snapshot *s); /* NULL is fine */
/* Where the keys file stands: beside the report. Freed by the caller; NULL when there is none. */
char *snapshot_keys_path(const struct snapshot *s, const char *report_path);

/* ---- keys file --------------------------------------------------------------------------------
 */
struct snapshot_keys;

/* Plain or gzip, told by its bytes. ERROR_CORRUPT when it belongs to another snapshot (of NULL:
 * to whichever). */
bool snapshot_keys_open(const char *path, const struct snapshot *of, struct snapshot_keys **out,
                        struct error *err) MUST_CHECK;
/* The same from anywhere: pull gives the bytes; arg outlives it. */
bool snapshot_keys_new(gzip_pull pull, void *arg, const char *name, const struct snapshot *of,
                       struct snapshot_keys **out, struct error *err) MUST_CHECK;
void snapshot_keys_free(struct snapshot_keys *k); /* NULL is fine */
/* The next key, in the order of key_facts_compare; true with *end at the end (the file said so
 * itself: one that was cut off is an error); false with err. Strings live until the next call. */
bool snapshot_keys_next(struct snapshot_keys *k, struct key_facts *out, bool *end,
                        struct error *err) MUST_CHECK;

#endif
