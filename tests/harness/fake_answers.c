/* What the nodes of a made-up cluster say. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/harness/fake_private.h"

void fake_put(struct fake_text *t, const char *fmt, ...)
{
    va_list args;
    int n;

    for (;;) {
        size_t room = t->cap - t->len;

        va_start(args, fmt);
        n = vsnprintf(t->data == NULL ? NULL : t->data + t->len, room, fmt, args);
        va_end(args);
        if (n < 0)
            abort();
        if ((size_t)n < room)
            break;
        t->cap = t->cap * 2 + (size_t)n + 1024;
        t->data = realloc(t->data, t->cap);
        if (t->data == NULL)
            abort();
    }
    t->len += (size_t)n;
}

static void put_bulk(struct fake_text *out, const struct fake_text *body)
{
    fake_put(out, "$%zu\r\n%.*s\r\n", body->len, (int)body->len, body->data);
}

static void put_replication(const struct fake_cluster *c, const struct fake_node *n,
                            struct fake_text *t)
{
    if (n->primary == SIZE_MAX) {
        fake_put(t, "role:master\r\nconnected_slaves:0\r\n");
    } else {
        fake_put(t,
                 "role:slave\r\nmaster_host:127.0.0.1\r\nmaster_port:%u\r\n"
                 "master_link_status:up\r\nslave_repl_offset:%lld\r\n",
                 (unsigned)c->nodes[n->primary].port, n->offset);
    }
    fake_put(t,
             "master_replid:%s\r\nmaster_repl_offset:%lld\r\n"
             "repl_backlog_size:1048576\r\n",
             n->replid, n->offset);
}

static void say_info(const struct fake_cluster *c, struct fake_node *n, struct fake_text *out)
{
    struct fake_text t = {0};

    n->polls++;
    fake_put(&t,
             "# Server\r\nredis_version:7.0.15\r\nredis_mode:cluster\r\nrun_id:%s\r\n"
             "uptime_in_seconds:100\r\n# Clients\r\nconnected_clients:3\r\nmaxclients:10000\r\n"
             "# Memory\r\nused_memory:1000000\r\nused_memory_rss:2000000\r\nmaxmemory:0\r\n"
             "maxmemory_policy:noeviction\r\n"
             "# Persistence\r\nloading:%d\r\nrdb_bgsave_in_progress:0\r\n"
             "rdb_last_bgsave_status:%s\r\naof_enabled:0\r\naof_last_write_status:ok\r\n"
             "# Stats\r\ninstantaneous_ops_per_sec:10\r\n# Replication\r\n",
             n->run_id, n->manner == FAKE_LOADING, n->bgsave_failed ? "err" : "ok");
    if (n->manner == FAKE_LOADING)
        fake_put(&t, "loading_eta_seconds:7\r\n");
    put_replication(c, n, &t);
    fake_put(&t, "# Cluster\r\ncluster_enabled:1\r\n# Keyspace\r\n");
    if (n->keys > 0)
        fake_put(&t, "db0:keys=%lld,expires=0,avg_ttl=0\r\n", n->keys);
    put_bulk(out, &t);
    free(t.data);
}

static void say_cluster_info(const struct fake_cluster *c, const struct fake_node *n,
                             struct fake_text *out)
{
    struct fake_text t = {0};
    unsigned epoch = 0;

    for (size_t i = 0; i < c->count; i++)
        epoch = c->nodes[i].epoch > epoch ? c->nodes[i].epoch : epoch;
    fake_put(&t,
             "cluster_state:%s\r\ncluster_slots_assigned:16384\r\ncluster_slots_ok:16384\r\n"
             "cluster_known_nodes:%zu\r\ncluster_size:%zu\r\ncluster_current_epoch:%u\r\n"
             "cluster_my_epoch:%u\r\n",
             n->state_fail ? "fail" : "ok", c->count, c->shards, epoch, n->epoch);
    put_bulk(out, &t);
    free(t.data);
}

static void say_nodes(const struct fake_cluster *c, struct fake_node *self, struct fake_text *out)
{
    struct fake_text t = {0};

    self->views++;
    for (size_t i = 0; i < c->count; i++) {
        const struct fake_node *n = &c->nodes[i];
        size_t me = (size_t)(self - c->nodes);
        const char *held = n->fail ? ",fail" : me < n->pfail_by ? ",fail?" : "";

        if (n->forgotten)
            continue;
        fake_put(&t, "%s 127.0.0.1:%u@%u %s%s%s %s 0 1700000000000 %u connected", n->id,
                 (unsigned)n->port, (unsigned)n->port, i == me ? "myself," : "",
                 n->primary == SIZE_MAX ? "master" : "slave", i == me ? "" : held,
                 n->primary == SIZE_MAX ? "-" : c->nodes[n->primary].id, n->epoch);
        if (n->has_slots)
            fake_put(&t, " %u-%u", n->first_slot, n->last_slot);
        fake_put(&t, "\n");
    }
    put_bulk(out, &t);
    free(t.data);
}

static bool is(const struct fake_command *cmd, size_t at, const char *word)
{
    return at < cmd->argc && strcasecmp(cmd->argv[at], word) == 0;
}

static void say_cluster(const struct fake_cluster *c, struct fake_node *n,
                        const struct fake_command *cmd, struct fake_text *out)
{
    if (n->manner == FAKE_LOADING)
        fake_put(out, "-LOADING Redis is loading the dataset in memory\r\n");
    else if (is(cmd, 1, "nodes") && n->refuses_nodes)
        fake_put(out,
                 "-NOPERM this user has no permissions to run the 'cluster|nodes' command\r\n");
    else if (is(cmd, 1, "nodes"))
        say_nodes(c, n, out);
    else if (is(cmd, 1, "info") && n->refuses_cluster_info)
        fake_put(out, "-NOPERM this user has no permissions to run the 'cluster|info' command\r\n");
    else if (is(cmd, 1, "info"))
        say_cluster_info(c, n, out);
    else
        fake_put(out, "-ERR unknown subcommand\r\n");
}

static void say(const struct fake_cluster *c, struct fake_node *n, const struct fake_command *cmd,
                struct fake_text *out)
{
    if (is(cmd, 0, "info") && n->refuses_info)
        fake_put(out, "-NOPERM this user has no permissions to run the 'info' command\r\n");
    else if (is(cmd, 0, "info"))
        say_info(c, n, out);
    else if (is(cmd, 0, "cluster"))
        say_cluster(c, n, cmd, out);
    else if (is(cmd, 0, "dbsize"))
        fake_put(out, ":%lld\r\n", n->keys);
    else if (is(cmd, 0, "ping"))
        fake_put(out, "+PONG\r\n");
    else if (is(cmd, 0, "client") || is(cmd, 0, "readonly") || is(cmd, 0, "auth"))
        fake_put(out, "+OK\r\n");
    else
        fake_put(out, "-ERR unknown command '%s'\r\n", cmd->argv[0]);
}

bool fake_answer(const struct fake_cluster *c, struct fake_client *from,
                 const struct fake_command *cmd, struct fake_text *out)
{
    struct fake_node *n = &c->nodes[from->node];
    struct fake_text whole = {0};

    switch (n->manner) {
    case FAKE_MUTE:
        return true;
    case FAKE_GONE:
        return false;
    case FAKE_GARBAGE:
        fake_put(out, "HTTP/1.1 400 Bad Request\r\n\r\n");
        return true;
    case FAKE_NOAUTH:
        fake_put(out, "-NOAUTH Authentication required.\r\n");
        return true;
    case FAKE_MAXCLIENTS:
        fake_put(out, "-ERR max number of clients reached\r\n");
        return false;
    case FAKE_HALF:
        if (!is(cmd, 0, "info"))
            break;
        say(c, n, cmd, &whole);
        fake_put(out, "%.*s", (int)(whole.len / 2), whole.data);
        free(whole.data);
        from->stuck = true;
        return true;
    case FAKE_WELL:
    case FAKE_LOADING:
        break;
    }
    say(c, n, cmd, out);
    return true;
}
