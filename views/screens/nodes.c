#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/escape.h"
#include "core/base/format.h"
#include "tui/spark.h"
#include "views/app.h"
#include "views/registry.h"
#include "views/screens/cluster_json.h"
#include "views/screens/cluster_text.h"
#include "views/screens/nodes_model.h"

/* Every column of every node, and beside or below it everything about the selected one. */

#define DETAIL_WIDTH 56
#define DETAIL_HEIGHT 11

struct nodes_state {
    struct app *app;
    struct snapshot *snapshot; /* a reference */
    struct table table;
};

static void update(void *state)
{
    struct nodes_state *s = state;
    struct snapshot *before = s->snapshot;

    s->snapshot = snapshot_ref(s->app->snapshot);
    table_sync(&s->table, s->snapshot);
    snapshot_unref(before);
}

static bool open_nodes(void *state, const struct view_context *at, struct error *err UNUSED)
{
    struct nodes_state *s = state;

    s->app = at->app;
    s->snapshot = snapshot_ref(s->app->snapshot);
    table_init(&s->table, &nodes_table_ops, s->snapshot, -1);
    if (at->arg[0] != '\0') {
        uint16_t node = snapshot_find(s->snapshot, str_from(at->arg));

        if (node != SNAPSHOT_NONE)
            (void)table_select_id(&s->table, s->snapshot->nodes[node].id);
    }
    return true;
}

static void close_nodes(void *state)
{
    struct nodes_state *s = state;

    table_release(&s->table);
    snapshot_unref(s->snapshot);
}

/* ---- details ---- */

typedef void (*detail_fn)(const struct nodes_state *s, const struct monitor_node *n, char *out,
                          size_t size);

static void escaped(char *out, size_t size, struct str value)
{
    (void)escape_text(out, size, value.len > 0 ? value : STR("-"));
}

static void put_id(const struct nodes_state *s UNUSED, const struct monitor_node *n, char *out,
                   size_t size)
{
    escaped(out, size, n->id);
}

static void put_name(const struct nodes_state *s UNUSED, const struct monitor_node *n, char *out,
                     size_t size)
{
    escaped(out, size, n->hostname);
}

static void put_run(const struct nodes_state *s UNUSED, const struct monitor_node *n, char *out,
                    size_t size)
{
    escaped(out, size, n->run_id);
}

static void put_answer(const struct nodes_state *s, const struct monitor_node *n, char *out,
                       size_t size)
{
    int64_t age = snapshot_node_age(n, s->app->now_mono);
    char text[FORMAT_MAX];
    char why[120];

    if (age < 0)
        (void)snprintf(out, size, "never: %s", escape_text(why, sizeof(why), n->error));
    else if (n->stale)
        (void)snprintf(out, size, "%s ago, now %s", format_duration(text, sizeof(text), age),
                       n->error.len > 0 ? escape_text(why, sizeof(why), n->error) : "silent");
    else
        (void)snprintf(out, size, "%s ago, in %.1f ms", format_duration(text, sizeof(text), age),
                       (double)n->rtt_us / 1000.0);
}

static void put_seen(const struct nodes_state *s UNUSED, const struct monitor_node *n, char *out,
                     size_t size)
{
    (void)snprintf(out, size, "PFAIL by %u, FAIL by %u of %u; its view %s", n->suspected_by,
                   n->down_by, n->observers,
                   !n->has_view     ? "is not known yet"
                   : n->view_agrees ? "agrees"
                                    : "does not agree");
}

static void put_slots(const struct nodes_state *s, const struct monitor_node *n, char *out,
                      size_t size)
{
    struct slot_set set;
    struct error ignored;
    struct buf ranges;

    snapshot_slots_of(s->snapshot, (uint16_t)(n - s->snapshot->nodes), &set);
    buf_init(&ranges, 400);
    if (!slot_set_format(&set, 4, &ranges, &ignored))
        buf_clear(&ranges);
    (void)snprintf(out, size, "%u: %s", (unsigned)n->slots, ranges.data);
    buf_release(&ranges);
}

static void put_keys(const struct nodes_state *s UNUSED, const struct monitor_node *n, char *out,
                     size_t size)
{
    (void)snprintf(out, size, "%s, %s with TTL (%s)", nodes_model_count(n->keys).text,
                   nodes_model_count(n->keys_expiring).text,
                   monitor_keys_source_name(n->keys_source));
}

static void put_memory(const struct nodes_state *s UNUSED, const struct monitor_node *n, char *out,
                       size_t size)
{
    char used[FORMAT_MAX];
    char rss[FORMAT_MAX];
    char most[FORMAT_MAX];
    char policy[40];

    (void)snprintf(out, size, "%s, rss %s, max %s, %s", format_size(used, sizeof(used), n->memory),
                   format_size(rss, sizeof(rss), n->memory_rss),
                   n->maxmemory == 0 ? "none" : format_size(most, sizeof(most), n->maxmemory),
                   escape_text(policy, sizeof(policy), n->maxmemory_policy));
}

static void put_replication(const struct nodes_state *s, const struct monitor_node *n, char *out,
                            size_t size)
{
    char primary[80] = "?";
    char backlog[FORMAT_MAX];

    if (n->role != MONITOR_REPLICA) {
        (void)snprintf(out, size, "offset %s, %" PRId64 " replica%s, backlog %s",
                       nodes_model_count(n->offset).text, n->connected_replicas,
                       n->connected_replicas == 1 ? "" : "s",
                       format_size(backlog, sizeof(backlog), n->backlog_size));
        return;
    }
    if (n->primary < s->snapshot->node_count)
        (void)escape_text(primary, sizeof(primary), s->snapshot->nodes[n->primary].address);
    (void)snprintf(out, size, "of %s, %s, lag %s", primary,
                   n->link_up == 1 ? "link up" : "link DOWN",
                   nodes_model_text(s->snapshot, (size_t)(n - s->snapshot->nodes), NODES_LAG).text);
    if (n->lag_backlog_permille >= 0) {
        size_t len = strlen(out);

        (void)snprintf(out + len, size - len, " (%.1f%% of backlog)",
                       (double)n->lag_backlog_permille / 10.0);
    }
}

static void put_disk(const struct nodes_state *s, const struct monitor_node *n, char *out,
                     size_t size)
{
    char age[FORMAT_MAX];
    int64_t since = n->last_save_s > 0 ? s->app->now_real - n->last_save_s * 1000 : -1;

    (void)snprintf(out, size, "%s, last save %s ago, %s changes, AOF %s%s",
                   n->save_failed ? "FAILED" : "ok",
                   since < 0 ? "?" : format_duration(age, sizeof(age), since),
                   nodes_model_count(n->changes_since_save).text, n->aof_enabled ? "on" : "off",
                   n->saving ? ", saving now" : "");
}

static void put_clients(const struct nodes_state *s UNUSED, const struct monitor_node *n, char *out,
                        size_t size)
{
    (void)snprintf(out, size, "%s of %s, %s blocked, %s rejected",
                   nodes_model_count(n->clients).text, nodes_model_count(n->maxclients).text,
                   nodes_model_count(n->blocked_clients).text,
                   nodes_model_count(n->rejected_connections).text);
}

static const struct {
    const char *label;
    detail_fn put;
} details[] = {
    {"answered", put_answer}, {"id", put_id},           {"name", put_name},
    {"run id", put_run},      {"seen", put_seen},       {"slots", put_slots},
    {"keys", put_keys},       {"memory", put_memory},   {"replication", put_replication},
    {"saves", put_disk},      {"clients", put_clients},
};

static void draw_findings(const struct nodes_state *s, struct canvas *c, struct rect at,
                          uint16_t node)
{
    for (size_t i = 0; i < s->snapshot->finding_count && at.h > 0; i++) {
        const struct finding *f = &s->snapshot->findings[i];

        if (f->node != node)
            continue;
        (void)canvas_format(c, rect_take_top(&at, 1),
                            f->severity == HEALTH_CRIT ? ROLE_BAD : ROLE_WARN, "%s: %s",
                            health_severity_name(f->severity), f->text);
        (void)canvas_format(c, rect_take_top(&at, 1), ROLE_DIM, "  %s", f->advice);
    }
}

static void draw_detail(const struct nodes_state *s, struct canvas *c, struct rect at)
{
    size_t row;
    const struct monitor_node *n;
    char title[120];
    struct rect in;
    double values[SERIES_MAX];
    struct rect line;

    if (!table_selected(&s->table, &row)) {
        (void)canvas_box(c, at, ROLE_BORDER, "Node", NULL);
        return;
    }
    n = &s->snapshot->nodes[row];
    (void)escape_text(title, sizeof(title), n->address);
    in = canvas_box(c, at, ROLE_BORDER, title, NULL);
    for (size_t i = 0; i < COUNT_OF(details) && in.h > 0; i++) {
        char text[300];

        line = rect_take_top(&in, 1);
        details[i].put(s, n, text, sizeof(text));
        (void)canvas_print(c, rect_take_left(&line, 12), ROLE_TITLE, details[i].label);
        (void)canvas_print(c, line, n->stale ? ROLE_UNKNOWN : ROLE_TEXT, text);
    }
    line = rect_take_top(&in, 1);
    (void)canvas_print(c, rect_take_left(&line, 12), ROLE_TITLE, "ops/s");
    series_cells(&n->ops, 0, values, SERIES_MAX);
    spark_draw(c, line, ROLE_BAR, SPARK_AUTO, values, SERIES_MAX, 0);
    draw_findings(s, c, in, (uint16_t)row);
}

static void draw(const void *state, struct canvas *c, struct rect at, enum view_layout layout)
{
    const struct nodes_state *s = state;
    struct rect detail = {0, 0, 0, 0};
    char status[160];
    char title[200];

    if (layout == LAYOUT_FULL)
        detail = rect_take_bottom(&at, DETAIL_HEIGHT + 6);
    else if (layout == LAYOUT_STACKED)
        detail = rect_take_bottom(&at, DETAIL_HEIGHT);
    (void)snprintf(title, sizeof(title), "Nodes  %s",
                   table_status(&s->table, status, sizeof(status)));
    table_draw(&s->table, c, canvas_box(c, at, ROLE_FOCUS, title, "w all columns"), true);
    if (!rect_is_empty(detail))
        draw_detail(s, c, detail);
}

static const char *no_node(const void *state)
{
    const struct nodes_state *s = state;
    size_t row;

    return table_selected(&s->table, &row) ? NULL : "no node selected";
}

/* All of it in a window that scrolls: for terminals where the pane below is too small. */
static bool describe(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct nodes_state *s = state;
    struct buf text;
    size_t row;

    if (!table_selected(&s->table, &row))
        return true;
    buf_init(&text, (size_t)1 << 20);
    for (size_t i = 0; i < COUNT_OF(details); i++) {
        char value[300];

        details[i].put(s, &s->snapshot->nodes[row], value, sizeof(value));
        buf_put(&text, "%-12s%s\n", details[i].label, value);
    }
    for (size_t i = 0; i < s->snapshot->finding_count; i++) {
        const struct finding *f = &s->snapshot->findings[i];

        if (f->node == row)
            buf_put(&text, "\n%s: %s\n  %s\n", health_severity_name(f->severity), f->text,
                    f->advice);
    }
    ui_text(s->app->ui, nodes_model_address(s->snapshot, row).text, buf_str(&text));
    buf_release(&text);
    return true;
}

static const struct action actions[] = {
    {"nodes.describe", "Enter i d", "Details", "Everything about the selected node in a window.",
     .command = "describe", .flags = ACTION_FOOTER, .blocked = no_node, .run = describe},
    {0},
};

static struct widget *focus(void *state)
{
    return &((struct nodes_state *)state)->table.widget;
}

static bool back(void *state)
{
    return table_back(&((struct nodes_state *)state)->table);
}

static bool save(void *state, bool json, char **text, struct error *err UNUSED)
{
    struct nodes_state *s = state;
    json_t *doc;

    if (!json) {
        *text = cluster_screen_text(&nodes_view, state);
        return true;
    }
    doc = json_object();
    (void)json_object_set_new(doc, "nodes", cluster_nodes_json(s->snapshot));
    *text = cluster_json_text(doc, true);
    return true;
}

const struct view_ops nodes_view = {
    .id = "nodes",
    .title = "Nodes",
    .help = "One row per node, and everything known about the selected one. < and > choose the "
            "column to sort by, / filters.",
    .state_size = sizeof(struct nodes_state),
    .actions = actions,
    .open = open_nodes,
    .close = close_nodes,
    .update = update,
    .draw = draw,
    .focus = focus,
    .back = back,
    .save = save,
};
