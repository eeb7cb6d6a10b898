#include "core/redis/info.h"

#include <stddef.h>
#include <string.h>

enum field_type { FIELD_INT, FIELD_TEXT, FIELD_RATIO };

struct field {
    const char *name;
    enum field_type type;
    size_t offset;
};

#define INT(name, member)                              \
    {                                                  \
        name, FIELD_INT, offsetof(struct info, member) \
    }
#define TEXT(name, member)                              \
    {                                                   \
        name, FIELD_TEXT, offsetof(struct info, member) \
    }

static const struct field fields[] = {
    INT("uptime_in_seconds", uptime_s),
    TEXT("redis_mode", redis_mode),
    TEXT("server_mode", redis_mode), /* Valkey's newer name */
    TEXT("run_id", run_id),
    INT("process_id", process_id),
    INT("server_time_usec", server_time_us),
    INT("connected_clients", connected_clients),
    INT("blocked_clients", blocked_clients),
    INT("maxclients", maxclients),
    INT("used_memory", used_memory),
    INT("used_memory_rss", used_memory_rss),
    INT("maxmemory", maxmemory),
    TEXT("maxmemory_policy", maxmemory_policy),
    {"mem_fragmentation_ratio", FIELD_RATIO, offsetof(struct info, fragmentation)},
    INT("loading", loading),
    INT("loading_eta_seconds", loading_eta_s),
    INT("async_loading", async_loading),
    INT("rdb_changes_since_last_save", changes_since_save),
    INT("rdb_bgsave_in_progress", bgsave_in_progress),
    INT("rdb_last_save_time", last_save_s),
    TEXT("rdb_last_bgsave_status", last_bgsave_status),
    INT("aof_enabled", aof_enabled),
    INT("aof_rewrite_in_progress", aof_rewrite_in_progress),
    TEXT("aof_last_bgrewrite_status", last_aof_rewrite_status),
    TEXT("aof_last_write_status", last_aof_write_status),
    INT("instantaneous_ops_per_sec", ops_per_sec),
    INT("total_commands_processed", commands_processed),
    INT("total_net_input_bytes", input_bytes),
    INT("total_net_output_bytes", output_bytes),
    INT("keyspace_hits", hits),
    INT("keyspace_misses", misses),
    INT("expired_keys", expired_keys),
    INT("evicted_keys", evicted_keys),
    INT("rejected_connections", rejected_connections),
    INT("sync_full", sync_full),
    INT("total_error_replies", error_replies),
    TEXT("master_host", primary_host),
    INT("master_port", primary_port),
    TEXT("master_link_status", primary_link),
    INT("master_last_io_seconds_ago", primary_last_io_s),
    INT("master_sync_in_progress", primary_sync_in_progress),
    INT("master_link_down_since_seconds", primary_link_down_s),
    INT("slave_repl_offset", replica_offset),
    INT("master_repl_offset", primary_offset),
    TEXT("master_replid", replid),
    TEXT("master_failover_state", failover_state),
    INT("connected_slaves", connected_replicas),
    INT("repl_backlog_size", backlog_size),
    INT("repl_backlog_histlen", backlog_histlen),
    INT("cluster_enabled", cluster_enabled),
    INT("sentinel_masters", sentinel_masters),
    INT("sentinel_tilt", sentinel_tilt),
};

static void clear(struct info *out)
{
    *out = (struct info){.fragmentation = -1};
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        if (fields[i].type == FIELD_INT)
            *(int64_t *)(void *)((char *)out + fields[i].offset) = INFO_UNKNOWN;
    out->keys = INFO_UNKNOWN;
    out->keys_expiring = INFO_UNKNOWN;
}

static void set_field(struct info *out, const struct field *f, struct str value)
{
    void *to = (char *)out + f->offset;
    int64_t number;
    double ratio;

    switch (f->type) {
    case FIELD_INT:
        if (str_to_i64(value, &number) && number >= 0)
            *(int64_t *)to = number;
        break;
    case FIELD_TEXT:
        *(struct str *)to = value;
        break;
    case FIELD_RATIO:
        if (str_to_double(value, &ratio) && ratio >= 0)
            *(double *)to = ratio;
        break;
    }
}

/* The value of `name` in "a=1,b=2". */
static bool pair_value(struct str list, const char *name, struct str *value)
{
    struct str piece;

    while (str_split(&list, ',', &piece)) {
        size_t at = str_find(piece, '=');

        if (at < piece.len && str_is(str_slice(piece, 0, at), name)) {
            *value = str_slice(piece, at + 1, piece.len);
            return true;
        }
    }
    return false;
}

static int64_t pair_number(struct str list, const char *name)
{
    struct str value;
    int64_t number;

    if (pair_value(list, name, &value) && str_to_i64(value, &number) && number >= 0)
        return number;
    return INFO_UNKNOWN;
}

/* "slave0:ip=127.0.0.1,port=7004,state=online,offset=42,lag=0" */
static void add_replica(struct info *out, struct str value)
{
    struct info_replica *r;
    struct str host;
    struct str state;
    int64_t port = pair_number(value, "port");

    if (out->replica_count >= INFO_REPLICAS_MAX || !pair_value(value, "ip", &host) || port < 1 ||
        port > 65535)
        return;
    r = &out->replicas[out->replica_count++];
    r->host = host;
    r->port = (uint16_t)port;
    r->online = pair_value(value, "state", &state) && str_is(state, "online");
    r->offset = pair_number(value, "offset");
    r->lag_s = pair_number(value, "lag");
}

/* "db0:keys=1,expires=0,avg_ttl=0": sums that cannot overflow into nonsense. */
static void add_database(struct info *out, struct str value)
{
    int64_t keys = pair_number(value, "keys");
    int64_t expires = pair_number(value, "expires");

    if (keys < 0 || keys > INT64_MAX - (out->keys > 0 ? out->keys : 0))
        return;
    out->keys = (out->keys > 0 ? out->keys : 0) + keys;
    if (expires >= 0 && expires <= keys)
        out->keys_expiring = (out->keys_expiring > 0 ? out->keys_expiring : 0) + expires;
    out->databases += keys > 0 ? 1 : 0;
}

static bool is_numbered(struct str name, const char *prefix)
{
    uint32_t number;

    return str_starts(name, prefix) &&
           str_to_u32(str_slice(name, strlen(prefix), name.len), &number);
}

static void set_role(struct info *out, struct str value)
{
    if (str_is(value, "master") || str_is(value, "primary"))
        out->role = INFO_ROLE_PRIMARY;
    else if (str_is(value, "slave") || str_is(value, "replica"))
        out->role = INFO_ROLE_REPLICA;
}

static bool special_field(struct info *out, struct str name, struct str value)
{
    if (str_is(name, "role"))
        set_role(out, value);
    else if (str_is(name, "valkey_version"))
        out->version = value;
    else if (is_numbered(name, "slave"))
        add_replica(out, value);
    else if (is_numbered(name, "db"))
        add_database(out, value);
    else
        return false;
    return true;
}

static void parse_line(struct info *out, struct str line)
{
    size_t colon = str_find(line, ':');
    struct str name = str_slice(line, 0, colon);
    struct str value = str_slice(line, colon + 1, line.len);

    if (colon >= line.len || special_field(out, name, value))
        return;
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        if (str_is(name, fields[i].name)) {
            set_field(out, &fields[i], value);
            return;
        }
    }
}

void info_parse(struct info *out, struct str text)
{
    struct str rest = text;
    struct str line;
    struct str value;

    clear(out);
    while (str_split(&rest, '\n', &line)) {
        line = str_trim(line);
        if (str_is(line, "# Keyspace") && out->keys < 0) {
            out->keys = 0;
            out->keys_expiring = 0;
        }
        parse_line(out, line);
    }
    if (out->version.len > 0)
        out->flavour = STR("valkey");
    else if (info_field(text, "redis_version", &out->version))
        out->flavour = STR("redis");
    if (info_field(text, "server_name", &value) && value.len > 0 && value.len < 32)
        out->flavour = value;
    if (str_is(out->redis_mode, "sentinel"))
        out->role = INFO_ROLE_SENTINEL;
}

bool info_field(struct str text, const char *name, struct str *value)
{
    struct str line;

    *value = (struct str){NULL, 0};
    while (str_split(&text, '\n', &line)) {
        size_t colon;

        line = str_trim(line);
        colon = str_find(line, ':');
        if (colon < line.len && str_is(str_slice(line, 0, colon), name)) {
            *value = str_slice(line, colon + 1, line.len);
            return true;
        }
    }
    return false;
}

static int64_t number_field(struct str text, const char *name)
{
    struct str value;
    int64_t number;

    if (info_field(text, name, &value) && str_to_i64(value, &number) && number >= 0)
        return number;
    return INFO_UNKNOWN;
}

void cluster_info_parse(struct cluster_info *out, struct str text)
{
    (void)info_field(text, "cluster_state", &out->state);
    out->slots_assigned = number_field(text, "cluster_slots_assigned");
    out->slots_ok = number_field(text, "cluster_slots_ok");
    out->slots_pfail = number_field(text, "cluster_slots_pfail");
    out->slots_fail = number_field(text, "cluster_slots_fail");
    out->known_nodes = number_field(text, "cluster_known_nodes");
    out->size = number_field(text, "cluster_size");
    out->current_epoch = number_field(text, "cluster_current_epoch");
    out->my_epoch = number_field(text, "cluster_my_epoch");
}
