/* Sums, the one-word state, findings, identity and the samples of the series. */
#include <string.h>

#include "core/base/array.h"
#include "core/monitor/monitor_internal.h"

/* Whose numbers make up the cluster's: primaries that own slots, or the primary outside Cluster. */
static bool counts(const struct snapshot *s, const struct monitor_node *n)
{
    if (n->role == MONITOR_ROLE_SENTINEL)
        return false;
    if (s->slots->known)
        return n->slots > 0;
    return n->role == MONITOR_PRIMARY;
}

static void add(int64_t *sum, int64_t value, bool first)
{
    if (first)
        *sum = value;
    else
        *sum = *sum < 0 || value < 0 ? -1 : *sum + value;
}

/* The oldest of the fresh answers; with none fresh the newest of all. */
static int64_t data_age(const struct snapshot *s)
{
    int64_t fresh = -1;
    int64_t newest = -1;

    for (size_t i = 0; i < s->node_count; i++) {
        int64_t age = snapshot_node_age(&s->nodes[i], s->taken_ms);

        if (age < 0)
            continue;
        if (!s->nodes[i].stale && age > fresh)
            fresh = age;
        if (newest < 0 || age < newest)
            newest = age;
    }
    return fresh >= 0 ? fresh : newest;
}

void build_sums(struct snapshot *s)
{
    bool first = true;
    bool unlimited = false;

    for (size_t i = 0; i < s->node_count; i++) {
        const struct monitor_node *n = &s->nodes[i];

        s->reachable += n->reachable ? 1 : 0;
        s->stale += n->stale ? 1 : 0;
        if (!counts(s, n))
            continue;
        add(&s->keys, n->keys, first);
        add(&s->memory, n->memory, first);
        add(&s->maxmemory, n->maxmemory, first);
        add(&s->ops_per_sec, n->ops_per_sec, first);
        add(&s->clients, n->clients, first);
        unlimited = unlimited || n->maxmemory == 0;
        s->stale_sums = s->stale_sums || n->stale;
        first = false;
    }
    s->data_age_ms = data_age(s);
    if (unlimited && s->maxmemory > 0)
        s->maxmemory = 0;
}

/* The version that most nodes run. */
static void choose_version(struct snapshot *s)
{
    size_t best = 0;

    for (size_t i = 0; i < s->node_count; i++) {
        const struct monitor_node *n = &s->nodes[i];
        size_t same = 0;

        if (n->version.len == 0)
            continue;
        for (size_t k = 0; k < s->node_count; k++) {
            const struct monitor_node *o = &s->nodes[k];

            same += str_equal(o->version, n->version) && str_equal(o->flavour, n->flavour);
            s->mixed_versions =
                s->mixed_versions || (o->version.len > 0 && !str_equal(o->version, n->version));
        }
        if (same > best) {
            best = same;
            s->version = n->version;
            s->flavour = n->flavour;
        }
    }
}

/* The epoch, and what the nodes say of the cluster's state: the worst of those that answer. */
static void take_cluster(const struct monitor *m, struct snapshot *s)
{
    for (size_t i = 0; i < m->target_count; i++) {
        const struct target *t = m->targets[i];

        if (t->cluster.current_epoch > 0 && (uint64_t)t->cluster.current_epoch > s->epoch)
            s->epoch = (uint64_t)t->cluster.current_epoch;
        if (t->missed > 0 || t->silent || t->cluster.state.len == 0)
            continue;
        if (s->cluster_state.len == 0 || str_is(s->cluster_state, "ok"))
            s->cluster_state = arena_str(&s->arena, t->cluster.state);
    }
}

static void take_identity(const struct monitor *m, struct snapshot *s)
{
    const struct topology *view = events_agreed(m->events);
    struct str ids[64];
    size_t count = 0;

    if (m->mode == REDIS_MODE_CLUSTER && view != NULL) {
        identity_from_topology(&s->identity, view);
    } else if (m->mode == REDIS_MODE_SENTINEL) {
        for (size_t i = 0; i < m->target_count; i++) {
            const struct target *t = m->targets[i];

            if (t->sentinel && t->info.run_id.len > 0 && count < COUNT_OF(ids))
                ids[count++] = t->info.run_id;
        }
        if (count > 0)
            identity_from_sentinel(&s->identity, str_from(m->master_name), ids, count);
    } else if (m->mode == REDIS_MODE_SINGLE && m->redis->seed_count > 0) {
        identity_from_address(&s->identity, str_from(m->redis->seeds[0].host),
                              m->redis->seeds[0].port);
    }
}

static void describe_trouble(const struct monitor *m, struct snapshot *s)
{
    struct buf text;

    buf_init(&text, 4096);
    for (size_t i = 0; i < m->target_count && text.len < 1500; i++) {
        const struct target *t = m->targets[i];
        bool names_itself = strstr(t->error, t->name) != NULL;

        if (t->error[0] == '\0')
            continue;
        buf_put(&text, "%s%s%s%s", text.len > 0 ? "; " : "", names_itself ? "" : t->name,
                names_itself ? "" : ": ", t->error);
    }
    s->trouble = arena_str(&s->arena, buf_str(&text));
    buf_release(&text);
}

/* Nothing answers now: still connecting, or lost? */
static enum monitor_state silent_state(const struct monitor *m, const struct snapshot *s)
{
    for (size_t i = 0; i < m->target_count; i++)
        if (m->targets[i]->answered_ms >= 0)
            return s->stale == s->node_count ? MONITOR_UNREACHABLE : MONITOR_DEGRADED;
    for (size_t i = 0; i < m->target_count; i++)
        if (m->targets[i]->missed == 0)
            return MONITOR_CONNECTING;
    return MONITOR_UNREACHABLE;
}

static bool is_failing(const struct snapshot *s)
{
    if (s->mode == REDIS_MODE_CLUSTER && !s->slots->known)
        return s->cluster_state.len > 0 && !str_is(s->cluster_state, "ok"); /* may not see slots */
    if (s->slots->known)
        return s->slots->uncovered > 0 || s->slots->fail > 0 ||
               (s->cluster_state.len > 0 && !str_is(s->cluster_state, "ok"));
    return s->shard_count == 0 || s->shards[0].primary == SNAPSHOT_NONE ||
           s->nodes[s->shards[0].primary].stale;
}

static void mark_warned(struct snapshot *s)
{
    for (size_t i = 0; i < s->finding_count; i++) {
        const struct finding *f = &s->findings[i];

        if (f->severity == HEALTH_INFO)
            continue;
        s->alerts++;
        if (f->node < s->node_count && s->nodes[f->node].state == MONITOR_NODE_OK)
            s->nodes[f->node].state = MONITOR_NODE_WARN;
    }
}

void build_state(const struct monitor *m, struct snapshot *s)
{
    bool connecting;

    s->views = events_observers(m->events, &s->views_agree);
    choose_version(s);
    take_cluster(m, s);
    take_identity(m, s);
    s->state = s->reachable > 0 ? MONITOR_OK : silent_state(m, s);
    if (s->state == MONITOR_UNREACHABLE || s->state == MONITOR_CONNECTING)
        describe_trouble(m, s);
    /* A first answer came, but not yet what the judgement needs. */
    connecting = s->state == MONITOR_OK && m->round < 2 &&
                 (m->mode == REDIS_MODE_AUTO ||
                  (m->mode == REDIS_MODE_CLUSTER ? !s->slots->known : s->shard_count == 0));
    if (connecting)
        s->state = MONITOR_CONNECTING;
    if (s->state != MONITOR_CONNECTING)
        s->finding_count = health_judge(s, &m->limits, &s->arena, &s->findings);
    mark_warned(s);
    if (s->state != MONITOR_OK && s->state != MONITOR_DEGRADED)
        return;
    if (is_failing(s))
        s->state = MONITOR_FAIL;
    else if (s->alerts > 0)
        s->state = MONITOR_DEGRADED;
}

/* ---- series ---- */

static double known(int64_t value)
{
    return value < 0 ? series_gap() : (double)value;
}

struct sample {
    double in, out, evicted, hits, misses, rtt;
    size_t nodes;
};

static void add_rates(const struct monitor *m, const struct snapshot *s, struct sample *sum)
{
    for (size_t i = 0; i < s->node_count; i++) {
        const struct monitor_node *n = &s->nodes[i];
        struct target *t = discover_find(m, n->id.ptr);

        if (t == NULL)
            continue;
        series_add(&t->ops, n->stale || !n->reachable ? series_gap() : known(n->ops_per_sec));
        if (!counts(s, n))
            continue;
        sum->in += t->in;
        sum->out += t->out;
        sum->evicted += t->evicted;
        sum->hits += t->hits;
        sum->misses += t->misses;
        if ((double)n->rtt_us > sum->rtt)
            sum->rtt = (double)n->rtt_us;
        sum->nodes++;
    }
}

void build_sample(struct monitor *m, const struct snapshot *s)
{
    struct sample sum = {0};
    double gap = series_gap();
    bool fresh = !s->stale_sums && s->reachable > 0;

    add_rates(m, s, &sum);
    fresh = fresh && sum.nodes > 0;
    series_add(&m->series[MONITOR_OPS], fresh ? known(s->ops_per_sec) : gap);
    series_add(&m->series[MONITOR_RTT_US], fresh && sum.rtt > 0 ? sum.rtt : gap);
    series_add(&m->series[MONITOR_HIT_PCT],
               fresh && sum.hits + sum.misses > 0 ? 100 * sum.hits / (sum.hits + sum.misses) : gap);
    series_add(&m->series[MONITOR_MEMORY_PCT],
               fresh && s->maxmemory > 0 ? 100 * known(s->memory) / (double)s->maxmemory : gap);
    series_add(&m->series[MONITOR_INPUT], fresh ? sum.in : gap);
    series_add(&m->series[MONITOR_OUTPUT], fresh ? sum.out : gap);
    series_add(&m->series[MONITOR_EVICTED], fresh ? sum.evicted : gap);
    series_add(&m->series[MONITOR_KEYS], fresh ? known(s->keys) : gap);
    series_add(&m->series[MONITOR_CLIENTS], fresh ? known(s->clients) : gap);
}
