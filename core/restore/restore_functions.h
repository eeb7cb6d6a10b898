/*
 * restore_functions.h - loads the function libraries of a backup. Private to core/restore/restore*.
 *
 * Functions do not travel between shards, so every primary gets each library. A library that exists
 * with other code is replaced only under RESTORE_OVERWRITE. One thread, before the workers start.
 */
#ifndef CORE_RESTORE_RESTORE_FUNCTIONS_H
#define CORE_RESTORE_RESTORE_FUNCTIONS_H

#include "core/restore/restore_worker.h"

/* Counts libraries, not nodes, in out->functions. One that a server does not take, or has with
 * other code, is a finding (out->failed, ledger; with other code under RESTORE_SKIP_EXISTING only
 * out->existing): the keys are restored all the same. */
bool restore_functions(struct restore_shared *s, struct cluster *c, struct restore_result *out,
                       struct error *err) MUST_CHECK;

#endif
