/*
 * manifest.h - metadata.json: what a backup holds, of what, and whether it is all there.
 *
 * A struct manifest owns everything in its arena; strings are never NULL but empty when unknown,
 * and were checked to be text. manifest_parse accepts our own and older tools' smaller ones and
 * checks every rule that does not need the parts themselves. One thread while it is built, any
 * number of readers after.
 * Source: docs/format, "metadata.json".
 */
#ifndef CORE_ARCHIVE_MANIFEST_H
#define CORE_ARCHIVE_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/secret.h"
#include "core/record/record.h"
#include "core/redis/slot.h"

#define MANIFEST_VERSION 1
#define MANIFEST_BYTES_MAX ((size_t)64 << 20)
#define MANIFEST_NAME "metadata.json"
#define MANIFEST_HMAC_NAME "metadata.json.hmac"
#define MANIFEST_PARTS_MAX 1000000

struct manifest_server {
    const char *addr; /* host:port */
    const char *role;
    const char *version;
    const char *flavour;  /* redis, valkey, other */
    uint32_t rdb_version; /* 0: not known */
};

struct manifest_count {
    const char *name;
    uint64_t keys;
};

struct manifest_totals {
    uint64_t keys;
    uint64_t bytes; /* of the parts, unpacked */
    uint64_t with_ttl;
    struct manifest_count *by_type;
    size_t type_count;
    struct manifest_count *by_node;
    size_t node_count;
    uint64_t hyperloglog;
    uint64_t vanished; /* expired or deleted between SCAN and read */
    uint64_t fuzzy;
    uint64_t unreadable;
    uint64_t too_large;
    uint64_t superseded; /* keys in parts whose generation no longer counts */
};

struct manifest_slots {
    uint16_t first;
    uint16_t last;
    const char *owner; /* node id */
    uint32_t generation;
};

struct manifest_part {
    const char *name;    /* "keys/keys-part-0001.jsonl" */
    uint32_t generation; /* from 0 */
    const char *shard;   /* address of the primary that owns the shard */
    bool continues;      /* its first line goes on with the chunk run at the end of the part before
                            it of the same shard and generation */
    uint64_t keys;       /* keys that end in this part */
    uint64_t bytes;      /* unpacked */
    bool has_sha256;     /* false only in older tools' archives */
    unsigned char sha256[32];
    bool has_range;  /* offset and length are known */
    uint64_t offset; /* of its gzip member in the archive */
    uint64_t length;
};

struct manifest_options {
    const char **match;
    size_t match_count;
    const char **types;
    size_t type_count;
    const char *slots; /* "" = all */
    uint64_t chunk_keys;
    uint64_t chunk_bytes;
    const char *source; /* primaries, replicas */
};

struct manifest {
    struct arena arena;
    int format_version; /* 0: an older tool's */
    const char *backup_id;
    const char *env;
    bool complete;
    const char *reason; /* why not complete; "" otherwise */
    bool filtered;
    const char *tool;
    const char *tool_version;
    int64_t started_ms; /* servers' clock; 0: unknown */
    int64_t finished_ms;
    const char *mode;     /* cluster, sentinel, single */
    const char **cluster; /* identity */
    size_t cluster_count;
    struct manifest_server *servers;
    size_t server_count;
    struct manifest_options options;
    struct manifest_totals totals;
    bool functions; /* functions.jsonl exists: it is the entry function_part */
    struct manifest_part function_part;
    const char **topology_events;
    size_t event_count;
    const char **warnings;
    size_t warning_count;
    struct manifest_slots *slots; /* rising, no overlap; empty outside cluster mode */
    size_t slot_count;
    struct manifest_part *parts; /* in order of writing */
    size_t part_count;
};

struct manifest *manifest_new(void);
void manifest_free(struct manifest *m); /* NULL is fine */
/* The exact bytes of metadata.json: indented, members in the order of the format. */
bool manifest_encode(const struct manifest *m, struct buf *out, struct error *err) MUST_CHECK;
/* ERROR_CORRUPT names the member. ERROR_UNSUPPORTED: a newer format version. */
bool manifest_parse(struct str text, struct manifest **out, struct error *err) MUST_CHECK;

/* The generation that counts for a slot. SLOT_NONE (no cluster): the highest of the parts. */
uint32_t manifest_generation(const struct manifest *m, uint16_t slot);
/* Does this record of this part count? false: superseded by a later reading. */
bool manifest_counts(const struct manifest *m, const struct manifest_part *part, uint16_t slot);
/* The slots of one shard, numbered from 1 in the order of their first slots, and in words for
 * people. ERROR_USAGE: there is no such shard. */
bool manifest_shard(const struct manifest *m, unsigned shard, struct slot_set *slots, char *shown,
                    size_t size, struct error *err) MUST_CHECK;
/* One line for people: "12,345 keys in 7 parts of 3 shards, complete". Returns out. */
char *manifest_describe(const struct manifest *m, char *out, size_t size);

/* HMAC-SHA-256 of the exact bytes, 64 lower hex digits and a NUL. */
void manifest_sign(struct str text, const struct secret *key, char out[65]);
/* ERROR_CORRUPT when `hex` (spaces around it allowed) is not the text's HMAC; constant time. */
bool manifest_check_sign(struct str text, const struct secret *key, struct str hex,
                         struct error *err) MUST_CHECK;

#endif
