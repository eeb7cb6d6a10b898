/*
 * snapshot.h - everything known about a cluster at one moment, for screens and verbs.
 *
 * Built by the monitor thread, immutable once published, shared by reference count; all its memory
 * is one arena. Any thread may hold a reference. Unknown numbers are -1, unknown strings empty:
 * never zero. Values of a node that does not answer are its last ones, and node.stale says so.
 * Strings from servers are raw bytes: escape before showing.
 */
#ifndef CORE_MONITOR_SNAPSHOT_H
#define CORE_MONITOR_SNAPSHOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/str.h"
#include "core/monitor/events.h"
#include "core/monitor/health.h"
#include "core/monitor/series.h"
#include "core/redis/identity.h"
#include "core/redis/options.h"
#include "core/redis/slot.h"
#include "core/redis/topology.h"

#define SNAPSHOT_NONE UINT16_MAX

/* One word for the whole, worst first wins: what the header shows. */
enum monitor_state {
    MONITOR_CONNECTING, /* nothing has answered yet, and it is too early to call it down */
    MONITOR_OK,
    MONITOR_DEGRADED,   /* serves everything, but a finding is WARN or worse */
    MONITOR_FAIL,       /* slots are not served, or cluster_state is fail, or no primary */
    MONITOR_UNREACHABLE /* no node answers */
};

enum monitor_role { MONITOR_ROLE_UNKNOWN, MONITOR_PRIMARY, MONITOR_REPLICA, MONITOR_ROLE_SENTINEL };

/* The STATE column. */
enum monitor_node_state {
    MONITOR_NODE_UNKNOWN, /* not asked yet */
    MONITOR_NODE_OK,
    MONITOR_NODE_WARN, /* answers, but a finding concerns it */
    MONITOR_NODE_LOADING,
    MONITOR_NODE_SILENT, /* does not answer us; no observer holds it down */
    MONITOR_NODE_DENIED, /* answers, but does not let us in: password, user */
    MONITOR_NODE_PFAIL,  /* suspected by at least one observer */
    MONITOR_NODE_FAIL    /* agreed down */
};

enum monitor_keys_source { MONITOR_KEYS_UNKNOWN, MONITOR_KEYS_INFO, MONITOR_KEYS_DBSIZE };

struct monitor_node {
    struct str id;      /* cluster node id; "host:port" outside Cluster */
    struct str address; /* "host:port" as it is shown and connected to */
    struct str host;
    struct str hostname; /* announced, or empty */
    uint16_t port;
    enum monitor_role role;
    enum monitor_node_state state;
    uint16_t shard;   /* index into shards[], or SNAPSHOT_NONE */
    uint16_t primary; /* a replica's primary, index into nodes[], or SNAPSHOT_NONE */
    /* how fresh */
    bool reachable;             /* its last poll was answered */
    bool stale;                 /* two polls or more were missed: draw with ~ */
    bool seed;                  /* named by the operator */
    unsigned missed;            /* polls in a row */
    int64_t answered_ms;        /* monotonic time of the last answer, -1 never */
    int64_t rtt_us;             /* of the last answered poll, -1 */
    struct str error;           /* why the last poll failed, or empty: "connection refused" */
    enum error_code error_code; /* of it; ERROR_NONE */
    /* how the others see it */
    unsigned flags;        /* enum node_flag of the agreed view */
    unsigned suspected_by; /* observers that hold it PFAIL */
    unsigned down_by;      /* … FAIL */
    unsigned observers;    /* … that have a view at all */
    bool has_view;         /* it was asked for its view of the cluster, and told it */
    bool view_agrees;      /* … which is the agreed one */
    uint64_t epoch;        /* config epoch */
    uint32_t slots;        /* owned in the agreed view */
    /* what it says of itself */
    struct str version;
    struct str flavour; /* "redis", "valkey" */
    struct str run_id;
    struct str replid;
    int64_t uptime_s;
    enum monitor_keys_source keys_source;
    int64_t keys;
    int64_t keys_expiring;
    int64_t memory; /* bytes */
    int64_t memory_rss;
    int64_t maxmemory; /* 0 = no limit */
    struct str maxmemory_policy;
    int64_t clients;
    int64_t maxclients;
    int64_t blocked_clients;
    int64_t ops_per_sec;
    int64_t input_per_sec; /* bytes, from counters of two polls */
    int64_t output_per_sec;
    int64_t evicted_per_sec;
    int64_t hits_pct; /* of the last interval, in tenths of a percent */
    int64_t rejected_connections;
    bool loading;
    int64_t loading_eta_s;
    bool saving; /* BGSAVE or AOF rewrite runs */
    bool aof_enabled;
    bool save_failed;    /* last BGSAVE, rewrite or AOF write ended in an error */
    int64_t last_save_s; /* Unix time */
    int64_t changes_since_save;
    int64_t offset;       /* replication: what it has written or applied */
    int64_t backlog_size; /* primary */
    int link_up;          /* replica: 1, 0; -1 not known or a primary */
    int64_t link_down_s;
    bool syncing;
    int64_t lag_bytes;            /* replica: behind its primary's offset; -1 unknown */
    int64_t lag_ms;               /* replica: age of the newest write it has; -1 unknown */
    int64_t lag_backlog_permille; /* lag_bytes of its primary's backlog; -1 unknown */
    int64_t connected_replicas;
    struct str failover_state;
    struct series ops; /* for its sparkline */
};

struct monitor_shard {
    uint16_t number;     /* its letter is events_shard_name(number); stable through failovers */
    uint16_t primary;    /* index into nodes[], SNAPSHOT_NONE when it has none now */
    uint16_t first_node; /* nodes of a shard stand together: primary first, then replicas */
    uint16_t node_count;
    uint32_t slots;
    int64_t keys; /* of its primary */
};

/* Bits of slot_state[]; none set = served. */
enum slot_state {
    SLOT_UNCOVERED = 1 << 0, /* no owner in the agreed view */
    SLOT_MIGRATING = 1 << 1,
    SLOT_IMPORTING = 1 << 2,
    SLOT_DISPUTED = 1 << 3, /* observers name different owners */
    SLOT_PFAIL = 1 << 4,    /* its owner is suspected */
    SLOT_FAIL = 1 << 5      /* its owner is down */
};

struct monitor_slots {
    bool known;                 /* false outside Cluster and before the first view */
    uint16_t owner[SLOT_COUNT]; /* index into nodes[], or SNAPSHOT_NONE */
    uint8_t state[SLOT_COUNT];  /* enum slot_state */
    uint32_t ok;                /* owned by a node that is neither PFAIL nor FAIL */
    uint32_t uncovered;
    uint32_t pfail;
    uint32_t fail;
    uint32_t open; /* migrating or importing */
    uint32_t disputed;
};

enum monitor_series {
    MONITOR_OPS,
    MONITOR_RTT_US,
    MONITOR_HIT_PCT,
    MONITOR_MEMORY_PCT,
    MONITOR_INPUT,
    MONITOR_OUTPUT,
    MONITOR_EVICTED,
    MONITOR_KEYS,
    MONITOR_CLIENTS,
    MONITOR_SERIES
};

/* One Sentinel's opinion of the group. */
struct monitor_sentinel {
    uint16_t node;      /* index into nodes[] */
    struct str primary; /* "host:port" that it names */
    int64_t quorum;
    int64_t known_sentinels; /* others */
    int64_t known_replicas;
    int64_t config_epoch;
    bool sdown, odown, failover, tilt;
};

struct snapshot {
    atomic_uint refs;
    struct arena arena;
    uint64_t number;  /* rises by one */
    int64_t taken_ms; /* monotonic */
    int64_t real_ms;  /* UTC */
    int64_t interval_ms;
    enum redis_mode mode; /* AUTO while not known yet */
    enum monitor_state state;
    struct str cluster_state; /* cluster_state of the agreed view's observer, or empty */
    struct str version;       /* of most nodes */
    struct str flavour;
    bool mixed_versions;
    uint64_t epoch;             /* current epoch, 0 outside Cluster */
    struct str master_name;     /* Sentinel */
    struct identity identity;   /* owned */
    struct monitor_node *nodes; /* ordered: shard by shard, primary first; sentinels last */
    size_t node_count;
    struct monitor_shard *shards;
    size_t shard_count;
    struct monitor_sentinel *sentinels;
    size_t sentinel_count;
    struct monitor_slots *slots; /* never NULL */
    /* sums over the primaries that have ever answered; stale_sums when one of them is stale */
    size_t reachable;
    size_t stale;
    size_t views;       /* observers with a view */
    size_t views_agree; /* … that share the agreed one */
    int64_t keys;       /* -1 while a slot-owning primary has never been asked */
    int64_t memory;
    int64_t maxmemory; /* 0 when one primary has no limit */
    int64_t ops_per_sec;
    int64_t clients;
    int64_t data_age_ms; /* of the oldest answer that is fresh, else of the newest; -1 none */
    bool stale_sums;
    struct series series[MONITOR_SERIES];
    struct finding *findings; /* worst first */
    size_t finding_count;
    size_t alerts;        /* findings of WARN and CRIT */
    struct event *events; /* the newest, oldest first, at most SNAPSHOT_EVENTS */
    size_t event_count;
    struct str trouble; /* nothing answers: what was tried and why it failed; else empty */
};

#define SNAPSHOT_EVENTS 100

/* Zeroed, one reference. */
struct snapshot *snapshot_new(void);
struct snapshot *snapshot_ref(const struct snapshot *s); /* another reference to the same one */
void snapshot_unref(struct snapshot *s);                 /* NULL is fine */

/* Index of a node, or SNAPSHOT_NONE. */
uint16_t snapshot_find_id(const struct snapshot *s, struct str id);
uint16_t snapshot_find_address(const struct snapshot *s, struct str address);
/* By id, unambiguous start of an id (4 digits at least), address, or ":port". */
uint16_t snapshot_find(const struct snapshot *s, struct str name);
/* The slots in one of the given states (bits of enum slot_state). Returns how many. */
uint32_t snapshot_slots_in(const struct snapshot *s, unsigned states, struct slot_set *out);
void snapshot_slots_of(const struct snapshot *s, uint16_t node, struct slot_set *out);
/* Age of a node's values when the snapshot is looked at now, in ms; -1 never answered. */
int64_t snapshot_node_age(const struct monitor_node *n, int64_t now_mono_ms);

const char *monitor_state_name(enum monitor_state state);           /* "ok" … */
const char *monitor_role_name(enum monitor_role role);              /* "primary" … */
const char *monitor_node_state_name(enum monitor_node_state state); /* "ok" "warn" "pfail" … */
const char *monitor_keys_source_name(enum monitor_keys_source source);
const char *monitor_series_name(enum monitor_series series);

#endif
