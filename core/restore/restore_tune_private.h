/*
 * restore_tune_private.h - what the two halves of restore_tune share: restore_tune_begin.c changes
 * settings, restore_tune.c has their file and puts them back. Nobody else includes it.
 */
#ifndef CORE_RESTORE_RESTORE_TUNE_PRIVATE_H
#define CORE_RESTORE_RESTORE_TUNE_PRIVATE_H

#include <jansson.h>

#include "core/restore/restore_tune.h"

#define TUNE_WANTED 2

struct tune_wanted {
    const char *name;
    const char *value;
};

extern const struct tune_wanted tune_wanted[TUNE_WANTED];

struct tune_setting {
    char node[CLUSTER_ID_MAX];
    char addr[ADDRESS_TEXT_MAX];
    char name[48];
    char old[48];
    char now[48]; /* what we set */
    bool earlier; /* by an earlier run, which could not put it back */
    bool touched; /* by this run: set, or perhaps */
    bool set;     /* for certain */
    bool settled; /* put back, or not ours any more */
};

struct tune_settings {
    struct tune_setting *items;
    size_t count, cap;
};

struct restore_tune {
    struct redis_options options; /* the target's, deaf to cancel and with short times */
    struct task *task;
    char *path; /* NULL: a job without a directory */
    struct tune_settings settings;
};

/* Those that are not settled. */
json_t *tune_settings_json(const struct tune_settings *s);
bool tune_settings_read(const char *path, struct tune_settings *s, struct error *err) MUST_CHECK;
/* What is left of them, or no file when nothing is. */
bool tune_settings_write(const char *path, const struct tune_settings *s,
                         struct error *err) MUST_CHECK;
bool tune_config_get(struct conn *conn, const char *name, char *out, size_t size,
                     struct error *err) MUST_CHECK;
bool tune_config_set(struct conn *conn, const char *name, const char *value,
                     struct error *err) MUST_CHECK;
struct redis_options tune_deaf(const struct redis_options *target);

#endif
