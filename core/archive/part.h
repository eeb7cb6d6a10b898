/*
 * part.h - one part of a backup while it is filled: the text of keys-part-NNNN.jsonl in memory.
 *
 * The first PART_HEAD bytes of `text` are kept free for the tar header, so that header, data and
 * padding are one piece of memory. A part belongs to the worker that fills it, then to the
 * archive.
 */
#ifndef CORE_ARCHIVE_PART_H
#define CORE_ARCHIVE_PART_H

#include "core/archive/manifest.h"
#include "core/base/buf.h"
#include "core/codec/tar.h"

#define PART_HEAD TAR_BLOCK
#define PART_NAME_MAX 48

struct part {
    struct buf text;
    char name[PART_NAME_MAX]; /* "keys/keys-part-0001.jsonl", given by the archive */
    char shard[320];
    bool functions; /* functions.jsonl instead of keys */
    struct manifest_part info;
    uint64_t number; /* in order of archiver_add, from 1; 0: functions, or not yet given */
    uint32_t pass;   /* which reading of which node, and where in it: for the checkpoint */
    uint32_t seq;
    bool in_tree; /* its file stands in the tree already */
};

/* max: bytes that the text may reach. */
struct part *part_new(const char *shard, uint32_t generation, size_t max);
void part_free(struct part *p); /* NULL is fine */
/* "keys/keys-part-0001.jsonl" by its number. */
void part_name(struct part *p);
struct str part_text(const struct part *p);
bool part_is_empty(const struct part *p);
/* Room for one more line is left until bytes or keys reach these. */
bool part_is_full(const struct part *p, uint64_t keys, uint64_t bytes);

#endif
