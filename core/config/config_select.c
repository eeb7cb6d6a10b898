#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/escape.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/config/config_check.h"
#include "core/config/config_internal.h"

static const char *const secret_names[] = {"REDIS_PASSWORD", "REDISCLI_AUTH",
                                           "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"};

static bool holds_secret(const struct dotenv *d)
{
    for (size_t i = 0; i < COUNT_OF(secret_names); i++)
        if (dotenv_get(d, secret_names[i]) != NULL)
            return true;
    return false;
}

/* `.env.<name>` beside the config, if it is there. */
static bool read_dotenv(struct config *c, struct slot_env *e, struct error *err)
{
    struct buf text;
    bool ok;
    e->dotenv_path = arena_format(&c->arena, "%s/.env.%s", c->directory, e->env.name);
    if (!file_exists(e->dotenv_path))
        return true;
    buf_init(&text, DOTENV_SIZE_MAX);
    ok = file_read(e->dotenv_path, &text, err) &&
         dotenv_parse(buf_str(&text), e->dotenv_path, &e->dotenv, err) &&
         config_check_mode(c, e->dotenv_path, holds_secret(&e->dotenv), err);
    if (!ok)
        err->code = ERROR_CONFIG;
    buf_release(&text);
    return ok;
}

static size_t index_of(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->env_count; i++)
        if (strcmp(c->envs[i].env.name, name) == 0)
            return i;
    return c->env_count;
}

static bool nodes_from_outside(const struct config *c, const struct config_request *request)
{
    for (size_t i = 0; i < request->setting_count; i++)
        if (strcmp(request->settings[i].key, CONFIG_ENV_PREFIX "nodes") == 0)
            return true;
    return config_process(c, "REDIS_NODES") != NULL;
}

/* "dev, local, prd": what may be chosen. */
static void list_choices(const struct config *c, char *out, size_t size)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < c->env_count && len < size; i++) {
        int n = snprintf(out + len, size - len, "%s%s", i > 0 ? ", " : "", c->envs[i].env.name);
        len += n > 0 ? (size_t)n : 0;
    }
}

static void explain_none(struct config *c, const char *requested)
{
    char choices[160];
    char shown[80];
    list_choices(c, choices, sizeof(choices));
    if (c->env_count == 0) {
        (void)snprintf(
            c->why_none, sizeof(c->why_none),
            "no environment is configured: give --nodes host:port, or a config.json with "
            "{\"redis_nodes\":{\"local\":{\"nodes\":[\"127.0.0.1:7001\"]}}}");
    } else if (requested != NULL) {
        (void)snprintf(
            c->why_none, sizeof(c->why_none), "no environment \"%s\" in %s; choose one of: %s",
            escape_text(shown, sizeof(shown), str_from(requested)), c->short_name, choices);
    } else {
        (void)snprintf(c->why_none, sizeof(c->why_none),
                       "several environments in %s; choose one with --env or ENV_PROFILE: %s",
                       c->short_name, choices);
    }
}

/* The name of this run's environment: one of the config's, or one to be made up. NULL: none. */
static const char *choose(const struct config *c, const char *requested, bool nodes)
{
    if (requested != NULL)
        return requested;
    if (index_of(c, "local") < c->env_count)
        return "local";
    if (c->env_count == 1)
        return c->envs[0].env.name;
    return nodes ? "local" : NULL;
}

static void add_environment(struct config *c, const char *name, const json_t *tree)
{
    struct slot_env *e = &c->envs[c->env_count];
    e->env.index = c->env_count++;
    e->env.name = arena_text(&c->arena, str_from(name));
    e->env.in_config = tree != NULL;
    e->tree = tree;
}

static void list_environments(struct config *c)
{
    json_t *group = json_object_get(c->root, "redis_nodes");
    void *iter = json_object_iter(group);
    size_t count = json_object_size(group);
    c->envs = arena_array(&c->arena, count + 1, sizeof(*c->envs)); /* one may be made up */
    for (; iter != NULL; iter = json_object_iter_next(group, iter))
        if (json_is_object(json_object_iter_value(iter)))
            add_environment(c, json_object_iter_key(iter), json_object_iter_value(iter));
}

/* Make up an environment whose nodes come from -n, REDIS_NODES or its own dotenv file. */
static bool make_up(struct config *c, const char *name, bool nodes, struct error *err)
{
    struct slot_env *e = &c->envs[c->env_count];
    add_environment(c, name, NULL);
    if (!read_dotenv(c, e, err))
        return false;
    if (!nodes && dotenv_get(&e->dotenv, "REDIS_NODES") == NULL) {
        c->env_count--; /* nothing to connect to: it is no environment */
        dotenv_release(&e->dotenv);
    }
    return true;
}

bool config_find_environments(struct config *c, const struct config_request *request,
                              struct error *err)
{
    const char *profile = config_process(c, "ENV_PROFILE");
    const char *requested = request->environment != NULL ? request->environment : profile;
    bool nodes = nodes_from_outside(c, request);
    const char *name;
    if (requested != NULL && !config_env_name_is_safe(str_from(requested))) {
        char shown[80];
        return error_set(err, ERROR_CONFIG, 0, "%s: \"%s\" is no name for an environment",
                         request->environment != NULL ? "option --env" : "ENV_PROFILE",
                         escape_text(shown, sizeof(shown), str_from(requested)));
    }
    list_environments(c);
    for (size_t i = 0; i < c->env_count; i++)
        if (!read_dotenv(c, &c->envs[i], err))
            return false;
    name = choose(c, requested, nodes);
    if (name != NULL && index_of(c, name) == c->env_count && !make_up(c, name, nodes, err))
        return false;
    c->selected = name == NULL ? c->env_count : index_of(c, name);
    if (c->selected == c->env_count)
        explain_none(c, requested);
    return true;
}
