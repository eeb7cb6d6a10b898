#include "core/config/config_check.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/base/attr.h"
#include "core/base/escape.h"
#include "core/config/environment.h"

#define SHOWN 80

struct spot {
    const struct config_key *key;
    const char *where;
};

static bool wrong(const struct spot *at, struct error *err, const char *what)
{
    return error_set(err, ERROR_CONFIG, 0, "%s: %s", at->where, what);
}

bool config_choice_has(const char *choices, struct str word)
{
    struct str rest = str_from(choices);
    struct str piece;
    while (str_split(&rest, '|', &piece))
        if (str_equal(piece, word))
            return true;
    return false;
}

bool config_env_name_is_safe(struct str name)
{
    if (name.len == 0 || name.len > 64 || !isalnum((unsigned char)name.ptr[0]))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        if (!isalnum(c) && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

static bool check_line(const struct spot *at, struct str text, struct error *err)
{
    if (text.len == 0)
        return wrong(at, err, "must not be empty (leave it out, or null, for not set)");
    if (text.len > 4096)
        return wrong(at, err, "longer than 4096 bytes");
    for (size_t i = 0; i < text.len; i++)
        if (iscntrl((unsigned char)text.ptr[i]))
            return wrong(at, err, "must be one line without control characters");
    return str_is_text(text) || wrong(at, err, "not valid UTF-8");
}

static bool check_choice(const struct spot *at, struct str text, struct error *err)
{
    char shown[SHOWN];
    if (config_choice_has(at->key->choices, text))
        return true;
    return error_set(err, ERROR_CONFIG, 0, "%s: \"%s\" is none of %s", at->where,
                     escape_text(shown, sizeof(shown), text), at->key->choices);
}

static bool check_uri(const struct spot *at, struct str text, struct error *err)
{
    struct str bucket;
    if (!str_starts(text, "s3://"))
        return wrong(at, err, "must look like s3://bucket/prefix");
    bucket = str_slice(text, 5, text.len);
    bucket = str_slice(bucket, 0, str_find(bucket, '/'));
    if (bucket.len == 0 || bucket.len > 63)
        return wrong(at, err, "needs a bucket name: s3://bucket/prefix");
    for (size_t i = 0; i < bucket.len; i++) {
        unsigned char c = (unsigned char)bucket.ptr[i];
        if (!isalnum(c) && c != '.' && c != '_' && c != '-')
            return wrong(at, err, "the bucket's name may hold letters, digits, dots and dashes");
    }
    return true;
}

static bool check_text(const struct spot *at, json_t *value, struct error *err)
{
    struct str text = {json_string_value(value), json_string_length(value)};
    if (!json_is_string(value)) {
        return error_set(err, ERROR_CONFIG, 0, "%s: must be text (%s)", at->where,
                         config_type_name(at->key->type));
    }
    if (!check_line(at, text, err))
        return false;
    if (at->key->type == CONFIG_CHOICE)
        return check_choice(at, text, err);
    return at->key->type != CONFIG_URI || check_uri(at, text, err);
}

static bool check_int(const struct spot *at, json_t *value, struct error *err)
{
    if (!json_is_integer(value))
        return wrong(at, err, "must be a whole number");
    if (json_integer_value(value) < at->key->min || json_integer_value(value) > at->key->max) {
        return error_set(err, ERROR_CONFIG, 0, "%s: %lld is not within %lld to %lld", at->where,
                         (long long)json_integer_value(value), (long long)at->key->min,
                         (long long)at->key->max);
    }
    return true;
}

static bool check_flag(const struct spot *at, json_t *value, struct error *err)
{
    return json_is_boolean(value) || wrong(at, err, "must be true or false");
}

static bool check_nodes(const struct spot *at, json_t *value, struct error *err)
{
    if (!json_is_array(value))
        return wrong(at, err, "must be a list such as [\"127.0.0.1:7001\"]");
    if (json_array_size(value) == 0)
        return wrong(at, err, "must name at least one host:port");
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        struct str text = {json_string_value(item), json_string_length(item)};
        if (!json_is_string(item))
            return wrong(at, err, "every node must be text, \"host:port\"");
        if (!environment_check_node(text, err))
            return error_wrap(err, "%s", at->where);
    }
    return true;
}

static bool check_map(const struct spot *at, json_t *value, struct error *err)
{
    void *iter = json_object_iter(value);
    if (!json_is_object(value))
        return wrong(at, err, "must be an object of texts");
    for (; iter != NULL; iter = json_object_iter_next(value, iter)) {
        const json_t *item = json_object_iter_value(iter);
        struct str text = {json_string_value(item), json_string_length(item)};
        if (!json_is_string(item)) {
            char shown[SHOWN];
            escape_text(shown, sizeof(shown), str_from(json_object_iter_key(iter)));
            return error_set(err, ERROR_CONFIG, 0, "%s: \"%s\" must be text", at->where, shown);
        }
        if (!check_line(at, str_from(json_object_iter_key(iter)), err) ||
            !check_line(at, text, err))
            return false;
    }
    return true;
}

static bool is_argv(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!json_is_string(json_array_get(list, i)))
            return false;
    return json_array_size(list) > 0; /* 0 as well for what is no array */
}

static bool check_commands(const struct spot *at, json_t *value, struct error *err)
{
    void *iter = json_object_iter(value);
    if (!json_is_object(value))
        return wrong(at, err, "must be an object of commands");
    for (; iter != NULL; iter = json_object_iter_next(value, iter)) {
        if (!is_argv(json_object_iter_value(iter))) {
            char shown[SHOWN];
            escape_text(shown, sizeof(shown), str_from(json_object_iter_key(iter)));
            return error_set(err, ERROR_CONFIG, 0,
                             "%s: \"%s\" must be a list of text, the command and its arguments",
                             at->where, shown);
        }
    }
    return true;
}

bool config_check_json(const struct config_key *key, json_t *value, const char *where,
                       struct error *err)
{
    static bool (*const checks[])(const struct spot *, json_t *, struct error *) = {
        [CONFIG_TEXT] = check_text,         [CONFIG_FILE] = check_text,
        [CONFIG_DIR] = check_text,          [CONFIG_URI] = check_text,
        [CONFIG_INT] = check_int,           [CONFIG_MS] = check_int,
        [CONFIG_FLAG] = check_flag,         [CONFIG_CHOICE] = check_text,
        [CONFIG_NODES] = check_nodes,       [CONFIG_MAP] = check_map,
        [CONFIG_COMMANDS] = check_commands,
    };
    struct spot at = {key, where};
    return json_is_null(value) || checks[key->type](&at, value, err);
}

/* ---- text ------------------------------------------------------------------------------------ */

static json_t *parse_flag(struct str text)
{
    static const char *const yes[] = {"true", "1", "yes", "on"};
    static const char *const no[] = {"false", "0", "no", "off"};
    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        if (str_is(text, yes[i]))
            return json_true();
        if (str_is(text, no[i]))
            return json_false();
    }
    return json_stringn(text.ptr, text.len); /* refused by the check */
}

static json_t *parse_nodes(struct str text)
{
    json_t *list = json_array();
    struct str rest = text;
    struct str piece;
    while (str_split(&rest, ',', &piece)) {
        piece = str_trim(piece);
        if (piece.len > 0)
            json_array_append_new(list, json_stringn(piece.ptr, piece.len));
    }
    return list;
}

static json_t *parse_number(const struct config_key *key, struct str text)
{
    int64_t number = 0;
    double seconds = 0;
    if (key->type == CONFIG_MS && str_to_double(text, &seconds) && seconds >= 0 && seconds < 1e9)
        return json_integer((json_int_t)(seconds * 1000 + 0.5));
    if (key->type == CONFIG_INT && str_to_i64(text, &number))
        return json_integer(number);
    return json_stringn(text.ptr, text.len);
}

json_t *config_parse_text(const struct config_key *key, const char *text, const char *where,
                          struct error *err)
{
    struct str trimmed = str_trim(str_from(text));
    json_t *value = NULL;
    if (!str_is_text(trimmed)) {
        error_set(err, ERROR_CONFIG, 0, "%s: not valid UTF-8", where);
        return NULL;
    }
    switch (key->type) {
    case CONFIG_INT:
    case CONFIG_MS:
        value = parse_number(key, trimmed);
        break;
    case CONFIG_FLAG:
        value = parse_flag(trimmed);
        break;
    case CONFIG_NODES:
        value = parse_nodes(trimmed);
        break;
    case CONFIG_TEXT:
    case CONFIG_FILE:
    case CONFIG_DIR:
    case CONFIG_URI:
    case CONFIG_CHOICE:
    case CONFIG_MAP:
    case CONFIG_COMMANDS:
        value = json_stringn(trimmed.ptr, trimmed.len);
        break;
    }
    if (!config_check_json(key, value, where, err)) {
        json_decref(value);
        return NULL;
    }
    return value;
}
