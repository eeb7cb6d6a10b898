/*
 * state_dir.h - where jobs, events, identities and the audit log live.
 *
 * --state-dir, $RBCONSOLE_STATE_DIR, config `state_dir`, $XDG_STATE_HOME/rbconsole,
 * ~/.local/state/rbconsole. Made with mode 0700. A directory shared by a team (group writable) is
 * kept as it is; one that everybody may write to is refused. Start-up only; blocking.
 */
#ifndef CORE_CONFIG_STATE_DIR_H
#define CORE_CONFIG_STATE_DIR_H

#include "core/config/config.h"

/* Where it would be; NULL when there is neither a setting nor a home directory. */
const char *state_dir_path(const struct config *c);
const char *state_dir_where(const struct config *c); /* origin, as config_where */
/* Make it if needed and check it. *out is borrowed from c. */
bool state_dir_open(const struct config *c, const char **out, struct error *err) MUST_CHECK;

#endif
