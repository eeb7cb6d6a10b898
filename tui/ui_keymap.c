#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "tui/ui_private.h"

static bool parse_keys(const char *text, struct ui_keys *out)
{
    struct str rest = str_from(text);
    struct str name;

    out->count = 0;
    while (rest.ptr != NULL && rest.len > 0 && str_split(&rest, ' ', &name)) {
        if (name.len == 0)
            continue;
        if (out->count == UI_KEYS_MAX || !key_parse(name, &out->key[out->count]))
            return false;
        out->count++;
    }
    return true;
}

void ui_action_keys(const struct ui *ui, const struct action *action, struct ui_keys *out)
{
    const struct ui_keys *bound = ui->keys != NULL ? map_get(ui->keys, str_from(action->id)) : NULL;

    if (bound != NULL)
        *out = *bound;
    else if (!parse_keys(action->keys != NULL ? action->keys : "", out))
        abort(); /* a defect of ours: ui_bind has checked every row */
}

bool ui_has_key(const struct ui *ui, const struct action *action, uint32_t key)
{
    struct ui_keys keys;

    ui_action_keys(ui, action, &keys);
    for (size_t i = 0; i < keys.count; i++)
        if (keys.key[i] == key)
            return true;
    return false;
}

char *ui_keys_text(const struct ui *ui, const struct action *action, char *out, size_t size)
{
    struct ui_keys keys;
    size_t len = 0;

    ui_action_keys(ui, action, &keys);
    out[0] = '\0';
    for (size_t i = 0; i < keys.count && len + KEY_NAME_MAX + 1 < size; i++) {
        if (i > 0)
            out[len++] = ' ';
        (void)key_name(out + len, size - len, keys.key[i]);
        len += strlen(out + len);
    }
    return out;
}

char *ui_first_key(const struct ui *ui, const struct action *action, char *out, size_t size)
{
    struct ui_keys keys;

    ui_action_keys(ui, action, &keys);
    out[0] = '\0';
    if (keys.count > 0)
        (void)key_name(out, size, keys.key[0]);
    return out;
}

/* ---- every row there is, open or not ---- */

struct all_rows {
    const struct action *table[UI_ROWS_MAX / 4];
    const char *name[UI_ROWS_MAX / 4];
    bool everywhere[UI_ROWS_MAX / 4];
    size_t count;
};

static void add_table(struct all_rows *all, const struct action *table, const char *name,
                      bool everywhere)
{
    if (table == NULL || all->count == COUNT_OF(all->table))
        return;
    all->table[all->count] = table;
    all->name[all->count] = name;
    all->everywhere[all->count++] = everywhere;
}

static void collect(const struct ui *ui, struct all_rows *all)
{
    all->count = 0;
    add_table(all, ui_actions, "everywhere", true);
    add_table(all, ui->setup.globals, "everywhere", true);
    add_table(all, ui->place_rows, "everywhere", true);
    for (size_t i = 0; i < ui->place_count; i++)
        add_table(all, ui->setup.places[i].view->actions, ui->setup.places[i].view->title, false);
    for (size_t i = 0; ui_widgets[i] != NULL; i++)
        add_table(all, ui_widgets[i]->actions, ui_widgets[i]->name, false);
}

static const struct action *find_id(const struct all_rows *all, const char *id)
{
    for (size_t t = 0; t < all->count; t++)
        for (const struct action *a = all->table[t]; a->id != NULL; a++)
            if (strcmp(a->id, id) == 0)
                return a;
    return NULL;
}

static bool unknown_id(const struct all_rows *all, const char *id, struct error *err)
{
    const char *near = NULL;
    size_t best = 6;

    for (size_t t = 0; t < all->count; t++)
        for (const struct action *a = all->table[t]; a->id != NULL; a++) {
            size_t d = str_distance(str_from(id), str_from(a->id), best);

            if (d < best) {
                best = d;
                near = a->id;
            }
        }
    return error_set(err, ERROR_CONFIG, 0, "ui.keys: no action is called \"%s\"%s%s%s", id,
                     near != NULL ? ", did you mean \"" : "", near != NULL ? near : "",
                     near != NULL ? "\"?" : "");
}

static bool read_key(const char *id, const json_t *value, struct ui_keys *keys, struct error *err)
{
    const char *name = json_string_value(value);
    char shown[40];

    if (name == NULL)
        return error_set(err, ERROR_CONFIG, 0, "ui.keys.%s: want the name of a key", id);
    if (keys->count == UI_KEYS_MAX)
        return error_set(err, ERROR_CONFIG, 0, "ui.keys.%s: at most %d keys", id, UI_KEYS_MAX);
    (void)str_copy(str_from(name), shown, sizeof(shown));
    if (!key_parse(str_from(name), &keys->key[keys->count]))
        return error_set(err, ERROR_CONFIG, 0,
                         "ui.keys.%s: \"%s\" is no key: want such as x, Ctrl-x, Alt-x, F5, Enter",
                         id, shown);
    keys->count++;
    return true;
}

static bool rebind(struct ui *ui, const char *id, const json_t *value, struct error *err)
{
    struct ui_keys *keys = mem_zero(1, sizeof(*keys));
    bool ok = true;

    if (json_is_array(value))
        for (size_t i = 0; i < json_array_size(value) && ok; i++)
            ok = read_key(id, json_array_get(value, i), keys, err);
    else
        ok = read_key(id, value, keys, err);
    if (!ok) {
        free(keys);
        return false;
    }
    free(map_put(ui->keys, str_from(id), keys));
    return true;
}

/* Two tables that are live together may not share a key; a view may cover its widget's. */
static bool check_pair(const struct ui *ui, const struct action *a, const struct action *b,
                       const char *where, struct error *err)
{
    struct ui_keys keys;
    char name[KEY_NAME_MAX];

    if (a == b)
        return true;
    ui_action_keys(ui, a, &keys);
    for (size_t i = 0; i < keys.count; i++)
        if (ui_has_key(ui, b, keys.key[i]))
            return error_set(err, ERROR_CONFIG, 0,
                             "ui.keys: %s is bound to both %s and %s (%s): give one another key",
                             key_name(name, sizeof(name), keys.key[i]), a->id, b->id, where);
    return true;
}

static bool yields(const struct action *a, bool to_everywhere)
{
    return (a->flags & ACTION_YIELDS) != 0 && !to_everywhere;
}

static bool check_tables(const struct ui *ui, const struct all_rows *all, size_t s, size_t t,
                         struct error *err)
{
    for (const struct action *a = all->table[s]; a->id != NULL; a++)
        for (const struct action *b = s == t ? a + 1 : all->table[t]; b->id != NULL; b++)
            if (!yields(a, all->everywhere[t]) && !check_pair(ui, a, b, all->name[t], err))
                return false;
    return true;
}

static bool check_rows(const struct all_rows *all, struct error *err)
{
    struct ui_keys keys;

    for (size_t t = 0; t < all->count; t++)
        for (const struct action *a = all->table[t]; a->id != NULL; a++)
            if (!parse_keys(a->keys != NULL ? a->keys : "", &keys) || a->run == NULL)
                return error_set(err, ERROR_INTERNAL, 0, "the row of action %s is broken", a->id);
    return true;
}

bool ui_bind(struct ui *ui, const json_t *keys, struct error *err)
{
    struct all_rows all;
    void *at;

    collect(ui, &all);
    if (!check_rows(&all, err))
        return false;
    for (at = json_object_iter(mem_unconst(keys)); at != NULL;
         at = json_object_iter_next(mem_unconst(keys), at)) {
        const char *id = json_object_iter_key(at);

        if (find_id(&all, id) == NULL)
            return unknown_id(&all, id, err);
        if (!rebind(ui, id, json_object_iter_value(at), err))
            return false;
    }
    for (size_t s = 0; s < all.count; s++)
        for (size_t t = s; t < all.count; t++)
            if ((s == t || all.everywhere[s]) && !check_tables(ui, &all, s, t, err))
                return false;
    return true;
}
