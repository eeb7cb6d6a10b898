/*
 * restore_exact.h - keys that the target has and the backup lacks: counted for the plan, removed by
 * a restore that leaves the cluster exactly as the backup is. Private to core/restore/restore*.
 *
 * Only keys that the backup was about (its own patterns, types and slots) and that the restore is
 * about count. The names of the backup are held as fingerprints in bounded memory; where they do
 * not fit, some slots are done after the others. A name that is in the backup is never taken for
 * one that is not. Removed names are written to removed.jsonl in the job's directory, before they
 * are unlinked. Blocking, one thread.
 */
#ifndef CORE_RESTORE_RESTORE_EXACT_H
#define CORE_RESTORE_RESTORE_EXACT_H

#include "core/restore/restore.h"

struct restore_exact {
    struct source *source;
    const struct redis_options *target;
    const struct restore_options *options;
    struct task *task;
    bool cluster;
    bool remove;   /* false: only count */
    size_t memory; /* for the names; 0: 128 MiB */
    /* What came of it. */
    uint64_t found; /* SCAN may give a key twice: about, unless they were removed */
    uint64_t removed;
    uint64_t failed;                  /* in the ledger */
    char *examples[RESTORE_EXAMPLES]; /* escaped; the caller frees them */
};

bool restore_exact_run(struct restore_exact *x, struct error *err) MUST_CHECK;

#endif
