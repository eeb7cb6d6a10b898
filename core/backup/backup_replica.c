#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/backup/backup_private.h"
#include "core/base/clock.h"
#include "core/base/escape.h"
#include "core/redis/info.h"

#define LAG_MS 10000 /* a replica that is further behind its primary is not read */
#define ASK_MS 2000
#define STEP_MS 250

/* Whom it follows, as it names it in ROLE. */
static void name_followed(const struct reply *role, char *out, size_t size)
{
    char host[256];

    (void)snprintf(out, size, "%s:%" PRId64, escape_text(host, sizeof(host), role->elements[1].str),
                   role->elements[2].integer);
}

/* Another primary has other keys: a replica that went over to it, and caught up with it between
 * two looks, is as good as a stranger. */
static bool follows_as_before(const struct shard_source *src, const struct reply *role)
{
    char now[sizeof(src->follows)];

    name_followed(role, now, sizeof(now));
    return strcmp(now, src->follows) == 0;
}

/* Equal offsets say nothing of two replicas of different primaries: the id of the history does. */
static bool read_history(struct conn *conn, char out[48], struct error *err)
{
    const struct reply *r;
    struct str text;
    struct info info;

    if (!conn_call(conn, COMMAND(STR("INFO"), STR("replication")), ASK_MS, &r, err) ||
        !reply_want_string(r, "INFO replication", &text, err))
        return false;
    info_parse(&info, text);
    return (info.replid.len > 0 && str_copy(info.replid, out, 48)) ||
           error_set(err, ERROR_REPLY, 0, "it does not say which replication history it has");
}

static bool shares_history(const struct shard_source *src, struct conn *replica, char why[120])
{
    struct error err = {0};
    char history[sizeof(src->history)];

    if (!read_history(replica, history, &err))
        (void)str_copy(str_from(err.text), why, 120);
    else if (strcmp(history, src->history) != 0)
        (void)str_copy(STR("it has another replication history than the primary"), why, 120);
    else
        return true;
    return false;
}

/* What a replica says of its replication; false: it is none, or not in order (why). The first
 * answer says whom it follows. */
static bool read_replica(struct shard_source *src, struct conn *conn, char why[120])
{
    struct error err = {0};
    const struct reply *r;

    if (!conn_open(conn, &err) || !conn_call(conn, COMMAND(STR("ROLE")), ASK_MS, &r, &err)) {
        (void)str_copy(str_from(err.text), why, 120);
        return false;
    }
    if (r->type != REPLY_ARRAY || r->count < 5 || !reply_is(&r->elements[0], "slave")) {
        (void)str_copy(STR("it does not say that it is a replica"), why, 120);
        return false;
    }
    if (!reply_is(&r->elements[3], "connected")) {
        (void)str_copy(STR("its link to the primary is down, or it is being synchronized"), why,
                       120);
        return false;
    }
    if (src->follows[0] == '\0')
        name_followed(r, src->follows, sizeof(src->follows));
    if (!follows_as_before(src, r)) {
        (void)str_copy(STR("it follows another primary now"), why, 120);
        return false;
    }
    src->offset = r->elements[4].integer;
    return shares_history(src, conn, why);
}

/* How far it is, and in which history. */
static bool read_primary(struct conn *conn, int64_t *offset, char history[48], struct error *err)
{
    const struct reply *r;

    if (!conn_open(conn, err) || !conn_call(conn, COMMAND(STR("ROLE")), ASK_MS, &r, err))
        return false;
    if (r->type != REPLY_ARRAY || r->count < 2 || !reply_is(&r->elements[0], "master"))
        return error_set(err, ERROR_REPLY, 0, "it does not say that it is a primary");
    *offset = r->elements[1].integer;
    return read_history(conn, history, err);
}

/* Within LAG_MS the replica must have all that the primary had when the clock was started. */
static bool catches_up(struct backup *b, struct shard *s, struct conn *replica, char why[120])
{
    int64_t deadline = clock_after(LAG_MS);
    struct error err = {0};

    if (!read_primary(s->source.owner, &s->source.owner_offset, s->source.history, &err)) {
        (void)str_copy(str_from(err.text), why, 120);
        return false;
    }
    s->source.goal = s->source.owner_offset;
    s->source.follows[0] = '\0';
    do {
        if (!read_replica(&s->source, replica, why))
            return false;
        if (s->source.offset >= s->source.goal)
            return true;
        clock_sleep_ms(100);
    } while (clock_mono_ms() < deadline && !task_cancelled(b->task));
    (void)snprintf(why, 120, "it is more than %d s behind its primary", LAG_MS / 1000);
    return false;
}

static bool try_replica(struct backup *b, struct shard *s, const struct cluster_node *node)
{
    struct error err = {0};
    struct conn *conn = cluster_new_conn(b->cluster, node->id, b->by_slot, &err);
    char name[ADDRESS_TEXT_MAX];
    char why[120] = "";

    (void)address_text(name, sizeof(name), &node->address);
    if (conn == NULL || !catches_up(b, s, conn, why)) {
        backup_note(b, &b->events, "replica %s is not read: %s", name,
                    conn == NULL ? err.text : why);
        conn_free(conn);
        return false;
    }
    conn_close(conn);
    s->conn = conn;
    s->source.replica = true;
    s->source.goal_ms = clock_mono_ms();
    memcpy(s->source.id, node->id, sizeof(s->source.id));
    memcpy(s->name, name, sizeof(name));
    return true;
}

static bool try_all(struct backup *b, struct shard *s, const struct cluster_node *primary)
{
    const struct cluster_node *nodes;
    size_t count = cluster_nodes(b->cluster, &nodes);
    struct error err = {0};

    s->source.owner = cluster_new_conn(b->cluster, primary->id, false, &err);
    for (size_t i = 0; s->source.owner != NULL && i < count; i++)
        if (nodes[i].role == NODE_ROLE_REPLICA && !nodes[i].failing && nodes[i].primary < count &&
            &nodes[nodes[i].primary] == primary && try_replica(b, s, &nodes[i]))
            return true;
    conn_free(s->source.owner);
    s->source = (struct shard_source){0};
    return false;
}

/* Only a replica will do: one may come up again. Shards are asked one after the other: all of them
 * together wait no longer than one would. */
static bool wait_for_one(struct backup *b, struct shard *s, const struct cluster_node *primary)
{
    if (s->outage_deadline == 0)
        s->outage_deadline = clock_after(backup_outage_ms(b));
    task_stage(b->task, "waiting");
    do {
        if (try_all(b, s, primary))
            return true;
        clock_sleep_ms(STEP_MS);
    } while (clock_mono_ms() < s->outage_deadline && !task_cancelled(b->task));
    s->outage = true;
    s->end = SHARD_CHANGED;
    (void)snprintf(s->reason, sizeof(s->reason),
                   "for %" PRId64 " s none of its replicas could be read",
                   backup_outage_ms(b) / 1000);
    return false;
}

bool shard_choose_source(struct shard *s, const struct cluster_node *primary)
{
    struct backup *b = s->b;

    if (b->o->source == BACKUP_FROM_PRIMARIES || try_all(b, s, primary))
        return true;
    if (b->o->source == BACKUP_FROM_REPLICAS)
        return wait_for_one(b, s, primary);
    backup_note(b, &b->events, "%s is read itself: none of its replicas can be", s->name);
    return true;
}

bool shard_role_fits(struct shard *s, const struct reply *r)
{
    if (r->type != REPLY_ARRAY || r->count == 0)
        return shard_changed(s, "ROLE was not answered");
    if (!s->source.replica)
        return reply_is(&r->elements[0], "master") || shard_changed(s, "it is no primary any more");
    if (r->count < 5 || !reply_is(&r->elements[0], "slave"))
        return shard_changed(s, "it is no replica any more");
    if (!follows_as_before(&s->source, r))
        return shard_changed(s, "it follows another primary now");
    s->source.offset = r->elements[4].integer;
    return reply_is(&r->elements[3], "connected") ||
           shard_changed(s, "its link to the primary is down");
}

/* The newest state of both ends. The replica is given LAG_MS to reach where its primary was. */
static bool is_near(struct shard *s)
{
    struct shard_source *src = &s->source;

    if (src->offset >= src->goal) {
        src->goal = src->owner_offset;
        src->goal_ms = clock_mono_ms();
        return true;
    }
    return clock_mono_ms() - src->goal_ms <= LAG_MS;
}

bool shard_check_replica(struct shard *s, const struct shard_view *now)
{
    char why[120] = "";

    if (!s->source.replica)
        return true;
    s->source.owner_offset = now->offset;
    if (!read_replica(&s->source, s->conn, why))
        return shard_changed(s, "%s", why);
    return is_near(s) ||
           shard_changed(s, "it fell more than %d s behind its primary", LAG_MS / 1000);
}
