#include "core/monitor/health.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/array.h"
#include "core/base/buf.h"
#include "core/base/escape.h"
#include "core/base/format.h"
#include "core/monitor/snapshot.h"

#define RANGES_SHOWN 4
#define FINDINGS_MAX 2000

struct judging {
    const struct snapshot *s;
    const struct health_limits *limits;
    struct arena *arena;
    struct finding *items;
    size_t count, cap;
};

/* What a rule says when it applies. */
struct saying {
    uint16_t node;
    const char *rule;
    enum health_severity severity;
    const char *advice;
};

static void say(struct judging *j, const struct saying *what, const char *text)
{
    if (j->count >= FINDINGS_MAX)
        return;
    ARRAY_PUSH(j->items, j->count, j->cap) = (struct finding){.severity = what->severity,
                                                              .rule = what->rule,
                                                              .node = what->node,
                                                              .text = text,
                                                              .advice = what->advice};
}

static const char *shown(struct judging *j, struct str raw)
{
    char text[300];

    return arena_text(j->arena, str_from(escape_text(text, sizeof(text), raw)));
}

static const char *ranges(struct judging *j, unsigned states, uint32_t *count)
{
    struct slot_set set;
    struct error ignored;
    struct buf text;
    const char *kept;

    *count = snapshot_slots_in(j->s, states, &set);
    buf_init(&text, 400);
    if (!slot_set_format(&set, RANGES_SHOWN, &text, &ignored))
        buf_clear(&text);
    kept = arena_text(j->arena, buf_str(&text));
    buf_release(&text);
    return kept;
}

/* ---- the cluster ---- */

static void judge_unreachable(struct judging *j)
{
    if (j->s->state == MONITOR_UNREACHABLE)
        say(j,
            &(struct saying){SNAPSHOT_NONE, "unreachable", HEALTH_CRIT,
                             "check the network, the addresses and the servers"},
            j->s->trouble.len > 0 ? shown(j, j->s->trouble) : "no node answers");
}

static const struct {
    unsigned states;
    enum health_severity severity;
    const char *rule;
    const char *text;
    const char *advice;
} slot_rules[] = {
    {SLOT_UNCOVERED, HEALTH_CRIT, "slots-uncovered", "have no owner",
     "start their former owner again, or assign them with :fix"},
    {SLOT_FAIL, HEALTH_CRIT, "slots-down", "are owned by a node that is down",
     "start the node again, or fail over to one of its replicas"},
    {SLOT_PFAIL, HEALTH_WARN, "slots-suspected", "are owned by a suspected node",
     "wait for the node timeout: the others decide whether it is down"},
    {SLOT_DISPUTED, HEALTH_WARN, "slots-disputed", "are given to different owners by the nodes",
     "if it lasts longer than the node timeout, look for a partition"},
    {SLOT_MIGRATING | SLOT_IMPORTING, HEALTH_WARN, "slots-open", "are migrating or importing",
     "if no resharding is under way, close them with :fix"},
};

static void judge_slots(struct judging *j)
{
    for (size_t i = 0; i < COUNT_OF(slot_rules) && j->s->slots->known; i++) {
        uint32_t count;
        const char *where = ranges(j, slot_rules[i].states, &count);

        if (count > 0)
            say(j,
                &(struct saying){SNAPSHOT_NONE, slot_rules[i].rule, slot_rules[i].severity,
                                 slot_rules[i].advice},
                arena_format(j->arena, "%u slots %s: %s", (unsigned)count, slot_rules[i].text,
                             where));
    }
}

static void judge_views(struct judging *j)
{
    if (j->s->views_agree < j->s->views)
        say(j,
            &(struct saying){SNAPSHOT_NONE, "views-differ", HEALTH_WARN,
                             "normal for a moment during a change; else look for a partition"},
            arena_format(j->arena, "only %zu of %zu nodes share one view of owners and roles",
                         j->s->views_agree, j->s->views));
    if (j->s->mixed_versions)
        say(j,
            &(struct saying){SNAPSHOT_NONE, "versions-differ", HEALTH_INFO,
                             "finish the upgrade; until then avoid features of the newer one"},
            "the nodes run different versions");
    if (j->s->cluster_state.len > 0 && !str_is(j->s->cluster_state, "ok"))
        say(j,
            &(struct saying){SNAPSHOT_NONE, "cluster-state", HEALTH_CRIT,
                             "bring back the missing primaries or their quorum"},
            arena_format(j->arena, "cluster_state:%s", shown(j, j->s->cluster_state)));
}

static void judge_sentinels(struct judging *j)
{
    for (size_t i = 0; i < j->s->sentinel_count; i++) {
        const struct monitor_sentinel *w = &j->s->sentinels[i];

        if (w->tilt)
            say(j,
                &(struct saying){w->node, "sentinel-tilt", HEALTH_WARN,
                                 "its clock jumped or it was stalled; it acts again after 30 s"},
                "this Sentinel is in TILT mode and decides nothing");
        if (w->quorum > 0 && w->known_sentinels >= 0 && w->known_sentinels + 1 < w->quorum)
            say(j,
                &(struct saying){w->node, "sentinel-quorum", HEALTH_CRIT,
                                 "start more Sentinels, or lower the quorum"},
                arena_format(j->arena, "knows %" PRId64 " Sentinels, the quorum is %" PRId64,
                             w->known_sentinels + 1, w->quorum));
        if (i > 0 && !str_equal(w->primary, j->s->sentinels[0].primary))
            say(j,
                &(struct saying){w->node, "sentinels-differ", HEALTH_CRIT,
                                 "look for a partition between the Sentinels"},
                "the Sentinels name different primaries");
    }
}

static void judge_shards(struct judging *j)
{
    for (size_t i = 0; i < j->s->shard_count; i++) {
        const struct monitor_shard *shard = &j->s->shards[i];
        char name[8];
        size_t replicas = 0;

        (void)events_shard_name(name, shard->number);
        for (size_t k = 0; k < shard->node_count; k++) {
            const struct monitor_node *n = &j->s->nodes[shard->first_node + k];

            replicas += n->role == MONITOR_REPLICA && n->state != MONITOR_NODE_FAIL &&
                        n->state != MONITOR_NODE_SILENT && n->link_up != 0;
        }
        if (shard->primary == SNAPSHOT_NONE)
            say(j,
                &(struct saying){shard->first_node, "shard-without-primary", HEALTH_CRIT,
                                 "start its primary, or promote a replica"},
                arena_format(j->arena, "shard %s has no primary", name));
        else if (replicas == 0 && j->s->mode != REDIS_MODE_SINGLE &&
                 (shard->slots > 0 || j->s->mode == REDIS_MODE_SENTINEL))
            say(j,
                &(struct saying){shard->primary, "shard-without-replica", HEALTH_WARN,
                                 "start its replica again, or add one: a crash now loses data"},
                arena_format(j->arena, "shard %s has no working replica", name));
    }
}

/* ---- one node ---- */

static const char *duration(struct judging *j, int64_t ms)
{
    char text[FORMAT_MAX];

    return arena_format(j->arena, "%s", format_duration(text, sizeof(text), ms));
}

static void judge_presence(struct judging *j, const struct monitor_node *n, uint16_t at)
{
    if (n->state == MONITOR_NODE_FAIL)
        say(j, &(struct saying){at, "node-down", HEALTH_CRIT, "start it again, or replace it"},
            arena_format(j->arena, "is down (FAIL, seen by %u of %u)", n->down_by, n->observers));
    else if (n->state == MONITOR_NODE_PFAIL)
        say(j,
            &(struct saying){at, "node-suspected", HEALTH_WARN,
                             "look at the node and at the network between the nodes"},
            arena_format(j->arena, "is suspected (PFAIL, seen by %u of %u)", n->suspected_by,
                         n->observers));
    else if (n->state == MONITOR_NODE_DENIED)
        say(j,
            &(struct saying){at, "node-denied", HEALTH_WARN,
                             "check user and password of this environment"},
            arena_format(j->arena, "does not let this console in: %s", shown(j, n->error)));
    else if (n->stale)
        say(j,
            &(struct saying){at, "node-silent", HEALTH_WARN,
                             "look at the node and at the network from here to it"},
            arena_format(j->arena, "does not answer this console%s%s", n->error.len > 0 ? ": " : "",
                         n->error.len > 0 ? shown(j, n->error) : ""));
    else if (n->reachable && n->error_code == ERROR_AUTH)
        say(j,
            &(struct saying){at, "not-allowed", HEALTH_WARN,
                             "allow this user INFO, CLUSTER INFO and CLUSTER NODES"},
            arena_format(j->arena, "refuses a question, its answer is unknown: %s",
                         shown(j, n->error)));
    if (n->loading)
        say(j, &(struct saying){at, "loading", HEALTH_WARN, "wait until it has loaded"},
            "is loading its data set");
}

static void judge_replica(struct judging *j, const struct monitor_node *n, uint16_t at)
{
    char size[FORMAT_MAX];

    if (n->link_up == 0)
        say(j,
            &(struct saying){at, "link-down", HEALTH_WARN,
                             "look at its primary, its credentials (masterauth) and its log"},
            arena_format(j->arena, "the link to its primary is down%s%s",
                         n->link_down_s > 0 ? " for " : "",
                         n->link_down_s > 0 ? duration(j, n->link_down_s * 1000) : ""));
    if (n->lag_ms > j->limits->lag_warn_ms)
        say(j,
            &(struct saying){at, "lag", HEALTH_WARN,
                             "look at the load of both nodes and the network between them"},
            arena_format(j->arena, "is %s (%s) behind its primary", duration(j, n->lag_ms),
                         format_size(size, sizeof(size), n->lag_bytes)));
    if (n->lag_backlog_permille > (int64_t)j->limits->backlog_warn_pct * 10)
        say(j,
            &(struct saying){at, "lag-backlog", HEALTH_WARN,
                             "past 100% it needs a full sync: raise repl-backlog-size"},
            arena_format(j->arena, "its lag takes %" PRId64 "%% of the replication backlog",
                         n->lag_backlog_permille / 10));
}

static void judge_resources(struct judging *j, const struct monitor_node *n, uint16_t at)
{
    int64_t pct = n->maxmemory > 0 && n->memory >= 0 ? n->memory / (n->maxmemory / 100 + 1) : -1;
    bool evicts = n->maxmemory_policy.len > 0 && !str_is(n->maxmemory_policy, "noeviction");

    if (pct >= (int64_t)j->limits->memory_warn_pct)
        say(j,
            &(struct saying){at, "memory", evicts ? HEALTH_INFO : HEALTH_WARN,
                             evicts ? "keys are evicted by policy" : "writes fail when it is full"},
            arena_format(j->arena, "uses %" PRId64 "%% of maxmemory", pct));
    if (n->maxclients > 0 && n->clients * 100 >= n->maxclients * j->limits->clients_warn_pct)
        say(j,
            &(struct saying){at, "clients", HEALTH_WARN,
                             "find who holds them (clients screen), or raise maxclients"},
            arena_format(j->arena, "%" PRId64 " of %" PRId64 " clients connected", n->clients,
                         n->maxclients));
    if (n->save_failed)
        say(j,
            &(struct saying){at, "persistence", HEALTH_CRIT,
                             "look at its disk and its log; writes may be refused (MISCONF)"},
            "the last save or append-only write failed");
}

/* A primary and its only replica on one host: the host takes the shard with it. */
static void judge_hosts(struct judging *j, const struct monitor_node *n, uint16_t at)
{
    const struct monitor_node *primary;

    if (n->primary == SNAPSHOT_NONE || n->primary >= j->s->node_count)
        return;
    primary = &j->s->nodes[n->primary];
    if (str_equal(n->host, primary->host) && !str_starts(n->host, "127.") &&
        !str_is(n->host, "::1"))
        say(j, &(struct saying){at, "same-host", HEALTH_INFO, "move one of them to another host"},
            "runs on the host of its primary");
}

static void judge_node(struct judging *j, const struct monitor_node *n, uint16_t at)
{
    judge_presence(j, n, at);
    if (n->role == MONITOR_REPLICA) {
        judge_hosts(j, n, at);
        if (!n->stale)
            judge_replica(j, n, at);
    }
    if (n->role != MONITOR_ROLE_SENTINEL)
        judge_resources(j, n, at);
}

static int by_severity(const void *a, const void *b)
{
    const struct finding *x = a;
    const struct finding *y = b;

    if (x->severity != y->severity)
        return x->severity > y->severity ? -1 : 1;
    /* Cluster-wide ones first, then by node. */
    return (int)(uint16_t)(x->node + 1) - (int)(uint16_t)(y->node + 1);
}

size_t health_judge(const struct snapshot *s, const struct health_limits *limits, struct arena *a,
                    struct finding **out)
{
    struct judging j = {.s = s, .limits = limits, .arena = a};

    judge_unreachable(&j);
    judge_slots(&j);
    judge_views(&j);
    judge_sentinels(&j);
    judge_shards(&j);
    for (size_t i = 0; i < s->node_count; i++)
        judge_node(&j, &s->nodes[i], (uint16_t)i);
    *out = arena_array(a, j.count + 1, sizeof(**out));
    if (j.count > 0) {
        qsort(j.items, j.count, sizeof(*j.items), by_severity);
        memcpy(*out, j.items, j.count * sizeof(*j.items));
    }
    free(j.items);
    return j.count;
}

const char *health_severity_name(enum health_severity severity)
{
    static const char *const names[] = {"info", "warn", "crit"};

    return names[severity];
}
