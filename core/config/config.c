#include "core/config/config.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/escape.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/config/config_internal.h"

const char *config_process(const struct config *c, const char *name)
{
    const char *value = c->lookup(c->lookup_ctx, name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

void config_warn(struct config *c, const char *fmt, ...)
{
    char line[400];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    log_write(LOG_LEVEL_WARN, "config", "%s", line);
    if (c->warning_count < CONFIG_WARNINGS_MAX)
        c->warnings[c->warning_count++] = arena_text(&c->arena, str_from(line));
}

struct value *config_value(const struct config *c, size_t row, const struct config_key *key)
{
    return &c->values[row * config_key_count() + config_key_index(key)];
}

static bool load(struct config *c, const struct config_request *request, struct error *err)
{
    size_t rows;
    if (!config_read(c, request, err) || !config_find_environments(c, request, err))
        return false;
    config_set_state_default(c);
    rows = c->env_count + 1;
    c->values = arena_array(&c->arena, rows * config_key_count(), sizeof(*c->values));
    if (!config_resolve(c, request, NULL, err))
        return false;
    for (size_t i = 0; i < c->env_count; i++)
        if (!config_resolve(c, request, &c->envs[i], err) ||
            !config_build_environment(c, &c->envs[i], err))
            return false;
    return true;
}

bool config_load(const struct config_request *request, struct config **out, struct error *err)
{
    struct config *c = mem_zero(1, sizeof(*c));
    c->lookup = request->lookup != NULL ? request->lookup : process_env;
    c->lookup_ctx = request->lookup_ctx;
    if (!load(c, request, err)) {
        config_free(c);
        return false;
    }
    *out = c;
    return true;
}

void config_free(struct config *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; c->values != NULL && i < (c->env_count + 1) * config_key_count(); i++)
        json_decref(c->values[i].json);
    for (size_t i = 0; i < c->env_count; i++)
        dotenv_release(&c->envs[i].dotenv);
    json_decref(c->root);
    arena_release(&c->arena);
    free(c);
}

const char *config_path(const struct config *c)
{
    return c->path;
}

size_t config_tried_count(const struct config *c)
{
    return c->tried_count;
}

const char *config_tried_at(const struct config *c, size_t index)
{
    return index < c->tried_count ? c->tried[index] : NULL;
}

size_t config_warning_count(const struct config *c)
{
    return c->warning_count;
}

const char *config_warning_at(const struct config *c, size_t index)
{
    return index < c->warning_count ? c->warnings[index] : NULL;
}

size_t config_environment_count(const struct config *c)
{
    return c->env_count;
}

const struct environment *config_environment_at(const struct config *c, size_t index)
{
    return index < c->env_count ? &c->envs[index].env : NULL;
}

const struct environment *config_environment(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->env_count; i++)
        if (strcmp(c->envs[i].env.name, name) == 0)
            return &c->envs[i].env;
    return NULL;
}

const struct environment *config_selected(const struct config *c)
{
    return config_environment_at(c, c->selected);
}

bool config_no_environment(const struct config *c, struct error *err)
{
    return error_set(err, ERROR_CONFIG, 0, "%s", c->why_none);
}

/* ---- values ---------------------------------------------------------------------------------- */

static const struct value *find(const struct config *c, const struct environment *env,
                                const char *path)
{
    const struct config_key *key = config_key_find(path);
    assert(key != NULL);
    return config_value(c, env == NULL ? 0 : env->index + 1, key);
}

const char *config_text(const struct config *c, const struct environment *env, const char *path)
{
    return json_string_value(find(c, env, path)->json);
}

int64_t config_int(const struct config *c, const struct environment *env, const char *path)
{
    return json_integer_value(find(c, env, path)->json);
}

bool config_flag(const struct config *c, const struct environment *env, const char *path)
{
    return json_is_true(find(c, env, path)->json);
}

const json_t *config_json(const struct config *c, const struct environment *env, const char *path)
{
    const json_t *value = find(c, env, path)->json;
    return json_is_null(value) ? NULL : value;
}

enum config_origin config_origin(const struct config *c, const struct environment *env,
                                 const char *path)
{
    return find(c, env, path)->origin;
}

const char *config_where(const struct config *c, const struct environment *env, const char *path)
{
    return find(c, env, path)->where;
}

static void show_list(const json_t *list, struct buf *out)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        buf_put(out, "%s%s", i > 0 ? ", " : "", json_string_value(json_array_get(list, i)));
}

char *config_show(const struct config *c, const struct environment *env, const char *path,
                  char *out, size_t size)
{
    const json_t *value = find(c, env, path)->json;
    struct error ignored;
    struct buf line;
    buf_init(&line, (size_t)8 << 20); /* larger than the largest config file */
    if (value == NULL || json_is_null(value))
        buf_put(&line, "not set");
    else if (json_is_string(value))
        buf_put(&line, "%s", json_string_value(value));
    else if (json_is_array(value))
        show_list(value, &line);
    else if (json_is_integer(value))
        buf_put(&line, "%lld", (long long)json_integer_value(value));
    else if (json_is_boolean(value))
        buf_put(&line, "%s", json_is_true(value) ? "true" : "false");
    else if (!json_print(value, false, &line, &ignored))
        buf_clear(&line);
    escape_text(out, size, buf_str(&line));
    buf_release(&line);
    return out;
}

const char *config_lookup(const void *scope, const char *name)
{
    const struct config_scope *s = scope;
    const char *value = config_process(s->config, name);
    if (value == NULL && s->env != NULL) {
        value = dotenv_get(&s->config->envs[s->env->index].dotenv, name);
        value = value != NULL && value[0] != '\0' ? value : NULL;
    }
    return value;
}
