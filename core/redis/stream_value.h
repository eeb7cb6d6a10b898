/*
 * stream_value.h - a stream's state beside its entries: ids, counters, groups, consumers, pending
 * entries. Plain data shared by the readers of live servers and of records.
 *
 * Names are borrowed bytes (they may be binary or empty). Times are milliseconds. Any thread.
 * Source: Redis streams, XINFO STREAM and XPENDING.
 */
#ifndef CORE_REDIS_STREAM_VALUE_H
#define CORE_REDIS_STREAM_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/str.h"

#define STREAM_ID_TEXT 44 /* "18446744073709551615-18446744073709551615" and a NUL */

struct stream_id {
    uint64_t ms;
    uint64_t seq;
};

struct stream_pending {
    struct stream_id id;
    size_t consumer; /* index into the group's consumers; STREAM_UNOWNED: nobody's (XNACK) */
    int64_t delivered_ms;
    uint64_t deliveries;
};
#define STREAM_UNOWNED SIZE_MAX

struct stream_group {
    struct str name;
    struct stream_id last_delivered;
    bool has_entries_read; /* false: older than 7.0, or unknown to the server */
    uint64_t entries_read;
    struct str *consumers; /* all names, also without pending entries */
    size_t consumer_count;
    struct stream_pending *pending; /* rising by id */
    size_t pending_count;
};

struct stream_state {
    struct stream_id last_id;
    bool has_counters; /* false before 7.0: the next two are unknown */
    uint64_t entries_added;
    struct stream_id max_deleted;
};

/* "ms-seq", or "ms" alone as ms-0. The whole text; false otherwise. */
bool stream_id_parse(struct str text, struct stream_id *out) MUST_CHECK;
char *stream_id_format(char *out, size_t size, struct stream_id id); /* size STREAM_ID_TEXT */
int stream_id_compare(struct stream_id a, struct stream_id b);
/* The id right behind, seq carrying into ms; false at the very last one. */
bool stream_id_next(struct stream_id id, struct stream_id *out) MUST_CHECK;

#endif
