/*
 * snapshot.h - the state of a whole cluster as a report: sums per slot, tables by type, prefix and
 * node, what the nodes say about themselves; on request every key, or a sample of keys.
 *
 * The reading is a backup's (backup.h: all primaries side by side, slots that moved are read again,
 * incomplete is said); only the readings become digests instead of records. Blocking; the cluster
 * is used by the calling thread only.
 * Source: docs/schema/snapshot.schema.json.
 */
#ifndef CORE_SNAPSHOT_SNAPSHOT_H
#define CORE_SNAPSHOT_SNAPSHOT_H

#include <jansson.h>

#include "core/backup/backup.h"

#define SNAPSHOT_PREFIXES 100 /* rows of the table by prefix */

struct snapshot_options {
    /* env, filter, slots, identity, max_memory, rate, adaptive, outage_timeout_ms, strict; the
     * archive's part is not used */
    struct backup_options reading;
    size_t sample;         /* keys; 0: none */
    const char *keys_path; /* keys file: gzip when the name ends in .gz; NULL: none */
    const char *report_path;
};

struct snapshot_result {
    json_t *report;    /* the whole document, as written; NULL when nothing was */
    uint64_t findings; /* > 0: incomplete, or keys unreadable (strict: fuzzy) */
};

/* Both files are written, the report last. False: there is no report. */
bool snapshot_run(struct cluster *cluster, const struct snapshot_options *options,
                  struct task *task, struct snapshot_result *out, struct error *err) MUST_CHECK;
void snapshot_result_release(struct snapshot_result *r);
/* The report without its long lists (slots, keys of the sample): for result.json. New reference. */
json_t *snapshot_summary(const json_t *report);

#endif
