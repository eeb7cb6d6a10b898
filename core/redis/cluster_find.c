#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/redis/cluster_ask.h"
#include "core/redis/cluster_private.h"
#include "core/redis/info.h"
#include "core/redis/sentinel.h"
#include "core/redis/topology_parse.h"

#define ENOUGH_VIEWS 3 /* of the same cluster: the newest is taken */

struct targets {
    struct ask_target *items;
    size_t count;
    size_t cap;
};

static void add_target(struct targets *t, const struct address *a, const char *server_name)
{
    for (size_t i = 0; i < t->count; i++)
        if (address_equal(&t->items[i].address, a))
            return;
    ARRAY_PUSH(t->items, t->count, t->cap) = (struct ask_target){*a, server_name};
}

/* Nodes that we know and that looked well first, then the seeds, then the rest. */
static void add_candidates(const struct cluster *c, struct targets *t)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct cluster_node *n = &c->nodes[i];
        if (!n->failing && n->role == NODE_ROLE_PRIMARY)
            add_target(t, &n->address, n->server_name);
    }
    for (size_t i = 0; i < c->options->seed_count; i++)
        add_target(t, &c->options->seeds[i], NULL);
    for (size_t i = 0; i < c->count; i++)
        add_target(t, &c->nodes[i].address, c->nodes[i].server_name);
}

/* ---- cluster mode ---------------------------------------------------------------------------- */

static struct topology *parse_nodes(const struct reply *r, struct topology_self self,
                                    struct error *err)
{
    struct str text;
    return reply_want_string(r, "CLUSTER NODES", &text, err) ? topology_parse_nodes(text, self, err)
                                                             : NULL;
}

/* From the richest to the poorest: the next one is asked when no server allows the one before. */
static const struct question {
    const char *words;
    struct topology *(*parse)(const struct reply *r, struct topology_self self, struct error *err);
} questions[] = {
    {"CLUSTER NODES", parse_nodes},
    {"CLUSTER SHARDS", topology_parse_shards},
    {"CLUSTER SLOTS", topology_parse_slots},
};

static bool newer(const struct topology *a, const struct topology *b)
{
    if (b == NULL || a->max_epoch != b->max_epoch)
        return b == NULL || a->max_epoch > b->max_epoch;
    return a->assigned > b->assigned;
}

/* The newest view among the answers; NULL when there is none, with err set if one was broken. */
static struct topology *best_view(const struct ask *a, const struct question *q,
                                  struct address *from, struct error *err)
{
    struct topology *best = NULL;
    for (size_t i = 0; i < a->count; i++) {
        const struct ask_answer *answer = &a->answers[i];
        if (answer->reply == NULL || answer->reply->type == REPLY_ERROR)
            continue;
        struct topology_self self = {str_from(answer->from.host), answer->from.port};
        struct topology *view = q->parse(answer->reply, self, err);
        if (view != NULL && newer(view, best)) {
            topology_free(best);
            best = view;
            *from = answer->from;
        } else {
            topology_free(view);
        }
    }
    return best;
}

/* Where we connect to for a node as a view names it. */
static bool place(const struct cluster *c, const struct topology_node *t,
                  const struct address *from, struct cluster_node *n)
{
    uint16_t port = c->options->tls != NULL && t->tls_port != 0 ? t->tls_port : t->port;
    if ((t->flags & (NODE_NOADDR | NODE_HANDSHAKE)) != 0 || port == 0 ||
        !address_set(&n->announced, t->host, port))
        return false;
    n->address = n->announced;
    bool mapped = address_map_apply(c->options->map, &n->address);
    if (!mapped && (t->flags & NODE_MYSELF) != 0 && strcmp(t->host.ptr, from->host) == 0)
        n->address = *from; /* a server that does not know its address is where we found it */
    return str_copy(t->hostname, n->server_name, sizeof(n->server_name));
}

static void identify(struct cluster_node *n, struct str id)
{
    char name[ADDRESS_TEXT_MAX];
    if (id.len == 0)
        id = str_from(address_text(name, sizeof(name), &n->announced));
    (void)str_copy(id, n->id, sizeof(n->id));
}

static void install_view(struct cluster *c, struct topology *t, const struct address *from)
{
    struct cluster_node *nodes = mem_zero(t->count + 1, sizeof(*nodes));
    uint16_t *index = mem_zero(t->count + 1, sizeof(*index));
    size_t count = 0;
    for (size_t i = 0; i < t->count; i++) {
        struct cluster_node *n = &nodes[count];
        index[i] = TOPOLOGY_NONE;
        memset(n, 0, sizeof(*n));
        if (place(c, &t->nodes[i], from, n)) {
            identify(n, t->nodes[i].id);
            n->role = t->nodes[i].role;
            n->failing = (t->nodes[i].flags & (NODE_FAIL | NODE_PFAIL)) != 0;
            n->slots = t->nodes[i].slots;
            n->primary = t->nodes[i].primary; /* translated below */
            index[i] = (uint16_t)count++;
        }
    }
    for (size_t i = 0; i < count; i++) {
        bool has = nodes[i].role == NODE_ROLE_REPLICA && nodes[i].primary != TOPOLOGY_NONE;
        nodes[i].primary = has ? index[nodes[i].primary] : TOPOLOGY_NONE;
    }
    free(index);
    cluster_install(c, nodes, count, t);
}

/* Every good answer says that there is no cluster here. */
static bool is_kind(const struct ask *a, enum reply_error kind)
{
    for (size_t i = 0; i < a->count; i++)
        if (a->answers[i].reply != NULL && reply_error_of(a->answers[i].reply) == kind)
            return true;
    return false;
}

enum found { FOUND, NOT_FOUND, NO_CLUSTER, MAYBE_SENTINEL };

static enum found ask_question(struct cluster *c, const struct targets *t, const struct question *q,
                               struct error *err)
{
    struct conn_options o = redis_options_conn(c->options);
    struct ask a;
    struct ask_question ask = {t->items, t->count, &o, q->words, ENOUGH_VIEWS};
    enum found found = NOT_FOUND;
    struct address from;
    struct error broken = {0};
    struct topology *view = NULL;
    if (!ask_all(&a, &ask, err)) {
        ask_release(&a);
        return NOT_FOUND;
    }
    view = best_view(&a, q, &from, &broken);
    if (view != NULL) {
        install_view(c, view, &from);
        found = FOUND;
    } else if (is_kind(&a, REPLY_ERROR_NO_CLUSTER)) {
        found = NO_CLUSTER;
        (void)ask_explain(&a, q->words, err);
    } else if (is_kind(&a, REPLY_ERROR_UNKNOWN_COMMAND)) {
        found = MAYBE_SENTINEL;
        (void)ask_explain(&a, q->words, err);
    } else if (broken.code != ERROR_NONE) {
        *err = broken;
    } else {
        (void)ask_explain(&a, q->words, err);
    }
    ask_release(&a);
    return found;
}

static enum found find_cluster(struct cluster *c, struct error *err)
{
    struct targets t = {0};
    enum found found = NOT_FOUND;
    add_candidates(c, &t);
    for (size_t i = 0; i < COUNT_OF(questions); i++) {
        struct error why = {0};
        found = ask_question(c, &t, &questions[i], &why);
        bool forbidden = why.code == ERROR_AUTH && why.detail == (int)REPLY_ERROR_NOPERM;
        bool unknown = found == MAYBE_SENTINEL && i > 0;
        if (found == NOT_FOUND || found == MAYBE_SENTINEL || found == NO_CLUSTER)
            *err = why;
        if (!forbidden && !unknown)
            break;
    }
    free(t.items);
    return found;
}

/* ---- one primary with its replicas ----------------------------------------------------------- */

static void add_node(struct targets *list, struct cluster_node **nodes,
                     const struct cluster_node *n)
{
    size_t before = list->count;
    add_target(list, &n->address, NULL);
    if (list->count > before) {
        *nodes = mem_resize(*nodes, list->count, sizeof(**nodes));
        (*nodes)[before] = *n;
    }
}

static struct cluster_node make_node(const struct cluster *c, const struct address *announced,
                                     bool map, enum node_role role)
{
    struct cluster_node n = {.announced = *announced, .address = *announced, .role = role};
    if (map)
        (void)address_map_apply(c->options->map, &n.address);
    identify(&n, (struct str){0});
    n.primary = role == NODE_ROLE_REPLICA ? 0 : TOPOLOGY_NONE;
    n.slots = role == NODE_ROLE_PRIMARY ? SLOT_COUNT : 0;
    return n;
}

/* From INFO replication of a primary: itself and the replicas that it names. */
static void install_primary(struct cluster *c, const struct info *info, const struct address *from,
                            const struct address *announced)
{
    struct targets seen = {0};
    struct cluster_node *nodes = NULL;
    struct cluster_node primary = make_node(c, announced, false, NODE_ROLE_PRIMARY);
    primary.address = *from;
    add_node(&seen, &nodes, &primary);
    for (size_t i = 0; i < info->replica_count; i++) {
        struct address a;
        if (!address_set(&a, info->replicas[i].host, info->replicas[i].port))
            continue;
        struct cluster_node n = make_node(c, &a, true, NODE_ROLE_REPLICA);
        n.failing = !info->replicas[i].online;
        add_node(&seen, &nodes, &n);
    }
    cluster_install(c, nodes, seen.count, NULL);
    free(seen.items);
}

static bool parse_role(const struct ask_answer *a, struct info *info)
{
    struct str text;
    struct error ignored;
    if (a->reply == NULL || !reply_want_string(a->reply, "INFO", &text, &ignored))
        return false;
    info_parse(info, text);
    return true;
}

/* The first server that says it is a primary; else the primary that a replica names. */
static bool choose_primary(struct cluster *c, const struct ask *a, bool follow,
                           struct address *next, struct error *err)
{
    const struct ask_answer *replica = NULL;
    for (size_t i = 0; i < a->count; i++) {
        struct info info;
        if (!parse_role(&a->answers[i], &info))
            continue;
        if (info.role == INFO_ROLE_PRIMARY) {
            install_primary(c, &info, &a->answers[i].from, &a->answers[i].from);
            next->port = 0;
            return true;
        }
        replica = &a->answers[i];
        if (follow && info.primary_port > 0 && info.primary_port <= UINT16_MAX &&
            address_set(next, info.primary_host, (uint16_t)info.primary_port))
            (void)address_map_apply(c->options->map, next);
    }
    if (replica == NULL)
        return ask_explain(a, "INFO replication", err);
    if (next->port == 0) {
        char name[ADDRESS_TEXT_MAX];
        return error_set(err, ERROR_UNREACHABLE, 0, "%s is no primary",
                         address_text(name, sizeof(name), &replica->from));
    }
    return true;
}

static bool ask_role(struct cluster *c, const struct targets *t, bool follow, struct address *next,
                     struct error *err)
{
    struct conn_options o = redis_options_conn(c->options);
    struct ask a;
    struct ask_question q = {t->items, t->count, &o, "INFO replication", t->count};
    next->port = 0;
    bool ok = ask_all(&a, &q, err) && choose_primary(c, &a, follow, next, err);
    ask_release(&a);
    return ok;
}

static bool find_single(struct cluster *c, struct error *err)
{
    struct targets t = {0};
    struct address next = {0};
    add_candidates(c, &t);
    bool ok = ask_role(c, &t, true, &next, err);
    if (ok && next.port != 0) {
        /* Only replicas answered: the primary must speak for itself. */
        struct targets primary = {0};
        add_target(&primary, &next, NULL);
        ok = ask_role(c, &primary, false, &next, err);
        free(primary.items);
    }
    free(t.items);
    return ok;
}

/* ---- sentinels ------------------------------------------------------------------------------- */

static bool ask_sentinels(struct cluster *c, const struct targets *t, struct address *primary,
                          struct error *err)
{
    char words[300];
    const char *name = c->options->master_name != NULL ? c->options->master_name : "mymaster";
    struct conn_options o = redis_options_sentinel_conn(c->options);
    struct ask a = {0};
    struct ask_question q = {t->items, t->count, &o, words, 1};
    bool ok = false;
    (void)snprintf(words, sizeof(words), "SENTINEL GET-MASTER-ADDR-BY-NAME %s", name);
    if (!ask_all(&a, &q, err)) {
        ask_release(&a);
        return false;
    }
    for (size_t i = 0; !ok && i < a.count; i++) {
        struct str host;
        uint16_t port;
        ok = a.answers[i].reply != NULL &&
             sentinel_parse_address(a.answers[i].reply, &host, &port) &&
             address_set(primary, host, port);
    }
    if (!ok && a.good > 0)
        (void)error_set(err, ERROR_CONFIG, 0, "the sentinels know no master named \"%s\"", name);
    else if (!ok)
        (void)ask_explain(&a, "SENTINEL", err);
    ask_release(&a);
    return ok;
}

static bool find_sentinel(struct cluster *c, struct error *err)
{
    struct targets sentinels = {0};
    struct targets primary = {0};
    struct address announced;
    struct address next;
    bool own = c->options->sentinel_count > 0;
    const struct address *list = own ? c->options->sentinels : c->options->seeds;
    size_t count = own ? c->options->sentinel_count : c->options->seed_count;
    for (size_t i = 0; i < count; i++)
        add_target(&sentinels, &list[i], NULL);
    bool ok = ask_sentinels(c, &sentinels, &announced, err);
    if (ok) {
        struct address mapped = announced;
        (void)address_map_apply(c->options->map, &mapped);
        add_target(&primary, &mapped, NULL);
        ok = ask_role(c, &primary, false, &next, err);
    }
    free(sentinels.items);
    free(primary.items);
    return ok;
}

/* ---- any mode -------------------------------------------------------------------------------- */

static bool find_any(struct cluster *c, struct error *err)
{
    enum found found = find_cluster(c, err);
    enum redis_mode mode = REDIS_MODE_CLUSTER;
    bool ok = found == FOUND;
    if (found == NO_CLUSTER) {
        mode = REDIS_MODE_SINGLE;
        ok = find_single(c, err);
    } else if (found == MAYBE_SENTINEL) {
        mode = REDIS_MODE_SENTINEL;
        ok = find_sentinel(c, err);
        if (!ok && err->code != ERROR_CANCELLED) {
            mode = REDIS_MODE_SINGLE;
            ok = find_single(c, err);
        }
    }
    if (ok)
        c->mode = mode;
    return ok;
}

bool cluster_discover(struct cluster *c, struct error *err)
{
    struct error why = {0};
    bool ok = false;
    switch (c->mode) {
    case REDIS_MODE_AUTO:
        ok = find_any(c, &why);
        break;
    case REDIS_MODE_CLUSTER:
        ok = find_cluster(c, &why) == FOUND;
        break;
    case REDIS_MODE_SENTINEL:
        ok = find_sentinel(c, &why);
        break;
    case REDIS_MODE_SINGLE:
        ok = find_single(c, &why);
        break;
    case REDIS_MODES:
        break;
    }
    if (!ok)
        *err = why;
    return ok;
}
