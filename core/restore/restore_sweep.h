/*
 * restore_sweep.h - temporary keys that nobody will finish: of runs that died, and those that a
 * failover brought back, because the replica had seen a key being built but not its renaming.
 *
 * Only while no worker of the run writes; the caller holds the cluster's lock, so no other run is
 * alive. Waits through an outage as the target's options say. Blocking, one thread.
 */
#ifndef CORE_RESTORE_RESTORE_SWEEP_H
#define CORE_RESTORE_RESTORE_SWEEP_H

#include "core/restore/restore_worker.h"

/* On every primary, in every database. *swept: how many were there, added up. */
bool restore_sweep(struct restore_shared *s, struct cluster *c, uint64_t *swept,
                   struct error *err) MUST_CHECK;

#endif
