/*
 * record_read.h - what the two halves of the record reader share: record_read.c takes a line apart
 * into members, record_value.c takes the value of each type apart. Nobody else includes it.
 */
#ifndef CORE_RECORD_RECORD_READ_H
#define CORE_RECORD_RECORD_READ_H

#include "core/record/record.h"
#include "core/record/record_json.h"

#define RECORD_ITEMS_MAX ((size_t)8 << 20) /* byte strings in one line */

struct record_slice { /* in the line's memory */
    uint32_t off;
    uint32_t len;
};

struct record_deadline_item {
    struct record_slice field;
    int64_t millis;
};

/* Groups while they are read: their lists lie one after another in the flat arrays. */
struct record_span {
    size_t first_consumer;
    size_t first_pending;
};

struct record {
    char *line; /* line_cap bytes */
    size_t line_cap;
    struct record_head head;
    struct record_slice *items;
    size_t item_count;
    size_t item_cap;
    struct record_deadline_item *deadlines;
    size_t deadline_count;
    size_t deadline_cap;
    struct record_entry *entries;
    size_t entry_count;
    size_t entry_cap;
    struct stream_group *groups;
    struct record_span *spans;
    size_t group_count;
    size_t group_cap;
    size_t span_cap;
    struct str *consumers;
    size_t consumer_count;
    size_t consumer_cap;
    struct stream_pending *pending;
    size_t pending_count;
    size_t pending_cap;
    bool has_state;
    struct stream_state state;
    struct str dump;
};

/* One value of head.type at s, into r. */
bool record_read_value(struct record *r, struct scan *s, bool binary, struct error *err) MUST_CHECK;
bool record_read_deadlines(struct record *r, struct scan *s, bool binary,
                           struct error *err) MUST_CHECK;
bool record_read_stream(struct record *r, struct scan *s, bool binary,
                        struct error *err) MUST_CHECK;
/* Keep one byte string; ERROR_LIMIT past RECORD_ITEMS_MAX. */
bool record_keep(struct record *r, struct str item, struct error *err) MUST_CHECK;

#endif
