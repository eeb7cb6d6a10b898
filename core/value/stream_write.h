/*
 * stream_write.h - builds a stream under a temporary name so that entries, ids, counters, groups,
 * consumers and pending entries come back exactly, pending entries whose message is gone included.
 *
 * Lines of one record are fed in order (a whole record is one line), then finish. Every reply is
 * checked; a claim that names other entries than asked fails the key. The key gets an expiry on the
 * way (TEMP_KEY_TTL_MS), so that a run that dies leaves nothing for good. The order of commands
 * matters and is explained in the .c. Blocking, one thread, on a connection with nothing pending.
 */
#ifndef CORE_VALUE_STREAM_WRITE_H
#define CORE_VALUE_STREAM_WRITE_H

#include <stdbool.h>

#include "core/base/error.h"
#include "core/record/record.h"
#include "core/redis/conn.h"

struct stream_abilities {
    bool counters;        /* 7.0: ENTRIESADDED, MAXDELETEDID, ENTRIESREAD */
    bool create_consumer; /* 6.2: XGROUP CREATECONSUMER, XTRIM MINID */
    bool unowned;         /* XNACK is known */
    bool drop_unowned;    /* else: leave pending entries without consumer out, as agreed */
    bool groups;          /* false: leave groups out, as the operator asked */
};

struct stream_build;

/* key is copied. */
struct stream_build *stream_build_new(struct str key, const struct stream_abilities *target);
void stream_build_free(struct stream_build *b); /* NULL is fine; removes nothing on the server */
/* ERROR_CORRUPT: lines that do not belong together. Else what the connection says. */
bool stream_build_line(struct stream_build *b, struct conn *c, const struct record *r,
                       struct error *err) MUST_CHECK;
bool stream_build_finish(struct stream_build *b, struct conn *c, struct error *err) MUST_CHECK;
/* Wait for the replies to what was sent so far: for a stream that is given up. */
bool stream_build_drain(struct stream_build *b, struct conn *c, struct error *err) MUST_CHECK;
uint64_t stream_build_entries(const struct stream_build *b); /* real ones so far */

#endif
