/*
 * diff_private.h - what the files of the comparison share: diff_side.c walks over one side,
 * diff_keys.c puts the two together, diff_named.c finds out what changed in the keys that are
 * named, diff.c runs it and says what could not be compared. Nobody else includes it.
 */
#ifndef CORE_DIFF_DIFF_PRIVATE_H
#define CORE_DIFF_DIFF_PRIVATE_H

#include "core/archive/record_stream.h"
#include "core/base/map.h"
#include "core/diff/diff.h"
#include "core/diff/diff_table.h"
#include "core/snapshot/snapshot_read.h"
#include "core/value/slot_sums.h"
#include "core/value/value_sum.h"

enum { SIDE_A, SIDE_B, SIDES };

#define DIFF_NO_SHARD UINT32_MAX
#define DIFF_PREFIXES 1000
#define DIFF_SHARDS 2000

/* Where a record begins: the part's place in the manifest, and the offset in it. */
struct diff_position {
    uint32_t part, offset;
};

struct diff_side {
    char *name;
    struct source *source; /* a backup, or NULL */
    struct part_group *groups;
    size_t group_count;
    uint32_t *group_of; /* by part: its group and its place in it */
    uint32_t *place_of;
    struct snapshot *snapshot; /* or NULL */
    char *keys_path;           /* its keys file, or NULL */
    const char **shards;       /* names, by the number in a struct diff_key */
    size_t shard_count;
    uint32_t *shard_of_slot; /* of a snapshot */
    struct filter filter;    /* what it was made with; slots are in `read` */
    struct slot_set read;    /* slots it has looked at */
    bool partial;            /* some of them not to the end */
    int64_t start_ms;        /* between these its keys were read; 0: not known */
    int64_t end_ms;          /* at the latest */
    uint64_t keys;           /* as it says itself; 0: not known */
};

/* Which keys of a side are wanted now. */
struct diff_want {
    struct slot_set slots;
    uint32_t modulus, remainder; /* of the fingerprint; modulus 1: all */
    uint64_t below;              /* key_digest_rank; UINT64_MAX: all */
};

/* One key during a walk; its strings live until the visit returns. */
struct diff_key {
    struct key_facts facts;
    struct diff_print print;
    uint32_t shard; /* of the side; DIFF_NO_SHARD: not known */
    struct diff_position at;
};

/* Names that are counted by: the first `max` of them have a row each, row 0 is for all others. */
struct diff_names {
    struct map *index; /* name -> number of its row */
    struct diff_row *rows;
    size_t count, cap;
    size_t max;
};

/* A key that is going to be in the report. */
struct diff_named {
    struct diff_entry entry;
    enum diff_verdict verdict;
    char *name; /* escaped; NULL: not read yet */
    uint32_t db;
    int64_t deadline_ms[SIDES];
    struct value_sum *sums[SIDES];
    uint64_t elements[SIDES];
    bool large;
    char detail[160];
};

/* Those with the smallest fingerprints of one verdict: a heap, the largest on top. */
struct diff_draw {
    struct diff_named *items;
    size_t count, cap;
    uint64_t seen;
};

struct diff_run {
    struct diff_side *side[SIDES];
    const struct diff_options *o;
    struct task *task;
    struct diff_report *r;
    struct slot_set slots; /* that both have read and the operator wants */
    struct diff_table *table;
    bool counting; /* this is the first walk over its side */
    bool full;     /* the table was too small for this walk */
    struct slot_sums *sums[SIDES];
    struct diff_counts *by_slot; /* SLOT_COUNT of them */
    struct diff_names prefixes, shards;
    uint32_t *shard_row[SIDES]; /* shard of a side -> row of shards */
    struct diff_draw draws[DIFF_VERDICTS];
};

typedef bool (*diff_visit)(void *ctx, const struct diff_key *key, struct error *err);

/* diff_side.c: every wanted key of a side, once for each time that it stands there. */
bool diff_side_walk(struct diff_run *run, int side, const struct diff_want *want, diff_visit visit,
                    void *ctx, struct error *err) MUST_CHECK;

bool diff_side_has_keys(const struct diff_side *s);
/* The key's deadline; for an older tool's record, which has none, from the life it had left. */
int64_t diff_deadline(const struct diff_side *s, const struct record_head *h);

/* diff_names.c. diff_names_of: the number of the name's row. */
void diff_names_init(struct diff_names *n, size_t max);
void diff_names_release(struct diff_names *n);
size_t diff_names_of(struct diff_names *n, struct str name);

/* diff_draw.c: one more key of this verdict, which may be named. */
void diff_draw_offer(struct diff_draw *d, uint64_t limit, const struct diff_entry *e,
                     enum diff_verdict verdict);

/* diff_keys.c: sums, differing slots, verdicts, and which keys to name. */
bool diff_compare_keys(struct diff_run *run, struct error *err) MUST_CHECK;
/* Verdicts for the wanted keys only; they must fit. */
bool diff_compare_want(struct diff_run *run, const struct diff_want *want,
                       struct error *err) MUST_CHECK;
/* Counts and sums of a side, each key once as far as the memory goes. */
bool diff_count_side(struct diff_run *run, int side, const struct diff_want *want,
                     struct error *err) MUST_CHECK;

/* diff_slots.c: where a side has no keys. */
bool diff_compare_slots(struct diff_run *run, struct error *err) MUST_CHECK;

/* diff.c */
void diff_report_slot(struct diff_report *r, uint16_t slot, const struct diff_counts *counts,
                      bool deadlines_only);

/* diff_named.c: names and details of the keys that were drawn. */
bool diff_name_keys(struct diff_run *run, struct error *err) MUST_CHECK;

#endif
