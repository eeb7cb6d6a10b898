#include "views/screens/cluster_json.h"

#include "core/base/format.h"
#include "core/base/json.h"

#define TEXT_MAX ((size_t)64 << 20)

static void put_known(json_t *doc, const char *name, int64_t value)
{
    if (value < 0)
        json_put(doc, name, json_null());
    else
        json_put_int(doc, name, value);
}

static void put_shown(json_t *doc, const char *name, struct str value)
{
    if (value.len == 0)
        json_put(doc, name, json_null());
    else
        json_put_str(doc, name, value);
}

static void put_address(json_t *doc, const char *name, const struct snapshot *s, uint16_t node)
{
    if (node >= s->node_count)
        json_put(doc, name, json_null());
    else
        json_put_str(doc, name, s->nodes[node].address);
}

static void put_shard(json_t *doc, const struct snapshot *s, uint16_t shard)
{
    char name[8];

    if (shard >= s->shard_count)
        json_put(doc, "shard", json_null());
    else
        json_put_text(doc, "shard", events_shard_name(name, s->shards[shard].number));
}

static void put_ranges(json_t *doc, const char *name, const struct slot_set *set)
{
    struct error ignored;
    struct buf text;

    buf_init(&text, TEXT_MAX);
    if (slot_set_count(set) == 0 || !slot_set_format(set, 0, &text, &ignored))
        buf_clear(&text);
    json_put_text(doc, name, text.data);
    buf_release(&text);
}

static void put_replication(json_t *doc, const struct snapshot *s, const struct monitor_node *n)
{
    if (n->role != MONITOR_REPLICA)
        return;
    put_address(doc, "primary", s, n->primary);
    json_put_text(doc, "link", n->link_up < 0 ? "unknown" : n->link_up == 1 ? "up" : "down");
    put_known(doc, "lag_bytes", n->lag_bytes);
    put_known(doc, "lag_ms", n->lag_ms);
    put_known(doc, "lag_backlog_permille", n->lag_backlog_permille);
}

static void put_numbers(json_t *doc, const struct monitor_node *n)
{
    put_known(doc, "keys", n->keys);
    json_put_text(doc, "keys_source", monitor_keys_source_name(n->keys_source));
    put_known(doc, "keys_expiring", n->keys_expiring);
    put_known(doc, "memory", n->memory);
    put_known(doc, "maxmemory", n->maxmemory);
    put_known(doc, "ops_per_sec", n->ops_per_sec);
    put_known(doc, "clients", n->clients);
    put_known(doc, "uptime_s", n->uptime_s);
    put_known(doc, "offset", n->offset);
    json_put_flag(doc, "loading", n->loading);
    json_put_flag(doc, "saving", n->saving);
    json_put_flag(doc, "save_failed", n->save_failed);
    put_known(doc, "last_save_s", n->last_save_s);
}

static json_t *node_json(const struct snapshot *s, const struct monitor_node *n)
{
    json_t *doc = json_object();

    json_put_str(doc, "id", n->id);
    json_put_str(doc, "address", n->address);
    put_shown(doc, "hostname", n->hostname);
    put_shard(doc, s, n->shard);
    json_put_text(doc, "role", monitor_role_name(n->role));
    json_put_text(doc, "state", monitor_node_state_name(n->state));
    json_put_flag(doc, "reachable", n->reachable);
    json_put_flag(doc, "stale", n->stale);
    put_known(doc, "age_ms", snapshot_node_age(n, s->taken_ms));
    put_known(doc, "rtt_us", n->rtt_us);
    put_shown(doc, "error", n->error);
    json_put_int(doc, "suspected_by", n->suspected_by);
    json_put_int(doc, "down_by", n->down_by);
    json_put_int(doc, "observers", n->observers);
    if (n->has_view)
        json_put_flag(doc, "view_agrees", n->view_agrees);
    else
        json_put(doc, "view_agrees", json_null());
    json_put_int(doc, "epoch", (int64_t)n->epoch);
    json_put_int(doc, "slots", n->slots);
    put_shown(doc, "flavour", n->flavour);
    put_shown(doc, "version", n->version);
    put_shown(doc, "run_id", n->run_id);
    put_numbers(doc, n);
    put_replication(doc, s, n);
    return doc;
}

json_t *cluster_nodes_json(const struct snapshot *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->node_count; i++)
        json_push(list, node_json(s, &s->nodes[i]));
    return list;
}

json_t *cluster_findings_json(const struct snapshot *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->finding_count; i++) {
        const struct finding *f = &s->findings[i];
        json_t *doc = json_object();

        json_put_text(doc, "severity", health_severity_name(f->severity));
        json_put_text(doc, "rule", f->rule);
        put_address(doc, "node", s, f->node);
        json_put_text(doc, "text", f->text);
        json_put_text(doc, "advice", f->advice);
        json_push(list, doc);
    }
    return list;
}

json_t *cluster_events_json(const struct event *events, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_push(list, event_to_json(&events[i]));
    return list;
}

static json_t *slot_counts(const struct snapshot *s)
{
    json_t *doc = json_object();

    json_put_int(doc, "ok", s->slots->ok);
    json_put_int(doc, "uncovered", s->slots->uncovered);
    json_put_int(doc, "pfail", s->slots->pfail);
    json_put_int(doc, "fail", s->slots->fail);
    json_put_int(doc, "open", s->slots->open);
    json_put_int(doc, "disputed", s->slots->disputed);
    return doc;
}

static json_t *shards_json(const struct snapshot *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->shard_count; i++) {
        const struct monitor_shard *shard = &s->shards[i];
        json_t *doc = json_object();
        struct slot_set set;

        put_shard(doc, s, (uint16_t)i);
        put_address(doc, "primary", s, shard->primary);
        json_put_int(doc, "nodes", shard->node_count);
        json_put_int(doc, "slots", shard->slots);
        snapshot_slots_of(s, shard->primary, &set);
        put_ranges(doc, "ranges", &set);
        put_known(doc, "keys", shard->keys);
        json_push(list, doc);
    }
    return list;
}

static json_t *sentinels_json(const struct snapshot *s)
{
    json_t *list = json_array();

    for (size_t i = 0; i < s->sentinel_count; i++) {
        const struct monitor_sentinel *w = &s->sentinels[i];
        json_t *doc = json_object();

        put_address(doc, "address", s, w->node);
        put_shown(doc, "primary", w->primary);
        put_known(doc, "quorum", w->quorum);
        put_known(doc, "known_sentinels", w->known_sentinels);
        put_known(doc, "known_replicas", w->known_replicas);
        put_known(doc, "config_epoch", w->config_epoch);
        json_put_flag(doc, "sdown", w->sdown);
        json_put_flag(doc, "odown", w->odown);
        json_put_flag(doc, "failover", w->failover);
        json_put_flag(doc, "tilt", w->tilt);
        json_push(list, doc);
    }
    return list;
}

json_t *cluster_slots_json(const struct snapshot *s)
{
    static const struct {
        const char *name;
        unsigned state;
    } states[] = {{"uncovered", SLOT_UNCOVERED}, {"pfail", SLOT_PFAIL},
                  {"fail", SLOT_FAIL},           {"migrating", SLOT_MIGRATING},
                  {"importing", SLOT_IMPORTING}, {"disputed", SLOT_DISPUTED}};
    json_t *doc = json_object();
    json_t *ranges = json_object();

    json_put(doc, "counts", slot_counts(s));
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        struct slot_set set;

        (void)snapshot_slots_in(s, states[i].state, &set);
        put_ranges(ranges, states[i].name, &set);
    }
    json_put(doc, "ranges", ranges);
    json_put(doc, "shards", shards_json(s));
    json_put_int(doc, "views", (int64_t)s->views);
    json_put_int(doc, "views_agree", (int64_t)s->views_agree);
    return doc;
}

json_t *cluster_status_json(const struct snapshot *s)
{
    json_t *doc = json_object();
    char time[FORMAT_MAX];

    json_put_int(doc, "v", 1);
    json_put_text(doc, "time", format_rfc3339_ms(time, sizeof(time), s->real_ms));
    json_put_text(doc, "mode", redis_mode_name(s->mode));
    json_put_text(doc, "state", monitor_state_name(s->state));
    put_shown(doc, "cluster_state", s->cluster_state);
    put_shown(doc, "flavour", s->flavour);
    put_shown(doc, "version", s->version);
    json_put_flag(doc, "mixed_versions", s->mixed_versions);
    json_put_int(doc, "epoch", (int64_t)s->epoch);
    json_put(doc, "identity", identity_to_json(&s->identity));
    json_put_int(doc, "nodes_known", (int64_t)s->node_count);
    json_put_int(doc, "nodes_reachable", (int64_t)s->reachable);
    json_put_int(doc, "nodes_stale", (int64_t)s->stale);
    put_known(doc, "keys", s->keys);
    put_known(doc, "memory", s->memory);
    put_known(doc, "maxmemory", s->maxmemory);
    put_known(doc, "ops_per_sec", s->ops_per_sec);
    put_known(doc, "data_age_ms", s->data_age_ms);
    if (s->slots->known)
        json_put(doc, "slots", slot_counts(s));
    json_put_int(doc, "views", (int64_t)s->views);
    json_put_int(doc, "views_agree", (int64_t)s->views_agree);
    json_put(doc, "shards", shards_json(s));
    if (s->sentinel_count > 0)
        json_put(doc, "sentinels", sentinels_json(s));
    json_put(doc, "nodes", cluster_nodes_json(s));
    json_put(doc, "findings", cluster_findings_json(s));
    return doc;
}

char *cluster_json_text(json_t *doc, bool pretty)
{
    struct error ignored;
    struct buf text;

    buf_init(&text, TEXT_MAX);
    if (!json_print(doc, pretty, &text, &ignored))
        buf_clear(&text);
    json_decref(doc);
    return buf_take(&text, NULL);
}
