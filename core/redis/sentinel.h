/*
 * sentinel.h - what Sentinels say: SENTINEL MASTERS, REPLICAS and SENTINELS replies, and the
 * messages they publish.
 *
 * Strings are views into the reply or payload. Numbers that are missing are -1. Hostile input
 * leaves fields unknown or gives false. Pure; any thread. Source: Redis Sentinel documentation,
 * "Sentinel API" and "Pub/Sub messages".
 */
#ifndef CORE_REDIS_SENTINEL_H
#define CORE_REDIS_SENTINEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/base/str.h"

struct reply;

enum sentinel_flag {
    SENTINEL_MASTER = 1 << 0,
    SENTINEL_REPLICA = 1 << 1,
    SENTINEL_PEER = 1 << 2,
    SENTINEL_SDOWN = 1 << 3,
    SENTINEL_ODOWN = 1 << 4,
    SENTINEL_DISCONNECTED = 1 << 5,
    SENTINEL_FAILOVER = 1 << 6, /* failover_in_progress */
    SENTINEL_PROMOTED = 1 << 7,
    SENTINEL_RECONF = 1 << 8 /* any of the reconf_* states */
};

/* One instance: a master, a replica or another sentinel. */
struct sentinel_instance {
    struct str name;
    struct str host;
    uint16_t port;
    struct str run_id;
    unsigned flags;
    int64_t last_ok_ping_ms; /* age of the last good PING reply */
    int64_t config_epoch;
    int64_t num_replicas;
    int64_t num_sentinels; /* others, without the one asked */
    int64_t quorum;
    int64_t down_after_ms;
    int64_t failover_timeout_ms;
    struct str primary_host; /* replica only */
    int64_t primary_port;
    struct str primary_link; /* "ok", "err" */
    int64_t replica_priority;
    int64_t replica_offset;
    struct str voted_leader; /* sentinel only */
    int64_t voted_epoch;
};

struct sentinel_list {
    struct sentinel_instance *items; /* in the arena given */
    size_t count;
};

/* SENTINEL MASTERS, REPLICAS or SENTINELS (an array of flat field lists). At most 4096 items. */
bool sentinel_parse_list(const struct reply *r, struct arena *a, struct sentinel_list *out,
                         struct error *err) MUST_CHECK;
/* SENTINEL GET-MASTER-ADDR-BY-NAME: false without a master (nil). */
bool sentinel_parse_address(const struct reply *r, struct str *host, uint16_t *port);

/* One published message. Which fields are set depends on the channel; the rest are empty. */
struct sentinel_event {
    struct str channel; /* "+switch-master", "+sdown" … */
    struct str type;    /* "master", "slave", "sentinel"; empty when there is no instance */
    struct str name;    /* of the instance; for replicas and sentinels often host:port or run id */
    struct str host;
    uint16_t port;
    struct str master_name;
    struct str master_host;
    uint16_t master_port;
    struct str new_host; /* +switch-master, +config-update-from … */
    uint16_t new_port;
    int64_t epoch;    /* +new-epoch, +vote-for-leader; -1 */
    struct str extra; /* what follows the known part, "#quorum 2/2" without the '#' */
};

/* false when the payload does not have the form its channel promises; out->channel and out->extra
 * (the whole payload) are set even then. */
bool sentinel_parse_event(struct str channel, struct str payload, struct sentinel_event *out);

#endif
