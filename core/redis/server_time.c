#include "core/redis/server_time.h"

#include "core/base/clock.h"
#include "core/redis/command.h"

static const char *any_node(struct cluster *c)
{
    const struct cluster_node *owner = cluster_owner(c, 0);
    const struct cluster_node *nodes;
    size_t count = cluster_nodes(c, &nodes);

    if (owner != NULL)
        return owner->id;
    return count > 0 ? nodes[0].id : NULL;
}

bool server_time_ahead(struct cluster *c, const char *id, int64_t *ahead_ms, struct error *err)
{
    const char *node = id != NULL ? id : any_node(c);
    const struct reply *r;
    int64_t seconds;
    int64_t micros;

    if (node == NULL)
        return error_set(err, ERROR_UNREACHABLE, 0, "the cluster has no nodes");
    if (!cluster_call_node(c, node, COMMAND(STR("TIME")), &r, err) ||
        !reply_want_array(r, "TIME", err))
        return false;
    if (r->count != 2 || !str_to_i64(r->elements[0].str, &seconds) ||
        !str_to_i64(r->elements[1].str, &micros))
        return error_set(err, ERROR_REPLY, 0, "%s: TIME is not a time", node);
    *ahead_ms = seconds * 1000 + micros / 1000 - clock_real_ms();
    return true;
}
