/*
 * info.h - one job as another process sees it: everything the list and the detail screen show.
 *
 * Immutable once read and reference-counted: lists share the entries that did not change. Texts are
 * bytes from a file that others may have written: escape them before showing. Reading does file
 * I/O: verbs, workers and the watch thread only.
 */
#ifndef CORE_JOBS_INFO_H
#define CORE_JOBS_INFO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/jobs/kind.h"
#include "core/jobs/progress.h"
#include "core/jobs/state.h"

struct job_info {
    char id[JOB_ID_MAX];
    enum job_kind kind;
    enum job_state state;
    char *run_id, *env, *target, *reason, *user, *sudo_user, *ssh, *host; /* never NULL */
    int64_t pid;
    int64_t started_ms;   /* real clock; of the last run; 0 unknown */
    int64_t first_ms;     /* start of the first run */
    int64_t updated_ms;   /* last progress.json */
    int64_t ended_ms;     /* 0 while it lives or when it crashed */
    uint32_t runs;        /* 1 unless it was resumed */
    uint64_t control_seq; /* the newest wish it obeys */
    uint64_t rate_limit;  /* what the operator set; 0 = as started */
    uint64_t failed;      /* lines of failed.jsonl, as progress or result tell */
    uint64_t warnings;
    int64_t findings;              /* from the result; 0 otherwise */
    int exit_status;               /* of the result; -1 without one */
    char *error_word, *error_text; /* "" unless failed or cancelled */
    struct progress progress;
    json_t *options; /* of job.json; may be NULL */
    json_t *report;  /* of result.json; may be NULL */
};

/* ERROR_NOT_FOUND without such a job. A damaged directory still gives an info (state crashed). */
struct job_info *job_info_read(const char *state_dir, const char *id, struct error *err) MUST_CHECK;
struct job_info *job_info_ref(struct job_info *info);
void job_info_unref(struct job_info *info); /* NULL is fine */

/* What `jobs --json` prints: the same members as the screens. Owned by the caller. */
json_t *job_info_to_json(const struct job_info *info, bool with_report);

struct job_list {
    struct job_info **items; /* newest first */
    size_t count;
    uint64_t generation; /* rises when anything changed (watch) */
};

/* Read all jobs once. */
bool job_list_read(const char *state_dir, struct job_list *out, struct error *err) MUST_CHECK;
void job_list_release(struct job_list *list);
void job_list_sort(struct job_info **items, size_t count);

#endif
