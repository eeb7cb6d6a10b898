#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/config/config_check.h"
#include "core/config/config_internal.h"

#define CONFIG_SIZE_MAX ((size_t)4 << 20)

bool config_check_mode(struct config *c, const char *path, bool secrets, struct error *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return error_set_errno(err, ERROR_CONFIG, errno, "%s", path);
    if (!S_ISREG(st.st_mode))
        return true; /* a pipe or /dev/stdin: nobody else's business */
    if ((st.st_mode & S_IWOTH) != 0) {
        return error_set(err, ERROR_CONFIG, 0,
                         "%s: everybody may change it (mode %04o); chmod o-w it", path,
                         (unsigned)st.st_mode & 07777);
    }
    if (secrets && (st.st_mode & (S_IRGRP | S_IROTH)) != 0) {
        config_warn(c, "%s holds a secret and others may read it (mode %04o); chmod 600 it", path,
                    (unsigned)st.st_mode & 07777);
    }
    if (st.st_uid != geteuid() && st.st_uid != 0)
        config_warn(c, "%s belongs to another user (uid %lu)", path, (unsigned long)st.st_uid);
    return true;
}

static void try_path(struct config *c, const char *path)
{
    c->tried[c->tried_count++] = arena_text(&c->arena, str_from(path));
}

/* The usual places, in order; c->path is set when one is there. */
static void search(struct config *c)
{
    const char *base = config_process(c, "XDG_CONFIG_HOME");
    const char *home = config_process(c, "HOME");
    try_path(c, "./config.json");
    if (base != NULL && base[0] == '/')
        try_path(c, arena_format(&c->arena, "%s/rbconsole/config.json", base));
    else if (home != NULL)
        try_path(c, arena_format(&c->arena, "%s/.config/rbconsole/config.json", home));
    try_path(c, "/etc/rbconsole/config.json");
    for (size_t i = 0; i < c->tried_count; i++) {
        if (file_exists(c->tried[i])) {
            c->path = c->tried[i];
            c->tried_count = i + 1;
            return;
        }
    }
}

static bool set_directory(struct config *c, struct error *err)
{
    char real[PATH_MAX];
    struct str path = str_from(c->path != NULL ? c->path : "./config.json");
    size_t slash = str_find_last(path, '/');
    const char *dir = slash == path.len ? "."
                      : slash == 0      ? "/"
                                        : arena_text(&c->arena, str_slice(path, 0, slash));
    if (realpath(dir, real) == NULL)
        return error_set_errno(err, ERROR_CONFIG, errno, "%s", dir);
    c->directory = arena_text(&c->arena, str_from(real));
    c->short_name = slash == path.len ? arena_text(&c->arena, path)
                                      : arena_text(&c->arena, str_slice(path, slash + 1, path.len));
    return true;
}

static bool parse(struct config *c, struct error *err)
{
    struct buf text;
    bool ok;
    buf_init(&text, CONFIG_SIZE_MAX);
    ok = file_read(c->path, &text, err);
    if (ok) {
        c->root = json_parse(buf_str(&text), c->path, err);
        ok = c->root != NULL;
    }
    buf_release(&text);
    if (!ok) {
        err->code = ERROR_CONFIG; /* whatever it was: the operator mends the file */
        return false;
    }
    return config_check_tree(c->root, c->path, err);
}

bool config_read(struct config *c, const struct config_request *request, struct error *err)
{
    const char *variable = config_process(c, "RBCONSOLE_CONFIG");
    const char *named = request->file != NULL ? request->file : variable;
    if (named != NULL) {
        try_path(c, named);
        c->path = c->tried[0];
        if (!file_exists(c->path)) {
            return error_set(err, ERROR_CONFIG, ENOENT, "%s: no such file (from %s)", c->path,
                             request->file != NULL ? "option --config" : "RBCONSOLE_CONFIG");
        }
    } else {
        search(c);
    }
    if (!set_directory(c, err))
        return false;
    return c->path == NULL || (config_check_mode(c, c->path, false, err) && parse(c, err));
}
