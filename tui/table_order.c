#include "tui/table_order.h"

#include <stdlib.h>
#include <strings.h>

#include "core/base/array.h"

struct filter {
    bool inverted;
    int column; /* -1: any */
    struct str text;
};

void table_cell_get(const struct table *t, size_t row, size_t column, struct table_cell *out)
{
    out->text = (struct str){NULL, 0};
    out->role = ROLE_TEXT;
    t->ops->cell(t->model, row, column, out);
}

static bool same_name(const char *name, struct str text)
{
    struct str n = str_from(name);

    return n.len == text.len && strncasecmp(name, text.ptr, text.len) == 0;
}

static struct filter parse_filter(const struct table *t)
{
    struct filter f = {.column = -1, .text = lineedit_str(&t->filter)};
    size_t equals;

    if (f.text.len > 0 && f.text.ptr[0] == '!') {
        f.inverted = true;
        f.text = str_slice(f.text, 1, f.text.len);
    }
    equals = str_find(f.text, '=');
    for (size_t i = 0; equals < f.text.len && i < t->ops->columns_count; i++)
        if (same_name(t->ops->columns[i].name, str_slice(f.text, 0, equals))) {
            f.column = (int)i;
            f.text = str_slice(f.text, equals + 1, f.text.len);
            break;
        }
    return f;
}

static bool row_matches(const struct table *t, const struct filter *f, size_t row)
{
    struct table_cell cell;
    bool found = false;

    if (f->text.len == 0)
        return true;
    for (size_t i = 0; i < t->ops->columns_count && !found; i++) {
        if (f->column >= 0 && f->column != (int)i)
            continue;
        table_cell_get(t, row, i, &cell);
        found = cell.text.len > 0 && text_search(cell.text, f->text) < cell.text.len;
    }
    return found != f->inverted;
}

static bool is_attached(const struct table *t, size_t row)
{
    return row > 0 && t->ops->attached != NULL && t->ops->attached(t->model, row);
}

static int compare_text(struct str a, struct str b)
{
    double x, y;

    if (str_to_double(a, &x) && str_to_double(b, &y))
        return x < y ? -1 : x > y;
    return str_compare(a, b);
}

static int compare_rows(const struct table *t, size_t a, size_t b)
{
    struct table_cell x, y;

    if (t->ops->compare != NULL)
        return t->ops->compare(t->model, a, b, (size_t)t->sort);
    table_cell_get(t, a, (size_t)t->sort, &x);
    table_cell_get(t, b, (size_t)t->sort, &y);
    return compare_text(x.text, y.text);
}

/* A head row with the rows attached to it. */
struct group {
    size_t head, count;
};

static int compare_groups(const void *a, const void *b, void *ctx)
{
    const struct table *t = ctx;
    const struct group *x = a;
    const struct group *y = b;
    int order = t->sort >= 0 ? compare_rows(t, x->head, y->head) : 0;

    if (order == 0)
        order = x->head < y->head ? -1 : x->head > y->head;
    return t->inverted ? -order : order;
}

static size_t find_groups(const struct table *t, size_t rows, struct group **out)
{
    struct filter f = parse_filter(t);
    struct group *groups = NULL;
    size_t count = 0;
    size_t cap = 0;

    for (size_t row = 0; row < rows;) {
        struct group g = {row, 0};
        bool shown = false;

        do {
            shown = row_matches(t, &f, row) || shown;
            row++;
            g.count++;
        } while (row < rows && is_attached(t, row));
        if (shown)
            ARRAY_PUSH(groups, count, cap) = g;
    }
    *out = groups;
    return count;
}

void table_order_build(struct table *t)
{
    size_t rows = t->model != NULL ? t->ops->count(t->model) : 0;
    struct group *groups = NULL;
    size_t count = find_groups(t, rows, &groups);

    t->shown = 0;
    if (rows > 0)
        t->order = array_reserve(t->order, &t->order_cap, rows, sizeof(*t->order));
    if (count > 1)
        qsort_r(groups, count, sizeof(*groups), compare_groups, t);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < groups[i].count; k++)
            t->order[t->shown++] = groups[i].head + k;
    free(groups);
}
