/*
 * task.h - what an engine (backup, restore, verify …) sees of the job it runs in: whether to go on,
 * where to report progress, where to write down what happened. The engine knows nothing of job
 * directories or processes.
 *
 * Threads: every function may be called from any worker thread of the job, at any time between the
 * task's creation and its end; none blocks on the network. Progress is coalesced (written at most
 * 5 times a second); journal, ledger and steps are never dropped.
 */
#ifndef CORE_JOBS_TASK_H
#define CORE_JOBS_TASK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/str.h"

struct task;

/* A task without a directory: progress is kept in memory, journal and ledger go nowhere. For tests
 * and for verbs that are no job. */
struct task *task_new_plain(void);
void task_free(struct task *t);

/* True once the operator (or a signal) asked to stop: end at the next safe point, within 1 s. */
bool task_cancelled(struct task *t);
/* Ask the task to stop: what a signal handler's thread or a test calls. */
void task_cancel(struct task *t);
/* Return at once, or wait while the job is paused. False and ERROR_CANCELLED when cancelled. Call
 * it once per batch, never while a transaction is open. */
bool task_checkpoint(struct task *t, struct error *err) MUST_CHECK;
/* Keys per second the operator asked for while running; 0 = as the job was started. */
uint64_t task_rate(struct task *t);
/* This thread waits through an outage, for at most left_ms more: called before each of its waits.
 * Over as soon as the thread reaches a checkpoint or reports a row. One that lasts is shown with
 * its reason and noted in the journal, and so is its end. */
void task_waits(struct task *t, const char *why, int64_t left_ms);
void task_goes_on(struct task *t); /* said at once, where that can be known */

/* A short word: "scan", "upload", "restore". Resets nothing else. */
void task_stage(struct task *t, const char *stage);
/* One bar per node or shard: `row` from 0. total 0 = not known yet. Units: keys (or bytes, see
 * task_unit). The sum of the rows is the total bar unless task_total is called. name NULL: as it
 * was. */
void task_row(struct task *t, size_t row, const char *name, uint64_t done, uint64_t total);
void task_row_name(struct task *t, size_t row, const char *name);  /* another node has it now */
void task_row_state(struct task *t, size_t row, const char *word); /* "waiting", "done", "failed" */
void task_total(struct task *t, uint64_t done, uint64_t total);
void task_unit(struct task *t, const char *unit); /* "keys" (default), "bytes", "slots" */
/* A named number shown beside the bars: "ttl", "unreadable", "bytes_uploaded". Set or add. */
void task_counter(struct task *t, const char *name, int64_t value);
void task_count(struct task *t, const char *name, int64_t more);

enum task_level { TASK_INFO, TASK_WARN, TASK_ERROR };

/* One line of journal.jsonl: an event, warning or server error. Text is escaped here. */
void task_note(struct task *t, enum task_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A step boundary: journal line {"step":name, …detail} that is on disk when this returns. detail
 * may be NULL and is taken. A resumed job finds these lines again (task_steps). */
bool task_step(struct task *t, const char *name, json_t *detail, struct error *err) MUST_CHECK;
/* The step lines of earlier runs of this job, oldest first, as an array owned by the caller; empty
 * for a new job. */
json_t *task_steps(struct task *t);
/* One line of failed.jsonl: a key that could not be read, written or compared. */
void task_ledger(struct task *t, struct str key, const char *reason, const char *detail);
uint64_t task_ledger_count(struct task *t);
/* The ledger's lines behind the first `from`, one after another. *whole false: some are damaged.
 * ERROR_NOT_FOUND for a plain task. */
bool task_ledger_read(const struct task *t, uint64_t from, void (*take)(void *arg, const json_t *),
                      void *arg, bool *whole, struct error *err) MUST_CHECK;

/* The job's directory for engine files (spools, checkpoints); NULL for a plain task. */
const char *task_dir(const struct task *t);
/* "B-0001" and the random run id that locks and temporary keys use. */
const char *task_id(const struct task *t);
const char *task_run_id(const struct task *t);

#endif
