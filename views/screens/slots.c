#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "views/app.h"
#include "views/registry.h"
#include "views/screens/cluster_json.h"
#include "views/screens/cluster_model.h"
#include "views/screens/cluster_text.h"
#include "views/screens/slots_model.h"

/* The map of all 16384 slots, with a cursor that moves by cell and a zoom. */

/* What was drawn last: the keys move by its cells and rows. */
struct slots_shown {
    size_t per_cell, row_cells, rows;
    size_t whole; /* slots per cell at which the whole map fits */
};

struct slots_state {
    struct app *app;
    struct snapshot *snapshot; /* a reference */
    struct slots_model map;
    struct slotmap_zoom zoom;
    struct slots_shown shown_last;
    struct slots_shown *shown; /* shown_last, for draw, whose state is const */
};

static void update(void *state)
{
    struct slots_state *s = state;
    struct snapshot *before = s->snapshot;

    s->snapshot = snapshot_ref(s->app->snapshot);
    slots_model_fill(&s->map, s->snapshot);
    snapshot_unref(before);
}

static bool open_slots(void *state, const struct view_context *at, struct error *err UNUSED)
{
    struct slots_state *s = state;
    uint32_t slot = 0;

    s->app = at->app;
    s->shown_last = (struct slots_shown){SLOT_COUNT / 256, 64, 4, SLOT_COUNT / 256};
    s->shown = &s->shown_last;
    s->snapshot = snapshot_ref(s->app->snapshot);
    slots_model_fill(&s->map, s->snapshot);
    if (str_to_u32(str_from(at->arg), &slot) && slot < SLOT_COUNT)
        s->zoom.cursor = slot;
    return true;
}

static void close_slots(void *state)
{
    snapshot_unref(((struct slots_state *)state)->snapshot);
}

static void draw_shards(const struct slots_state *s, struct canvas *c, struct rect at)
{
    struct rect in = canvas_box(c, at, ROLE_BORDER, "Shards", NULL);
    struct cluster_line l;

    for (int row = 0; row < in.h && cluster_coverage_line(s->snapshot, (size_t)row, &l); row++)
        (void)canvas_print(c, rect_row(in, row), l.role, l.text);
}

static void draw(const void *state, struct canvas *c, struct rect at, enum view_layout layout)
{
    const struct slots_state *s = state;
    struct slotmap map = slots_model_map(&s->map);
    struct cluster_line agree = cluster_agreement(s->snapshot);
    char text[400];
    struct rect where;
    struct rect in;
    size_t per_cell;

    if (layout == LAYOUT_FULL)
        draw_shards(s, c, rect_take_bottom(&at, 10));
    (void)slots_model_summary(text, sizeof(text), s->snapshot);
    in = canvas_box(c, at, ROLE_FOCUS, "Slots", "+ _ zoom");
    if (!s->snapshot->slots->known) {
        (void)canvas_print(c, in, ROLE_DIM,
                           s->snapshot->mode == REDIS_MODE_CLUSTER ||
                                   s->snapshot->mode == REDIS_MODE_AUTO
                               ? "no answer about slots yet"
                               : "this environment is no cluster: it has no slots");
        return;
    }
    (void)canvas_print(c, rect_take_top(&in, 1),
                       cluster_map_is_old(s->snapshot)        ? ROLE_UNKNOWN
                       : s->snapshot->slots->ok == SLOT_COUNT ? ROLE_GOOD
                                                              : ROLE_BAD,
                       text);
    (void)canvas_print(c, rect_take_top(&in, 1), agree.role, agree.text);
    where = rect_take_top(&in, in.h - 2);
    per_cell = slotmap_draw(&map, &s->zoom, c, where, true);
    *s->shown = (struct slots_shown){.per_cell = per_cell,
                                     .row_cells = slotmap_row_cells(where, true),
                                     .rows = where.h > 0 ? (size_t)where.h : 1,
                                     .whole = slotmap_scale(&map, where, true)};
    (void)canvas_print(c, rect_take_top(&in, 1), ROLE_TEXT,
                       slots_model_describe(text, sizeof(text), s->snapshot,
                                            (uint16_t)(s->zoom.cursor % SLOT_COUNT)));
    (void)canvas_print(c, in, ROLE_DIM, slotmap_legend(text, sizeof(text), &map, per_cell));
}

/* ---- keys ---- */

static size_t step_of(const struct slots_state *s)
{
    return s->zoom.per_cell > 0 ? s->zoom.per_cell : s->shown->per_cell;
}

static size_t row_of(const struct slots_state *s)
{
    return step_of(s) * s->shown->row_cells;
}

static bool move(struct slots_state *s, int64_t by)
{
    int64_t to = (int64_t)s->zoom.cursor + by;

    s->zoom.cursor = (size_t)(to < 0 ? 0 : to >= SLOT_COUNT ? SLOT_COUNT - 1 : to);
    if (s->zoom.cursor < s->zoom.first)
        s->zoom.first = s->zoom.cursor - s->zoom.cursor % row_of(s);
    else if (s->zoom.cursor >= s->zoom.first + row_of(s) * s->shown->rows)
        s->zoom.first =
            s->zoom.cursor - s->zoom.cursor % row_of(s) - row_of(s) * (s->shown->rows - 1);
    return true;
}

static bool left(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    return move(state, -(int64_t)step_of(state));
}

static bool right(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    return move(state, (int64_t)step_of(state));
}

static bool up(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    return move(state, -(int64_t)row_of(state));
}

static bool down(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    return move(state, (int64_t)row_of(state));
}

static bool zoom_in(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct slots_state *s = state;

    s->zoom.per_cell = step_of(s) > 1 ? step_of(s) / 2 : 1;
    s->zoom.first -= s->zoom.first % row_of(s);
    return move(s, 0);
}

static bool zoom_out(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct slots_state *s = state;

    s->zoom.per_cell = s->zoom.per_cell * 2 >= s->shown->whole ? 0 : s->zoom.per_cell * 2;
    s->zoom.first = s->zoom.per_cell == 0 ? 0 : s->zoom.first - s->zoom.first % row_of(s);
    return s->zoom.per_cell == 0 || move(s, 0);
}

/* Whatever is wrong: the next slot after the cursor that is not simply served. */
static bool next_trouble(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct slots_state *s = state;

    for (size_t i = 1; i <= SLOT_COUNT; i++) {
        size_t slot = (s->zoom.cursor + i) % SLOT_COUNT;

        if (s->map.mark[slot] != SLOTMAP_OK || s->map.group[slot] == SLOTMAP_NONE) {
            s->zoom.cursor = slot;
            return move(s, 0);
        }
    }
    ui_toast(s->app->ui, TOAST_GOOD, "every slot is served, none is open");
    return true;
}

static bool find(void *state, struct str arg, struct error *err)
{
    struct slots_state *s = state;
    uint32_t slot;

    if (!str_to_u32(arg, &slot))
        slot = slot_of_key(arg); /* a key: where does it live? */
    if (slot >= SLOT_COUNT)
        return error_set(err, ERROR_USAGE, 0, "slots go from 0 to %d", SLOT_COUNT - 1);
    s->zoom.cursor = slot;
    return move(s, 0);
}

static const struct action actions[] = {
    {"slots.left", "Left h", "Left", "One cell to the left.", NULL, NULL, ACTION_REPEAT, NULL, left,
     NULL},
    {"slots.right", "Right l", "Right", "One cell to the right.", NULL, NULL, ACTION_REPEAT, NULL,
     right, NULL},
    {"slots.up", "Up k", "Up", "One row up.", NULL, NULL, ACTION_REPEAT, NULL, up, NULL},
    {"slots.down", "Down j", "Down", "One row down.", NULL, NULL, ACTION_REPEAT, NULL, down, NULL},
    {"slots.in", "+ i", "Zoom in", "Fewer slots per cell.", NULL, NULL, ACTION_FOOTER, NULL,
     zoom_in, NULL},
    {"slots.out", "_ o", "Zoom out", "More slots per cell, down to all on one screen.", NULL, NULL,
     ACTION_FOOTER, NULL, zoom_out, NULL},
    {"slots.next", "n", "Trouble", "Go to the next slot that is not served, open or disputed.",
     NULL, NULL, ACTION_FOOTER, NULL, next_trouble, NULL},
    {"slots.find", "", "Find", "Go to a slot by its number, or to the slot of a key.", "slot",
     "NUMBER|KEY", ACTION_NO_KEYS, NULL, find, NULL},
    {0},
};

static bool save(void *state, bool json, char **text, struct error *err UNUSED)
{
    struct slots_state *s = state;

    if (!json) {
        *text = cluster_screen_text(&slots_view, state);
        return true;
    }
    *text = cluster_json_text(cluster_slots_json(s->snapshot), true);
    return true;
}

const struct view_ops slots_view = {
    .id = "slots",
    .title = "Slots",
    .help = "Which shard serves which slot. Lower case: migrating. ? suspected, ! down, . nobody "
            "owns it, # nodes disagree. :slot KEY shows where a key lives.",
    .state_size = sizeof(struct slots_state),
    .actions = actions,
    .open = open_slots,
    .close = close_slots,
    .update = update,
    .draw = draw,
    .save = save,
};
