/*
 * last_restore.h - which restore filled this cluster? Looked up in the job directories, so that a
 * verification judges expiry by what that restore did.
 */
#ifndef VIEWS_VERBS_LAST_RESTORE_H
#define VIEWS_VERBS_LAST_RESTORE_H

#include "core/verify/verify_rule.h"

/* The newest finished restore of this backup into this environment; *out known false when there is
 * none. id (JOB_ID_MAX bytes) names it. Never fails: what cannot be read is passed over. */
void last_restore_find(const char *state_dir, const char *env, const char *backup_id,
                       struct verify_restored *out, char *id);

#endif
