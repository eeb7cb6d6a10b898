#include <string.h>

#include "core/backup/backup_private.h"
#include "core/base/clock.h"
#include "core/base/detector.h"
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

/* The server that cannot say who it is right now is asked again. */
static bool look_once(struct shard *s, struct shard_view *out, bool *again)
{
    const struct reply *r;
    struct info info;

    *again = false;
    *out = (struct shard_view){.cluster = s->cluster};
    if (!shard_send(s, COMMAND(STR("INFO"), STR("server"))) || !shard_send(s, COMMAND(STR("ROLE"))))
        return false;
    if (s->cluster && !shard_send(s, COMMAND(STR("CLUSTER"), STR("NODES"))))
        return false;
    if (!shard_next(s, &r))
        return false;
    *again = shard_put_off(s, r);
    if (r->type == REPLY_STRING) {
        info_parse(&info, r->str);
        (void)str_copy(info.run_id, out->run_id, sizeof(out->run_id));
    }
    if (!shard_next(s, &r))
        return false;
    *again = shard_put_off(s, r) || *again;
    out->primary = r->type == REPLY_ARRAY && r->count > 1 && reply_is(&r->elements[0], "master");
    if (out->primary)
        out->offset = r->elements[1].integer;
    if (reply_error_of(r) == REPLY_ERROR_NOPERM || reply_error_of(r) == REPLY_ERROR_NOAUTH) {
        struct error err = {0};

        return reply_check(r, "ROLE (needed to see a failover)", &err) || shard_failed(s, &err);
    }
    if (!s->cluster)
        return true;
    if (!shard_next(s, &r))
        return false;
    *again = shard_put_off(s, r) || *again;
    return *again || read_nodes(s, r, out);
}

static bool look_until_answered(struct shard *s, struct shard_view *out)
{
    bool again;

    for (;;) {
        if (!look_once(s, out, &again))
            return false;
        if (!again)
            break;
        if (!shard_wait(s))
            return false;
    }
    shard_waited(s);
    s->looked_ms = clock_mono_ms();
    return true;
}

/* Who owns what is the primary's to say, also when a replica is read. */
bool shard_look(struct shard *s, struct shard_view *out)
{
    struct conn *reading = s->conn;
    struct error err = {0};
    bool ok;

    if (!s->source.replica)
        return look_until_answered(s, out);
    s->conn = s->source.owner;
    ok = (conn_open(s->conn, &err) || shard_broken(s, &err)) && look_until_answered(s, out);
    s->conn = reading;
    return ok;
}

bool shard_compare(struct shard *s)
{
    const struct shard_view *then = &s->view;
    struct shard_view now;

    if (!shard_look(s, &now))
        return false;
    if (DETECTOR_ROLE && !now.primary)
        return shard_changed(s, "it is no primary any more");
    if (DETECTOR_RUN_ID && strcmp(now.run_id, then->run_id) != 0)
        return shard_changed(s, "it was restarted");
    if (DETECTOR_EPOCH && now.epoch != then->epoch)
        return shard_changed(s, "its config epoch went from %llu to %llu",
                             (unsigned long long)then->epoch, (unsigned long long)now.epoch);
    for (size_t i = 0; s->cluster && i < COUNT_OF(s->want.bits); i++) {
        if (DETECTOR_MAP)
            s->dirty.bits[i] |=
                s->want.bits[i] & ((then->owned.bits[i] ^ now.owned.bits[i]) | ~now.owned.bits[i]);
        if (DETECTOR_OPEN)
            s->dirty.bits[i] |= s->want.bits[i] & (then->open.bits[i] | now.open.bits[i]);
    }
    return shard_check_replica(s, &now);
}
