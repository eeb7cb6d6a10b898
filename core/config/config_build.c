#include <string.h>

#include "core/config/config_internal.h"

#define ENV CONFIG_ENV_PREFIX

static const char *text(const struct config *c, const struct slot_env *e, const char *path)
{
    return config_text(c, &e->env, path);
}

static size_t list(struct config *c, const json_t *nodes, const char ***out)
{
    size_t count = json_array_size(nodes);
    *out = arena_array(&c->arena, count + 1, sizeof(**out));
    for (size_t i = 0; i < count; i++)
        (*out)[i] = json_string_value(json_array_get(nodes, i));
    return count;
}

static void build_map(struct config *c, struct slot_env *e)
{
    json_t *map = json_object_get(e->tree, "address_map"); /* no other layer can say it */
    void *iter = json_object_iter(map);
    e->env.address_map =
        arena_array(&c->arena, json_object_size(map) + 1, sizeof(*e->env.address_map));
    for (; iter != NULL; iter = json_object_iter_next(map, iter)) {
        struct environment_map *m = &e->env.address_map[e->env.address_map_count++];
        m->from = json_object_iter_key(iter);
        m->to = json_string_value(json_object_iter_value(iter));
    }
}

/* A password variable of one layer; file variables are seen by the password_file key already. */
static bool variable(struct config *c, const struct slot_env *e, bool process,
                     struct environment_text *out)
{
    static const char *const names[] = {"REDIS_PASSWORD", "REDISCLI_AUTH"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *value =
            process ? config_process(c, names[i]) : dotenv_get(&e->dotenv, names[i]);
        if (value != NULL && value[0] != '\0') {
            out->file = NULL;
            out->value = arena_text(&c->arena, str_from(value));
            out->where = arena_format(&c->arena, process ? "environment %s" : ".env.%s %s",
                                      process ? names[i] : e->env.name, names[i]);
            return true;
        }
    }
    return false;
}

/* Same order as every other value; within one layer a file beats a text. */
static void build_password(struct config *c, struct slot_env *e)
{
    struct environment_text *out = &e->env.password;
    enum config_origin origin = config_origin(c, &e->env, ENV "password_file");
    bool selected = e->env.index == c->selected;
    out->file = text(c, e, ENV "password_file");
    out->where = config_where(c, &e->env, ENV "password_file");
    e->env.sentinel_password.file = text(c, e, ENV "sentinel_password_file");
    e->env.sentinel_password.where = config_where(c, &e->env, ENV "sentinel_password_file");
    if (origin < ORIGIN_PROCESS && selected && variable(c, e, true, out))
        return;
    if (origin < ORIGIN_DOTENV)
        variable(c, e, false, out);
}

static bool contains(const json_t *nodes, const char *node)
{
    for (size_t i = 0; i < json_array_size(nodes); i++)
        if (strcmp(json_string_value(json_array_get(nodes, i)), node) == 0)
            return true;
    return false;
}

static bool all_loopback(const char **nodes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!environment_is_loopback(str_from(nodes[i])))
            return false;
    return true;
}

/* `"protected": false` was said about the nodes in the config: nodes from elsewhere that are not
 * among those do not inherit it. */
static void build_protection(const struct config *c, struct slot_env *e)
{
    struct environment *env = &e->env;
    const json_t *said = config_json(c, env, ENV "protected");
    const json_t *nodes = json_object_get(e->tree, "nodes");
    bool same = true;
    for (size_t i = 0; i < env->node_count && env->nodes_given; i++)
        same = same && contains(nodes, env->nodes[i]);
    env->protected_given = said != NULL && (same || json_is_true(said));
    env->protected = env->protected_given ? json_is_true(said)
                                          : !all_loopback(env->nodes, env->node_count) ||
                                                !all_loopback(env->sentinels, env->sentinel_count);
}

static bool check_whole(const struct config *c, const struct environment *env, struct error *err)
{
    const char *file = c->short_name;
    if (env->node_count == 0 && env->sentinel_count == 0) {
        return error_set(err, ERROR_CONFIG, 0,
                         "%s: redis_nodes.%s: needs \"nodes\" (or \"sentinels\")", file, env->name);
    }
    if (env->mode == MODE_SENTINEL && env->sentinel_count == 0) {
        return error_set(err, ERROR_CONFIG, 0,
                         "%s: redis_nodes.%s: mode sentinel needs \"sentinels\"", file, env->name);
    }
    if (env->mode != MODE_SENTINEL && env->node_count == 0) {
        return error_set(err, ERROR_CONFIG, 0, "%s: redis_nodes.%s: mode %s needs \"nodes\"", file,
                         env->name, environment_mode_name(env->mode));
    }
    if (env->tls.key_file != NULL && env->tls.cert_file == NULL) {
        return error_set(err, ERROR_CONFIG, 0,
                         "%s: redis_nodes.%s.tls: key_file needs cert_file as well", file,
                         env->name);
    }
    return true;
}

static enum environment_mode parse_mode(const char *name)
{
    for (enum environment_mode m = MODE_AUTO; m <= MODE_SINGLE; m++)
        if (strcmp(environment_mode_name(m), name) == 0)
            return m;
    return MODE_AUTO;
}

/* Nodes given for this run take the place of sentinels in the config: -n must decide alone where
 * we go. */
static void build_nodes(struct config *c, struct slot_env *e)
{
    struct environment *env = &e->env;
    env->nodes_given = config_origin(c, env, ENV "nodes") >= ORIGIN_PROCESS;
    env->mode = parse_mode(text(c, e, ENV "mode"));
    env->node_count = list(c, config_json(c, env, ENV "nodes"), &env->nodes);
    if (env->nodes_given && env->mode == MODE_SENTINEL) {
        env->sentinel_count = env->node_count;
        env->sentinels = env->nodes;
        return;
    }
    if (!env->nodes_given)
        env->sentinel_count = list(c, config_json(c, env, ENV "sentinels"), &env->sentinels);
    if (env->mode == MODE_AUTO && env->sentinel_count > 0)
        env->mode = MODE_SENTINEL;
}

bool config_build_environment(struct config *c, struct slot_env *e, struct error *err)
{
    struct environment *env = &e->env;
    build_nodes(c, e);
    env->master_name = text(c, e, ENV "master_name");
    env->username = text(c, e, ENV "username");
    env->sentinel_username = text(c, e, ENV "sentinel_username");
    env->label = text(c, e, ENV "label");
    env->label = env->label != NULL ? env->label : env->name;
    env->tls.enabled = config_flag(c, env, ENV "tls.enabled");
    env->tls.insecure = config_flag(c, env, ENV "tls.insecure");
    env->tls.ca_file = text(c, e, ENV "tls.ca_file");
    env->tls.ca_dir = text(c, e, ENV "tls.ca_dir");
    env->tls.cert_file = text(c, e, ENV "tls.cert_file");
    env->tls.key_file = text(c, e, ENV "tls.key_file");
    env->tls.server_name = text(c, e, ENV "tls.server_name");
    env->connect_timeout_ms = (int)config_int(c, env, ENV "connect_timeout_ms");
    env->s3_uri = text(c, e, "storage.s3_uri");
    env->theme = text(c, e, "ui.theme");
    build_map(c, e);
    build_password(c, e);
    build_protection(c, e);
    return check_whole(c, env, err);
}
