#include "core/monitor/target.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/escape.h"
#include "core/monitor/events_internal.h"
#include "core/monitor/snapshot.h"
#include "core/redis/topology_parse.h"

#define INFO_MAX ((size_t)1 << 20) /* bytes */

struct target *target_new(const struct address *announced, const struct address *connect,
                          const struct conn_options *options, const char *server_name)
{
    struct target *t = mem_zero(1, sizeof(*t));
    struct conn_options own = *options;

    t->announced = *announced;
    events_address(t->name, str_from(announced->host), announced->port);
    (void)str_copy(str_from(t->name), t->id, sizeof(t->id));
    (void)str_copy(str_from(server_name), t->server_name, sizeof(t->server_name));
    if (t->server_name[0] != '\0')
        own.tls_server_name = t->server_name;
    t->conn = conn_new(connect, &own);
    t->answered_ms = -1;
    t->rtt_us = -1;
    t->dbsize = -1;
    t->clustered = -1;
    buf_init(&t->info_text, INFO_MAX);
    buf_init(&t->cluster_text, INFO_MAX);
    info_parse(&t->info, STR(""));
    cluster_info_parse(&t->cluster, STR(""));
    t->in = t->out = t->evicted = t->hits = t->misses = series_gap();
    return t;
}

void target_free(struct target *t)
{
    if (t == NULL)
        return;
    conn_free(t->conn);
    conn_free(t->messages);
    buf_release(&t->info_text);
    buf_release(&t->cluster_text);
    arena_release(&t->sentinel_arena[0]);
    arena_release(&t->sentinel_arena[1]);
    free(t);
}

/* ---- asking ---- */

static bool send_question(struct target *t, enum question q, const struct poll_plan *plan,
                          struct error *err)
{
    struct str master = str_from(plan->master_name);

    switch (q) {
    case ASK_INFO:
        return conn_send(t->conn, COMMAND(STR("INFO")), plan->timeout_ms, err);
    case ASK_DBSIZE:
        return conn_send(t->conn, COMMAND(STR("DBSIZE")), plan->timeout_ms, err);
    case ASK_CLUSTER_INFO:
        return conn_send(t->conn, COMMAND(STR("CLUSTER"), STR("INFO")), plan->timeout_ms, err);
    case ASK_CLUSTER_NODES:
        return conn_send(t->conn, COMMAND(STR("CLUSTER"), STR("NODES")), plan->timeout_ms, err);
    case ASK_SENTINEL_MASTERS:
        return conn_send(t->conn, COMMAND(STR("SENTINEL"), STR("MASTERS")), plan->timeout_ms, err);
    case ASK_SENTINEL_REPLICAS:
        return conn_send(t->conn, COMMAND(STR("SENTINEL"), STR("REPLICAS"), master),
                         plan->timeout_ms, err);
    case ASK_SENTINEL_PEERS:
        return conn_send(t->conn, COMMAND(STR("SENTINEL"), STR("SENTINELS"), master),
                         plan->timeout_ms, err);
    case QUESTIONS:
        break;
    }
    return false;
}

static void ask(struct target *t, enum question q, const struct poll_plan *plan)
{
    struct error err;

    if (t->asked_count >= TARGET_QUESTIONS || !send_question(t, q, plan, &err))
        return;
    t->asked[t->asked_count++] = q;
}

void target_begin(struct target *t, const struct poll_plan *plan)
{
    if (conn_state(t->conn) == CONN_CLOSED)
        conn_start(t->conn);
    t->busy = true;
    t->asked_count = 0;
    t->answered = 0;
    t->began_us = clock_mono_us();
    t->polls++;
    /* What was refused is tried again now and then: permissions change. */
    if (t->polls % 30 == 0)
        memset(t->refused, 0, sizeof(t->refused));
    ask(t, ASK_INFO, plan);
    if (t->refused[ASK_INFO] && !t->sentinel)
        ask(t, ASK_DBSIZE, plan);
    if (plan->mode == REDIS_MODE_CLUSTER || (plan->mode == REDIS_MODE_AUTO && t->refused[ASK_INFO]))
        ask(t, ASK_CLUSTER_INFO, plan);
    if (plan->mode == REDIS_MODE_CLUSTER && plan->want_nodes)
        ask(t, ASK_CLUSTER_NODES, plan);
    if (t->sentinel) {
        ask(t, ASK_SENTINEL_MASTERS, plan);
        ask(t, ASK_SENTINEL_REPLICAS, plan);
        ask(t, ASK_SENTINEL_PEERS, plan);
    }
}

/* ---- answers ---- */

static void note_offset(struct target *t, int64_t now_ms)
{
    if (t->info.primary_offset < 0)
        return;
    t->offsets[t->offset_next] = (struct offset_sample){now_ms, t->info.primary_offset};
    t->offset_next = (t->offset_next + 1) % TARGET_OFFSETS;
    if (t->offset_count < TARGET_OFFSETS)
        t->offset_count++;
}

static void take_info(struct target *t, struct str text)
{
    double now = (double)clock_mono_ms();
    struct error ignored;
    struct str run_id = t->info.run_id;
    char before[64];

    (void)str_copy(run_id, before, sizeof(before));
    buf_clear(&t->info_text);
    if (!buf_append(&t->info_text, text, &ignored))
        return;
    info_parse(&t->info, buf_str(&t->info_text));
    if (!str_is(t->info.run_id, before))
        t->offset_count = 0; /* another process: its offsets are another history */
    t->has_info = true;
    t->in = series_rate_next(&t->rate_in, (double)t->info.input_bytes, now);
    t->out = series_rate_next(&t->rate_out, (double)t->info.output_bytes, now);
    t->evicted = series_rate_next(&t->rate_evicted, (double)t->info.evicted_keys, now);
    t->hits = series_rate_next(&t->rate_hits, (double)t->info.hits, now);
    t->misses = series_rate_next(&t->rate_misses, (double)t->info.misses, now);
    note_offset(t, clock_mono_ms());
}

static void take_cluster_info(struct target *t, struct str text)
{
    struct error ignored;

    t->clustered = 1;
    buf_clear(&t->cluster_text);
    if (buf_append(&t->cluster_text, text, &ignored))
        cluster_info_parse(&t->cluster, buf_str(&t->cluster_text));
}

static void take_nodes(struct target *t, struct str text, const struct target_sink *sink)
{
    const struct topology_self self = {str_from(t->announced.host), t->announced.port};
    struct error err;
    struct topology *view = topology_parse_nodes(text, self, &err);

    if (view == NULL) {
        (void)str_copy(str_from(err.text), t->error, sizeof(t->error));
        return;
    }
    if (view->self != TOPOLOGY_NONE)
        (void)str_copy(view->nodes[view->self].id, t->id, sizeof(t->id));
    sink->view(sink->arg, t, view);
}

/* Replies die with the next one: the lists are kept as a copy, two arenas taking turns. */
static void take_list(struct target *t, enum question q, const struct reply *r)
{
    struct arena *a = &t->sentinel_arena[t->sentinel_at ^ 1];
    struct sentinel_list list;
    struct error ignored;
    const struct reply *kept = reply_copy(a, r);

    if (!sentinel_parse_list(kept, a, &list, &ignored))
        return;
    if (q == ASK_SENTINEL_MASTERS)
        t->masters = list;
    else if (q == ASK_SENTINEL_REPLICAS)
        t->replicas = list;
    else
        t->peers = list;
}

static bool is_text(const struct reply *r)
{
    return r->type == REPLY_STRING || r->type == REPLY_STATUS;
}

static void take_reply(struct target *t, enum question q, const struct reply *r,
                       const struct target_sink *sink)
{
    if (r->type == REPLY_ERROR) {
        t->refused[q] = reply_error_of(r) != REPLY_ERROR_LOADING;
        if (q == ASK_CLUSTER_INFO && reply_error_of(r) == REPLY_ERROR_NO_CLUSTER) {
            t->clustered = 0;
            return;
        }
        t->error_code = reply_error_code(reply_error_of(r));
        (void)escape_text(t->error, sizeof(t->error), r->str);
        return;
    }
    if (q == ASK_INFO && is_text(r))
        take_info(t, r->str);
    else if (q == ASK_DBSIZE && r->type == REPLY_INTEGER)
        t->dbsize = r->integer;
    else if (q == ASK_CLUSTER_INFO && is_text(r))
        take_cluster_info(t, r->str);
    else if (q == ASK_CLUSTER_NODES && is_text(r))
        take_nodes(t, r->str, sink);
    else if (r->type == REPLY_ARRAY)
        take_list(t, q, r);
}

static void finish_sentinel(struct target *t)
{
    /* All three lists were filled into the spare arena: make it the one in use. */
    t->sentinel_at ^= 1;
    arena_clear(&t->sentinel_arena[t->sentinel_at ^ 1]);
}

static enum target_result fail(struct target *t)
{
    const struct error *why = conn_error(t->conn);

    t->busy = false;
    t->missed++;
    t->error_code = why->code == ERROR_NONE ? ERROR_UNREACHABLE : why->code;
    (void)str_copy(str_from(why->code == ERROR_NONE ? "no answer" : why->text), t->error,
                   sizeof(t->error));
    if (t->sentinel) {
        t->masters = t->replicas = t->peers = (struct sentinel_list){0};
        arena_clear(&t->sentinel_arena[0]);
        arena_clear(&t->sentinel_arena[1]);
    }
    return TARGET_FAILED;
}

enum target_result target_process(struct target *t, const struct target_sink *sink)
{
    const struct reply *r;

    conn_process(t->conn);
    while (t->busy && t->answered < t->asked_count && (r = conn_receive(t->conn)) != NULL) {
        if (t->answered == 0) {
            t->error[0] = '\0';
            t->error_code = ERROR_NONE;
        }
        take_reply(t, t->asked[t->answered++], r, sink);
    }
    if (!t->busy)
        return TARGET_WAITS;
    if (t->asked_count > 0 && t->answered == t->asked_count) {
        t->busy = false;
        t->missed = 0;
        t->answered_ms = clock_mono_ms();
        t->rtt_us = clock_mono_us() - t->began_us;
        if (t->sentinel)
            finish_sentinel(t);
        return TARGET_DONE;
    }
    if (conn_state(t->conn) == CONN_CLOSED || t->asked_count == 0)
        return fail(t);
    return TARGET_WAITS;
}

int64_t target_lag_ms(const struct target *primary, int64_t offset, int64_t now_ms)
{
    int64_t since = -1;

    if (offset < 0 || primary->offset_count == 0)
        return -1;
    /* From the newest back: the oldest sample that is past `offset` is when we know it was behind.
     */
    for (size_t i = 0; i < primary->offset_count; i++) {
        size_t at = (primary->offset_next + TARGET_OFFSETS - 1 - i) % TARGET_OFFSETS;

        if (primary->offsets[at].offset <= offset)
            break;
        since = primary->offsets[at].at_ms;
    }
    if (since < 0)
        return 0;
    return now_ms > since ? now_ms - since : 0;
}

enum monitor_role target_role(const struct target *t)
{
    static const enum monitor_role roles[] = {
        [INFO_ROLE_UNKNOWN] = MONITOR_ROLE_UNKNOWN,
        [INFO_ROLE_PRIMARY] = MONITOR_PRIMARY,
        [INFO_ROLE_REPLICA] = MONITOR_REPLICA,
        [INFO_ROLE_SENTINEL] = MONITOR_ROLE_SENTINEL,
    };

    return t->sentinel ? MONITOR_ROLE_SENTINEL : roles[t->info.role];
}
