#include "views/connect.h"

#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/net/stream_tls.h"

struct connection {
    const struct config *config;
    const struct environment *env;
    struct redis_options options;
    struct address *seeds;
    struct address *sentinels;
    struct secret password;
    struct secret sentinel_password;
    struct tls_context *tls;
    struct address_map *map;
    char *client_name;
};

static bool parse_addresses(const char *const *texts, size_t count, struct address **out,
                            struct error *err)
{
    *out = mem_zero(count + 1, sizeof(**out));
    for (size_t i = 0; i < count; i++)
        if (!address_parse(str_from(texts[i]), 0, &(*out)[i], err))
            return false;
    return true;
}

static bool load_password(const struct environment *env, bool sentinel, struct secret *out,
                          struct error *err)
{
    const struct environment_text *from = sentinel ? &env->sentinel_password : &env->password;
    bool loose = false;
    if (!environment_password(env, sentinel, out, &loose, err))
        return false;
    if (loose) {
        log_write(LOG_LEVEL_WARN, "config", "others may read the password file %s; chmod 600 it",
                  from->file);
    }
    return true;
}

static bool load_tls(struct connection *c, const struct environment_tls *tls, struct error *err)
{
    struct tls_options options = {
        .ca_file = tls->ca_file,
        .ca_dir = tls->ca_dir,
        .cert_file = tls->cert_file,
        .key_file = tls->key_file,
        .server_name = tls->server_name,
        .insecure = tls->insecure,
    };
    if (!tls->enabled)
        return true;
    c->tls = tls_context_new(&options, err);
    return c->tls != NULL;
}

static bool load_map(struct connection *c, const struct environment *env, struct error *err)
{
    c->map = address_map_new();
    for (size_t i = 0; i < env->address_map_count; i++) {
        const struct environment_map *m = &env->address_map[i];
        if (!address_map_add(c->map, str_from(m->from), str_from(m->to), err))
            return error_wrap(err, "redis_nodes.%s.address_map", env->name);
    }
    return true;
}

static char *client_name(const struct connection_purpose *purpose)
{
    if (purpose == NULL || purpose->kind == NULL)
        return NULL;
    return mem_format("rbconsole:%s%s%s", purpose->kind, purpose->id != NULL ? ":" : "",
                      purpose->id != NULL ? purpose->id : "");
}

static bool fill(struct connection *c, const struct connection_purpose *purpose, struct error *err)
{
    static const enum redis_mode modes[] = {
        [MODE_AUTO] = REDIS_MODE_AUTO,
        [MODE_CLUSTER] = REDIS_MODE_CLUSTER,
        [MODE_SENTINEL] = REDIS_MODE_SENTINEL,
        [MODE_SINGLE] = REDIS_MODE_SINGLE,
    };
    const struct environment *env = c->env;
    if (!parse_addresses(env->nodes, env->node_count, &c->seeds, err) ||
        !parse_addresses(env->sentinels, env->sentinel_count, &c->sentinels, err) ||
        !load_password(env, false, &c->password, err) ||
        !load_password(env, true, &c->sentinel_password, err) || !load_tls(c, &env->tls, err) ||
        !load_map(c, env, err))
        return false;
    c->client_name = client_name(purpose);
    c->options = (struct redis_options){
        .mode = modes[env->mode],
        .seeds = c->seeds,
        .seed_count = env->node_count,
        .sentinels = c->sentinels,
        .sentinel_count = env->sentinel_count,
        .master_name = env->master_name,
        .username = env->username,
        .password = &c->password,
        .sentinel_username = env->sentinel_username,
        .sentinel_password = &c->sentinel_password,
        .tls = c->tls,
        .map = c->map,
        .client_name = c->client_name,
        .connect_timeout_ms = env->connect_timeout_ms,
    };
    if (purpose != NULL) {
        c->options.outage_timeout_ms = purpose->outage_timeout_ms;
        c->options.cancel = purpose->cancel;
    }
    return true;
}

bool connection_new(const struct config *config, const struct environment *env,
                    const struct connection_purpose *purpose, struct connection **out,
                    struct error *err)
{
    struct connection *c = mem_zero(1, sizeof(*c));
    c->config = config;
    c->env = env;
    if (!fill(c, purpose, err)) {
        connection_free(c);
        return false;
    }
    *out = c;
    return true;
}

void connection_free(struct connection *c)
{
    if (c == NULL)
        return;
    secret_release(&c->password);
    secret_release(&c->sentinel_password);
    tls_context_free(c->tls);
    address_map_free(c->map);
    free(c->seeds);
    free(c->sentinels);
    free(c->client_name);
    free(c);
}

const struct redis_options *connection_options(const struct connection *c)
{
    return &c->options;
}

const struct environment *connection_environment(const struct connection *c)
{
    return c->env;
}

const struct config *connection_config(const struct connection *c)
{
    return c->config;
}

bool connect_cluster(struct connection *c, bool patient, struct cluster **out, struct error *err)
{
    struct cluster *cluster = cluster_new(&c->options);
    if (!cluster_connect(cluster, patient, err)) {
        cluster_free(cluster);
        return error_wrap(err, "%s", c->env->name);
    }
    *out = cluster;
    return true;
}
