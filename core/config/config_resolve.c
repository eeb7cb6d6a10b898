#include <string.h>

#include "core/base/json.h"
#include "core/config/config_check.h"
#include "core/config/config_internal.h"

/* Environment variables of one key: the first that is set. */
struct variable {
    const char *text;
    char name[64];
};

typedef const char *(*getter)(const void *from, const char *name);

static const char *from_process(const void *from, const char *name)
{
    return config_process(from, name);
}

static const char *from_dotenv(const void *from, const char *name)
{
    const char *value = dotenv_get(from, name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool find_variable(const struct config_key *key, getter get, const void *from,
                          struct variable *out)
{
    struct str rest = str_from(key->variables);
    struct str piece;
    while (rest.len > 0 && str_split(&rest, ' ', &piece)) {
        if (str_copy(piece, out->name, sizeof(out->name))) {
            out->text = get(from, out->name);
            if (out->text != NULL)
                return true;
        }
    }
    return false;
}

/* A relative path in a file counts from that file's directory; "~/" is the home directory. */
static json_t *anchor(struct config *c, const struct config_key *key, json_t *value, bool in_file)
{
    const char *text = json_string_value(value);
    const char *home = config_process(c, "HOME");
    const char *base = NULL;
    json_t *out;
    if ((key->type != CONFIG_FILE && key->type != CONFIG_DIR) || text == NULL || text[0] == '/')
        return value;
    if (str_starts(str_from(text), "~/")) {
        base = home;
        text += 2;
    } else if (in_file) {
        base = c->directory;
        text += str_starts(str_from(text), "./") ? 2 : 0;
    }
    if (base == NULL)
        return value;
    out = json_string(arena_format(&c->arena, "%s/%s", strcmp(base, "/") == 0 ? "" : base, text));
    json_decref(value);
    return out;
}

/* Takes value. */
static void put(struct config *c, struct slot_env *e, const struct config_key *key, json_t *value,
                struct value from)
{
    struct value *slot = config_value(c, e == NULL ? 0 : e->env.index + 1, key);
    bool in_file = from.origin == ORIGIN_CONFIG || from.origin == ORIGIN_DOTENV;
    json_decref(slot->json);
    *slot = from;
    slot->json = anchor(c, key, value, in_file);
}

static bool put_text(struct config *c, struct slot_env *e, const struct config_key *key,
                     const char *text, struct value from, struct error *err)
{
    json_t *value = config_parse_text(key, text, from.where, err);
    if (value == NULL)
        return false;
    put(c, e, key, value, from);
    return true;
}

/* The member that a dotted path leads to; NULL when absent or null. */
static json_t *member(const json_t *tree, const char *path)
{
    struct str rest = str_from(path);
    struct str piece;
    const json_t *from = tree;
    json_t *at = NULL;
    while (from != NULL && str_split(&rest, '.', &piece)) {
        char name[64];
        at = str_copy(piece, name, sizeof(name)) ? json_object_get(from, name) : NULL;
        from = at;
    }
    return json_is_null(at) ? NULL : at;
}

static void from_config(struct config *c, struct slot_env *e, const struct config_key *key)
{
    const size_t skip = strlen(CONFIG_ENV_PREFIX);
    struct value from = {.origin = ORIGIN_CONFIG, .where = c->short_name};
    json_t *value = NULL;
    if (config_key_is_env(key)) {
        value = e != NULL ? member(e->tree, key->path + skip) : NULL;
    } else {
        value = key->overrides != NULL && e != NULL ? member(e->tree, key->overrides + skip) : NULL;
        value = value != NULL ? value : member(c->root, key->path);
    }
    if (value != NULL)
        put(c, e, key, json_incref(value), from);
}

static bool from_variables(struct config *c, struct slot_env *e, const struct config_key *key,
                           bool speaks, struct error *err)
{
    struct variable v;
    if (e != NULL && find_variable(key, from_dotenv, &e->dotenv, &v)) {
        struct value from = {.origin = ORIGIN_DOTENV};
        from.where = arena_format(&c->arena, ".env.%s %s", e->env.name, v.name);
        if (!put_text(c, e, key, v.text, from, err))
            return false;
    }
    if (speaks && find_variable(key, from_process, c, &v)) {
        struct value from = {.origin = ORIGIN_PROCESS};
        from.where = arena_format(&c->arena, "environment %s", v.name);
        return put_text(c, e, key, v.text, from, err);
    }
    return true;
}

static bool from_options(struct config *c, const struct config_request *request, struct slot_env *e,
                         const struct config_key *key, struct error *err)
{
    for (size_t i = 0; i < request->setting_count; i++) {
        const struct config_setting *s = &request->settings[i];
        if (strcmp(s->key, key->path) == 0) {
            struct value from = {.origin = ORIGIN_OPTION};
            from.where = arena_format(&c->arena, "option --%s", s->option);
            if (!put_text(c, e, key, s->text, from, err))
                return false;
        }
    }
    return true;
}

static void from_default(struct config *c, struct slot_env *e, const struct config_key *key)
{
    struct value from = {.origin = ORIGIN_DEFAULT, .where = "default"};
    json_t *value = NULL;
    if (key->fallback != NULL)
        value = json_loads(key->fallback, JSON_DECODE_ANY, NULL);
    put(c, e, key, value, from);
}

bool config_resolve(struct config *c, const struct config_request *request, struct slot_env *e,
                    struct error *err)
{
    bool selected = e != NULL && e->env.index == c->selected;
    for (size_t i = 0; i < config_key_count(); i++) {
        const struct config_key *key = config_key_at(i);
        /* What this process was told about nodes and credentials is meant for the selected
         * environment alone; what is said about the rest holds everywhere. */
        bool speaks = selected || !config_key_is_env(key);
        from_default(c, e, key);
        from_config(c, e, key);
        if (!from_variables(c, e, key, speaks, err))
            return false;
        if (speaks && !from_options(c, request, e, key, err))
            return false;
    }
    return true;
}
