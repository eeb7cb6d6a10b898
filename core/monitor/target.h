/*
 * target.h - one server that the monitor polls: its connection, the question under way, and its
 * last answers.
 *
 * Belongs to the monitor thread; core/monitor only. A poll is a pipeline (INFO, CLUSTER INFO,
 * CLUSTER NODES …); the answers replace the old ones as they come, and a poll that fails leaves
 * them.
 */
#ifndef CORE_MONITOR_TARGET_H
#define CORE_MONITOR_TARGET_H

#include "core/monitor/events.h"
#include "core/monitor/series.h"
#include "core/monitor/snapshot.h"
#include "core/net/address.h"
#include "core/redis/info.h"
#include "core/redis/options.h"
#include "core/redis/sentinel.h"

#define TARGET_QUESTIONS 8
#define TARGET_OFFSETS 128

enum question {
    ASK_INFO,
    ASK_DBSIZE,
    ASK_CLUSTER_INFO,
    ASK_CLUSTER_NODES,
    ASK_SENTINEL_MASTERS,
    ASK_SENTINEL_REPLICAS,
    ASK_SENTINEL_PEERS,
    QUESTIONS
};

struct offset_sample {
    int64_t at_ms; /* monotonic */
    int64_t offset;
};

struct target {
    struct address announced; /* what the servers call it */
    char name[EVENT_NAME];    /* "host:port" of announced */
    char server_name[ADDRESS_HOST_MAX];
    struct conn *conn;
    struct conn *messages; /* a Sentinel's subscription */
    int64_t messages_at;   /* when to open it (again) */
    bool seed, sentinel;
    bool wanted; /* scratch of discovery */
    /* the poll under way */
    bool busy;
    enum question asked[TARGET_QUESTIONS];
    size_t asked_count, answered;
    int64_t began_us;
    int64_t next_ms;
    /* how it went */
    unsigned missed;
    bool silent;         /* told */
    int64_t answered_ms; /* -1 never */
    int64_t rtt_us;
    char error[200];
    enum error_code error_code;
    bool refused[QUESTIONS]; /* the server said no to this question */
    uint64_t polls;
    /* the answers */
    char id[EVENT_NAME]; /* node id; name outside Cluster */
    struct buf info_text, cluster_text;
    struct info info;
    bool has_info;
    int clustered; /* said by CLUSTER INFO: 1, 0, -1 not known */
    struct cluster_info cluster;
    int64_t dbsize;
    struct arena sentinel_arena[2]; /* the lists in use, and those being filled */
    unsigned sentinel_at;
    struct sentinel_list masters, replicas, peers;
    struct series ops;
    struct series_rate rate_in, rate_out, rate_evicted, rate_hits, rate_misses;
    double in, out, evicted, hits, misses; /* per second, or gaps */
    struct offset_sample offsets[TARGET_OFFSETS];
    size_t offset_next, offset_count;
};

struct target *target_new(const struct address *announced, const struct address *connect,
                          const struct conn_options *options, const char *server_name);
void target_free(struct target *t);

struct poll_plan {
    enum redis_mode mode;
    bool want_nodes; /* ask for CLUSTER NODES in this round */
    const char *master_name;
    int timeout_ms;
};

/* Send the questions; the connection is opened when it is not. */
void target_begin(struct target *t, const struct poll_plan *plan);

enum target_result { TARGET_WAITS, TARGET_DONE, TARGET_FAILED };

/* What the monitor must be told while answers are read. */
struct target_sink {
    void (*view)(void *arg, struct target *t, struct topology *view); /* takes view */
    void *arg;
};

/* Move the connection along and read what has come. DONE and FAILED are said once per poll. */
enum target_result target_process(struct target *t, const struct target_sink *sink);
/* Newest sample of its replication offset that is at most `offset`; how many ms before now the
 * write after it was seen. 0: nothing is missing; -1: not known. */
int64_t target_lag_ms(const struct target *primary, int64_t offset, int64_t now_ms);
enum monitor_role target_role(const struct target *t);

#endif
