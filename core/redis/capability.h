/*
 * capability.h - what one server can do: vendor, version, and which commands it knows.
 *
 * Found once per server (one HELLO-free round trip each of INFO server and COMMAND INFO) and then
 * constant until it restarts. Where COMMAND INFO is forbidden, versions decide. Plain data.
 */
#ifndef CORE_REDIS_CAPABILITY_H
#define CORE_REDIS_CAPABILITY_H

#include "core/redis/conn.h"

enum flavour { FLAVOUR_REDIS, FLAVOUR_VALKEY, FLAVOUR_OTHER };

/* Commands that some supported server lacks, or that an operator may have renamed or forbidden. */
enum capability_command {
    CAP_CLUSTER_SHARDS,       /* Redis 7.0 */
    CAP_CLUSTER_LINKS,        /* 7.0 */
    CAP_CLUSTER_MYSHARDID,    /* 7.2 */
    CAP_CLUSTER_SLOT_STATS,   /* Redis 8.2, Valkey 8.0 */
    CAP_CLUSTER_MIGRATESLOTS, /* Valkey 9.0 */
    CAP_CLUSTERSCAN,          /* Valkey 9.1 */
    CAP_CLIENT_NO_TOUCH,      /* 7.2 */
    CAP_CLIENT_NO_EVICT,      /* 7.0 */
    CAP_EXPIRETIME,           /* PEXPIRETIME, 7.0 */
    CAP_HASH_FIELD_EXPIRY,    /* HPEXPIRETIME, Redis 7.4, Valkey 9.0 */
    CAP_HSETEX,               /* Redis 8.0, Valkey 9.0 */
    CAP_FUNCTION,             /* 7.0 */
    CAP_MEMORY_USAGE,
    CAP_OBJECT,
    CAP_CONFIG,
    CAP_WAIT,
    CAP_WAITAOF, /* 7.2 */
    CAP_COPY,    /* 6.2 */
    CAP_UNLINK,
    CAP_DUMP,
    CAP_RESTORE,
    CAP_DEBUG,
    CAP_LATENCY,
    CAP_SLOWLOG,
    CAP_ACL_DRYRUN, /* 7.0 */
    CAP_XNACK,      /* Redis 8.8 */
    CAP_COMMANDS
};

struct capability {
    enum flavour flavour;
    char version[32];   /* "7.0.15", of the flavour's own numbering */
    int version_number; /* 70015: major * 10000 + minor * 100 + patch */
    char mode[16];      /* redis_mode of INFO: "cluster", "standalone", "sentinel" */
    char run_id[48];
    bool guessed; /* COMMAND INFO was refused: `has` follows the version */
    bool has[CAP_COMMANDS];
};

/* Blocking. */
bool capability_load(struct conn *c, struct capability *out, struct error *err) MUST_CHECK;
/* The two halves, for poll loops: parse INFO's text, then COMMAND INFO's reply to
 * capability_command(). reply NULL or an error = guess from the version. */
bool capability_from_info(struct str info, struct capability *out, struct error *err) MUST_CHECK;
bool capability_command(struct buf *out, struct error *err) MUST_CHECK; /* appends COMMAND INFO … */
void capability_from_commands(const struct reply *r, struct capability *c);

const char *flavour_name(enum flavour f);                       /* "redis", "valkey", "other" */
const char *capability_command_name(enum capability_command c); /* "cluster|shards" */
bool capability_at_least(const struct capability *c, enum flavour f, int version_number);

#endif
