/*
 * restore_ledger.h - the keys that earlier runs of a restore could not answer for: failed, or there
 * by nobody knows whom. Private to core/restore/restore*.
 *
 * From the job's ledger, in bounded memory: when it has more of them, or names that it shortened,
 * every key may be one. Reading: one thread; asking: any worker.
 */
#ifndef CORE_RESTORE_RESTORE_LEDGER_H
#define CORE_RESTORE_RESTORE_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/str.h"
#include "core/jobs/task.h"

struct restore_ledger;

/* Without its first `from` lines. */
bool restore_ledger_read(const struct task *task, uint64_t from, struct restore_ledger **out,
                         struct error *err) MUST_CHECK;
void restore_ledger_free(struct restore_ledger *l); /* NULL is fine */
bool restore_ledger_has(const struct restore_ledger *l, struct str key);

#endif
