/*
 * config_table.h - every configuration key, once.
 *
 * One row drives reading, checking, defaults, environment variables, `doctor`, the reference and
 * the JSON schema. A key of one environment has the path "redis_nodes.*.<name>". Adding a key is
 * adding a row. Constant data; any thread.
 */
#ifndef CORE_CONFIG_CONFIG_TABLE_H
#define CORE_CONFIG_CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/str.h"

#define CONFIG_ENV_PREFIX "redis_nodes.*."

enum config_type {
    CONFIG_TEXT,    /* one line */
    CONFIG_FILE,    /* path of a file; relative ones count from the file that names them */
    CONFIG_DIR,     /* the same for a directory */
    CONFIG_URI,     /* s3://bucket/prefix */
    CONFIG_INT,     /* min..max */
    CONFIG_MS,      /* milliseconds as an integer; as text from the environment: seconds */
    CONFIG_FLAG,    /* true or false */
    CONFIG_CHOICE,  /* one of choices */
    CONFIG_NODES,   /* list of host:port; as text: separated by commas */
    CONFIG_MAP,     /* object of text */
    CONFIG_COMMANDS /* object of lists of text: name -> argv */
};

struct config_key {
    const char *path;
    enum config_type type;
    const char *fallback;  /* as JSON text; NULL: not set */
    int64_t min, max;      /* CONFIG_INT, CONFIG_MS */
    const char *choices;   /* "a|b|c" */
    const char *variables; /* environment variables, first one set wins: "AWS_REGION AWS_…" */
    const char *overrides; /* an environment's key that beats this global one */
    const char *help;      /* one sentence with a full stop */
};

/* Stable order: the order of the reference. */
size_t config_key_count(void);
const struct config_key *config_key_at(size_t index);
/* NULL when there is no such key. */
const struct config_key *config_key_find(const char *path);
size_t config_key_index(const struct config_key *key);
/* true for keys under redis_nodes.<name>. */
bool config_key_is_env(const struct config_key *key);
/* The key whose last part is nearest to `name` among those directly under `parent` ("" or
 * "storage" or "redis_nodes.*"), NULL when nothing is near. Groups count as well: out holds the
 * name, not the path. */
const char *config_key_nearest(const char *parent, struct str name, char *out, size_t size);
/* true when a group (object) has this path. */
bool config_group_exists(const char *path);
const char *config_type_name(enum config_type type); /* "text", "path of a file" … */

#endif
