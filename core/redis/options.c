#include "core/redis/options.h"

static const char *const mode_names[REDIS_MODES] = {
    [REDIS_MODE_AUTO] = "auto",
    [REDIS_MODE_CLUSTER] = "cluster",
    [REDIS_MODE_SENTINEL] = "sentinel",
    [REDIS_MODE_SINGLE] = "single",
};

const char *redis_mode_name(enum redis_mode mode)
{
    return mode_names[mode];
}

bool redis_mode_parse(struct str text, enum redis_mode *out)
{
    for (int i = 0; i < REDIS_MODES; i++) {
        if (str_is(text, mode_names[i])) {
            *out = (enum redis_mode)i;
            return true;
        }
    }
    return false;
}

struct conn_options redis_options_conn(const struct redis_options *o)
{
    return (struct conn_options){
        .tls = o->tls,
        .username = o->username,
        .password = o->password,
        .client_name = o->client_name,
        .connect_timeout_ms = o->connect_timeout_ms,
        .command_timeout_ms = o->command_timeout_ms,
        .max_elements = o->max_elements,
        .max_bytes = o->max_bytes,
        .cancel = o->cancel,
    };
}

struct conn_options redis_options_sentinel_conn(const struct redis_options *o)
{
    struct conn_options c = redis_options_conn(o);
    c.username = o->sentinel_username;
    c.password = o->sentinel_password;
    return c;
}
