/*
 * config.h - the configuration: read once, checked, frozen.
 *
 * Each value comes from the first of: option, process environment, `.env.<env>` beside the config
 * file, config file, default; and remembers which. Options and the process environment speak of
 * the selected environment only: REDIS_NODES never redirects another one. Immutable after
 * config_load: any thread may read. Paths are absolute where they came from a file.
 * Errors: ERROR_CONFIG naming file, line or path, and what to do.
 */
#ifndef CORE_CONFIG_CONFIG_H
#define CORE_CONFIG_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/config/config_table.h"
#include "core/config/environment.h"
#include "core/config/process_env.h"

struct config;

enum config_origin { ORIGIN_DEFAULT, ORIGIN_CONFIG, ORIGIN_DOTENV, ORIGIN_PROCESS, ORIGIN_OPTION };

/* A value that an option gave: `key` is a path of config_table. */
struct config_setting {
    const char *key;
    const char *text;
    const char *option; /* "nodes", for messages */
};

struct config_request {
    const char *file;        /* -c, or NULL for the usual places */
    const char *environment; /* -e, or NULL */
    const struct config_setting *settings;
    size_t setting_count;
    env_lookup lookup; /* NULL: the process environment */
    const void *lookup_ctx;
};

bool config_load(const struct config_request *request, struct config **out,
                 struct error *err) MUST_CHECK;
void config_free(struct config *c);

const char *config_path(const struct config *c); /* NULL: there is no config file */
/* The places looked at, in order; the last one is the one found, if any was. */
size_t config_tried_count(const struct config *c);
const char *config_tried_at(const struct config *c, size_t index);
/* Things that are not wrong but should be mended, such as loose file modes. */
size_t config_warning_count(const struct config *c);
const char *config_warning_at(const struct config *c, size_t index);

size_t config_environment_count(const struct config *c);
const struct environment *config_environment_at(const struct config *c, size_t index);
const struct environment *config_environment(const struct config *c, const char *name);
/* The environment of this run: -e, $ENV_PROFILE, `local`, the only one. NULL when there is no
 * such thing; config_no_environment then says why and names the choices. */
const struct environment *config_selected(const struct config *c);
bool config_no_environment(const struct config *c, struct error *err); /* always false */

/* Values by path, as they hold for env (NULL: without any environment). A path that is not in the
 * table is a defect and aborts. Text is NULL when not set. */
const char *config_text(const struct config *c, const struct environment *env, const char *path);
int64_t config_int(const struct config *c, const struct environment *env, const char *path);
bool config_flag(const struct config *c, const struct environment *env, const char *path);
/* Lists and objects; borrowed, NULL when not set. Never json_incref it: config is shared. */
const json_t *config_json(const struct config *c, const struct environment *env, const char *path);
enum config_origin config_origin(const struct config *c, const struct environment *env,
                                 const char *path);
/* "default", "config.json", ".env.prd", "S3_URI", "option --s3-uri". */
const char *config_where(const struct config *c, const struct environment *env, const char *path);
/* The value as one line for people; "not set" when there is none. */
char *config_show(const struct config *c, const struct environment *env, const char *path,
                  char *out, size_t size);

/* Environment variables as the S3 client should see them: process first, then `.env.<env>`.
 * config_lookup is an env_lookup whose ctx is a struct config_scope. */
struct config_scope {
    const struct config *config;
    const struct environment *env; /* may be NULL */
};
const char *config_lookup(const void *scope, const char *name);

#endif
