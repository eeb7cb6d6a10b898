/*
 * config_check.h - is this value right for its key? From JSON and from text alike.
 *
 * Used by config.c for every layer, and by the option parser before anything is loaded. Messages
 * start with where the value stands ("config.json: redis_nodes.dev.nodes", "option --nodes",
 * "REDIS_NODES"). Pure; any thread.
 */
#ifndef CORE_CONFIG_CONFIG_CHECK_H
#define CORE_CONFIG_CONFIG_CHECK_H

#include <jansson.h>

#include "core/base/error.h"
#include "core/config/config_table.h"

/* Changes nothing (jansson walks objects without const). ERROR_CONFIG: "<where>: <what is wrong>".
 * JSON null is right everywhere: not set. */
bool config_check_json(const struct config_key *key, json_t *value, const char *where,
                       struct error *err) MUST_CHECK;
/* Text of an option or variable as the JSON that config.json would hold; checked. The caller owns
 * it; NULL on failure. Objects have no text form. */
json_t *config_parse_text(const struct config_key *key, const char *text, const char *where,
                          struct error *err) MUST_CHECK;
/* The whole file: unknown keys, groups that are no objects, and every value. `file` is for
 * messages. */
bool config_check_tree(json_t *root, const char *file, struct error *err) MUST_CHECK;
/* Letters, digits, '.', '_', '-', at most 64, starting with a letter or digit. */
bool config_env_name_is_safe(struct str name);
/* true when `choices` ("a|b|c") has exactly this word. */
bool config_choice_has(const char *choices, struct str word);

#endif
