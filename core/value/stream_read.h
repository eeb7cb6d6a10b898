/*
 * stream_read.h - replies of XINFO and XPENDING about streams, as plain data. Everything points
 * into the reply or the arena. Pure; one thread.
 */
#ifndef CORE_VALUE_STREAM_READ_H
#define CORE_VALUE_STREAM_READ_H

#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/redis/reply.h"
#include "core/redis/stream_value.h"

/* Members that XINFO STREAM gives with and without FULL. */
bool stream_read_state(const struct reply *r, struct stream_state *out,
                       struct error *err) MUST_CHECK;
/* `groups` of XINFO STREAM … FULL. */
bool stream_read_groups(const struct reply *list, struct arena *arena, struct stream_group **out,
                        size_t *count, struct error *err) MUST_CHECK;
/* One element of XINFO GROUPS; consumers and pending stay empty. */
bool stream_read_group(const struct reply *r, struct arena *arena, struct stream_group *out,
                       struct error *err) MUST_CHECK;
/* An entry as XRANGE gives it: [id, [field, value, …]]. *fields in the arena. */
bool stream_read_entry(const struct reply *r, struct arena *arena, struct stream_id *id,
                       struct str **fields, size_t *count, struct error *err) MUST_CHECK;
/* A list of [id, consumer, time or idle, deliveries] into the group, whose consumers are known.
 * now_ms: 0 = times are absolute (FULL), else they are idle times (XPENDING). */
bool stream_read_pending(const struct reply *list, int64_t now_ms, struct arena *arena,
                         struct stream_group *group, struct error *err) MUST_CHECK;

#endif
