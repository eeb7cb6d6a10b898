#include <inttypes.h>
#include <stdio.h>

#include "core/redis/command.h"
#include "core/value/live_sum.h"
#include "core/verify/verify_worker.h"

bool verify_select(struct conn *conn, uint32_t db, struct error *err)
{
    char number[12];
    int len = snprintf(number, sizeof(number), "%" PRIu32, db);
    const struct reply *r;

    return conn_call(conn, COMMAND(STR("SELECT"), ((struct str){number, (size_t)len})), 0, &r,
                     err) &&
           reply_check(r, "SELECT", err);
}

static bool read_in_db(struct conn *conn, const struct live_sum_ask *ask, uint32_t db,
                       struct verify_check *c, bool *gone, struct error *err)
{
    struct error late = {0};
    bool ok;

    if (db == 0)
        return live_sum_read(conn, ask, c->live, gone, err);
    ok = verify_select(conn, db, err) && live_sum_read(conn, ask, c->live, gone, err);
    if (conn_state(conn) == CONN_READY && !verify_select(conn, 0, &late))
        conn_close(conn); /* nobody may go on with it in another database */
    return ok;
}

/* The slot's owner says that the key is on its way, or is not there yet: which node has it? */
static struct conn *asked_conn(const struct verify_shared *s, struct cluster *cluster,
                               const struct verify_check *c, struct conn *owner, struct error *err)
{
    struct address to = {0};
    const struct reply *r;

    if (!conn_call(owner, COMMAND(STR("EXISTS"), c->key), 0, &r, err))
        return NULL;
    if (cluster_learn(cluster, r, s->cluster ? slot_of_key(c->key) : 0, &to) != REPLY_FOLLOW) {
        error_set(err, ERROR_UNREACHABLE, 0, "its slot is on its way to another node");
        return NULL;
    }
    return cluster_address_conn(cluster, &to, err);
}

static bool read_once(const struct verify_shared *s, struct cluster *cluster,
                      struct verify_check *c, struct conn **conn, struct error *err)
{
    uint16_t slot = s->cluster ? slot_of_key(c->key) : 0;
    const struct cluster_node *owner = cluster_owner(cluster, slot);
    const struct capability *can;
    struct live_sum_ask ask = {
        .key = c->key, .type = c->head.type, .groups = !s->options->no_stream_groups};
    bool gone = false;
    bool ok;

    *conn = NULL;
    if (owner == NULL)
        return error_set(err, ERROR_UNREACHABLE, 0, "its slot has no owner");
    can = cluster_capability(cluster, owner->id, err);
    if (can == NULL)
        return false;
    ask.deadlines = (c->timed || s->field_ttl) && can->has[CAP_HASH_FIELD_EXPIRY];
    owner = cluster_owner(cluster, slot); /* asking may have changed the map */
    *conn = owner == NULL ? NULL : cluster_node_conn(cluster, owner->id, err);
    if (owner == NULL)
        return error_set(err, ERROR_UNREACHABLE, 0, "its slot has no owner");
    ok = *conn != NULL && read_in_db(*conn, &ask, c->head.db, c, &gone, err);
    if (!ok && *conn != NULL && conn_state(*conn) == CONN_READY && err->detail == REPLY_ERROR_ASK) {
        *err = (struct error){0};
        *conn = asked_conn(s, cluster, c, *conn, err);
        ask.asking = true;
        ok = *conn != NULL && read_in_db(*conn, &ask, c->head.db, c, &gone, err);
    }
    if (!ok)
        return false;
    c->there = !gone;
    c->has_value = true;
    return true;
}

/* Not about this key: the node is away, or the key has another owner now. */
bool verify_passes(const struct conn *conn, const struct error *why)
{
    enum reply_action action;

    if (conn == NULL || conn_state(conn) != CONN_READY)
        return why->code == ERROR_UNREACHABLE || why->code == ERROR_TIMEOUT;
    if (why->detail <= 0 || why->detail >= REPLY_ERRORS)
        return false;
    action = reply_error_action((enum reply_error)why->detail);
    return action == REPLY_FOLLOW || action == REPLY_RETRY || action == REPLY_WAIT;
}

bool verify_read_large(const struct verify_shared *s, struct cluster *cluster,
                       struct verify_check *c, struct error *err)
{
    struct backoff wait;

    backoff_init(&wait, verify_outage_ms(s));
    for (;;) {
        struct error why = {0};
        struct error ignored = {0};
        struct conn *conn;

        if (read_once(s, cluster, c, &conn, &why))
            return true;
        if (why.code == ERROR_CANCELLED) {
            *err = why;
            return false;
        }
        if (!verify_passes(conn, &why)) {
            c->why = why; /* about this key */
            return true;
        }
        if (!backoff_wait(&wait, &s->target->cancel, &why, err))
            return false;
        /* Where this fails the next reading fails too, until the budget is used up. */
        if (!cluster_refresh(cluster, &ignored))
            continue;
    }
}
