#include <string.h>

#include "core/base/json.h"
#include "core/config/config_table.h"
#include "views/verbs/docs.h"

static json_t *text_type(const char *pattern)
{
    json_t *type = json_pack("{s:[s,s]}", "type", "string", "null");
    if (pattern != NULL)
        json_put_text(type, "pattern", pattern);
    return type;
}

static json_t *choices_type(const char *choices)
{
    json_t *list = json_array();
    struct str rest = str_from(choices);
    struct str piece;
    while (str_split(&rest, '|', &piece))
        json_push(list, json_stringn(piece.ptr, piece.len));
    json_push(list, json_null());
    return json_pack("{s:o}", "enum", list);
}

static json_t *argv_type(void)
{
    return json_pack("{s:s, s:i, s:{s:s}}", "type", "array", "minItems", 1, "items", "type",
                     "string");
}

static json_t *type_of(const struct config_key *key)
{
    switch (key->type) {
    case CONFIG_TEXT:
    case CONFIG_FILE:
    case CONFIG_DIR:
        return text_type(NULL);
    case CONFIG_URI:
        return text_type("^s3://[A-Za-z0-9._-]+(/.*)?$");
    case CONFIG_INT:
    case CONFIG_MS:
        return json_pack("{s:[s,s], s:I, s:I}", "type", "integer", "null", "minimum",
                         (json_int_t)key->min, "maximum", (json_int_t)key->max);
    case CONFIG_FLAG:
        return json_pack("{s:[s,s]}", "type", "boolean", "null");
    case CONFIG_CHOICE:
        return choices_type(key->choices);
    case CONFIG_NODES:
        return json_pack("{s:[s,s], s:i, s:{s:s, s:s}}", "type", "array", "null", "minItems", 1,
                         "items", "type", "string", "pattern", "^(\\[[^]]+\\]|[^:]+):[0-9]+$");
    case CONFIG_MAP:
        return json_pack("{s:[s,s], s:{s:s}}", "type", "object", "null", "additionalProperties",
                         "type", "string");
    case CONFIG_COMMANDS:
        return json_pack("{s:[s,s], s:o}", "type", "object", "null", "additionalProperties",
                         argv_type());
    }
    return json_object();
}

/* The schema object for one group; made when it is not there yet. Borrowed. */
static json_t *group(json_t *parent, const char *name)
{
    bool wildcard = strcmp(name, "*") == 0;
    json_t *holder = wildcard ? parent : json_object_get(parent, "properties");
    json_t *found = json_object_get(holder, wildcard ? "additionalProperties" : name);
    if (!json_is_object(found)) {
        found = json_pack("{s:[s,s], s:{}, s:b}", "type", "object", "null", "properties",
                          "additionalProperties", 0);
        json_object_set_new(holder, wildcard ? "additionalProperties" : name, found);
    }
    return found;
}

static void put_key(json_t *root, const struct config_key *key)
{
    struct str rest = str_from(key->path);
    struct str piece;
    json_t *at = root;
    char name[64] = "";
    json_t *type = type_of(key);
    while (str_split(&rest, '.', &piece) && str_copy(piece, name, sizeof(name)))
        if (rest.ptr != NULL)
            at = group(at, name);
    json_put_text(type, "description", key->help);
    if (key->fallback != NULL)
        json_put(type, "default", json_loads(key->fallback, JSON_DECODE_ANY, NULL));
    json_object_set_new(json_object_get(at, "properties"), name, type);
}

void docs_config_schema(struct buf *out)
{
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:{}, s:b}", "$schema",
                  "https://json-schema.org/draft/2020-12/schema", "title", "rbconsole config.json",
                  "type", "object", "properties", "additionalProperties", 0);
    struct error ignored;
    for (size_t i = 0; i < config_key_count(); i++)
        put_key(root, config_key_at(i));
    if (!json_print(root, true, out, &ignored))
        buf_clear(out);
    json_decref(root);
}
