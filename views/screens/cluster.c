#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/format.h"
#include "tui/spark.h"
#include "views/app.h"
#include "views/registry.h"
#include "views/screens/cluster_json.h"
#include "views/screens/cluster_model.h"
#include "views/screens/cluster_text.h"
#include "views/screens/events_model.h"
#include "views/screens/nodes_model.h"
#include "views/screens/slots_model.h"

/* The first screen: who is there, what is served, what happened. */

#define MAP_ROWS 9     /* the map's four rows, ruler, legend and frame */
#define EVENTS_LEAST 6 /* rows of the events pane with its frame */
#define RIGHT_WIDTH 44 /* coverage and trend */

struct cluster_state {
    struct app *app;
    struct snapshot *snapshot; /* a reference */
    struct table table;
    struct slots_model map;
};

static void update(void *state)
{
    struct cluster_state *s = state;
    struct snapshot *before = s->snapshot;

    s->snapshot = snapshot_ref(s->app->snapshot);
    slots_model_fill(&s->map, s->snapshot);
    table_sync(&s->table, s->snapshot);
    snapshot_unref(before);
}

static bool open_cluster(void *state, const struct view_context *at, struct error *err UNUSED)
{
    struct cluster_state *s = state;

    s->app = at->app;
    s->snapshot = snapshot_ref(s->app->snapshot);
    slots_model_fill(&s->map, s->snapshot);
    table_init(&s->table, &nodes_table_ops, s->snapshot, -1);
    return true;
}

static void close_cluster(void *state)
{
    struct cluster_state *s = state;

    table_release(&s->table);
    snapshot_unref(s->snapshot);
}

/* ---- panes ---- */

static void draw_line(struct canvas *c, struct rect at, const struct cluster_line *l)
{
    (void)canvas_print(c, at, l->role, l->text);
}

static void draw_topology(const struct cluster_state *s, struct canvas *c, struct rect at)
{
    char status[160];
    char title[200];

    (void)snprintf(title, sizeof(title), "Topology  %s",
                   table_status(&s->table, status, sizeof(status)));
    table_draw(&s->table, c, canvas_box(c, at, ROLE_FOCUS, title, "Enter node"), true);
}

static void draw_map(const struct cluster_state *s, struct canvas *c, struct rect at, bool ruler)
{
    struct slotmap map = slots_model_map(&s->map);
    struct slotmap_zoom zoom = {.cursor = SIZE_MAX};
    char title[120];
    char legend[160];
    struct rect in;
    size_t per_cell;

    (void)snprintf(title, sizeof(title), "Slots");
    if (s->snapshot->slots->known)
        (void)snprintf(title, sizeof(title), "Slots  %s%u/%d",
                       cluster_map_is_old(s->snapshot) ? "~" : "", (unsigned)s->snapshot->slots->ok,
                       SLOT_COUNT);
    in = canvas_box(c, at, ROLE_BORDER, title, "z map");
    if (!s->snapshot->slots->known) {
        (void)canvas_print(c, in, ROLE_DIM, "no answer about slots yet");
        return;
    }
    if (in.h < 3) {
        (void)slotmap_draw(&map, &zoom, c, in, false);
        return;
    }
    per_cell = slotmap_draw(&map, &zoom, c, rect_take_top(&in, in.h - 2), ruler);
    slots_model_summary(title, sizeof(title), s->snapshot);
    (void)canvas_print(c, rect_row(in, 0),
                       cluster_map_is_old(s->snapshot)        ? ROLE_UNKNOWN
                       : s->snapshot->slots->ok == SLOT_COUNT ? ROLE_GOOD
                                                              : ROLE_BAD,
                       title);
    (void)canvas_print(c, rect_row(in, 1), ROLE_DIM,
                       slotmap_legend(legend, sizeof(legend), &map, per_cell));
}

static void draw_sentinels(const struct cluster_state *s, struct canvas *c, struct rect at)
{
    struct rect in = canvas_box(c, at, ROLE_BORDER, "Sentinels", NULL);
    struct cluster_line l;

    if (s->snapshot->mode != REDIS_MODE_SENTINEL)
        (void)canvas_print(c, in, ROLE_DIM, "one server: no slots, no Sentinels");
    for (int row = 0; row < in.h && s->snapshot->mode == REDIS_MODE_SENTINEL &&
                      cluster_sentinel_line(s->snapshot, (size_t)row, &l);
         row++)
        draw_line(c, rect_row(in, row), &l);
}

static void draw_middle(const struct cluster_state *s, struct canvas *c, struct rect at)
{
    if (s->snapshot->mode == REDIS_MODE_CLUSTER || s->snapshot->mode == REDIS_MODE_AUTO)
        draw_map(s, c, at, true);
    else
        draw_sentinels(s, c, at);
}

static void draw_coverage(const struct cluster_state *s, struct canvas *c, struct rect at)
{
    struct rect in = canvas_box(c, at, ROLE_BORDER, "Coverage", NULL);
    struct cluster_line l = cluster_agreement(s->snapshot);

    if (s->snapshot->slots->known)
        draw_line(c, rect_take_bottom(&in, 1), &l);
    for (int row = 0; row < in.h && cluster_coverage_line(s->snapshot, (size_t)row, &l); row++)
        draw_line(c, rect_row(in, row), &l);
}

static void draw_events(const struct cluster_state *s, struct canvas *c, struct rect at, bool wide)
{
    const struct events_model m = {s->snapshot->events, s->snapshot->event_count};
    struct rect in = canvas_box(c, at, ROLE_BORDER, "Events", "0 all");

    if (m.count == 0)
        (void)canvas_print(c, in, ROLE_DIM, events_table_ops.empty);
    for (int row = 0; row < in.h && (size_t)row < m.count; row++) {
        const struct event *e = events_model_at(&m, (size_t)row);
        char time[FORMAT_MAX];

        if (wide)
            (void)format_clock_ms(time, sizeof(time), e->at_ms);
        else
            (void)format_clock(time, sizeof(time), e->at_ms);
        (void)canvas_format(c, rect_row(in, row), events_model_role(e->level), "%sZ %-5s %-2s %s",
                            time, events_model_level(e->level), e->shard, e->text);
    }
}

static void draw_trend(const struct cluster_state *s, struct canvas *c, struct rect at)
{
    struct rect in = canvas_box(c, at, ROLE_BORDER, "Trend", NULL);
    struct cluster_trend t;

    for (int row = 0; row < in.h && cluster_trend_row(s->snapshot, (size_t)row, &t); row++) {
        struct rect line = rect_row(in, row);
        double values[SERIES_MAX];

        (void)canvas_format(c, rect_take_left(&line, 17), ROLE_TEXT, "%-10s%6s", t.label, t.value);
        series_cells(&s->snapshot->series[t.series], 0, values, SERIES_MAX);
        spark_draw(c, line, ROLE_BAR, SPARK_AUTO, values, SERIES_MAX, 0);
    }
}

/* ---- layouts ---- */

static void draw_top(const struct cluster_state *s, struct canvas *c, struct rect *at, bool wide)
{
    struct cluster_line l = cluster_state_line(s->snapshot, wide);

    draw_line(c, rect_take_top(at, 1), &l);
}

static void draw_full(const struct cluster_state *s, struct canvas *c, struct rect at)
{
    int want = (int)s->snapshot->node_count + 4;
    int most;
    struct rect middle;
    struct rect topology;

    draw_top(s, c, &at, true);
    most = at.h - MAP_ROWS - EVENTS_LEAST;
    topology = rect_take_top(&at, want < 8 ? 8 : want > most ? most : want);
    draw_topology(s, c, topology);
    middle = rect_take_top(&at, MAP_ROWS);
    draw_middle(s, c, rect_take_left(&middle, middle.w - RIGHT_WIDTH));
    draw_coverage(s, c, middle);
    draw_events(s, c, rect_take_left(&at, at.w - RIGHT_WIDTH), true);
    draw_trend(s, c, at);
}

static void draw_stacked(const struct cluster_state *s, struct canvas *c, struct rect at)
{
    int want = (int)s->snapshot->node_count + 3;
    bool map = s->snapshot->mode != REDIS_MODE_SENTINEL && s->snapshot->mode != REDIS_MODE_SINGLE;
    int most;

    draw_top(s, c, &at, false);
    most = at.h - (map ? 3 : 5) - 5;
    draw_topology(s, c, rect_take_top(&at, want > most ? most : want));
    if (map)
        draw_map(s, c, rect_take_top(&at, 3), false);
    else
        draw_sentinels(s, c, rect_take_top(&at, 5));
    draw_events(s, c, at, false);
}

static void draw_strip(const struct cluster_state *s, struct canvas *c, struct rect at)
{
    struct cluster_line l;
    struct nodes_text keys = nodes_model_short(s->snapshot->keys);

    (void)canvas_format(c, rect_take_top(&at, 1), cluster_state_role(s->snapshot->state),
                        " %s  %s%u/%d  %zu/%zu  %s%s", monitor_state_name(s->snapshot->state),
                        cluster_map_is_old(s->snapshot) ? "~" : "",
                        (unsigned)s->snapshot->slots->ok, SLOT_COUNT, s->snapshot->reachable,
                        s->snapshot->node_count, s->snapshot->stale_sums ? "~" : "", keys.text);
    (void)canvas_format(c, rect_take_top(&at, 1), ROLE_TEXT, " jobs %zu", s->app->jobs->live);
    l = cluster_worst(s->snapshot);
    (void)canvas_format(c, rect_take_top(&at, 1), l.role, " alerts %zu: %s", s->snapshot->alerts,
                        l.text);
    (void)canvas_print(c, rect_take_top(&at, 1), ROLE_DIM, " (80x24 shows the panels; : works)");
}

static void draw(const void *state, struct canvas *c, struct rect at, enum view_layout layout)
{
    const struct cluster_state *s = state;

    if (layout == LAYOUT_FULL)
        draw_full(s, c, at);
    else if (layout == LAYOUT_STACKED)
        draw_stacked(s, c, at);
    else
        draw_strip(s, c, at);
}

/* ---- keys ---- */

static const char *no_node(const void *state)
{
    const struct cluster_state *s = state;
    size_t row;

    return table_selected(&s->table, &row) ? NULL : "no node selected";
}

static bool show_node(void *state, struct str arg UNUSED, struct error *err)
{
    struct cluster_state *s = state;
    size_t row;

    if (!table_selected(&s->table, &row))
        return true;
    return ui_go(s->app->ui, "nodes", s->snapshot->nodes[row].id.ptr, err);
}

static bool show_map(void *state, struct str arg UNUSED, struct error *err)
{
    return ui_go(((struct cluster_state *)state)->app->ui, "slots", NULL, err);
}

static bool show_alerts(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct cluster_state *s = state;
    struct buf text;

    buf_init(&text, (size_t)1 << 20);
    for (size_t i = 0; i < s->snapshot->finding_count && text.len < 100000; i++) {
        const struct finding *f = &s->snapshot->findings[i];
        struct nodes_text node = {.text = ""};

        if (f->node < s->snapshot->node_count)
            node = nodes_model_text(s->snapshot, f->node, NODES_ADDRESS);
        buf_put(&text, "%s %s %s\n     %s\n", health_severity_name(f->severity), node.text, f->text,
                f->advice);
    }
    if (text.len == 0)
        buf_put(&text, "no alert");
    ui_text(s->app->ui, "Alerts", buf_str(&text));
    buf_release(&text);
    return true;
}

static const struct action actions[] = {
    {"cluster.node", "Enter", "Node", "Show everything about the selected node.", "node", NULL,
     ACTION_FOOTER, no_node, show_node, NULL},
    {"cluster.map", "z", "Map", "Open the slot map.", "map", NULL, 0, NULL, show_map, NULL},
    {"cluster.alerts", "A", "Alerts", "List what is wrong and what to do about it.", "alerts", NULL,
     ACTION_FOOTER, NULL, show_alerts, NULL},
    {0},
};

static struct widget *focus(void *state)
{
    return &((struct cluster_state *)state)->table.widget;
}

static bool back(void *state)
{
    return table_back(&((struct cluster_state *)state)->table);
}

static bool save(void *state, bool json, char **text, struct error *err UNUSED)
{
    struct cluster_state *s = state;

    if (!json) {
        *text = cluster_screen_text(&cluster_view, state);
        return true;
    }
    *text = cluster_json_text(cluster_status_json(s->snapshot), true);
    return true;
}

const struct view_ops cluster_view = {
    .id = "cluster",
    .title = "Cluster",
    .help = "Who is there, what is served, what happened. A value with ~ is old: its node does not "
            "answer. Letters are shards: they stay with a shard through failovers.",
    .state_size = sizeof(struct cluster_state),
    .actions = actions,
    .open = open_cluster,
    .close = close_cluster,
    .update = update,
    .draw = draw,
    .focus = focus,
    .back = back,
    .save = save,
};
