#include "core/base/clock.h"
#include "core/redis/cluster_private.h"

#define STALE_MS 1000
#define HOPS_MOST 5 /* redirections in a row before it counts as an outage */

/* One routed command on its way. */
struct route {
    struct cluster *cluster;
    const struct cluster_request *request;
    uint16_t slot;
    struct backoff backoff;
    struct address to; /* port 0 = the owner of the slot */
    bool asking;
    unsigned hops;
};

/* "MOVED 3999 host:port", "ASK 3999 host:port": the address, as we reach it. */
static bool parse_redirect(const struct cluster *c, struct str text, const struct address *asked,
                           uint16_t *slot, struct address *to)
{
    struct str word;
    struct str number;
    struct str where;
    struct error ignored;
    int n;
    if (!str_split(&text, ' ', &word) || !str_split(&text, ' ', &number) ||
        !str_split(&text, ' ', &where) || !str_to_int(number, 0, SLOT_COUNT - 1, &n) ||
        !address_parse_server(where, to, &ignored))
        return false;
    *slot = (uint16_t)n;
    if (to->host[0] == '\0') {
        uint16_t port = to->port;
        if (asked == NULL)
            return false;
        *to = *asked;
        to->port = port;
        return true;
    }
    (void)address_map_apply(c->options->map, to);
    return true;
}

static void learn_owner(struct cluster *c, uint16_t slot, const struct address *a)
{
    for (size_t i = 0; i < c->count; i++) {
        if (address_equal(&c->nodes[i].address, a)) {
            c->owner[slot] = (uint16_t)i;
            return;
        }
    }
    c->stale = true;
}

/* A new node: learn who it is before the next command, but not for every command. */
static void refresh_stale(struct cluster *c)
{
    struct error ignored;
    if (c->stale && clock_mono_ms() >= c->stale_until) {
        c->stale = false;
        c->stale_until = clock_after(STALE_MS);
        (void)!cluster_refresh(c, &ignored);
    }
}

static bool learn_redirect(struct cluster *c, const struct reply *r, const struct address *asked,
                           struct address *to)
{
    uint16_t slot;
    if (!parse_redirect(c, r->str, asked, &slot, to))
        return false;
    slot_set_add(&c->dirty, slot);
    if (reply_error_of(r) == REPLY_ERROR_MOVED)
        learn_owner(c, slot, to);
    return true;
}

enum reply_action cluster_learn(struct cluster *c, const struct reply *r, uint16_t slot,
                                struct address *to)
{
    const struct cluster_node *owner = cluster_owner(c, slot);
    enum reply_error kind = reply_error_of(r);
    enum reply_action action = reply_error_action(kind);
    if (action == REPLY_FOLLOW) {
        struct address from = {0};
        if (owner != NULL)
            from = owner->address;
        if (!learn_redirect(c, r, owner == NULL ? NULL : &from, to))
            return REPLY_WAIT;
    }
    return action;
}

/* Credentials, limits, cancel, nonsense: no waiting mends them. */
static bool is_final(const struct error *e)
{
    return e->code != ERROR_UNREACHABLE && e->code != ERROR_TIMEOUT;
}

/* An outage: wait, then look at the cluster again. False when there is nothing to wait for. */
static bool wait_out(struct cluster *c, struct backoff *b, const struct error *why, bool refresh,
                     struct error *err)
{
    struct error ignored = {0};
    if (!backoff_wait(b, &c->options->cancel, why, err))
        return false;
    if (refresh && !cluster_refresh(c, &ignored) && ignored.code == ERROR_CANCELLED) {
        *err = ignored;
        return false;
    }
    return true;
}

static bool send_once(struct route *t, struct conn *conn, const struct reply **reply,
                      struct error *err)
{
    const struct cluster_request *q = t->request;
    if (!t->asking)
        return conn_call(conn, q->command, q->timeout_ms, reply, err);
    return conn_append(conn, COMMAND(STR("ASKING")), q->timeout_ms, err) &&
           conn_append(conn, q->command, q->timeout_ms, err) && conn_flush(conn, err) &&
           conn_next_reply(conn, reply, err) && conn_next_reply(conn, reply, err);
}

/* The connection for the next attempt; NULL with err. */
static struct conn *next_conn(struct route *t, struct error *err)
{
    struct cluster *c = t->cluster;
    if (t->to.port != 0)
        return cluster_open_conn(c, &t->to, NULL, err);
    const struct cluster_node *n = cluster_owner(c, t->slot);
    if (n == NULL) {
        (void)error_set(err, ERROR_UNREACHABLE, 0, "slot %u has no owner", (unsigned)t->slot);
        return NULL;
    }
    return cluster_open_conn(c, &n->address, n->server_name, err);
}

static void forget_redirect(struct route *t)
{
    t->to.port = 0;
    t->asking = false;
    t->hops = 0;
}

/* What to do with an error reply. True: *done says whether it is the caller's. */
static bool handle_error(struct route *t, const struct reply *r, const struct conn *from,
                         bool *done, struct error *err)
{
    enum reply_error kind = reply_error_of(r);
    enum reply_action action = reply_error_action(kind);
    struct error why = {0};
    *done = action == REPLY_VALUE || action == REPLY_FATAL || reply_check(r, conn_name(from), &why);
    if (*done)
        return true;
    if (action == REPLY_FOLLOW && ++t->hops <= HOPS_MOST &&
        learn_redirect(t->cluster, r, conn_address(from), &t->to)) {
        t->asking = kind == REPLY_ERROR_ASK;
        return true;
    }
    if (action == REPLY_FOLLOW)
        slot_set_add(&t->cluster->dirty, t->slot);
    if (action != REPLY_RETRY)
        forget_redirect(t);
    return wait_out(t->cluster, &t->backoff, &why, action != REPLY_RETRY, err);
}

/* One attempt. False: err is final. True: *reply is set, or it is to be tried again. */
static bool attempt(struct route *t, const struct reply **reply, struct error *err)
{
    struct error why = {0};
    struct conn *conn = next_conn(t, &why);
    bool sent = conn != NULL;
    if (sent && send_once(t, conn, reply, &why)) {
        bool done = true;
        if ((*reply)->type == REPLY_ERROR && !handle_error(t, *reply, conn, &done, err)) {
            *reply = NULL;
            return false;
        }
        if (!done)
            *reply = NULL;
        return true;
    }
    *reply = NULL;
    if (is_final(&why) || (sent && t->request->once)) {
        *err = why;
        return false;
    }
    forget_redirect(t);
    return wait_out(t->cluster, &t->backoff, &why, true, err);
}

bool cluster_request(struct cluster *c, const struct cluster_request *request,
                     const struct reply **reply, struct error *err)
{
    struct route t = {.cluster = c, .request = request};
    t.slot = request->by_slot ? request->slot : slot_of_key(request->key);
    backoff_init(&t.backoff, cluster_outage_ms(c));
    *reply = NULL;
    refresh_stale(c);
    while (*reply == NULL)
        if (!attempt(&t, reply, err))
            return false;
    backoff_over(&t.backoff, &c->options->cancel);
    return true;
}

bool cluster_call(struct cluster *c, struct str key, struct command command,
                  const struct reply **reply, struct error *err)
{
    struct cluster_request request = {.key = key, .command = command};
    return cluster_request(c, &request, reply, err);
}

/* Errors of the node itself, which pass; redirections are an answer here. */
static bool passes(enum reply_error kind)
{
    return kind == REPLY_ERROR_LOADING || kind == REPLY_ERROR_BUSY ||
           kind == REPLY_ERROR_MASTERDOWN || kind == REPLY_ERROR_MAXCLIENTS ||
           kind == REPLY_ERROR_TRYAGAIN;
}

bool cluster_call_node(struct cluster *c, const char *id, struct command command,
                       const struct reply **reply, struct error *err)
{
    char own[CLUSTER_ID_MAX]; /* callers give the id of a node in the list, which a refresh frees */
    struct backoff b;
    backoff_init(&b, cluster_outage_ms(c));
    (void)str_copy(str_from(id), own, sizeof(own));
    for (;;) {
        struct error why = {0};
        struct conn *conn = cluster_node_conn(c, own, &why);
        if (conn != NULL && conn_call(conn, command, 0, reply, &why)) {
            if (!passes(reply_error_of(*reply))) {
                backoff_over(&b, &c->options->cancel);
                return true;
            }
            (void)!reply_check(*reply, conn_name(conn), &why);
        } else if (is_final(&why)) {
            *reply = NULL;
            *err = why;
            return false;
        }
        *reply = NULL;
        if (!wait_out(c, &b, &why, conn == NULL, err))
            return false;
    }
}
