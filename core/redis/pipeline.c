#include "core/redis/pipeline.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/net/backoff.h"
#include "core/redis/command.h"

#define NO_REQUEST SIZE_MAX

struct request {
    size_t from, to; /* bytes of its commands */
    size_t commands;
    size_t tag;
    size_t next; /* in its lane */
    uint16_t slot;
    bool again;  /* a reply said: not here, not now */
    bool unsure; /* sent, and the connection was lost before its replies */
    bool asking; /* sent to a node that imports the slot */
    bool each_asks;
};

/* The requests of one node, in order. */
struct lane {
    char id[CLUSTER_ID_MAX];
    struct conn *conn;
    size_t first, last;
};

struct pipeline {
    struct cluster *cluster;
    struct pipeline_handler handler;
    int64_t outage_ms;
    struct cancel cancel;
    struct buf bytes;
    size_t open_from; /* where the request that was begun starts */
    struct request *requests;
    size_t count, cap;
    struct lane *lanes;
    size_t lane_count, lane_cap;
};

struct pipeline *pipeline_new(struct cluster *cluster, const struct pipeline_handler *handler,
                              int64_t outage_ms, const struct cancel *cancel)
{
    struct pipeline *p = mem_zero(1, sizeof(*p));

    p->cluster = cluster;
    p->handler = *handler;
    p->outage_ms = outage_ms;
    if (cancel != NULL)
        p->cancel = *cancel;
    buf_init(&p->bytes, (size_t)1 << 30);
    return p;
}

void pipeline_free(struct pipeline *p)
{
    if (p == NULL)
        return;
    buf_release(&p->bytes);
    free(p->requests);
    free(p->lanes);
    free(p);
}

struct buf *pipeline_begin(struct pipeline *p)
{
    p->open_from = p->bytes.len;
    return &p->bytes;
}

void pipeline_end(struct pipeline *p, uint16_t slot, size_t commands, size_t tag)
{
    ARRAY_PUSH(p->requests, p->count, p->cap) = (struct request){.from = p->open_from,
                                                                 .to = p->bytes.len,
                                                                 .commands = commands,
                                                                 .tag = tag,
                                                                 .next = NO_REQUEST,
                                                                 .slot = slot};
}

void pipeline_undo(struct pipeline *p)
{
    p->bytes.len = p->open_from;
}

bool pipeline_full(const struct pipeline *p)
{
    return p->count >= PIPELINE_REQUESTS || p->bytes.len >= PIPELINE_BYTES;
}

bool pipeline_is_empty(const struct pipeline *p)
{
    return p->count == 0;
}

static struct lane *lane_of(struct pipeline *p, const char *id)
{
    for (size_t i = 0; i < p->lane_count; i++)
        if (strcmp(p->lanes[i].id, id) == 0)
            return &p->lanes[i];
    ARRAY_PUSH(p->lanes, p->lane_count, p->lane_cap) =
        (struct lane){.first = NO_REQUEST, .last = NO_REQUEST};
    (void)str_copy(str_from(id), p->lanes[p->lane_count - 1].id, sizeof(p->lanes->id));
    return &p->lanes[p->lane_count - 1];
}

/* Put each request into the lane of its slot's owner; those of uncovered slots wait for later. */
static void sort_into_lanes(struct pipeline *p)
{
    p->lane_count = 0;
    for (size_t i = 0; i < p->count; i++) {
        const struct cluster_node *owner = cluster_owner(p->cluster, p->requests[i].slot);
        struct lane *lane;

        if (owner == NULL) {
            p->requests[i].again = true;
            continue;
        }
        lane = lane_of(p, owner->id);
        if (lane->last == NO_REQUEST)
            lane->first = i;
        else
            p->requests[lane->last].next = i;
        lane->last = i;
    }
}

static void send_later(struct pipeline *p, struct lane *lane, bool unsure)
{
    for (size_t i = lane->first; i != NO_REQUEST; i = p->requests[i].next) {
        p->requests[i].again = true;
        p->requests[i].unsure = p->requests[i].unsure || unsure;
    }
    lane->first = NO_REQUEST;
    lane->conn = NULL;
}

static bool append(struct pipeline *p, struct conn *conn, const struct request *q,
                   struct error *err)
{
    return buf_append(conn_out(conn), str_slice(buf_str(&p->bytes), q->from, q->to), err) &&
           conn_appended(conn, q->commands, 0, err);
}

/* The number behind '*' or '$' and where its line ends. */
static size_t resp_number(struct str bytes, uint64_t *number)
{
    size_t end = str_find(bytes, '\n');

    if (end == bytes.len || !str_to_u64(str_slice(bytes, 1, end - 1), number))
        *number = 0;
    return end == bytes.len ? end : end + 1;
}

/* How long the first command of these is; they were written by ourselves. */
static size_t first_command(struct str bytes)
{
    uint64_t words;
    size_t at = resp_number(bytes, &words);

    for (uint64_t i = 0; i < words && at < bytes.len; i++) {
        uint64_t len;

        at += resp_number(str_slice(bytes, at, bytes.len), &len);
        at += len + 2;
    }
    return at;
}

/* ASKING holds for one command, or for a whole transaction. */
static bool append_asking(struct pipeline *p, struct conn *conn, const struct request *q,
                          struct error *err)
{
    struct str rest = str_slice(buf_str(&p->bytes), q->from, q->to);

    while (rest.len > 0) {
        size_t len = q->each_asks ? first_command(rest) : rest.len;

        if (!command_append(conn_out(conn), COMMAND(STR("ASKING")), err) ||
            !buf_append(conn_out(conn), str_slice(rest, 0, len), err))
            return false;
        rest = str_slice(rest, len, rest.len);
    }
    return conn_appended(conn, q->commands + (q->each_asks ? q->commands : 1), 0, err);
}

static void send_lane(struct pipeline *p, struct lane *lane)
{
    struct error why = {0};

    lane->conn = cluster_node_conn(p->cluster, lane->id, &why);
    if (lane->conn == NULL) {
        send_later(p, lane, false);
        return;
    }
    for (size_t i = lane->first; i != NO_REQUEST; i = p->requests[i].next)
        if (!append(p, lane->conn, &p->requests[i], &why)) {
            conn_close(lane->conn);
            send_later(p, lane, true);
            return;
        }
    if (!conn_flush(lane->conn, &why))
        send_later(p, lane, true);
}

/* Is this error about where and when, not about the data? An aborted transaction repeats what one
 * of its commands was told, so it says nothing new. */
static bool must_repeat(struct pipeline *p, const struct request *q, const struct reply *r,
                        struct address *ask)
{
    enum reply_action action;

    if (reply_error_of(r) == REPLY_ERROR_EXECABORT)
        return false;
    action = cluster_learn(p->cluster, r, q->slot, ask);
    return action == REPLY_FOLLOW || action == REPLY_RETRY || action == REPLY_WAIT;
}

/* Take one request's replies. False when the connection is gone. */
static bool take_replies(struct pipeline *p, struct conn *conn, struct request *q,
                         struct address *ask, struct error *err)
{
    q->again = false;
    for (size_t i = 0; i < q->commands; i++) {
        const struct reply *r;

        if (q->asking && (i == 0 || q->each_asks) && !conn_next_reply(conn, &r, err))
            return false;
        if (!conn_next_reply(conn, &r, err))
            return false;
        if (q->again)
            continue; /* the rest of a request that will be sent again as a whole */
        if (r->type == REPLY_ERROR && must_repeat(p, q, r, ask)) {
            q->again = !reply_check(r, "write", err);
            continue;
        }
        p->handler.reply(
            p->handler.arg,
            &(struct pipeline_reply){.tag = q->tag, .index = i, .repeated = q->unsure, .reply = r});
    }
    return true;
}

static void receive_lane(struct pipeline *p, struct lane *lane)
{
    while (lane->first != NO_REQUEST) {
        struct request *q = &p->requests[lane->first];
        struct address unused;
        struct error why = {0};

        if (!take_replies(p, lane->conn, q, &unused, &why)) {
            send_later(p, lane, true);
            return;
        }
        lane->first = q->next;
    }
}

/* One attempt for one request. True: answered. False with err: why not, worth another try. */
static bool attempt(struct pipeline *p, struct request *q, struct address *ask, struct error *err)
{
    const struct cluster_node *owner;
    struct conn *conn;

    q->asking = ask->port != 0;
    if (q->asking) {
        conn = cluster_address_conn(p->cluster, ask, err);
        if (conn == NULL)
            return false;
        q->each_asks =
            !str_starts(str_slice(buf_str(&p->bytes), q->from, q->to), "*1\r\n$5\r\nMULTI\r\n");
    } else {
        owner = cluster_owner(p->cluster, q->slot);
        if (owner == NULL)
            return error_set(err, ERROR_UNREACHABLE, 0, "slot %u has no owner", (unsigned)q->slot);
        conn = cluster_node_conn(p->cluster, owner->id, err);
        if (conn == NULL)
            return false;
    }
    *ask = (struct address){0};
    if (!(q->asking ? append_asking(p, conn, q, err) : append(p, conn, q, err))) {
        conn_close(conn);
        return false;
    }
    if (!take_replies(p, conn, q, ask, err)) {
        q->unsure = true;
        q->again = true;
        return false;
    }
    return !q->again;
}

/* ASK is to be followed once; MOVED corrected the map, so the owner is asked again. */
static bool is_ask(const struct error *why)
{
    return why->detail == (int)REPLY_ERROR_ASK;
}

static bool send_again(struct pipeline *p, struct request *q, struct error *err)
{
    struct address ask = {0};
    struct backoff wait;
    unsigned hops = 0;

    backoff_init(&wait, p->outage_ms);
    for (;;) {
        struct error why = {0};
        struct error ignored = {0};

        if (attempt(p, q, &ask, &why)) {
            backoff_over(&wait, &p->cancel);
            return true;
        }
        if (why.code == ERROR_AUTH || why.code == ERROR_CANCELLED) {
            *err = why;
            return false;
        }
        if (!is_ask(&why))
            ask = (struct address){0};
        else if (hops++ < 5)
            continue;
        if (!backoff_wait(&wait, &p->cancel, &why, err))
            return false;
        /* The map may be stale; a failure to refresh it is one more reason to wait. */
        if (!cluster_refresh(p->cluster, &ignored))
            continue;
    }
}

bool pipeline_flush(struct pipeline *p, struct error *err)
{
    bool ok = true;

    if (p->count == 0)
        return true;
    sort_into_lanes(p);
    for (size_t i = 0; i < p->lane_count; i++)
        send_lane(p, &p->lanes[i]);
    for (size_t i = 0; i < p->lane_count; i++)
        receive_lane(p, &p->lanes[i]);
    for (size_t i = 0; i < p->count && ok; i++)
        if (p->requests[i].again)
            ok = send_again(p, &p->requests[i], err);
    p->count = 0;
    buf_clear(&p->bytes);
    return ok;
}
