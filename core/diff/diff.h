/*
 * diff.h - two backups, two snapshots or one of each, compared: what is in A, what is in B, and
 * what became of each key on the way from one to the other.
 *
 * Where both sides carry keys every key gets a verdict; elsewhere slots are compared by their sums
 * and, where a snapshot has one, its sample key by key. Memory stays within max_memory however
 * large the sides are: whole slots are compared by their sums first, then only those that differ
 * are read key by key, in as many passes as it takes. Only what both sides have read is compared:
 * nothing is called removed because a side never looked there.
 * Blocking; jobs only. Sides, options and their strings outlive the call. One thread.
 */
#ifndef CORE_DIFF_DIFF_H
#define CORE_DIFF_DIFF_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/archive/source.h"
#include "core/base/error.h"
#include "core/jobs/task.h"
#include "core/record/filter.h"
#include "core/record/record.h"

#define DIFF_VERSION 1
#define DIFF_LIMIT_DEFAULT 1000 /* keys named for each verdict */
#define DIFF_LIMIT_MAX 100000
#define DIFF_SLOT_ROWS 1024 /* slots listed one by one in the report */
#define DIFF_NOTES 16       /* things to know before the numbers */

enum diff_verdict {
    DIFF_SAME,
    DIFF_DIFFERS, /* another type or value */
    DIFF_TTL,     /* the same value, another expiry */
    DIFF_REMOVED, /* in A, not in B */
    DIFF_ADDED,   /* in B, not in A */
    DIFF_EXPIRED, /* in the older one only, and its deadline had come when the newer one was read */
    DIFF_UNSURE,  /* in one only, but the other one is incomplete: it may just not have been read */
    DIFF_VERDICTS
};

const char *diff_verdict_name(enum diff_verdict v); /* "same", "differs" … */

struct diff_options {
    struct filter filter; /* beside those that the sides were made with */
    int64_t tolerance_ms; /* deadlines this far apart are the same */
    uint64_t limit;       /* keys named for each verdict */
    uint64_t max_memory;  /* bytes */
};

/* Numbers of one type, prefix, shard, slot, or of all. */
struct diff_counts {
    uint64_t a, b;      /* keys of each side */
    uint64_t changed_a; /* of those of A, how many are not the same */
    uint64_t verdicts[DIFF_VERDICTS];
};

struct diff_row {
    char *name; /* escaped */
    struct diff_counts counts;
};

struct diff_slot_row {
    uint16_t slot;
    bool deadlines_only; /* contents are equal, expiries are not */
    struct diff_counts counts;
};

/* A key that is not the same. */
struct diff_finding {
    char *key; /* escaped, cut when very long */
    uint32_t db;
    uint16_t slot;
    enum record_type type_a, type_b; /* RECORD_TYPES: not there */
    enum diff_verdict verdict;
    char detail[160];
};

enum diff_level {
    DIFF_BY_KEY,    /* every key has a verdict */
    DIFF_BY_SAMPLE, /* slots by their sums; verdicts are those of the sample */
    DIFF_BY_SLOT    /* slots by their sums; no verdicts */
};

struct diff_report {
    enum diff_level level;
    struct diff_counts total;
    struct diff_counts by_type[RECORD_TYPES];
    struct diff_row *prefixes;
    size_t prefix_count;
    struct diff_row *shards;
    size_t shard_count;
    uint32_t slots_compared, slots_same; /* the others differ */
    uint32_t slots_deadlines;            /* of those: only in expiries */
    struct slot_set slots_differing;
    struct diff_slot_row *slots; /* the first DIFF_SLOT_ROWS of them */
    size_t slot_count;
    struct diff_finding *findings; /* by verdict, slot and key */
    size_t finding_count;
    uint64_t unnamed;       /* keys that are not the same and are not in findings */
    uint64_t sampled;       /* DIFF_BY_SAMPLE: keys that were compared */
    json_t *facts;          /* array of {fact, a, b}: what else changed */
    uint64_t facts_counted; /* those of them that make the sides differ */
    char *notes[DIFF_NOTES];
    size_t note_count;
    unsigned passes; /* over each side */
    int64_t elapsed_ms;
};

struct diff_side;
struct snapshot;

/* The source or snapshot stays the caller's; `name` is for people. keys_path: the keys file of a
 * snapshot, or NULL when there is none to be had. */
struct diff_side *diff_side_backup(struct source *source, const char *name);
struct diff_side *diff_side_snapshot(struct snapshot *snapshot, const char *keys_path,
                                     const char *name);
void diff_side_free(struct diff_side *s); /* NULL is fine */

/* ERROR_USAGE: these two, or these options, cannot be compared; the text says why. */
bool diff_run(struct diff_side *a, struct diff_side *b, const struct diff_options *options,
              struct task *task, struct diff_report *out, struct error *err) MUST_CHECK;
void diff_report_release(struct diff_report *r);
/* 0: equal as far as they were compared. */
uint64_t diff_report_findings(const struct diff_report *r);
/* The report as one document, see docs/schema/diff.schema.json. */
json_t *diff_report_json(const struct diff_report *r, const struct diff_side *a,
                         const struct diff_side *b, const struct diff_options *options);

#endif
