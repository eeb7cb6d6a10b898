/*
 * identity_store.h - `identities.json` in the state directory: what each environment was last
 * seen to be.
 *
 * Written atomically under a lock file, so that two consoles do not lose each other's memory. A
 * file that cannot be read is an error, never an empty memory: protection must not vanish with a
 * damaged file. Blocking; not for the UI thread.
 */
#ifndef CORE_CONFIG_IDENTITY_STORE_H
#define CORE_CONFIG_IDENTITY_STORE_H

#include "core/config/identity.h"

/* A missing file is an empty memory. */
bool identity_store_load(const char *state_dir, struct identity_memories *out,
                         struct error *err) MUST_CHECK;
void identity_memories_release(struct identity_memories *all);
/* Set one environment's memory, leaving all others as they are on disk. */
bool identity_store_remember(const char *state_dir, const struct environment *env,
                             const struct cluster_identity *identity, int64_t real_ms,
                             struct error *err) MUST_CHECK;
/* Drop one environment's memory; true as well when there was none. */
bool identity_store_forget(const char *state_dir, const char *environment,
                           struct error *err) MUST_CHECK;

#endif
