#include "views/screens/nodes_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/escape.h"
#include "core/base/format.h"

/* What a cell function writes: the bare text; '~' is added by the caller. */
typedef void (*cell_fn)(const struct snapshot *s, const struct monitor_node *n,
                        struct nodes_text *out);

#define PUT(out, ...) ((void)snprintf((out)->text, sizeof((out)->text), __VA_ARGS__))

struct nodes_text nodes_model_count(int64_t n)
{
    struct nodes_text t = {.text = "?"};

    if (n >= 0)
        (void)format_count(t.text, sizeof(t.text), n);
    return t;
}

struct nodes_text nodes_model_short(int64_t n)
{
    struct nodes_text t = {.text = "?"};

    if (n >= 0)
        (void)format_count_short(t.text, sizeof(t.text), n);
    return t;
}

static void put_shard(const struct snapshot *s, const struct monitor_node *n,
                      struct nodes_text *out)
{
    PUT(out, "-");
    if (n->shard < s->shard_count) {
        (void)events_shard_name(out->text, s->shards[n->shard].number);
        out->role = theme_shard_role(s->shards[n->shard].number);
    }
}

struct nodes_text nodes_model_address(const struct snapshot *s, size_t row)
{
    struct nodes_text t = {.text = ""};

    (void)escape_text(t.text, sizeof(t.text), s->nodes[row].address);
    return t;
}

static void put_address(const struct snapshot *s, const struct monitor_node *n,
                        struct nodes_text *out)
{
    char address[80];

    (void)escape_text(address, sizeof(address), n->address);
    PUT(out, "%s%s", n->role == MONITOR_REPLICA && n->shard < s->shard_count ? "`- " : "", address);
}

static void put_role(const struct snapshot *s, const struct monitor_node *n, struct nodes_text *out)
{
    static const char *const names[] = {"?", "prim", "repl", "sent"};

    (void)s;
    PUT(out, "%s", names[n->role]);
}

static const struct {
    const char *text;
    enum role role;
} states[] = {
    [MONITOR_NODE_UNKNOWN] = {"?", ROLE_UNKNOWN},     [MONITOR_NODE_OK] = {"ok", ROLE_GOOD},
    [MONITOR_NODE_WARN] = {"WARN", ROLE_WARN},        [MONITOR_NODE_LOADING] = {"LOAD", ROLE_WARN},
    [MONITOR_NODE_SILENT] = {"SILENT", ROLE_UNKNOWN}, [MONITOR_NODE_DENIED] = {"DENIED", ROLE_BAD},
    [MONITOR_NODE_PFAIL] = {"PFAIL", ROLE_WARN},      [MONITOR_NODE_FAIL] = {"FAIL", ROLE_BAD},
};

static void put_state(const struct snapshot *s, const struct monitor_node *n,
                      struct nodes_text *out)
{
    (void)s;
    PUT(out, "%s", states[n->state].text);
    out->role = states[n->state].role;
}

static void put_slots(const struct snapshot *s, const struct monitor_node *n,
                      struct nodes_text *out)
{
    PUT(out, "-");
    if (s->slots->known && n->role == MONITOR_PRIMARY)
        PUT(out, "%u", (unsigned)n->slots);
}

static void put_number(struct nodes_text *out, int64_t value)
{
    PUT(out, "?");
    if (value >= 0)
        (void)format_count(out->text, sizeof(out->text), value);
}

static void put_keys(const struct snapshot *s, const struct monitor_node *n, struct nodes_text *out)
{
    (void)s;
    if (n->role == MONITOR_ROLE_SENTINEL)
        PUT(out, "-");
    else
        put_number(out, n->keys);
}

static void put_memory(const struct snapshot *s, const struct monitor_node *n,
                       struct nodes_text *out)
{
    char used[FORMAT_MAX];
    char most[FORMAT_MAX];

    (void)s;
    if (n->memory < 0)
        PUT(out, "?");
    else if (n->maxmemory > 0)
        PUT(out, "%s/%s", format_size_short(used, sizeof(used), n->memory),
            format_size_short(most, sizeof(most), n->maxmemory));
    else
        PUT(out, "%s", format_size_short(used, sizeof(used), n->memory));
}

static void put_percent(const struct snapshot *s, const struct monitor_node *n,
                        struct nodes_text *out)
{
    int64_t pct = n->memory >= 0 && n->maxmemory > 0 ? n->memory / (n->maxmemory / 100 + 1) : -1;

    (void)s;
    PUT(out, "-");
    if (pct >= 0)
        PUT(out, "%" PRId64, pct);
    if (pct >= 90)
        out->role = ROLE_WARN;
}

static void put_ops(const struct snapshot *s, const struct monitor_node *n, struct nodes_text *out)
{
    (void)s;
    *out = nodes_model_short(n->ops_per_sec);
}

static void put_clients(const struct snapshot *s, const struct monitor_node *n,
                        struct nodes_text *out)
{
    (void)s;
    put_number(out, n->clients);
}

/* "3s", "15m", "7h": never more than three columns. */
static struct nodes_text lag_time(int64_t ms)
{
    struct nodes_text t = {.text = "?"};
    int64_t s = (ms + 500) / 1000;

    if (ms >= 0 && s < 100)
        PUT(&t, "%" PRId64 "s", s);
    else if (ms >= 0 && s < 6000)
        PUT(&t, "%" PRId64 "m", s / 60);
    else if (ms >= 0)
        PUT(&t, "%" PRId64 "h", s / 3600 > 99 ? 99 : s / 3600);
    return t;
}

static void put_lag(const struct snapshot *s, const struct monitor_node *n, struct nodes_text *out)
{
    char size[FORMAT_MAX];

    (void)s;
    if (n->role != MONITOR_REPLICA) {
        PUT(out, "-");
        return;
    }
    if (n->lag_bytes < 0) {
        PUT(out, "?");
        out->role = ROLE_UNKNOWN;
        return;
    }
    PUT(out, "%s %.8s", format_size_short(size, sizeof(size), n->lag_bytes),
        lag_time(n->lag_ms).text);
    if (n->lag_ms > 10000 || n->lag_backlog_permille > 500)
        out->role = ROLE_WARN;
}

static void put_link(const struct snapshot *s, const struct monitor_node *n, struct nodes_text *out)
{
    (void)s;
    if (n->role != MONITOR_REPLICA || n->link_up < 0)
        PUT(out, "-");
    else
        PUT(out, "%s", n->link_up == 1 ? "up" : n->syncing ? "SYNC" : "DOWN");
    if (n->role == MONITOR_REPLICA && n->link_up == 0)
        out->role = ROLE_BAD;
}

/* Marks of what goes on: several are joined by commas. */
static void put_flags(const struct snapshot *s, const struct monitor_node *n,
                      struct nodes_text *out)
{
    const struct {
        bool on;
        const char *word;
    } marks[] = {
        {n->loading, "load"},
        {n->syncing, "sync"},
        {n->saving, "save"},
        {n->save_failed, "DISK"},
        {n->lag_ms > 10000, "lag"},
        {(n->flags & NODE_NOFAILOVER) != 0, "nofailover"},
        {s->slots->known && n->observers > 0 && n->answered_ms >= 0 && !n->stale && n->has_view &&
             !n->view_agrees,
         "view"},
        {n->error.len > 0 && !n->stale, "error"},
    };
    size_t len = 0;

    for (size_t i = 0; i < COUNT_OF(marks) && len + 16 < sizeof(out->text); i++) {
        if (marks[i].on)
            len += (size_t)snprintf(out->text + len, sizeof(out->text) - len, "%s%s",
                                    len > 0 ? "," : "", marks[i].word);
    }
    if (n->down_by + n->suspected_by > 0 && len + 24 < sizeof(out->text))
        len += (size_t)snprintf(out->text + len, sizeof(out->text) - len, "%sby %u/%u",
                                len > 0 ? "," : "", n->down_by + n->suspected_by, n->observers);
    if (len == 0)
        PUT(out, "-");
    else
        out->role = ROLE_WARN;
}

static void put_up(const struct snapshot *s, const struct monitor_node *n, struct nodes_text *out)
{
    int64_t up = n->uptime_s;

    (void)s;
    if (up < 0)
        PUT(out, "?");
    else if (up < 60)
        PUT(out, "%" PRId64 "s", up);
    else if (up < 3600)
        PUT(out, "%" PRId64 "m", up / 60);
    else if (up < 86400)
        PUT(out, "%" PRId64 "h", up / 3600);
    else
        PUT(out, "%" PRId64 "d", up / 86400);
}

static void put_epoch(const struct snapshot *s, const struct monitor_node *n,
                      struct nodes_text *out)
{
    (void)s;
    PUT(out, "%llu", (unsigned long long)n->epoch);
}

static void put_rtt(const struct snapshot *s, const struct monitor_node *n, struct nodes_text *out)
{
    (void)s;
    PUT(out, "?");
    if (n->rtt_us >= 0)
        PUT(out, "%.1f", (double)n->rtt_us / 1000.0);
}

static void put_version(const struct snapshot *s, const struct monitor_node *n,
                        struct nodes_text *out)
{
    char flavour[24];
    char version[32];

    (void)s;
    PUT(out, "%s %s", escape_text(flavour, sizeof(flavour), n->flavour),
        escape_text(version, sizeof(version), n->version));
}

static void put_id(const struct snapshot *s, const struct monitor_node *n, struct nodes_text *out)
{
    (void)s;
    (void)escape_text(out->text, sizeof(out->text), n->id);
}

static const struct {
    cell_fn put;
    bool ages; /* a value that gets old: '~' when the node does not answer */
} cells[NODES_COLUMNS] = {
    [NODES_SHARD] = {put_shard, false},     [NODES_ADDRESS] = {put_address, false},
    [NODES_ROLE] = {put_role, false},       [NODES_STATE] = {put_state, false},
    [NODES_SLOTS] = {put_slots, false},     [NODES_KEYS] = {put_keys, true},
    [NODES_MEMORY] = {put_memory, true},    [NODES_PERCENT] = {put_percent, true},
    [NODES_OPS] = {put_ops, true},          [NODES_CLIENTS] = {put_clients, true},
    [NODES_LAG] = {put_lag, true},          [NODES_LINK] = {put_link, true},
    [NODES_FLAGS] = {put_flags, false},     [NODES_UP] = {put_up, true},
    [NODES_EPOCH] = {put_epoch, false},     [NODES_RTT] = {put_rtt, true},
    [NODES_VERSION] = {put_version, false}, [NODES_ID] = {put_id, false},
};

struct nodes_text nodes_model_text(const struct snapshot *s, size_t row, enum nodes_column column)
{
    const struct monitor_node *n = &s->nodes[row];
    struct nodes_text bare = {.role = ROLE_TEXT};
    struct nodes_text out;

    cells[column].put(s, n, &bare);
    if (!n->stale || !cells[column].ages || strcmp(bare.text, "-") == 0 ||
        strcmp(bare.text, "?") == 0)
        return bare;
    out.role = ROLE_UNKNOWN;
    PUT(&out, "~%.90s", bare.text);
    return out;
}

/* ---- table ---- */

static const struct table_column columns[NODES_COLUMNS] = {
    [NODES_SHARD] = {"SH", 3, 0, 0, ALIGN_LEFT, false},
    [NODES_ADDRESS] = {"NODE", 18, 1, 0, ALIGN_LEFT, false},
    [NODES_ROLE] = {"ROLE", 4, 0, 0, ALIGN_LEFT, false},
    [NODES_STATE] = {"STATE", 6, 0, 0, ALIGN_LEFT, false},
    [NODES_SLOTS] = {"SLOTS", 5, 0, 1, ALIGN_RIGHT, false},
    [NODES_KEYS] = {"KEYS", 11, 0, 1, ALIGN_RIGHT, false},
    [NODES_MEMORY] = {"MEM/MAX", 11, 0, 9, ALIGN_RIGHT, false},
    [NODES_PERCENT] = {"%", 3, 0, 5, ALIGN_RIGHT, false},
    [NODES_OPS] = {"OPS/S", 6, 0, 6, ALIGN_RIGHT, false},
    [NODES_CLIENTS] = {"CLI", 5, 0, 8, ALIGN_RIGHT, false},
    [NODES_LAG] = {"LAG", 9, 0, 2, ALIGN_LEFT, false},
    [NODES_LINK] = {"LINK", 4, 0, 4, ALIGN_LEFT, false},
    [NODES_FLAGS] = {"FLAGS", 8, 0, 3, ALIGN_LEFT, false},
    [NODES_UP] = {"UP", 4, 0, 7, ALIGN_RIGHT, false},
    [NODES_EPOCH] = {"EPOCH", 6, 0, 10, ALIGN_RIGHT, true},
    [NODES_RTT] = {"RTT-MS", 6, 0, 10, ALIGN_RIGHT, true},
    [NODES_VERSION] = {"VERSION", 14, 0, 10, ALIGN_LEFT, true},
    [NODES_ID] = {"ID", 40, 0, 11, ALIGN_LEFT, true},
};

static size_t table_count(const void *model)
{
    const struct snapshot *s = model;

    return s->node_count;
}

static void table_cell(const void *model, size_t row, size_t column, struct table_cell *out)
{
    struct nodes_text t = nodes_model_text(model, row, (enum nodes_column)column);

    memcpy(out->scratch, t.text, sizeof(t.text));
    out->text = str_from(out->scratch);
    out->role = t.role;
}

static struct str table_id(const void *model, size_t row)
{
    const struct snapshot *s = model;

    return s->nodes[row].id;
}

static int64_t sort_value(const struct monitor_node *n, size_t column)
{
    switch (column) {
    case NODES_SHARD:
        return n->shard;
    case NODES_STATE:
        return -(int64_t)n->state; /* the worst first */
    case NODES_SLOTS:
        return n->slots;
    case NODES_KEYS:
        return n->keys;
    case NODES_MEMORY:
        return n->memory;
    case NODES_PERCENT:
        return n->maxmemory > 0 ? n->memory / (n->maxmemory / 100 + 1) : -1;
    case NODES_OPS:
        return n->ops_per_sec;
    case NODES_CLIENTS:
        return n->clients;
    case NODES_LAG:
        return n->lag_bytes;
    case NODES_UP:
        return n->uptime_s;
    case NODES_EPOCH:
        return (int64_t)n->epoch;
    case NODES_RTT:
        return n->rtt_us;
    default:
        return 0;
    }
}

static int table_compare(const void *model, size_t a, size_t b, size_t column)
{
    const struct snapshot *s = model;
    int64_t x = sort_value(&s->nodes[a], column);
    int64_t y = sort_value(&s->nodes[b], column);
    struct nodes_text p;
    struct nodes_text q;

    if (x != y)
        return x < y ? -1 : 1;
    p = nodes_model_text(s, a, (enum nodes_column)column);
    q = nodes_model_text(s, b, (enum nodes_column)column);
    if (x != 0)
        return 0;
    return strcmp(p.text, q.text);
}

static bool table_attached(const void *model, size_t row)
{
    const struct snapshot *s = model;
    const struct monitor_node *n = &s->nodes[row];

    return row > 0 && n->shard != SNAPSHOT_NONE && s->nodes[row - 1].shard == n->shard;
}

static void table_copy(const void *model, size_t row, struct buf *out)
{
    buf_put(out, "%s", nodes_model_address(model, row).text);
}

const struct table_ops nodes_table_ops = {
    .columns = columns,
    .columns_count = NODES_COLUMNS,
    .count = table_count,
    .cell = table_cell,
    .id = table_id,
    .compare = table_compare,
    .attached = table_attached,
    .copy = table_copy,
    .empty = "no node has answered yet",
};
