#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "tui/table.h"
#include "tui/ui_private.h"

/* A list of choices; those that are not possible now stay in sight with the reason. */

struct item {
    char *label;
    char *blocked; /* NULL: can be picked */
    uint32_t key;  /* TK_NONE: none */
    int value;
};

struct menu {
    struct overlay overlay; /* first */
    char *title;
    struct item *items;
    size_t count, cap, at;
    void (*picked)(void *owner, int value);
    struct ui_row *rows; /* the action menu: what value means */
    struct table *sorts; /* the sort menu: value is a column */
};

static void draw(const struct overlay *o, const struct ui *ui UNUSED, struct canvas *c,
                 struct rect area)
{
    const struct menu *m = (const struct menu *)o;
    struct rect in =
        ui_window(c, area, 76, (int)m->count + 2, m->title, "Enter picks, Esc closes", false);
    size_t top = (int)m->at >= in.h ? m->at - (size_t)in.h + 1 : 0;

    for (int y = 0; y < in.h && top + (size_t)y < m->count; y++) {
        const struct item *item = &m->items[top + (size_t)y];
        struct rect line = rect_row(in, y);
        char key[KEY_NAME_MAX] = "";

        if (item->key != TK_NONE)
            (void)key_name(key, sizeof(key), item->key);
        (void)canvas_format(c, line, item->blocked != NULL ? ROLE_DIM : ROLE_DIALOG,
                            "%s %-5s %s%s%s%s", top + (size_t)y == m->at ? ">" : " ", key,
                            item->label, item->blocked != NULL ? "  (" : "",
                            item->blocked != NULL ? item->blocked : "",
                            item->blocked != NULL ? ")" : "");
        if (top + (size_t)y == m->at)
            canvas_tint(c, line, item->blocked != NULL ? ROLE_DIM : ROLE_SELECTED);
    }
}

static void pick(struct menu *m, struct ui *ui, size_t index)
{
    const struct item *item = &m->items[index];

    if (item->blocked != NULL) {
        ui_toast(ui, TOAST_WARN, "%s: %s", item->label, item->blocked);
        return;
    }
    ui_pop_overlay(ui, &m->overlay);
    if (m->sorts != NULL)
        table_sort_by(m->sorts, item->value);
    else if (m->rows == NULL)
        m->picked(m->overlay.owner, item->value);
    else if ((m->rows[item->value].action->flags & ACTION_CONFIRM) != 0)
        ui_confirm_row(ui, &m->rows[item->value]);
    else
        ui_run_row(ui, &m->rows[item->value], (struct str){"", 0});
}

static void key(struct overlay *o, struct ui *ui, uint32_t pressed)
{
    struct menu *m = (struct menu *)o;

    if (pressed == TK_ESC || pressed == 'q' || pressed == (TK_CTRL | 'c') ||
        pressed == TK_BACKSPACE) {
        ui_pop_overlay(ui, o);
        return;
    }
    if (pressed == TK_ENTER && m->count > 0) { /* whatever entry has Enter as its own key */
        pick(m, ui, m->at);
        return;
    }
    for (size_t i = 0; i < m->count; i++)
        if (m->items[i].key == pressed && pressed != TK_NONE) {
            pick(m, ui, i);
            return;
        }
    if ((pressed == TK_DOWN || pressed == 'j') && m->at + 1 < m->count)
        m->at++;
    else if ((pressed == TK_UP || pressed == 'k') && m->at > 0)
        m->at--;
}

static void release(struct overlay *o)
{
    struct menu *m = (struct menu *)o;

    for (size_t i = 0; i < m->count; i++) {
        free(m->items[i].label);
        free(m->items[i].blocked);
    }
    free(m->items);
    free(m->rows);
    free(m->title);
    free(m);
}

static const struct overlay_ops menu_ops = {.draw = draw, .key = key, .release = release};

void ui_menu(struct ui *ui, const char *title, const struct ui_menu_item *items,
             void (*picked)(void *owner, int value), void *owner)
{
    struct menu *m = mem_zero(1, sizeof(*m));

    m->overlay = (struct overlay){.ops = &menu_ops, .owner = owner};
    m->title = mem_copy_text(title);
    m->picked = picked;
    for (; items->label != NULL; items++) {
        struct item item = {.label = mem_copy_text(items->label),
                            .blocked = mem_copy_text(items->blocked),
                            .value = items->value};

        if (items->key == NULL || !key_parse(str_from(items->key), &item.key))
            item.key = TK_NONE;
        ARRAY_PUSH(m->items, m->count, m->cap) = item;
    }
    ui_push_overlay(ui, &m->overlay);
}

void ui_open_actions(struct ui *ui)
{
    struct ui_row rows[UI_ROWS_MAX];
    size_t count = ui_rows(ui, rows);
    struct menu *m = mem_zero(1, sizeof(*m));

    m->overlay =
        (struct overlay){.ops = &menu_ops, .owner = ui_top(ui) != NULL ? ui_top(ui)->state : NULL};
    m->title = mem_copy_text("Actions");
    m->rows = mem_zero(count + 1, sizeof(*m->rows));
    memcpy(m->rows, rows, count * sizeof(*rows));
    for (size_t i = 0; i < count; i++) {
        const struct action *a = rows[i].action;
        const char *why = ui_row_blocked(ui, &rows[i]);
        struct ui_keys keys;

        if ((a->flags & (ACTION_MENU | ACTION_WRITES)) == 0)
            continue;
        ui_action_keys(ui, a, &keys);
        ARRAY_PUSH(m->items, m->count, m->cap) =
            (struct item){.label = why != NULL ? mem_copy_text(a->label) /* room for the reason */
                                               : mem_format("%-10s %s", a->label, a->help),
                          .blocked = mem_copy_text(why),
                          .key = keys.count > 0 ? keys.key[0] : (uint32_t)TK_NONE,
                          .value = (int)i};
    }
    if (m->count == 0) {
        release(&m->overlay);
        ui_toast(ui, TOAST_INFO, "this screen has no actions");
        return;
    }
    ui_push_overlay(ui, &m->overlay);
}

static void add_sort(struct menu *m, int column, const char *name)
{
    static const char keys[] = "0123456789";
    bool now = m->sorts->sort == column;

    if (now)
        m->at = m->count;
    ARRAY_PUSH(m->items, m->count, m->cap) =
        (struct item){.label = mem_format("%s%s", name, now ? "  (now)" : ""),
                      .key = column + 1 < 10 ? (uint32_t)keys[column + 1] : (uint32_t)TK_NONE,
                      .value = column};
}

void ui_open_sort(struct ui *ui)
{
    struct table *t = ui_table_in_focus(ui);
    struct menu *m;

    if (t == NULL)
        return;
    m = mem_zero(1, sizeof(*m));
    m->overlay = (struct overlay){.ops = &menu_ops, .owner = ui_top(ui)->state};
    m->title = mem_copy_text("Sort by");
    m->sorts = t;
    add_sort(m, -1, "the usual order");
    for (size_t i = 0; i < t->ops->columns_count; i++)
        add_sort(m, (int)i, t->ops->columns[i].name);
    ui_push_overlay(ui, &m->overlay);
}
