/*
 * key_digest_private.h - what key_digest.c (all types) and key_digest_stream.c (streams) share.
 * Nobody else includes it.
 */
#ifndef CORE_VALUE_KEY_DIGEST_PRIVATE_H
#define CORE_VALUE_KEY_DIGEST_PRIVATE_H

#include <xxhash.h>

#include "core/base/arena.h"
#include "core/base/map.h"
#include "core/base/sorter.h"
#include "core/value/key_digest.h"

/* Bytes on their way into a hash, counted. */
struct digest_feed {
    XXH3_state_t *state;
    uint64_t length;
};

void digest_feed_init(struct digest_feed *f);
void digest_feed_release(struct digest_feed *f);
void digest_feed_clear(struct digest_feed *f);
void digest_feed_bytes(struct digest_feed *f, const void *data, size_t len);
void digest_feed_u64(struct digest_feed *f, uint64_t value);     /* little-endian */
void digest_feed_piece(struct digest_feed *f, struct str piece); /* length, bytes */
void digest_feed_id(struct digest_feed *f, struct stream_id id);
void digest_feed_hash(struct digest_feed *f, const struct digest_feed *of); /* canonical */
struct digest128 digest_feed_result(const struct digest_feed *f);

struct digest_group {
    struct str name;
    struct stream_id last_delivered;
    bool has_entries_read;
    uint64_t entries_read;
    struct str *consumers; /* names, repeated ones included until the end */
    size_t consumer_count, consumer_cap;
    struct digest_feed pending;
    uint64_t pending_count;
};

struct digest_stream {
    struct arena names;
    struct map *by_name; /* -> struct digest_group */
    struct digest_group **groups;
    size_t group_count, group_cap;
    struct digest_feed entries;
    uint64_t entry_count;
    struct stream_state state;
};

struct key_digest {
    struct record_head head;
    struct digest_feed content;
    struct sorter *members; /* hash, set, zset */
    struct buf held;        /* of a string that may be a HyperLogLog */
    bool plain;             /* it is none, or its head is done with */
    bool hyperloglog;
    uint64_t bytes;
    struct digest_stream stream;
    struct arena scratch;
};

void digest_stream_init(struct digest_stream *s);
void digest_stream_release(struct digest_stream *s);
void digest_stream_clear(struct digest_stream *s);
/* The canonical content of the stream. */
void digest_stream_end(struct digest_stream *s, struct digest_feed *content);

#endif
