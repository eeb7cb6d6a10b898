#include "core/config/state_dir.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/config/config_internal.h"

#define KEY "state_dir"

static const struct environment *scope(const struct config *c)
{
    return config_selected(c);
}

const char *state_dir_path(const struct config *c)
{
    const char *set = config_text(c, scope(c), KEY);
    return set != NULL ? set : c->state_default;
}

const char *state_dir_where(const struct config *c)
{
    return config_text(c, scope(c), KEY) != NULL ? config_where(c, scope(c), KEY)
                                                 : c->state_default_where;
}

void config_set_state_default(struct config *c)
{
    const char *state = config_process(c, "XDG_STATE_HOME");
    const char *home = config_process(c, "HOME");
    c->state_default_where = "no home directory";
    if (state != NULL && state[0] == '/') {
        c->state_default = arena_format(&c->arena, "%s/rbconsole", state);
        c->state_default_where = "environment XDG_STATE_HOME";
    } else if (home != NULL && home[0] == '/') {
        c->state_default = arena_format(&c->arena, "%s/.local/state/rbconsole", home);
        c->state_default_where = "default";
    }
}

bool state_dir_open(const struct config *c, const char **out, struct error *err)
{
    const char *path = state_dir_path(c);
    struct stat st;
    if (path == NULL) {
        return error_set(err, ERROR_CONFIG, 0,
                         "no state directory: HOME is not set; give --state-dir DIR");
    }
    if (!file_exists(path) && !file_make_dirs(path, err))
        return error_wrap(err, "state directory (%s)", state_dir_where(c));
    if (stat(path, &st) != 0)
        return error_set_errno(err, ERROR_STORAGE, errno, "state directory %s", path);
    if (!S_ISDIR(st.st_mode))
        return error_set(err, ERROR_CONFIG, 0, "state directory %s is no directory", path);
    if ((st.st_mode & S_IWOTH) != 0) {
        return error_set(err, ERROR_CONFIG, 0,
                         "state directory %s: everybody may write to it (mode %04o); chmod o-w it",
                         path, (unsigned)st.st_mode & 07777);
    }
    if (access(path, W_OK | X_OK) != 0) {
        return error_set_errno(err, ERROR_STORAGE, errno,
                               "state directory %s (choose another with --state-dir)", path);
    }
    *out = path;
    return true;
}
