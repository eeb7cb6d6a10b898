/*
 * audit.h - the audit log: $STATE/audit.jsonl, one line per action that could change something.
 *
 * Append-only, 0600 (0660 shared), on disk before audit_append returns. Each line carries the
 * SHA-256 of the line before it, so a changed or missing line in the middle shows; lines cut off
 * the end do not. Who cannot write here must not act: a failure is ERROR_STORAGE and the caller
 * refuses the action. No values and no secrets. Any thread; blocking, never on the UI thread.
 */
#ifndef CORE_JOBS_AUDIT_H
#define CORE_JOBS_AUDIT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/jobs/job.h"

struct audit_entry {
    const char *action; /* "restore", "failover", "arm" */
    const char *phase;  /* "begin" before it is done, "end" after */
    const char *env, *target, *redis_user, *job_id, *run_id, *reason;
    struct job_operator who;
    const char *confirmed; /* the text that was typed; NULL when none was asked for */
    const json_t *plan;    /* the exact steps or command; may be NULL */
    const char *result;    /* the reply, or "ok", "refused", "failed"; NULL at begin */
    int64_t duration_ms;   /* -1 at begin */
};

bool audit_append(const char *state_dir, const struct audit_entry *entry,
                  struct error *err) MUST_CHECK;

struct audit_check {
    uint64_t lines;
    uint64_t torn;      /* cut short by a crash, chained over */
    uint64_t broken;    /* lines that do not fit the one before */
    uint64_t first_bad; /* line number from 1; 0 = none */
};
bool audit_verify(const char *state_dir, struct audit_check *out, struct error *err) MUST_CHECK;
char *audit_path(const char *state_dir); /* freed by the caller */

#endif
