#include <string.h>

#include "core/config/config_table.h"
#include "views/console_private.h"
#include "views/registry.h"
#include "views/verbs/docs.h"

/* Markdown tables of keys, from the rows that the console itself runs. */

static const struct ui_setup setup = {.places = registry, .globals = console_actions};

/* "`r` `F5` `Ctrl-r`" */
static void put_keys(struct buf *out, const char *keys)
{
    struct str rest = str_from(keys != NULL ? keys : "");
    struct str name;
    const char *space = "";

    while (rest.len > 0 && str_split(&rest, ' ', &name)) {
        char text[KEY_NAME_MAX];

        if (name.len == 0)
            continue;
        (void)str_copy(name, text, sizeof(text));
        buf_put(out, "%s`", space);
        docs_code(out, text);
        buf_put(out, "`");
        space = " ";
    }
}

static void put_command(struct buf *out, const struct action *row)
{
    if (row->command == NULL && row->keys[0] != '\0')
        return;
    buf_put(out, "`:%s%s", row->command != NULL ? row->command : row->id,
            row->usage != NULL ? " " : "");
    docs_code(out, row->usage != NULL ? row->usage : "");
    buf_put(out, "`");
}

static void put_row(struct buf *out, const struct action *row)
{
    buf_put(out, "| ");
    put_keys(out, row->keys);
    buf_put(out, " | ");
    put_command(out, row);
    buf_put(out, " | ");
    docs_cell(out, row->help);
    buf_put(out, "%s |\n",
            (row->flags & ACTION_WRITES) != 0 ? " Needs read-write; asks first." : "");
}

static void put_screens(struct buf *out)
{
    buf_put(out, "| key | command | screen |\n|---|---|---|\n");
    for (const struct ui_place *p = registry; p->view != NULL; p++) {
        buf_put(out, "| ");
        put_keys(out, p->key);
        buf_put(out, " | `:%s` | ", p->view->id);
        docs_cell(out, p->view->title);
        buf_put(out, ": ");
        docs_cell(out, p->view->help != NULL ? p->view->help : "");
        buf_put(out, " |\n");
    }
}

/* One heading for tables of the same name that follow each other. */
static void put_tables(struct buf *out, bool only_global)
{
    const char *name = NULL;
    const char *before = "";
    const struct action *rows;

    for (size_t i = 0; (rows = ui_table(&setup, i, &name)) != NULL; i++) {
        if (rows->id == NULL || (only_global && i >= 2))
            continue;
        if (strcmp(name, before) != 0) {
            buf_put(out, "\n### %s\n\n", name);
            buf_put(out, "| keys | command | what it does |\n|---|---|---|\n");
        }
        before = name;
        for (; rows->id != NULL; rows++)
            put_row(out, rows);
    }
}

void docs_keys(struct buf *out)
{
    buf_put(out, "### Screens\n\n");
    put_screens(out);
    put_tables(out, false);
}

void docs_global_keys(struct buf *out)
{
    put_screens(out);
    put_tables(out, true);
}
