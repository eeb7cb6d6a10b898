#include "tui/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/escape.h"
#include "core/base/map.h"
#include "tui/table_draw.h"
#include "tui/table_order.h"

void table_init(struct table *t, const struct table_ops *ops, const void *model, int sort)
{
    memset(t, 0, sizeof(*t));
    t->widget.ops = &table_widget;
    t->ops = ops;
    t->sort = sort;
    t->seen = mem_zero(1, sizeof(*t->seen));
    table_sync(t, model);
}

void table_release(struct table *t)
{
    free(t->order);
    free(t->seen);
    map_free(t->marks, NULL);
    t->order = NULL;
    t->seen = NULL;
    t->marks = NULL;
    t->shown = t->order_cap = 0;
}

static struct str id_of(const struct table *t, size_t shown)
{
    return str_slice(t->ops->id(t->model, t->order[shown]), 0, TABLE_ID_MAX);
}

static void remember_cursor(struct table *t)
{
    struct str id = {NULL, 0};

    if (t->cursor < t->shown)
        id = id_of(t, t->cursor);
    if (id.len > 0)
        memcpy(t->cursor_id, id.ptr, id.len);
    t->cursor_id_len = id.len;
}

static bool find_cursor(struct table *t, struct str id)
{
    for (size_t i = 0; i < t->shown; i++)
        if (str_equal(id_of(t, i), id)) {
            t->cursor = i;
            return true;
        }
    return false;
}

void table_sync(struct table *t, const void *model)
{
    struct str id = {t->cursor_id, t->cursor_id_len};

    t->model = model;
    table_order_build(t);
    if (id.len > 0 && find_cursor(t, id))
        return;
    if (t->cursor >= t->shown)
        t->cursor = t->shown > 0 ? t->shown - 1 : 0;
    remember_cursor(t);
}

bool table_selected(const struct table *t, size_t *row)
{
    if (t->cursor >= t->shown)
        return false;
    *row = t->order[t->cursor];
    return true;
}

bool table_select_id(struct table *t, struct str id)
{
    bool found = find_cursor(t, str_slice(id, 0, TABLE_ID_MAX));

    remember_cursor(t);
    return found;
}

size_t table_mark_count(const struct table *t)
{
    return t->marks != NULL ? map_count(t->marks) : 0;
}

bool table_is_marked(const struct table *t, struct str id)
{
    return t->marks != NULL && map_get(t->marks, str_slice(id, 0, TABLE_ID_MAX)) != NULL;
}

bool table_next_mark(const struct table *t, size_t *at, struct str *id)
{
    void *value;

    return t->marks != NULL && map_next(t->marks, at, id, &value);
}

void table_unmark_all(struct table *t)
{
    map_free(t->marks, NULL);
    t->marks = NULL;
}

static void mark(struct table *t, struct str id, bool on)
{
    if (t->marks == NULL)
        t->marks = map_new();
    if (on)
        (void)map_put(t->marks, id, t);
    else
        (void)map_remove(t->marks, id);
}

char *table_status(const struct table *t, char *out, size_t size)
{
    size_t total = t->model != NULL ? t->ops->count(t->model) : 0;
    size_t len = 0;

    out[0] = '\0';
    if (t->sort >= 0)
        (void)snprintf(out, size, "sort:%s%s  ", t->ops->columns[t->sort].name,
                       t->inverted ? "v" : "^");
    len = strlen(out);
    if (t->filter.len > 0)
        (void)snprintf(out + len, size - len, "filter:%.60s  ", t->filter.text);
    len = strlen(out);
    if (t->shown != total)
        (void)snprintf(out + len, size - len, "%zu of %zu", t->shown, total);
    else
        (void)snprintf(out + len, size - len, "%zu row%s", total, total == 1 ? "" : "s");
    len = strlen(out);
    if (table_mark_count(t) > 0)
        (void)snprintf(out + len, size - len, "  marked %zu", table_mark_count(t));
    return out;
}

bool table_back(struct table *t)
{
    if (!t->filtering && t->filter.len == 0)
        return false;
    t->filtering = false;
    lineedit_clear(&t->filter);
    table_sync(t, t->model);
    return true;
}

static void move(struct table *t, int64_t by)
{
    int64_t to = (int64_t)t->cursor + by;
    int64_t last = t->shown > 0 ? (int64_t)t->shown - 1 : 0;

    t->cursor = to < 0 ? 0 : to > last ? (size_t)last : (size_t)to;
    remember_cursor(t);
}

static int64_t page(const struct table *t)
{
    return t->seen->page > 1 ? t->seen->page - 1 : 1;
}

static bool grabs(const void *widget)
{
    return ((const struct table *)widget)->filtering;
}

static bool key(void *widget, uint32_t pressed)
{
    struct table *t = widget;

    if (pressed == TK_ENTER) {
        t->filtering = false;
        return true;
    }
    if (pressed == TK_ESC || pressed == (TK_CTRL | 'c'))
        return table_back(t);
    if (pressed == TK_UP || pressed == TK_DOWN) {
        move(t, pressed == TK_UP ? -1 : 1);
        return true;
    }
    if (!lineedit_key(&t->filter, pressed))
        return false;
    table_sync(t, t->model);
    return true;
}

static bool mouse(void *widget, const struct key_mouse *m)
{
    struct table *t = widget;
    struct rect area = t->seen->area;
    size_t row = t->seen->top + (size_t)(m->y - area.y > 0 ? m->y - area.y : 0);

    if (m->x < area.x || m->x >= area.x + area.w || m->y < area.y || m->y >= area.y + area.h)
        return false;
    if (m->button >= 4)
        move(t, m->button == 4 ? -3 : 3);
    else if (m->button == 1 && row < t->shown)
        move(t, (int64_t)row - (int64_t)t->cursor);
    return true;
}

static bool down(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    move(state, 1);
    return true;
}

static bool up(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    move(state, -1);
    return true;
}

static bool page_down(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    move(state, page(state));
    return true;
}

static bool page_up(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    move(state, -page(state));
    return true;
}

static bool half_down(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    move(state, (page(state) + 1) / 2);
    return true;
}

static bool half_up(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    move(state, -(page(state) + 1) / 2);
    return true;
}

static bool top(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    move(state, -(int64_t)((struct table *)state)->shown);
    return true;
}

static bool bottom(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    move(state, (int64_t)((struct table *)state)->shown);
    return true;
}

static bool left(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct table *t = state;

    t->scroll -= t->scroll > 0;
    return true;
}

static bool right(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct table *t = state;

    t->scroll += t->scroll + 2 < t->ops->columns_count;
    return true;
}

void table_sort_by(struct table *t, int column)
{
    t->sort = column < (int)t->ops->columns_count ? column : -1;
    table_sync(t, t->model);
}

static void sort_step(struct table *t, int step)
{
    int count = (int)t->ops->columns_count;

    table_sort_by(t, (t->sort + step + (t->sort < 0 && step < 0 ? 1 : 0) + count) % count);
}

static bool sort_next(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    sort_step(state, 1);
    return true;
}

static bool sort_previous(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    sort_step(state, -1);
    return true;
}

static bool invert(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct table *t = state;

    t->inverted = !t->inverted;
    table_sync(t, t->model);
    return true;
}

static bool filter(void *state, struct str arg, struct error *err UNUSED)
{
    struct table *t = state;
    char text[LINEEDIT_MAX];

    t->filtering = arg.len == 0;
    (void)str_copy(arg, text, sizeof(text));
    if (arg.len > 0) {
        lineedit_set(&t->filter, text);
        table_sync(t, t->model);
    }
    return true;
}

static bool toggle_mark(void *state, struct str arg UNUSED, struct error *err)
{
    struct table *t = state;
    struct str id;

    if (t->cursor >= t->shown)
        return error_set(err, ERROR_NOT_FOUND, 0, "there is no row to mark");
    id = id_of(t, t->cursor);
    mark(t, id, !table_is_marked(t, id));
    move(t, 1);
    return true;
}

static bool mark_all(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct table *t = state;

    for (size_t i = 0; i < t->shown; i++)
        mark(t, id_of(t, i), true);
    return true;
}

static bool unmark_all(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    table_unmark_all(state);
    return true;
}

static bool wide(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct table *t = state;

    t->wide = !t->wide;
    return true;
}

static const struct action actions[] = {
    {"table.down", "j Down", "Down", "One row down.", .flags = ACTION_REPEAT, .run = down},
    {"table.up", "k Up", "Up", "One row up.", .flags = ACTION_REPEAT, .run = up},
    {"table.page-down", "Ctrl-f PgDn", "Page", "One page down.", .flags = ACTION_REPEAT,
     .run = page_down},
    {"table.page-up", "Ctrl-b PgUp", "Page up", "One page up.", .flags = ACTION_REPEAT,
     .run = page_up},
    {"table.half-down", "Ctrl-d", "Half page", "Half a page down.", .flags = ACTION_REPEAT,
     .run = half_down},
    {"table.half-up", "Ctrl-u", "Half up", "Half a page up.", .flags = ACTION_REPEAT,
     .run = half_up},
    {"table.top", "g Home", "Top", "To the first row.", .flags = ACTION_REPEAT, .run = top},
    {"table.bottom", "G End", "Bottom", "To the last row.", .flags = ACTION_REPEAT, .run = bottom},
    {"table.left", "h Left", "Left", "Scroll the columns to the left.", .flags = ACTION_REPEAT,
     .run = left},
    {"table.right", "l Right", "Right", "Scroll the columns to the right.", .flags = ACTION_REPEAT,
     .run = right},
    {"table.filter", "/ F4", "Filter",
     "Show only rows that hold a text; !text inverts, column=text looks into one column.",
     .command = "filter", .usage = "TEXT", .flags = ACTION_FOOTER, .run = filter},
    {"table.sort", ">", "Sort", "Sort by the next column.", .run = sort_next},
    {"table.sort-previous", "<", "Sort back", "Sort by the column before.", .run = sort_previous},
    {"table.invert", "I", "Invert", "Turn the sort order round.", .run = invert},
    {"table.mark", "Space", "Mark", "Mark the row, or take its mark away.", .run = toggle_mark},
    {"table.mark-all", "*", "Mark all", "Mark every row shown.", .run = mark_all},
    {"table.unmark", "U", "Unmark", "Take all marks away.", .run = unmark_all},
    {"table.wide", "w", "Wide", "Show or hide the columns that are usually left out.", .run = wide},
    {0},
};

void table_draw(const struct table *t, struct canvas *c, struct rect at, bool focused)
{
    table_draw_rows(t, c, at, focused);
}

static bool back(void *widget)
{
    return table_back(widget);
}

static bool is_text(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < ' ' || (unsigned char)s.ptr[i] >= 0x7f)
            return false;
    return s.len > 0;
}

/* Bytes of servers are escaped as on the screen: what is pasted may be a shell's command line. */
static bool selected(const void *widget, struct buf *out)
{
    const struct table *t = widget;
    struct table_cell cell;
    struct error ignored;
    bool fits = true;
    size_t row;

    if (!table_selected(t, &row))
        return false;
    if (t->ops->copy != NULL) {
        t->ops->copy(t->model, row, out);
        return true;
    }
    if (is_text(t->ops->id(t->model, row)))
        return escape_append(out, t->ops->id(t->model, row), &ignored);
    for (size_t i = 0; i < t->ops->columns_count && fits; i++) {
        table_cell_get(t, row, i, &cell);
        buf_put(out, "%s", i > 0 ? "  " : "");
        fits = escape_append(out, cell.text, &ignored);
    }
    return fits;
}

const struct widget_ops table_widget = {.name = "Table",
                                        .actions = actions,
                                        .grabs = grabs,
                                        .key = key,
                                        .back = back,
                                        .mouse = mouse,
                                        .selected = selected};
