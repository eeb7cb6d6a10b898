/*
 * connect.h - from the configuration to connections: the one place where an environment becomes
 * the options of core/redis and core/s3.
 *
 * A struct connection owns everything those options borrow (addresses, secrets, TLS context, map):
 * keep it alive as long as any cluster, conn or monitor made from it. Passwords are read when it
 * is made. Blocking: verbs and jobs; the console makes one in a worker thread.
 */
#ifndef VIEWS_CONNECT_H
#define VIEWS_CONNECT_H

#include "core/base/clock.h"
#include "core/config/config.h"
#include "core/config/identity.h"
#include "core/redis/cluster.h"
#include "core/redis/options.h"
#include "core/store/store.h"
#include "views/verbs/verb.h"

struct connection;

/* What differs from use to use; zeroed is fine. */
struct connection_purpose {
    const char *kind; /* "backup": becomes the client name "rbconsole:<kind>:<id>"; NULL: none */
    const char *id;   /* "B-0001" or NULL */
    int outage_timeout_ms; /* 0: the default of core/redis */
    struct cancel cancel;
};

/* No network. ERROR_CONFIG or ERROR_AUTH when a file cannot be used. */
bool connection_new(const struct config *config, const struct environment *env,
                    const struct connection_purpose *purpose, struct connection **out,
                    struct error *err) MUST_CHECK;
void connection_free(struct connection *c); /* NULL allowed */
const struct redis_options *connection_options(const struct connection *c);
const struct environment *connection_environment(const struct connection *c);
const struct config *connection_config(const struct connection *c);

/* Connect to the environment's cluster: one round over all seeds unless patient. The cluster
 * borrows from c. ERROR_UNREACHABLE names what was tried. */
bool connect_cluster(struct connection *c, bool patient, struct cluster **out,
                     struct error *err) MUST_CHECK;
/* Who the connected cluster is, and what follows for protection. Remembers it where the decision
 * says so. A state directory that cannot be read is an error: no guess about protection. */
bool connect_identity(struct connection *c, struct cluster *cluster, struct identity_decision *out,
                      struct error *err) MUST_CHECK;
/* The identity itself, for locks, manifests and job files. */
bool connect_observe(struct connection *c, struct cluster *cluster, struct identity_observed *out,
                     struct error *err) MUST_CHECK;
/* Accept what is there now as the environment's cluster (doctor --fix, a typed confirmation). */
bool connect_accept_identity(struct connection *c, struct cluster *cluster,
                             struct error *err) MUST_CHECK;

/* Options for core/s3 and core/store from config and environment. The scope must outlive them. */
void connect_s3_options(const struct config_scope *scope, struct s3_options *out);
void connect_store_options(const struct config_scope *scope, struct store_options *out);
/* Open a store: uri NULL = the environment's s3_uri (ERROR_CONFIG when there is none). */
bool connect_store(const struct config_scope *scope, const char *uri, struct store **out,
                   struct error *err) MUST_CHECK;

#endif
