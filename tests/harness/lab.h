/*
 * lab.h - a live cluster, Sentinel trio or single server for an integration test.
 *
 * Drives tests/lab/lab (bash) on free ports of 127.0.0.1 in a directory of its own under $TMPDIR.
 * Whatever the test does (return, fail, abort, kill -9), a watchdog ends every process by its pid
 * and removes the directory within 2 s. Run tests from the root of the checkout. Test thread only.
 * Nodes are numbered from 0: first the servers (after start: primaries 0..shards-1, then their
 * replicas), then the sentinels. The first lab of a fresh checkout needs `make deps` once.
 */
#ifndef TESTS_HARNESS_LAB_H
#define TESTS_HARNESS_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define LAB_PATH 256

enum lab_kind { LAB_CLUSTER, LAB_SENTINEL, LAB_SINGLE, LAB_S3_ONLY };

/* Zero is a good default for every field: a plain 3+3 cluster of redis 7.0. */
struct lab_options {
    enum lab_kind kind;
    const char *flavor; /* "redis" (7.0) or "valkey" (8.0); NULL: $LAB_FLAVOR, else redis */
    int shards;         /* 0: 3. Cluster only */
    int replicas;       /* per shard; 0: 1 for a cluster, 2 for Sentinel; -1: none */
    bool tls;           /* only TLS ports; client certificates accepted, not demanded */
    bool password;      /* requirepass, see lab_password */
    bool acl;           /* users monitor, backup, restore; see lab_user_password */
    bool s3;            /* a radosgw besides; see lab_s3 */
    bool keep;          /* leave the directory for a look when the test ends */
};

/* All strings live as long as the lab. */
struct lab_s3 {
    const char *endpoint;       /* http://127.0.0.1:PORT */
    const char *endpoint_tls;   /* https://127.0.0.1:PORT, certificate of ca_file */
    const char *endpoint_vhost; /* http://localhost:PORT: BUCKET.localhost works as host name */
    const char *ca_file;
    const char *bucket; /* owned by the first pair of keys, empty at start */
    const char *region;
    const char *access_key;
    const char *secret_key;
    const char *other_access_key; /* another user, who has no right to the bucket */
    const char *other_secret_key;
};

struct lab;

/* Up and ready: slots covered, replicas linked, Sentinels agreed. NULL: why is on stderr. */
struct lab *lab_start(const struct lab_options *options);
/* Ends everything and removes the directory. NULL is fine. Also runs by itself at exit. */
void lab_stop(struct lab *lab);

const char *lab_dir(const struct lab *lab);
const char *lab_config_file(const struct lab *lab);   /* config.json for rbconsole -c */
const char *lab_password(const struct lab *lab);      /* NULL without password */
const char *lab_password_file(const struct lab *lab); /* NULL without password; mode 0600 */
const char *lab_ca_file(const struct lab *lab);       /* the next three NULL without tls */
const char *lab_cert_file(const struct lab *lab);
const char *lab_key_file(const struct lab *lab);
const char *lab_user_password(const struct lab *lab); /* of each ACL user; NULL without acl */
const struct lab_s3 *lab_s3(const struct lab *lab);   /* NULL without s3 */

bool lab_is_cluster(const struct lab *lab);
size_t lab_shards(const struct lab *lab);
size_t lab_nodes(const struct lab *lab);     /* servers */
size_t lab_sentinels(const struct lab *lab); /* numbered from lab_nodes() on */
int lab_port(const struct lab *lab, size_t node);
/* "127.0.0.1:PORT" */
const char *lab_address(const struct lab *lab, size_t node);
/* The server's log; an index out of range aborts the test, as everywhere here. */
const char *lab_log_file(const struct lab *lab, size_t node);
/* The pid of a running node, 0 when it is down. */
pid_t lab_pid(const struct lab *lab, size_t node);
/* The node that now says `role:master` for the shard that began as primary `shard`, -1: none. */
int lab_primary_of(struct lab *lab, size_t shard);

/* SIGKILL, waited for; SIGSTOP; SIGCONT; start again with its old data directory and answer PING.
 */
bool lab_kill(struct lab *lab, size_t node);
bool lab_pause(struct lab *lab, size_t node);
bool lab_resume(struct lab *lab, size_t node);
bool lab_restart(struct lab *lab, size_t node);
/* Until every running server says cluster_state:ok and its replication link is up. */
bool lab_wait_ok(struct lab *lab, int timeout_ms);

/* Loads the sample data, n keys of each big type, by the independent loader. 0: 10,000. */
bool lab_seed(struct lab *lab, int n);
/*
 * The flavour's own command-line client (independent of our code) on one node, without -c, raw
 * output; arguments end with NULL. The answer is malloc-ed, without its last newline; an error
 * reply is an answer too ("MOVED …"). NULL: the server could not be reached.
 */
char *lab_cli(struct lab *lab, size_t node, const char *first, ...) __attribute__((sentinel));
/* The same, following MOVED and ASK (-c). */
char *lab_cli_routed(struct lab *lab, const char *first, ...) __attribute__((sentinel));
/* As lab_cli, with the arguments in a NULL-terminated array. */
char *lab_cli_argv(struct lab *lab, size_t node, const char *const *argv);
/* The path of that client, into out. */
void lab_client_path(const struct lab *lab, char out[LAB_PATH]);
/*
 * The number after "name:" in INFO section, or in CLUSTER INFO when section is "CLUSTER INFO";
 * -1 when absent.
 */
long long lab_info_number(struct lab *lab, size_t node, const char *section, const char *name);
/* What a script without keys answers on one node, as a number; -1: the node could not be asked. */
long long lab_eval_number(struct lab *lab, size_t node, const char *script);
/* The sum of that over the primaries of all shards; -1 when one could not be asked. */
long long lab_eval_sum(struct lab *lab, const char *script);
/* Sum of DBSIZE over all running primaries; -1 when one could not be asked. */
long long lab_keys(struct lab *lab);

#endif
