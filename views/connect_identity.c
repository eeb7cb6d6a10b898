#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/config/identity_store.h"
#include "core/config/state_dir.h"
#include "core/redis/sentinel.h"
#include "views/connect.h"

static void add_id(struct cluster_identity *id, struct str text)
{
    char copy[ADDRESS_TEXT_MAX];
    if (str_copy(text, copy, sizeof(copy)))
        cluster_identity_add(id, copy);
}

static void observe_cluster(const struct topology *t, struct cluster_identity *id)
{
    cluster_identity_init(id, KIND_CLUSTER);
    for (size_t i = 0; i < t->count; i++)
        if ((t->nodes[i].flags & (NODE_HANDSHAKE | NODE_NOADDR)) == 0)
            add_id(id, t->nodes[i].id);
}

static void observe_single(struct cluster *cluster, struct cluster_identity *id)
{
    const struct cluster_node *nodes;
    size_t count = cluster_nodes(cluster, &nodes);
    cluster_identity_init(id, KIND_SINGLE);
    for (size_t i = 0; i < count; i++) {
        if (nodes[i].role != NODE_ROLE_REPLICA) {
            char text[ADDRESS_TEXT_MAX];
            cluster_identity_add(id, address_text(text, sizeof(text), &nodes[i].address));
        }
    }
}

/* The run ids that one sentinel knows: its own and its peers'. */
static bool ask_sentinel(struct conn *conn, const char *master, struct cluster_identity *id,
                         struct error *err)
{
    struct command peers = COMMAND(STR("SENTINEL"), STR("SENTINELS"), str_from(master));
    const struct reply *r = NULL;
    struct sentinel_list list = {0};
    struct arena arena = {0};
    struct str own;
    bool ok = conn_call_words(conn, "SENTINEL MYID", 0, &r, err);
    if (ok && r->type != REPLY_ERROR && reply_want_string(r, "SENTINEL MYID", &own, err))
        add_id(id, own); /* Redis before 6.2 has no MYID: the peers name it among themselves */
    ok = ok && conn_call(conn, peers, 0, &r, err) && sentinel_parse_list(r, &arena, &list, err);
    for (size_t i = 0; ok && i < list.count; i++)
        add_id(id, list.items[i].run_id);
    arena_release(&arena);
    return ok;
}

static bool observe_sentinels(const struct connection *c, struct cluster_identity *id,
                              struct error *err)
{
    const struct redis_options *o = connection_options(c);
    struct conn_options how = redis_options_sentinel_conn(o);
    bool ok = false;
    cluster_identity_init(id, KIND_SENTINEL);
    cluster_identity_set_master(id, o->master_name);
    for (size_t i = 0; i < o->sentinel_count && !ok; i++) {
        struct conn *conn = conn_new(&o->sentinels[i], &how);
        struct error why = {0};
        ok = ask_sentinel(conn, o->master_name, id, &why) && id->count > 0;
        if (!ok && why.code != ERROR_NONE)
            *err = why;
        conn_free(conn);
    }
    if (!ok && err->code == ERROR_NONE)
        error_set(err, ERROR_UNREACHABLE, 0, "no sentinel says who it is");
    return ok;
}

static bool all_on_loopback(struct cluster *cluster)
{
    const struct cluster_node *nodes;
    size_t count = cluster_nodes(cluster, &nodes);
    for (size_t i = 0; i < count; i++)
        if (!address_is_loopback(&nodes[i].announced))
            return false;
    return true;
}

bool connect_observe(struct connection *c, struct cluster *cluster, struct identity_observed *out,
                     struct error *err)
{
    const struct topology *topology = cluster_topology(cluster);
    struct error why = {0};
    memset(out, 0, sizeof(*out));
    out->all_loopback = all_on_loopback(cluster);
    if (cluster_mode(cluster) == REDIS_MODE_CLUSTER && topology != NULL) {
        observe_cluster(topology, &out->identity);
    } else if (cluster_mode(cluster) == REDIS_MODE_SENTINEL) {
        if (!observe_sentinels(c, &out->identity, &why)) {
            cluster_identity_release(&out->identity);
            *err = why;
            return error_wrap(err, "which deployment is this");
        }
    } else {
        observe_single(cluster, &out->identity);
    }
    return true;
}

static bool decide(struct connection *c, const char *state_dir,
                   const struct identity_observed *observed, struct identity_decision *out,
                   struct error *err)
{
    const struct config *config = connection_config(c);
    size_t count = config_environment_count(config);
    const struct environment **all = mem_zero(count + 1, sizeof(const struct environment *));
    struct identity_memories memories;
    struct identity_question q = {.env = connection_environment(c),
                                  .observed = observed,
                                  .memories = &memories,
                                  .environments = all,
                                  .environment_count = count};
    bool ok = identity_store_load(state_dir, &memories, err);
    for (size_t i = 0; i < count; i++)
        all[i] = config_environment_at(config, i);
    if (ok) {
        identity_decide(&q, out);
        identity_memories_release(&memories);
    }
    free(all);
    return ok;
}

bool connect_identity(struct connection *c, struct cluster *cluster, struct identity_decision *out,
                      struct error *err)
{
    struct identity_observed observed;
    const char *state_dir = NULL;
    bool ok;
    if (!state_dir_open(connection_config(c), &state_dir, err) ||
        !connect_observe(c, cluster, &observed, err))
        return false;
    ok = decide(c, state_dir, &observed, out, err);
    if (ok && out->remember) {
        ok = identity_store_remember(state_dir, connection_environment(c), &observed.identity,
                                     clock_real_ms(), err);
    }
    cluster_identity_release(&observed.identity);
    return ok;
}

bool connect_accept_identity(struct connection *c, struct cluster *cluster, struct error *err)
{
    struct identity_observed observed;
    const char *state_dir = NULL;
    bool ok;
    if (!state_dir_open(connection_config(c), &state_dir, err) ||
        !connect_observe(c, cluster, &observed, err))
        return false;
    ok = identity_store_remember(state_dir, connection_environment(c), &observed.identity,
                                 clock_real_ms(), err);
    cluster_identity_release(&observed.identity);
    return ok;
}
