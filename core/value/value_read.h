/*
 * value_read.h - the reply to one reading command into one record line: small keys.
 *
 * One command reads a small key whole, so its value is of one moment. Streams come from XINFO
 * STREAM … FULL. Pure but for the buffer; one thread.
 */
#ifndef CORE_VALUE_VALUE_READ_H
#define CORE_VALUE_VALUE_READ_H

#include "core/base/arena.h"
#include "core/record/record.h"
#include "core/redis/reply.h"

/* Append the reading command for a key of that type: GET, HGETALL, LRANGE 0 -1, SMEMBERS,
 * ZRANGE 0 -1 WITHSCORES, XINFO STREAM FULL COUNT 0, DUMP. */
bool value_command(struct buf *out, enum record_type type, struct str key,
                   struct error *err) MUST_CHECK;

enum value_outcome {
    VALUE_WRITTEN,
    VALUE_GONE,      /* expired or deleted meanwhile */
    VALUE_TOO_LARGE, /* a line or element over the limits */
    VALUE_BAD        /* the reply is not what the command promises: err */
};

/* Append the line. When nothing was written, out is as before. The scratch arena is cleared. */
enum value_outcome value_write(struct buf *out, const struct record_head *head,
                               const struct reply *r, struct arena *scratch, struct error *err);
/* Does this reply to the reading command say that there is no such key (any more)? */
bool value_is_gone(enum record_type type, const struct reply *r);
/* Does this string hold a HyperLogLog? (Its header; the server checks no more.) */
bool value_is_hyperloglog(struct str value);
/* The RDB version in the footer of a DUMP payload, 0 when it is too short. */
uint32_t value_rdb_version(struct str payload);

#endif
