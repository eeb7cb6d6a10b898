/*
 * restore_functions.h - loads the function libraries of a backup. Private to core/backup/restore*.
 *
 * Functions do not travel between shards, so every primary gets each library. A library that exists
 * is replaced only under RESTORE_OVERWRITE. Called by one thread before the workers start.
 */
#ifndef CORE_BACKUP_RESTORE_FUNCTIONS_H
#define CORE_BACKUP_RESTORE_FUNCTIONS_H

#include "core/backup/restore_worker.h"

/* *loaded counts libraries, not nodes. ERROR_UNSUPPORTED when a primary knows no functions. */
bool restore_functions(struct restore_shared *s, struct cluster *c, uint64_t *loaded,
                       struct error *err) MUST_CHECK;

#endif
