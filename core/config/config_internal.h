/*
 * config_internal.h - what the files of struct config share; nobody else includes this.
 *
 * values is a table of (environments + 1) rows by config_key_count() columns; row 0 holds for "no
 * environment", row i + 1 for environment i. After load nothing in here changes.
 */
#ifndef CORE_CONFIG_CONFIG_INTERNAL_H
#define CORE_CONFIG_CONFIG_INTERNAL_H

#include "core/base/arena.h"
#include "core/config/config.h"
#include "core/config/dotenv.h"

#define CONFIG_TRIED_MAX 5
#define CONFIG_WARNINGS_MAX 32

struct value {
    json_t *json; /* NULL: not set */
    enum config_origin origin;
    const char *where;
};

/* One environment while and after loading. */
struct slot_env {
    struct environment env;
    const json_t *tree; /* redis_nodes.<name>, NULL when made up */
    struct dotenv dotenv;
    const char *dotenv_path;
};

struct config {
    struct arena arena;
    json_t *root;           /* NULL: no file */
    const char *path;       /* as found */
    const char *short_name; /* its last part, for messages */
    const char *directory;  /* absolute, of the file; of the process without one */
    const char *tried[CONFIG_TRIED_MAX];
    size_t tried_count;
    const char *warnings[CONFIG_WARNINGS_MAX];
    size_t warning_count;
    struct slot_env *envs;
    size_t env_count;
    size_t selected; /* index, or env_count for none */
    char why_none[300];
    struct value *values;
    const char *state_default; /* NULL: no home directory */
    const char *state_default_where;
    env_lookup lookup;
    const void *lookup_ctx;
};

const char *config_process(const struct config *c, const char *name); /* empty counts as unset */
void config_warn(struct config *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
struct value *config_value(const struct config *c, size_t row, const struct config_key *key);
/* Find, read and check the file; fills root, path, tried. */
bool config_read(struct config *c, const struct config_request *request,
                 struct error *err) MUST_CHECK;
/* Refuse what everybody may write; warn about others' eyes on secrets. */
bool config_check_mode(struct config *c, const char *path, bool secrets,
                       struct error *err) MUST_CHECK;
/* List the environments, read their dotenv files, choose one. */
bool config_find_environments(struct config *c, const struct config_request *request,
                              struct error *err) MUST_CHECK;
/* Fill the row of one environment (or row 0 with e = NULL) from all layers. */
bool config_resolve(struct config *c, const struct config_request *request, struct slot_env *e,
                    struct error *err) MUST_CHECK;
/* Where the state goes when nobody said. */
void config_set_state_default(struct config *c);
/* Make the struct environment out of its row. */
bool config_build_environment(struct config *c, struct slot_env *e, struct error *err) MUST_CHECK;

#endif
