#include <stdio.h>
#include <string.h>

#include "core/base/escape.h"
#include "core/config/config_check.h"

#define PATH_MAX_LEN 256

/* Where the walk is: `table` as in config_table ("redis_nodes.*"), `shown` as in the file. */
struct walk {
    const char *file;
    char table[PATH_MAX_LEN];
    char shown[PATH_MAX_LEN];
};

static bool walk_object(const struct walk *at, json_t *object, struct error *err);

static bool unknown(const struct walk *at, const char *name, struct error *err)
{
    char near[64];
    char shown[80];
    const char *dot = at->shown[0] != '\0' ? "." : "";
    escape_text(shown, sizeof(shown), str_from(name));
    if (config_key_nearest(at->table, str_from(name), near, sizeof(near)) != NULL) {
        return error_set(err, ERROR_CONFIG, 0, "%s: %s%s%s: unknown key; did you mean \"%s\"?",
                         at->file, at->shown, dot, shown, near);
    }
    return error_set(err, ERROR_CONFIG, 0,
                     "%s: %s%s%s: unknown key (`rbconsole help config` lists all)", at->file,
                     at->shown, dot, shown);
}

/* false when the path is longer than any that exists. */
static bool step(const struct walk *at, const char *name, bool wildcard, struct walk *out)
{
    const char *dot = at->table[0] != '\0' ? "." : "";
    int table =
        snprintf(out->table, sizeof(out->table), "%s%s%s", at->table, dot, wildcard ? "*" : name);
    int shown = snprintf(out->shown, sizeof(out->shown), "%s%s%s", at->shown, dot, name);
    out->file = at->file;
    return table < (int)sizeof(out->table) && shown < (int)sizeof(out->shown);
}

static bool walk_value(const struct walk *at, json_t *value, const struct config_key *key,
                       struct error *err)
{
    char where[2 * PATH_MAX_LEN];
    (void)snprintf(where, sizeof(where), "%s: %s", at->file, at->shown);
    return config_check_json(key, value, where, err);
}

static bool walk_member(const struct walk *at, const char *name, json_t *value, struct error *err)
{
    bool wildcard = strcmp(at->table, "redis_nodes") == 0;
    struct walk next;
    const struct config_key *key;
    if (wildcard && !config_env_name_is_safe(str_from(name))) {
        char shown[80];
        return error_set(err, ERROR_CONFIG, 0,
                         "%s: redis_nodes: \"%s\" is no name for an environment (letters, digits, "
                         "'.', '_', '-')",
                         at->file, escape_text(shown, sizeof(shown), str_from(name)));
    }
    if (!step(at, name, wildcard, &next))
        return unknown(at, name, err);
    key = config_key_find(next.table);
    if (key != NULL && strchr(name, '.') == NULL && strchr(name, '*') == NULL)
        return walk_value(&next, value, key, err);
    if (!config_group_exists(next.table) || (!wildcard && strpbrk(name, ".*") != NULL))
        return unknown(at, name, err);
    if (json_is_null(value))
        return true;
    if (!json_is_object(value)) {
        return error_set(err, ERROR_CONFIG, 0, "%s: %s: must be an object {…}", at->file,
                         next.shown);
    }
    return walk_object(&next, value, err);
}

static bool walk_object(const struct walk *at, json_t *object, struct error *err)
{
    void *iter = json_object_iter(object);
    for (; iter != NULL; iter = json_object_iter_next(object, iter))
        if (!walk_member(at, json_object_iter_key(iter), json_object_iter_value(iter), err))
            return false;
    return true;
}

bool config_check_tree(json_t *root, const char *file, struct error *err)
{
    struct walk at = {.file = file};
    if (!json_is_object(root))
        return error_set(err, ERROR_CONFIG, 0, "%s: must be one JSON object", file);
    return walk_object(&at, root, err);
}
