#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/monitor/event_log.h"
#include "views/app.h"
#include "views/registry.h"
#include "views/screens/cluster_json.h"
#include "views/screens/cluster_text.h"
#include "views/screens/events_model.h"

/* All events that are kept for this environment, the newest first. The log is read in the
 * background; what the monitor told since is added from its snapshots. */

#define KEPT_MAX 5000
#define CHANNEL_LOG 1

struct events_state {
    struct app *app;
    struct event_list list; /* oldest first */
    struct events_model model;
    struct table table;
    uint64_t told; /* seq of the newest event taken from a snapshot */
    char trouble[200];
};

/* What the worker reads. */
struct log_read {
    char *path;
    struct event_list list;
    struct error err;
    bool ok;
};

static void work(void *data, const _Atomic(bool) *stale UNUSED)
{
    struct log_read *r = data;

    r->ok = event_log_read(r->path, KEPT_MAX, &r->list, NULL, &r->err);
}

static void release(void *data)
{
    struct log_read *r = data;

    event_list_release(&r->list);
    free(r->path);
    free(r);
}

static void sync_table(struct events_state *s)
{
    s->model = (struct events_model){s->list.items, s->list.count};
    table_sync(&s->table, &s->model);
}

static void done(void *owner, void *data)
{
    struct events_state *s = owner;
    struct log_read *r = data;

    if (!r->ok) {
        (void)str_copy(str_from(r->err.text), s->trouble, sizeof(s->trouble));
        return;
    }
    s->trouble[0] = '\0';
    event_list_release(&s->list);
    s->list = r->list;
    r->list = (struct event_list){0};
    sync_table(s);
    ui_touch(s->app->ui);
}

static void ask_log(struct events_state *s)
{
    struct app_request request = {
        .work = work, .done = done, .release = release, .owner = s, .channel = CHANNEL_LOG};
    struct log_read *r;

    if (s->app->state_dir == NULL || s->app->env == NULL)
        return;
    r = calloc(1, sizeof(*r));
    if (r == NULL)
        return;
    r->path = event_log_path(s->app->state_dir, s->app->env->name);
    request.data = r;
    app_ask(s->app, &request);
}

/* Something new was told: without a log to read, the snapshot's own events are all there is. */
static void update(void *state)
{
    struct events_state *s = state;
    const struct snapshot *snap = s->app->snapshot;
    uint64_t newest = snap->event_count > 0 ? snap->events[snap->event_count - 1].seq : 0;

    if (newest == s->told)
        return;
    s->told = newest;
    if (s->app->state_dir != NULL && s->app->env != NULL) {
        ask_log(s);
        return;
    }
    event_list_release(&s->list);
    s->list.items = calloc(snap->event_count + 1, sizeof(*s->list.items));
    if (s->list.items == NULL)
        return;
    memcpy(s->list.items, snap->events, snap->event_count * sizeof(*s->list.items));
    s->list.count = s->list.cap = snap->event_count;
    sync_table(s);
}

static bool open_events(void *state, const struct view_context *at, struct error *err UNUSED)
{
    struct events_state *s = state;

    s->app = at->app;
    s->told = UINT64_MAX;
    table_init(&s->table, &events_table_ops, &s->model, -1);
    update(s);
    return true;
}

static void close_events(void *state)
{
    struct events_state *s = state;

    app_forget(s->app, s);
    table_release(&s->table);
    event_list_release(&s->list);
}

static void draw(const void *state, struct canvas *c, struct rect at,
                 enum view_layout layout UNUSED)
{
    const struct events_state *s = state;
    char status[160];
    char title[200];
    struct rect in;
    size_t row;

    (void)snprintf(title, sizeof(title), "Events  %s",
                   table_status(&s->table, status, sizeof(status)));
    in = canvas_box(c, at, ROLE_FOCUS, title, "/ filter");
    if (s->trouble[0] != '\0')
        (void)canvas_print(c, rect_take_bottom(&in, 1), ROLE_BAD, s->trouble);
    else if (in.h > 4 && table_selected(&s->table, &row))
        (void)canvas_wrap(c, rect_take_bottom(&in, 2), ROLE_INFO,
                          str_from(events_model_at(&s->model, row)->text));
    table_draw(&s->table, c, in, true);
}

static struct widget *focus(void *state)
{
    return &((struct events_state *)state)->table.widget;
}

static bool back(void *state)
{
    return table_back(&((struct events_state *)state)->table);
}

static bool save(void *state, bool json, char **text, struct error *err UNUSED)
{
    struct events_state *s = state;
    json_t *doc;

    if (!json) {
        *text = cluster_screen_text(&event_list_view, state);
        return true;
    }
    doc = json_object();
    (void)json_object_set_new(doc, "events", cluster_events_json(s->list.items, s->list.count));
    *text = cluster_json_text(doc, true);
    return true;
}

const struct view_ops event_list_view = {
    .id = "events",
    .title = "Events",
    .help = "Failovers, suspicions, restarts and slot moves as they were seen, with UTC "
            "milliseconds, the newest first. They are kept for this environment.",
    .state_size = sizeof(struct events_state),
    .open = open_events,
    .close = close_events,
    .update = update,
    .draw = draw,
    .focus = focus,
    .back = back,
    .save = save,
};
