#include "views/screens/cluster_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/escape.h"
#include "core/base/format.h"
#include "views/screens/nodes_model.h"

#define PUT(line, ...) ((void)snprintf((line).text, sizeof((line).text), __VA_ARGS__))

enum role cluster_state_role(enum monitor_state state)
{
    static const enum role roles[] = {[MONITOR_CONNECTING] = ROLE_UNKNOWN,
                                      [MONITOR_OK] = ROLE_GOOD,
                                      [MONITOR_DEGRADED] = ROLE_WARN,
                                      [MONITOR_FAIL] = ROLE_BAD,
                                      [MONITOR_UNREACHABLE] = ROLE_BAD};

    return roles[state];
}

bool cluster_map_is_old(const struct snapshot *s)
{
    return s->slots->known && s->views == 0;
}

static void memory_text(const struct snapshot *s, char *out, size_t size)
{
    char used[FORMAT_MAX];
    char most[FORMAT_MAX];

    if (s->memory < 0)
        (void)snprintf(out, size, "?");
    else if (s->maxmemory > 0)
        (void)snprintf(out, size, "%s/%s %" PRId64 "%%",
                       format_size_short(used, sizeof(used), s->memory),
                       format_size_short(most, sizeof(most), s->maxmemory),
                       s->memory / (s->maxmemory / 100 + 1));
    else
        (void)snprintf(out, size, "%s", format_size_short(used, sizeof(used), s->memory));
}

static void slots_text(const struct snapshot *s, bool wide, char *out, size_t size)
{
    const struct monitor_slots *w = s->slots;
    const char *old = cluster_map_is_old(s) ? "~" : "";

    if (!w->known)
        (void)snprintf(out, size, "-");
    else if (wide)
        (void)snprintf(out, size, "%s%u/%d ok, %u pfail, %u fail, %u open%s", old, (unsigned)w->ok,
                       SLOT_COUNT, (unsigned)w->pfail, (unsigned)(w->fail + w->uncovered),
                       (unsigned)w->open, w->disputed > 0 ? ", DISPUTED" : "");
    else
        (void)snprintf(out, size, "%s%u/%d", old, (unsigned)w->ok, SLOT_COUNT);
}

struct cluster_line cluster_state_line(const struct snapshot *s, bool wide)
{
    struct cluster_line l = {.role = cluster_state_role(s->state)};
    struct nodes_text keys = nodes_model_short(s->keys);
    struct nodes_text ops = nodes_model_short(s->ops_per_sec);
    const char *old = s->stale_sums ? "~" : "";
    char slots[80];
    char memory[60];

    slots_text(s, wide, slots, sizeof(slots));
    memory_text(s, memory, sizeof(memory));
    PUT(l,
        wide ? " STATE %s   SLOTS %s   NODES %zu/%zu   KEYS %s%s   MEM %s%s   OPS %s%s/s"
             : " %s  slots %s  nodes %zu/%zu  keys %s%s  mem %s%s  %s%s op/s",
        monitor_state_name(s->state), slots, s->reachable, s->node_count, old, keys.text, old,
        memory, old, ops.text);
    return l;
}

struct cluster_line cluster_warning(const struct snapshot *s, int64_t now_mono_ms)
{
    struct cluster_line l = {.role = ROLE_BAD};
    char why[160];
    char age[FORMAT_MAX];
    int64_t newest = -1;

    if (s->state == MONITOR_CONNECTING) {
        l.role = ROLE_UNKNOWN;
        PUT(l, " connecting ...");
        return l;
    }
    if (s->state != MONITOR_UNREACHABLE && s->stale * 2 <= s->node_count)
        return l;
    for (size_t i = 0; i < s->node_count; i++) {
        int64_t at = s->nodes[i].answered_ms;

        if (s->nodes[i].stale && at > newest)
            newest = at;
    }
    if (newest < 0)
        PUT(l, " NO ANSWER from any node: %s", escape_text(why, sizeof(why), s->trouble));
    else
        PUT(l,
            " NO ANSWER from %zu/%zu nodes for %s. Old values are shown with ~ (r tries now)%s%s",
            s->stale, s->node_count, format_duration(age, sizeof(age), now_mono_ms - newest),
            s->trouble.len > 0 ? ". " : "", escape_text(why, sizeof(why), s->trouble));
    return l;
}

static struct nodes_text keys_per_slot(const struct monitor_shard *shard)
{
    struct nodes_text t = {.text = "?"};

    if (shard->slots == 0)
        PUT(t, "-");
    else if (shard->keys >= 0 && shard->keys < 10 * (int64_t)shard->slots)
        PUT(t, "%.1f", (double)shard->keys / (double)shard->slots);
    else if (shard->keys >= 0)
        t = nodes_model_count(shard->keys / shard->slots);
    return t;
}

bool cluster_coverage_line(const struct snapshot *s, size_t row, struct cluster_line *out)
{
    const struct monitor_shard *shard;
    char name[8];
    const char *word = "";

    out->role = ROLE_TEXT;
    if (row == 0) {
        out->role = ROLE_TITLE;
        PUT(*out, "SHARD  SLOTS        KEYS  KEYS/SLOT");
        return true;
    }
    if (row > s->shard_count)
        return false;
    shard = &s->shards[row - 1];
    if (shard->primary == SNAPSHOT_NONE) {
        word = "  NO PRIMARY";
        out->role = ROLE_BAD;
    } else if (s->nodes[shard->primary].state == MONITOR_NODE_FAIL) {
        word = "  FAIL";
        out->role = ROLE_BAD;
    } else if (s->nodes[shard->primary].state == MONITOR_NODE_PFAIL) {
        word = "  PFAIL";
        out->role = ROLE_WARN;
    }
    PUT(*out, "%-5s %s%5u %11s %10s%s", events_shard_name(name, shard->number),
        cluster_map_is_old(s) ? "~" : " ", (unsigned)shard->slots,
        shard->primary < s->node_count ? nodes_model_text(s, shard->primary, NODES_KEYS).text
                                       : nodes_model_count(shard->keys).text,
        keys_per_slot(shard).text, word);
    return true;
}

struct cluster_line cluster_agreement(const struct snapshot *s)
{
    struct cluster_line l = {.role = s->views_agree == s->views ? ROLE_TEXT : ROLE_WARN};

    if (s->views == 0) {
        l.role = ROLE_UNKNOWN;
        PUT(l, "no node tells its view now: this is old");
        return l;
    }
    PUT(l, "view agree: %zu/%zu   open slots: %u", s->views_agree, s->views,
        (unsigned)s->slots->open);
    return l;
}

bool cluster_sentinel_line(const struct snapshot *s, size_t row, struct cluster_line *out)
{
    const struct monitor_sentinel *w;
    char address[40];
    char primary[40];

    out->role = ROLE_TEXT;
    if (row == 0) {
        out->role = ROLE_TITLE;
        PUT(*out, "%-22s %-22s QUORUM OTHERS EPOCH  FLAGS", "SENTINEL", "NAMES AS PRIMARY");
        return true;
    }
    if (row > s->sentinel_count)
        return false;
    w = &s->sentinels[row - 1];
    if (w->sdown || w->odown || w->tilt)
        out->role = ROLE_WARN;
    PUT(*out, "%-22s %-22s %6" PRId64 " %6" PRId64 " %5" PRId64 "  %s%s%s%s",
        escape_text(address, sizeof(address), s->nodes[w->node].address),
        escape_text(primary, sizeof(primary), w->primary), w->quorum, w->known_sentinels,
        w->config_epoch, w->sdown ? "sdown " : "", w->odown ? "odown " : "",
        w->failover ? "failover " : "", w->tilt ? "TILT" : "");
    return true;
}

static void number(char *out, size_t size, double value)
{
    if (series_is_gap(value))
        (void)snprintf(out, size, "?");
    else
        (void)format_count_short(out, size, (int64_t)(value + 0.5));
}

static void bytes(char *out, size_t size, double value)
{
    if (series_is_gap(value))
        (void)snprintf(out, size, "?");
    else
        (void)format_size_short(out, size, (int64_t)value);
}

static void tenths(char *out, size_t size, double value)
{
    if (series_is_gap(value))
        (void)snprintf(out, size, "-");
    else
        (void)snprintf(out, size, "%.1f", value);
}

static void milliseconds(char *out, size_t size, double value)
{
    tenths(out, size, series_is_gap(value) ? value : value / 1000.0);
}

static const struct {
    const char *label;
    enum monitor_series series;
    void (*format)(char *out, size_t size, double value);
} trends[] = {
    {"ops/s", MONITOR_OPS, number},       {"answer ms", MONITOR_RTT_US, milliseconds},
    {"hit %", MONITOR_HIT_PCT, tenths},   {"mem %", MONITOR_MEMORY_PCT, tenths},
    {"net in/s", MONITOR_INPUT, bytes},   {"net out/s", MONITOR_OUTPUT, bytes},
    {"evict/s", MONITOR_EVICTED, number}, {"keys", MONITOR_KEYS, number},
};

bool cluster_trend_row(const struct snapshot *s, size_t row, struct cluster_trend *out)
{
    if (row >= COUNT_OF(trends))
        return false;
    out->label = trends[row].label;
    out->series = trends[row].series;
    trends[row].format(out->value, sizeof(out->value), series_last(&s->series[trends[row].series]));
    return true;
}

struct cluster_line cluster_worst(const struct snapshot *s)
{
    static const enum role roles[] = {
        [HEALTH_INFO] = ROLE_TEXT, [HEALTH_WARN] = ROLE_WARN, [HEALTH_CRIT] = ROLE_BAD};
    struct cluster_line l = {.text = "no alert", .role = ROLE_GOOD};
    char address[100] = "";

    if (s->finding_count == 0)
        return l;
    if (s->findings[0].node < s->node_count)
        (void)escape_text(address, sizeof(address), s->nodes[s->findings[0].node].address);
    l.role = roles[s->findings[0].severity];
    PUT(l, "%s%s%s", address, address[0] == '\0' ? "" : " ", s->findings[0].text);
    return l;
}
