/*
 * verify.h - a backup against the live cluster: a verdict for each key that is looked at.
 *
 * Every record's value is read again from the owner of its slot and compared whole, however large;
 * keys that do not agree are looked at again in further rounds, since clients may be writing. The
 * cluster is only read. What is wrong is in the report and the ledger: findings, not errors.
 * Blocking; jobs only. options, source and their strings outlive the call.
 */
#ifndef CORE_VERIFY_VERIFY_H
#define CORE_VERIFY_VERIFY_H

#include <jansson.h>

#include "core/archive/source.h"
#include "core/jobs/task.h"
#include "core/net/address.h"
#include "core/record/filter.h"
#include "core/redis/options.h"
#include "core/verify/verify_rule.h"

enum verify_extent { VERIFY_SAMPLE, VERIFY_SUBSET, VERIFY_FULL };

struct verify_options {
    enum verify_extent extent;
    uint64_t sample;          /* VERIFY_SAMPLE: keys, drawn at random */
    uint32_t subset, subsets; /* VERIFY_SUBSET: slots with slot % subsets == subset - 1 */
    uint64_t seed;            /* of the draw; 0: random */
    int64_t tolerance_ms;
    unsigned rounds; /* at least 1 */
    bool no_stream_groups;
    bool extra;          /* also name keys that the cluster has and the backup lacks */
    size_t max_memory;   /* for all buffers together; 0: 256 MiB */
    size_t extra_memory; /* for the names of the backup; 0: half of that, more means more passes */
    struct filter filter;
    struct verify_restored restored;
};

#define VERIFY_EXAMPLES_MAX 10000 /* keys named in the report; all of them are in the ledger */

struct verify_finding {
    char *key; /* escaped */
    enum record_type type;
    enum verify_verdict verdict;
    char detail[200];
};

/* Keys whose slot this node owns when the run ends. */
struct verify_node {
    char address[ADDRESS_TEXT_MAX];
    uint64_t verdicts[VERIFY_VERDICTS];
};

/* How keys that the backup lacks were looked for. */
enum verify_search {
    VERIFY_SEARCH_NONE,   /* not at all */
    VERIFY_SEARCH_COUNTS, /* counts of every slot; only slots with room for others were listed */
    VERIFY_SEARCH_SCAN,   /* every key of every primary */
};

struct verify_report {
    uint64_t population; /* keys of the backup that were to be looked at; 0: not known */
    uint64_t checked;
    bool stopped; /* by an error or the operator: what was not looked at is not known */
    uint64_t verdicts[VERIFY_VERDICTS];
    uint64_t by_type[RECORD_TYPES][VERIFY_VERDICTS];
    struct verify_node *nodes;
    size_t node_count;
    uint64_t deadlines[3];   /* by enum verify_deadline, of keys that are the same */
    uint64_t expired_fields; /* of hashes that are the same otherwise */
    uint64_t misplaced;      /* records whose slot is not their key's */
    bool placement;          /* the next one was looked at */
    uint64_t stray;          /* keys on primaries that do not own their slot */
    uint64_t changing;       /* findings that were not the same in two rounds: clients write them */
    uint64_t partly;         /* streams whose counters one side lacks: those were left out */
    enum verify_search search;
    uint64_t slots_counted, slots_listed; /* by that search */
    uint64_t seed;
    unsigned rounds;        /* taken */
    uint64_t looked_again;  /* keys that needed more than one round */
    uint64_t looked_closer; /* large keys that were read again range by range */
    struct verify_finding *findings;
    size_t finding_count, finding_cap;
    uint64_t found; /* all findings, also those that are only in the ledger */
    int64_t started_ms, elapsed_ms;
};

bool verify_run(struct source *source, const struct redis_options *target,
                const struct verify_options *options, struct task *task, struct verify_report *out,
                struct error *err) MUST_CHECK;
void verify_report_release(struct verify_report *r);
/* How many keys are not as they should be: differs, missing, extra, ttl, unreadable, misplaced,
 * stray. */
uint64_t verify_report_findings(const struct verify_report *r);
json_t *verify_report_json(const struct verify_report *r, const struct verify_options *options,
                           const struct manifest *m);
/* For a ticket or a wiki page. */
void verify_report_markdown(const struct verify_report *r, const struct verify_options *options,
                            const struct manifest *m, struct buf *out);
/* What was looked at and what that is worth: "0 of 1,000 keys drawn at random from 250,000 are
 * wrong: with 95 % confidence fewer than 0.30 % of all are". Returns out. */
char *verify_report_coverage(const struct verify_report *r, const struct verify_options *options,
                             char *out, size_t size);
/* The share of a population that is wrong at most, with 95 % confidence, when `wrong` of `drawn`
 * that were drawn at random are (Clopper and Pearson); 1 when nothing was drawn. Pure. */
double verify_upper_bound(uint64_t wrong, uint64_t drawn);
/* "checked=1000 same=1000 differs=0 missing=0 extra=0 expired=0 ttl=0 unreadable=0" */
char *verify_report_line(const struct verify_report *r, char *out, size_t size);

#endif
