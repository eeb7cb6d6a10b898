/*
 * restore.h - puts a backup into a cluster: plan first, then part by part, never half a key.
 *
 * restore_survey reads the whole archive (so that nothing is written from a damaged one), counts
 * what it would do and asks the target; it changes nothing. restore_run does it: small keys in one
 * transaction each, large ones under a temporary name that is renamed into place, every reply
 * checked. A key that fails is in the ledger and the result; the run goes on. In a job that is
 * resumed both go on with what its earlier runs left undone. Blocking; jobs only.
 * The strings of options and the source must outlive the calls.
 */
#ifndef CORE_RESTORE_RESTORE_H
#define CORE_RESTORE_RESTORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/archive/source.h"
#include "core/base/error.h"
#include "core/jobs/task.h"
#include "core/record/filter.h"
#include "core/redis/capability.h"
#include "core/redis/cluster.h"
#include "core/redis/options.h"
#include "core/redis/slot.h"

enum restore_policy { RESTORE_FAIL_EXISTING, RESTORE_SKIP_EXISTING, RESTORE_OVERWRITE };
enum restore_ttl { RESTORE_TTL_REMAINING, RESTORE_TTL_ABSOLUTE, RESTORE_TTL_NONE };

struct restore_options {
    enum restore_policy policy;
    enum restore_ttl ttl;
    bool no_stream_groups;
    bool trust_dump;  /* DUMP payloads and functions of an archive that is not signed */
    bool flush_first; /* empty every primary, after the whole archive was checked */
    bool exact;       /* afterwards remove what the backup lacks, within its and our filter */
    struct filter filter;
    uint64_t rate;        /* keys per second, 0 = none */
    bool adaptive;        /* --rate auto: give way while the nodes answer slowly */
    bool unpaced;         /* for tests: show what happens when nobody minds the replicas */
    bool drop_field_ttl;  /* where the target cannot keep them */
    bool allow_downgrade; /* stream counters, unowned pending entries, functions: likewise */
    bool tune;            /* no eviction, and writes in spite of a failed save, while it runs */
    unsigned workers;     /* 0 = one per shard of the backup, at most 4 */
};

/* Policy and TTL words of the command line; false when there is no such word. */
const char *restore_policy_name(enum restore_policy p);
const char *restore_ttl_name(enum restore_ttl t);
bool restore_ttl_parse(const char *word, enum restore_ttl *out);

struct restore_node {
    char id[CLUSTER_ID_MAX];
    char addr[300];
    char version[48]; /* "redis 7.0.15" */
    int64_t keys;     /* there now; -1 unknown */
    int64_t used_memory;
    int64_t maxmemory; /* 0 = none, -1 unknown */
    int64_t evicted;   /* counter now; -1 unknown */
    int64_t clock_ahead_ms;
    uint64_t to_write; /* keys of the backup whose slot it owns */
    /* restore_fit.h */
    uint64_t need_memory;                  /* for those keys, estimated */
    int64_t system_memory, startup_memory; /* -1 unknown */
    char policy[24];                       /* maxmemory-policy; empty: unknown */
    enum flavour flavour;
    int version_number;
    bool keeps_field_ttl, keeps_counters, keeps_unowned, keeps_functions;
    bool save_failed, aof_failed;
    bool settings_known; /* CONFIG GET is allowed */
    bool stops_writes;   /* after a failed save */
    bool may_tune;       /* CONFIG SET is allowed; else why not */
    char why_not_tune[160];
};

/* What the backup asks of the target beside room. */
struct restore_needs {
    uint64_t field_deadlines;
    uint64_t clamped;           /* of those: later than Redis takes */
    uint64_t counted_streams;   /* with entries-added and max-deleted-id */
    uint64_t uncounted_streams; /* of servers before 7.0 */
    uint64_t unowned;           /* pending entries without consumer */
    uint32_t rdb_version;       /* the newest of the DUMP payloads; 0: none */
    uint64_t uncovered_keys;
    uint16_t uncovered_slot; /* one of them */
    struct slot_set open;    /* slots on the move */
    uint64_t open_keys;
    uint16_t open_slot;
};

#define RESTORE_EXAMPLES 5

/* What would happen. Plain data; freed with restore_plan_free. */
struct restore_plan {
    struct restore_node *nodes; /* primaries */
    size_t node_count;
    bool cluster; /* slots matter */
    uint64_t keys;
    uint64_t left_out; /* by the filter, or superseded */
    uint64_t by_type[RECORD_TYPES];
    uint64_t with_ttl;
    uint64_t past_deadline;           /* their original deadline is over on the target's clock */
    uint64_t existing;                /* on the target now */
    char *examples[RESTORE_EXAMPLES]; /* of existing keys, escaped */
    uint64_t value_bytes;
    uint64_t to_remove; /* exact: keys that the backup lacks, about */
    char *removed[RESTORE_EXAMPLES];
    struct restore_needs needs;
    /* Of a resumed job. */
    bool resumed;          /* an earlier run of it has begun to write */
    size_t parts;          /* of the backup */
    size_t parts_finished; /* by earlier runs */
    size_t parts_doubtful; /* finished too, but looked at again: a primary was replaced, evicted
                              keys, or some of its keys failed */
    uint64_t since;        /* of the keys still to write, there by now: its own or a client's */
    char **warnings;
    size_t warning_count, warning_cap;
    char **blockers; /* why it must not run; empty = it may */
    size_t blocker_count, blocker_cap;
    /* For restore_run. */
    struct restore_resume *resume;
    struct restore_repeat *repeat;
    struct key_bloom *existed; /* before the first run; NULL: not known */
};

bool restore_survey(struct source *source, const struct redis_options *target,
                    const struct restore_options *options, struct task *task,
                    struct restore_plan **out, struct error *err) MUST_CHECK;
void restore_plan_free(struct restore_plan *plan);
/* For --dry-run, the console and the journal. */
json_t *restore_plan_json(const struct restore_plan *plan, const struct restore_options *options,
                          const struct manifest *m);
/* Several lines for people. */
void restore_plan_text(const struct restore_plan *plan, const struct restore_options *options,
                       const struct manifest *m, struct buf *out);

struct restore_result {
    uint64_t written;
    uint64_t existing;  /* left alone */
    uint64_t conflicts; /* of existing: under RESTORE_FAIL_EXISTING, made during the run */
    uint64_t rewritten; /* once more, because a primary that had them was replaced */
    uint64_t replaced;  /* the same, where another value stood: perhaps a client's newer one */
    uint64_t changed;   /* left as they are: new since the plan, with another value, where a
                           failover may have taken ours away */
    uint64_t removed;   /* exact: keys that the backup lacks */
    uint64_t repeated;  /* by a later record of the same key, which counts */
    uint64_t expired;   /* their deadline was over: not created */
    uint64_t left_out;
    uint64_t failed; /* in the ledger */
    uint64_t unsure; /* a reply was lost and the key was there afterwards: ours or another's */
    uint64_t swept;  /* temporary keys of earlier runs that were removed */
    uint64_t functions;
    uint64_t untuned;               /* settings of --tune that could not be put back */
    uint64_t by_type[RECORD_TYPES]; /* written */
    int64_t evicted;                /* by the servers, during the run */
    uint64_t uncounted;             /* servers that could not say how many they evicted */
    int64_t elapsed_ms;
};

/* plan must come from restore_survey of the same source, target and options. True also with
 * findings (restore_result_findings). ERROR_STORAGE: out of memory on the server. What was
 * written before a failure is in *out. */
bool restore_run(struct source *source, const struct redis_options *target,
                 const struct restore_options *options, const struct restore_plan *plan,
                 struct task *task, struct restore_result *out, struct error *err) MUST_CHECK;
/* Keys that failed, were in the way, may be another's, or were evicted. */
uint64_t restore_result_findings(const struct restore_result *r);
json_t *restore_result_json(const struct restore_result *r);

#endif
