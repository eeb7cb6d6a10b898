/*
 * restore_resume.h - what earlier runs of this restore have done, and the journal that tells the
 * next one. Private to core/restore/restore*.
 *
 * A run notes which backup it is about, whose servers it met (restore_again.h) and, at most once a
 * second for each worker, which parts it has finished: every key in them was answered for. The line
 * is on disk before the run goes on. What was finished since the last line is simply done again. A
 * finished part is looked at again where its slots have another primary or history by now, where
 * servers evicted keys, and for the keys of it that failed or are unsure, which the ledger names.
 *
 * restore_resume_read and _judge: one thread, before the workers start. _finished: any worker.
 */
#ifndef CORE_RESTORE_RESTORE_RESUME_H
#define CORE_RESTORE_RESTORE_RESUME_H

#include "core/restore/restore.h"
#include "core/restore/restore_again.h"

struct restore_resume;

enum restore_part_state {
    RESTORE_PART_OPEN, /* nothing is known of it: write all of it */
    RESTORE_PART_LOOK, /* finished, but some slots of it are in doubt */
    RESTORE_PART_FINISHED
};

/* From the journal of the task; without earlier runs all parts are RESTORE_PART_OPEN.
 * ERROR_REFUSED: they were about another backup. ERROR_CORRUPT: the journal is damaged. */
bool restore_resume_read(struct source *source, struct task *task, struct restore_resume **out,
                         struct error *err) MUST_CHECK;
void restore_resume_free(struct restore_resume *r); /* NULL is fine */

/* Earlier runs may have written keys. */
bool restore_resume_is_another_run(const struct restore_resume *r);
int64_t restore_resume_origin_ms(const struct restore_resume *r); /* start of the first run, 0 */
/* Keys of the plan that the first run met on the target; -1: not known. */
int64_t restore_resume_existed(const struct restore_resume *r);
bool restore_resume_was_emptied(const struct restore_resume *r);
bool restore_resume_has_functions(const struct restore_resume *r);

/* Which finished parts are in doubt, now that the servers are these. */
void restore_resume_judge(struct restore_resume *r, const struct restore_history *now);
/* *slots (may be NULL): where to look, for RESTORE_PART_LOOK. Borrowed. */
enum restore_part_state restore_resume_part(const struct restore_resume *r, size_t part,
                                            const struct slot_set **slots);
/* For a key of such a slot: does it have to be looked at? Others may hold a client's newer value.
 */
bool restore_resume_wants(const struct restore_resume *r, size_t part, struct str key,
                          uint16_t slot);
size_t restore_resume_count(const struct restore_resume *r, enum restore_part_state state);
/* What the finished parts came to, without failures: those are tried again. */
void restore_resume_add_counts(const struct restore_resume *r, struct restore_result *total);

/* The keys that were there before the first run, in a file of the job's directory. Saving does
 * nothing for a task without one. */
bool restore_existed_save(struct task *task, const struct restore_plan *plan,
                          struct error *err) MUST_CHECK;
bool restore_existed_load(struct task *task, struct restore_plan *plan,
                          struct error *err) MUST_CHECK;

/* The journal of this run. existed: how many keys of the backup were there. */
bool restore_resume_begin(struct restore_resume *r, const struct restore_history *now,
                          uint64_t existed, int64_t now_ms, struct error *err) MUST_CHECK;
bool restore_resume_emptied(struct restore_resume *r, struct error *err) MUST_CHECK;
bool restore_resume_functions(struct restore_resume *r, uint64_t count,
                              struct error *err) MUST_CHECK;
/* Indexes into the manifest's parts, and what all of them together came to. */
struct restore_told {
    const size_t *parts;
    size_t count;
    const size_t *failed; /* those of them with keys that failed or are unsure */
    size_t failed_count;
    struct restore_result sum;
};
bool restore_resume_finished(struct restore_resume *r, const struct restore_told *told,
                             struct error *err) MUST_CHECK;

#endif
