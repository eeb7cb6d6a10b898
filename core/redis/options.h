/*
 * options.h - how one environment is reached: seeds, mode, credentials, TLS, address map, budgets.
 *
 * The caller fills it from its configuration and keeps it alive and unchanged as long as anything
 * made from it lives; then any thread may read it. Nothing here is owned.
 */
#ifndef CORE_REDIS_OPTIONS_H
#define CORE_REDIS_OPTIONS_H

#include "core/net/address_map.h"
#include "core/redis/conn.h"

enum redis_mode {
    REDIS_MODE_AUTO, /* ask the first seed that answers */
    REDIS_MODE_CLUSTER,
    REDIS_MODE_SENTINEL,
    REDIS_MODE_SINGLE,
    REDIS_MODES
};

struct redis_options {
    enum redis_mode mode;
    const struct address *seeds; /* nodes, as we reach them (not mapped) */
    size_t seed_count;
    const struct address *sentinels; /* sentinel mode */
    size_t sentinel_count;
    const char *master_name; /* sentinel mode; NULL = "mymaster" */
    const char *username;
    const struct secret *password; /* NULL or unset = none */
    const char *sentinel_username;
    const struct secret *sentinel_password;
    struct tls_context *tls;       /* NULL = plain TCP */
    const struct address_map *map; /* NULL = none */
    const char *client_name;       /* NULL = "rbconsole" */
    int connect_timeout_ms;        /* 0 = 5000 */
    int command_timeout_ms;        /* 0 = 10000 */
    int outage_timeout_ms;         /* how long to wait through an outage; 0 = 60000 */
    size_t max_elements;           /* 0 = REPLY_MAX_ELEMENTS */
    size_t max_bytes;              /* 0 = REPLY_MAX_BYTES */
    struct cancel cancel;
};

const char *redis_mode_name(enum redis_mode mode); /* "auto", "cluster", "sentinel", "single" */
bool redis_mode_parse(struct str text, enum redis_mode *out) MUST_CHECK;
/* conn_options for the data nodes (or the sentinels) of this environment. */
struct conn_options redis_options_conn(const struct redis_options *o);
struct conn_options redis_options_sentinel_conn(const struct redis_options *o);

#endif
