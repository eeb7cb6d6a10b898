#include <string.h>

#include "core/backup/backup_private.h"
#include "core/redis/info.h"
#include "core/redis/topology.h"
#include "core/redis/topology_parse.h"

static bool read_nodes(struct shard *s, const struct reply *r, struct shard_view *out)
{
    const struct address *a = conn_address(s->conn);
    struct topology_self self = {str_from(a->host), a->port};
    struct topology *t;
    struct error err = {0};

    if (r->type != REPLY_STRING)
        return shard_changed(s, "CLUSTER NODES was not answered");
    t = topology_parse_nodes(r->str, self, &err);
    if (t == NULL)
        return shard_changed(s, "%s", err.text);
    if (t->self != TOPOLOGY_NONE) {
        topology_slots_of(t, t->self, &out->owned);
        out->epoch = t->nodes[t->self].epoch;
    }
    topology_open_slots(t, &out->open);
    topology_free(t);
    return true;
}

bool shard_look(struct shard *s, struct shard_view *out)
{
    const struct reply *r;
    struct info info;

    *out = (struct shard_view){.cluster = s->cluster};
    if (!shard_send(s, COMMAND(STR("INFO"), STR("server"))) || !shard_send(s, COMMAND(STR("ROLE"))))
        return false;
    if (s->cluster && !shard_send(s, COMMAND(STR("CLUSTER"), STR("NODES"))))
        return false;
    if (!shard_next(s, &r))
        return false;
    if (r->type == REPLY_STRING) {
        info_parse(&info, r->str);
        (void)str_copy(info.run_id, out->run_id, sizeof(out->run_id));
    }
    if (!shard_next(s, &r))
        return false;
    out->primary = r->type == REPLY_ARRAY && r->count > 0 && reply_is(&r->elements[0], "master");
    if (reply_error_of(r) == REPLY_ERROR_NOPERM || reply_error_of(r) == REPLY_ERROR_NOAUTH) {
        struct error err = {0};

        return reply_check(r, "ROLE (needed to see a failover)", &err) || shard_failed(s, &err);
    }
    return !s->cluster || (shard_next(s, &r) && read_nodes(s, r, out));
}

bool shard_compare(struct shard *s, const struct shard_view *now)
{
    const struct shard_view *then = &s->view;

    if (!now->primary)
        return shard_changed(s, "it is no primary any more");
    if (strcmp(now->run_id, then->run_id) != 0)
        return shard_changed(s, "it was restarted");
    if (now->epoch != then->epoch)
        return shard_changed(s, "its config epoch went from %llu to %llu",
                             (unsigned long long)then->epoch, (unsigned long long)now->epoch);
    for (size_t i = 0; s->cluster && i < COUNT_OF(s->want.bits); i++)
        s->dirty.bits[i] |=
            s->want.bits[i] & ((then->owned.bits[i] ^ now->owned.bits[i]) | ~now->owned.bits[i] |
                               then->open.bits[i] | now->open.bits[i]);
    return true;
}
