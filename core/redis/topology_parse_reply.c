/* CLUSTER SHARDS and CLUSTER SLOTS: both come as nested arrays. */
#include <string.h>

#include "core/redis/reply.h"
#include "core/redis/topology_build.h"
#include "core/redis/topology_parse.h"

static bool is_text(const struct reply *r)
{
    return r != NULL && (r->type == REPLY_STRING || r->type == REPLY_STATUS);
}

static struct str text_of(const struct reply *r)
{
    return is_text(r) ? r->str : (struct str){NULL, 0};
}

static bool number_of(const struct reply *r, int64_t least, int64_t most, int64_t *out)
{
    int64_t value;

    if (r == NULL)
        return false;
    if (r->type == REPLY_INTEGER)
        value = r->integer;
    else if (!is_text(r) || !str_to_i64(r->str, &value))
        return false;
    if (value < least || value > most)
        return false;
    *out = value;
    return true;
}

static uint16_t port_of(const struct reply *map, const char *name)
{
    int64_t value;

    return number_of(reply_member(map, name), 0, 65535, &value) ? (uint16_t)value : 0;
}

/* What to connect to: the preferred endpoint where the server names one, else its address, else
 * the host that answered. */
static struct str choose_host(const struct topology_build *b, struct str endpoint, struct str ip)
{
    if (!topology_is_unknown_host(endpoint) && endpoint.len <= TOPOLOGY_HOST_MAX)
        return endpoint;
    if (!topology_is_unknown_host(ip) && ip.len <= TOPOLOGY_HOST_MAX)
        return ip;
    return b->self.host;
}

static void keep_hostname(struct topology_build *b, struct topology_node *n, struct str name)
{
    if (!topology_is_unknown_host(name) && name.len <= TOPOLOGY_HOST_MAX)
        n->hostname = topology_build_keep(b, name);
}

/* ---- SHARDS ---- */

static bool fill_shard_node(struct topology_build *b, struct topology_node *n,
                            const struct reply *map)
{
    struct str id = text_of(reply_member(map, "id"));
    struct str health = text_of(reply_member(map, "health"));
    struct str role = text_of(reply_member(map, "role"));
    int64_t offset;

    if (!topology_is_id(id))
        return false;
    n->id = topology_build_keep(b, id);
    n->host = topology_build_keep(b, choose_host(b, text_of(reply_member(map, "endpoint")),
                                                 text_of(reply_member(map, "ip"))));
    keep_hostname(b, n, text_of(reply_member(map, "hostname")));
    n->port = port_of(map, "port");
    n->tls_port = port_of(map, "tls-port");
    if (n->port == 0)
        n->port = n->tls_port;
    if (str_is(role, "master") || str_is(role, "primary"))
        n->role = NODE_ROLE_PRIMARY;
    else if (str_is(role, "replica") || str_is(role, "slave"))
        n->role = NODE_ROLE_REPLICA;
    if (str_is(health, "fail"))
        n->flags |= NODE_FAIL;
    else if (str_is(health, "loading"))
        n->flags |= NODE_LOADING;
    if (number_of(reply_member(map, "replication-offset"), 0, INT64_MAX, &offset))
        n->offset = offset;
    return n->port != 0;
}

/* A list of first, last, first, last … */
static void claim_pairs(struct topology_build *b, uint16_t node, const struct reply *slots)
{
    for (size_t i = 0; slots != NULL && slots->type == REPLY_ARRAY && i + 1 < slots->count;
         i += 2) {
        int64_t first;
        int64_t last;

        if (number_of(&slots->elements[i], 0, SLOT_COUNT - 1, &first) &&
            number_of(&slots->elements[i + 1], 0, SLOT_COUNT - 1, &last))
            topology_build_claim(b, node, (int)first, (int)last);
        else
            b->t->ignored++;
    }
}

/* The primary that serves the shard's slots: one that is not failed before one that is (right after
 * a failover a shard may list both). */
static uint16_t shard_primary(const struct topology_build *b, size_t from)
{
    uint16_t found = TOPOLOGY_NONE;

    for (size_t i = from; i < b->t->count; i++) {
        if (b->nodes[i].role != NODE_ROLE_PRIMARY)
            continue;
        if (found == TOPOLOGY_NONE || (b->nodes[found].flags & NODE_FAIL) != 0)
            found = (uint16_t)i;
    }
    return found;
}

static bool parse_shard(struct topology_build *b, const struct reply *shard, struct error *err)
{
    const struct reply *nodes = reply_member(shard, "nodes");
    struct str shard_id = text_of(reply_member(shard, "id"));
    size_t from = b->t->count;
    uint16_t primary;

    if (nodes == NULL || nodes->type != REPLY_ARRAY) {
        b->t->ignored++;
        return true;
    }
    for (size_t i = 0; i < nodes->count; i++) {
        struct topology_node *n = topology_build_node(b, err);

        if (n == NULL)
            return false;
        if (!fill_shard_node(b, n, &nodes->elements[i])) {
            b->t->ignored++;
            b->t->count--;
        } else if (topology_is_id(shard_id)) {
            n->shard_id = topology_build_keep(b, shard_id);
        }
    }
    primary = shard_primary(b, from);
    if (primary == TOPOLOGY_NONE)
        return true;
    for (size_t i = from; i < b->t->count; i++)
        if (b->nodes[i].role == NODE_ROLE_REPLICA)
            b->nodes[i].primary_id = b->nodes[primary].id;
    claim_pairs(b, primary, reply_member(shard, "slots"));
    return true;
}

struct topology *topology_parse_shards(const struct reply *r, struct topology_self self,
                                       struct error *err)
{
    struct topology_build b;

    if (!reply_want_array(r, "CLUSTER SHARDS", err))
        return NULL;
    topology_build_init(&b, TOPOLOGY_FROM_SHARDS, self);
    for (size_t i = 0; i < r->count; i++)
        if (!parse_shard(&b, &r->elements[i], err))
            return topology_build_drop(&b);
    if (b.t->count == 0) {
        (void)error_set(err, ERROR_CORRUPT, 0, "CLUSTER SHARDS: the reply holds no node");
        return topology_build_drop(&b);
    }
    return topology_build_finish(&b);
}

/* ---- SLOTS ---- */

/* The node at hand, or the same one from an earlier range. */
static uint16_t known_node(const struct topology_build *b, struct str id, struct str host,
                           uint16_t port)
{
    for (size_t i = 0; i < b->t->count; i++) {
        const struct topology_node *n = &b->nodes[i];

        if (id.len > 0 ? str_equal(n->id, id) : n->port == port && str_equal(n->host, host))
            return (uint16_t)i;
    }
    return TOPOLOGY_NONE;
}

/* [host, port, id?, [name, value …]?]; host may be nil, "" or "?". */
static bool slots_node(struct topology_build *b, const struct reply *r, uint16_t *out,
                       struct error *err)
{
    struct topology_node *n;
    struct str id = {NULL, 0};
    struct str host;
    const struct reply *meta = r->type == REPLY_ARRAY && r->count > 3 ? &r->elements[3] : NULL;
    int64_t port;

    *out = TOPOLOGY_NONE;
    if (r->type != REPLY_ARRAY || r->count < 2 || !number_of(&r->elements[1], 1, 65535, &port)) {
        b->t->ignored++;
        return true;
    }
    if (r->count > 2 && topology_is_id(text_of(&r->elements[2])))
        id = text_of(&r->elements[2]);
    host = choose_host(b, text_of(&r->elements[0]),
                       meta != NULL ? text_of(reply_member(meta, "ip")) : (struct str){NULL, 0});
    *out = known_node(b, id, host, (uint16_t)port);
    if (*out != TOPOLOGY_NONE)
        return true;
    n = topology_build_node(b, err);
    if (n == NULL)
        return false;
    n->id = topology_build_keep(b, id);
    n->host = topology_build_keep(b, host);
    n->port = (uint16_t)port;
    if (meta != NULL)
        keep_hostname(b, n, text_of(reply_member(meta, "hostname")));
    *out = (uint16_t)(b->t->count - 1);
    return true;
}

static bool parse_range(struct topology_build *b, const struct reply *r, struct error *err)
{
    uint16_t primary = TOPOLOGY_NONE;
    int64_t first;
    int64_t last;

    if (r->type != REPLY_ARRAY || r->count < 3 ||
        !number_of(&r->elements[0], 0, SLOT_COUNT - 1, &first) ||
        !number_of(&r->elements[1], 0, SLOT_COUNT - 1, &last)) {
        b->t->ignored++;
        return true;
    }
    for (size_t i = 2; i < r->count; i++) {
        uint16_t at;

        if (!slots_node(b, &r->elements[i], &at, err))
            return false;
        if (at == TOPOLOGY_NONE)
            continue;
        if (i == 2) {
            primary = at;
            b->nodes[at].role = NODE_ROLE_PRIMARY;
        } else if (b->nodes[at].role == NODE_ROLE_UNKNOWN) {
            b->nodes[at].role = NODE_ROLE_REPLICA;
            if (primary != TOPOLOGY_NONE) {
                b->nodes[at].primary_id = b->nodes[primary].id;
                b->nodes[at].primary = primary;
            }
        }
    }
    if (primary != TOPOLOGY_NONE)
        topology_build_claim(b, primary, (int)first, (int)last);
    return true;
}

struct topology *topology_parse_slots(const struct reply *r, struct topology_self self,
                                      struct error *err)
{
    struct topology_build b;

    if (!reply_want_array(r, "CLUSTER SLOTS", err))
        return NULL;
    topology_build_init(&b, TOPOLOGY_FROM_SLOTS, self);
    for (size_t i = 0; i < r->count; i++)
        if (!parse_range(&b, &r->elements[i], err))
            return topology_build_drop(&b);
    return topology_build_finish(&b);
}
