/*
 * info.h - the text of INFO and CLUSTER INFO into the fields that we use.
 *
 * A field that is missing or not a number is -1 (or an empty string): never zero, so that "not
 * known" can be told from "none". Fields we don't know are ignored. Strings are views into the
 * caller's text and live as long as it. Hostile input cannot fail, only leave fields unknown. Pure;
 * any thread.
 * Source: Redis documentation of INFO and CLUSTER INFO.
 */
#ifndef CORE_REDIS_INFO_H
#define CORE_REDIS_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/str.h"

#define INFO_UNKNOWN (-1)
#define INFO_REPLICAS_MAX 64

enum info_role { INFO_ROLE_UNKNOWN, INFO_ROLE_PRIMARY, INFO_ROLE_REPLICA, INFO_ROLE_SENTINEL };

/* One slaveN: line of a primary. */
struct info_replica {
    struct str host;
    uint16_t port;
    bool online; /* state=online; wait_bgsave and send_bulk are not */
    int64_t offset;
    int64_t lag_s;
};

struct info {
    /* server */
    struct str version;    /* of the flavour: valkey_version where present */
    struct str flavour;    /* "redis" or "valkey" */
    struct str redis_mode; /* "cluster", "standalone", "sentinel" */
    struct str run_id;
    int64_t uptime_s;
    int64_t process_id;
    int64_t server_time_us;
    /* clients */
    int64_t connected_clients;
    int64_t blocked_clients;
    int64_t maxclients;
    /* memory */
    int64_t used_memory;
    int64_t used_memory_rss;
    int64_t maxmemory; /* 0 = no limit */
    struct str maxmemory_policy;
    double fragmentation; /* negative when unknown */
    /* persistence */
    int64_t loading; /* 0, 1 */
    int64_t loading_eta_s;
    int64_t async_loading;
    int64_t changes_since_save;
    int64_t bgsave_in_progress;
    int64_t last_save_s;           /* Unix time */
    struct str last_bgsave_status; /* "ok", "err" */
    int64_t aof_enabled;
    int64_t aof_rewrite_in_progress;
    struct str last_aof_rewrite_status;
    struct str last_aof_write_status;
    /* stats */
    int64_t ops_per_sec;
    int64_t commands_processed;
    int64_t input_bytes;
    int64_t output_bytes;
    int64_t hits;
    int64_t misses;
    int64_t expired_keys;
    int64_t evicted_keys;
    int64_t rejected_connections;
    int64_t sync_full;
    int64_t error_replies;
    /* replication */
    enum info_role role;
    struct str primary_host;
    int64_t primary_port;
    struct str primary_link; /* "up", "down", empty on a primary */
    int64_t primary_last_io_s;
    int64_t primary_sync_in_progress;
    int64_t primary_link_down_s;
    int64_t replica_offset; /* slave_repl_offset */
    int64_t primary_offset; /* master_repl_offset */
    struct str replid;      /* master_replid */
    struct str failover_state;
    int64_t connected_replicas;
    int64_t backlog_size;
    int64_t backlog_histlen;
    struct info_replica replicas[INFO_REPLICAS_MAX];
    size_t replica_count;
    /* cluster, keyspace */
    int64_t cluster_enabled;
    int64_t keys; /* sum of dbN:keys over all databases; 0 only when the keyspace section
                   * is there and empty, INFO_UNKNOWN when the section is missing */
    int64_t keys_expiring;
    size_t databases; /* that hold keys */
    /* sentinel */
    int64_t sentinel_masters;
    int64_t sentinel_tilt;
};

void info_parse(struct info *out, struct str text);

struct cluster_info {
    struct str state; /* "ok", "fail" */
    int64_t slots_assigned;
    int64_t slots_ok;
    int64_t slots_pfail;
    int64_t slots_fail;
    int64_t known_nodes;
    int64_t size;
    int64_t current_epoch;
    int64_t my_epoch;
};

void cluster_info_parse(struct cluster_info *out, struct str text);

/* Any "name:value" text: the value of one field, empty and false when it is not there. */
bool info_field(struct str text, const char *name, struct str *value);

#endif
