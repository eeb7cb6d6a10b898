/*
 * record.h - one key as one JSON line (a big key: several), written and read without a JSON tree.
 *
 * Writer: head, elements, end, straight into a buf. Reader: one line becomes a flat list of decoded
 * items in memory that the next line uses again; nothing is allocated per element. Any line that
 * parses is safe to use: base64 and UTF-8 are checked, members are not duplicated, ids, scores and
 * counters are well formed, list lengths are even where pairs are due. One thread per object.
 * Source: docs/format, "A record".
 */
#ifndef CORE_RECORD_RECORD_H
#define CORE_RECORD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/str.h"
#include "core/redis/slot.h"
#include "core/redis/stream_value.h"

#define RECORD_LINE_MAX ((size_t)64 << 20)    /* bytes of a line, both directions */
#define RECORD_ELEMENT_MAX ((size_t)48 << 20) /* bytes of one key, field, member or element */
#define RECORD_DEPTH_MAX 32
#define RECORD_TEMP_PREFIX "\0rbc:" /* 5 bytes: keys that are our own temporaries */
#define RECORD_TEMP_PREFIX_LEN 5
#define RECORD_NO_TIME INT64_MIN /* no TTL, no deadline */

enum record_type {
    RECORD_STRING,
    RECORD_HASH,
    RECORD_LIST,
    RECORD_SET,
    RECORD_ZSET,
    RECORD_STREAM,
    RECORD_OPAQUE, /* any other type of the server, as its DUMP payload */
    RECORD_TYPES
};

/* The server's TYPE word; NULL for RECORD_OPAQUE. */
const char *record_type_name(enum record_type type);
/* RECORD_OPAQUE for every word that is not one of the six. */
enum record_type record_type_of(struct str word);
bool record_is_temp(struct str key); /* starts with RECORD_TEMP_PREFIX */

/* What a line says beside its value. record_head_init gives a plain key without TTL. */
struct record_head {
    struct str key;
    enum record_type type;
    struct str type_name;     /* TYPE word, also for the six */
    int64_t ttl_millis;       /* RECORD_NO_TIME: null */
    int64_t expire_at_millis; /* RECORD_NO_TIME: absent */
    uint16_t slot;            /* SLOT_NONE outside cluster mode */
    uint32_t db;
    bool hyperloglog; /* string only */
    bool fuzzy;       /* changed while it was read in pieces */
    bool chunked;     /* one line of several: the next four matter */
    bool chunk_last;
    uint64_t chunk_seq;   /* 0, 1, 2 … */
    uint64_t chunk_count; /* last line: elements in all lines of the run, see below */
    uint32_t rdb_version; /* RECORD_OPAQUE; 0: not known */
};

/*
 * Chunk runs. All lines of a run carry the same key, type, slot and db; each its own piece of the
 * value in the usual form. Pieces concatenate: bytes of a string, fields of a hash (a field seen
 * again: the later one wins), elements of a list, members of a set or zset. chunk_count counts
 * bytes of a string, pairs of a hash, elements, members, or entries of a stream, repeated ones
 * included. A stream's run has its groups first (`groups` with `pending`; the same group may come
 * in several lines, its lists concatenate), then its entries, and the last line has last_id and
 * the counters: so whoever builds the stream knows the pending ids before the first entry.
 */

void record_head_init(struct record_head *h);
/* The key's slot, whatever the mode: the one that stands there, which the reader checked, or else
 * computed. */
uint16_t record_slot(const struct record_head *h);

/* ---- writer ---------------------------------------------------------------------------------- */
/*
 * One line: record_begin, then the elements of its type, then record_end. `binary`: some data byte
 * string of this value is not text (str_is_text), so all of them are written as base64; the caller
 * looks first, see record_all_text. After a failure the buf may hold half a line: cut it back to
 * its old length. ERROR_LIMIT: line or element too long.
 */
struct record_writer {
    struct buf *out;
    struct record_head head;
    size_t start; /* out->len at record_begin */
    bool binary;

    uint64_t count; /* elements so far */
    int section;    /* stream: which member is open */
};

bool record_begin(struct record_writer *w, struct buf *out, const struct record_head *head,
                  bool binary, struct error *err) MUST_CHECK;
/* The whole string value (once). */
bool record_put_string(struct record_writer *w, struct str value, struct error *err) MUST_CHECK;
/* One element of a list or a set. */
bool record_put_item(struct record_writer *w, struct str item, struct error *err) MUST_CHECK;
bool record_put_field(struct record_writer *w, struct str field, struct str value,
                      struct error *err) MUST_CHECK;
/* score: the server's own text; written in its shortest form. ERROR_CORRUPT when it is none. */
bool record_put_member(struct record_writer *w, struct str member, struct str score,
                       struct error *err) MUST_CHECK;
/* One element by the record's type: field and value of a hash, member and score of a sorted set,
 * else `first` alone. */
bool record_put_element(struct record_writer *w, struct str first, struct str second,
                        struct error *err) MUST_CHECK;
/* Stream: entries first, or groups first in a chunk run; then last_id and the counters. */
bool record_put_entry(struct record_writer *w, struct stream_id id, const struct str *fields,
                      size_t count, struct error *err) MUST_CHECK;
bool record_put_groups(struct record_writer *w, const struct stream_group *groups, size_t count,
                       struct error *err) MUST_CHECK;
bool record_put_state(struct record_writer *w, const struct stream_state *state,
                      struct error *err) MUST_CHECK;
bool record_put_dump(struct record_writer *w, struct str payload, struct error *err) MUST_CHECK;
/* Closes the value and writes the members behind it. deadlines: one per field in the order in which
 * the fields were put, RECORD_NO_TIME for none; NULL when no field has one. */
bool record_end(struct record_writer *w, const struct str *fields, const int64_t *deadlines,
                size_t count, struct error *err) MUST_CHECK;
/* `{"key":"…"` or `{"key_b64":"…"`: how every line about a key begins. */
bool record_put_key(struct buf *out, struct str key, struct error *err) MUST_CHECK;
/* All of them valid UTF-8 without NUL. */
bool record_all_text(const struct str *items, size_t count);

/* ---- reader ---------------------------------------------------------------------------------- */
struct record;

struct record *record_new(void);
void record_free(struct record *r);

/* Parse one line (without its newline). The line is copied; what the accessors give lives until the
 * next parse. ERROR_CORRUPT names what is wrong and the byte offset; ERROR_LIMIT; after a
 * failure the record is empty. */
bool record_parse(struct record *r, struct str line, struct error *err) MUST_CHECK;

const struct record_head *record_head(const struct record *r);
/* string: 1; list, set: elements; hash, zset: pairs; stream: entries; opaque: 0. */
size_t record_count(const struct record *r);
struct str record_string(const struct record *r);
struct str record_item(const struct record *r, size_t i); /* list, set */
/* hash: field and value; zset: member and score text (a double, also "inf" and "-inf"). */
void record_pair(const struct record *r, size_t i, struct str *first, struct str *second);
double record_score(const struct record *r, size_t i);
/* Field deadlines; the fields are among this line's. */
size_t record_deadlines(const struct record *r);
void record_deadline(const struct record *r, size_t i, struct str *field, int64_t *millis);
struct str record_dump(const struct record *r); /* opaque */

/* Streams. Entries rise strictly by id within a line. */
struct record_entry {
    struct stream_id id;
    size_t count; /* of fields and values together: even */
    size_t first; /* for record_entry_item */
};
void record_entry(const struct record *r, size_t i, struct record_entry *out);
struct str record_entry_item(const struct record *r, const struct record_entry *e, size_t i);
bool record_has_state(const struct record *r); /* last_id stands in this line */
struct stream_state record_state(const struct record *r);
/* Groups with their consumers and pending entries; names point into the record. */
const struct stream_group *record_groups(const struct record *r, size_t *count);

#endif
