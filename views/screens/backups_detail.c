#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "tui/pager.h"
#include "views/registry.h"
#include "views/screens/backups_detail_model.h"
#include "views/screens/backups_load.h"
#include "views/screens/restore_form.h"
#include "views/screens/verify_form.h"

/* One backup with its manifest; opened with "s3:<id>" or "local:<id>". */

enum { CHANNEL_MANIFEST = 1 };

struct detail_state {
    struct backups_form forms; /* first */
    struct app *app;
    struct pager pager;
    int place;
    struct backup_id id;
    struct backups_row row;
    bool known;
    unsigned refreshes; /* r, F5 */
    char *text;         /* JSON, once it is there */
};

static void add_line(void *arg, enum role role, const char *text)
{
    pager_add(arg, role, str_from(text));
}

static void take(void *owner, void *data)
{
    struct detail_state *s = owner;
    struct backups_manifest *m = data;

    pager_clear(&s->pager);
    free(s->text);
    s->text = m->text;
    m->text = NULL;
    s->known = m->err.code == ERROR_NONE;
    if (!s->known) {
        pager_add(&s->pager, ROLE_BAD, str_from(m->err.text));
    } else {
        s->row.row = m->row;
        backups_detail_lines(&m->row, m->uri, m->manifest, m->why.text, add_line, &s->pager);
        s->pager.top = 0;
    }
    ui_touch(s->app->ui);
}

static void ask(struct detail_state *s)
{
    backups_ask_manifest(s->app, s->place, s->id.text, s, CHANNEL_MANIFEST, take);
}

static bool open_detail(void *state, const struct view_context *at, struct error *err)
{
    struct detail_state *s = state;

    s->app = at->app;
    s->refreshes = s->app->refreshes;
    s->forms.app = at->app;
    s->place = backups_key_parse(at->arg, &s->id);
    if (s->place < 0)
        return error_set(err, ERROR_USAGE, 0, "choose a backup on screen 4 and press Enter");
    s->row.place = s->place;
    s->row.row.id = s->id;
    (void)snprintf(s->row.key, sizeof(s->row.key), "%s", at->arg);
    pager_init(&s->pager, false);
    pager_add(&s->pager, ROLE_DIM, STR("reading the manifest"));
    ask(s);
    return true;
}

static void close_detail(void *state)
{
    struct detail_state *s = state;

    app_forget(s->app, s);
    pager_release(&s->pager);
    free(s->text);
}

static void update(void *state)
{
    struct detail_state *s = state;

    if (s->refreshes != s->app->refreshes)
        ask(s);
    s->refreshes = s->app->refreshes;
}

static void draw(const void *state, struct canvas *c, struct rect at,
                 enum view_layout layout UNUSED)
{
    const struct detail_state *s = state;
    struct rect in = canvas_box(
        c, at, ROLE_FOCUS, s->id.text,
        app_is_waiting(s->app, s, CHANNEL_MANIFEST) ? "reading" : backups_place_name(s->place));

    pager_draw(&s->pager, c, in, true);
}

/* ---- actions ---- */

static const char *not_known(const void *state)
{
    const struct detail_state *s = state;

    return s->known ? backups_unusable(&s->row) : "it has not been read yet";
}

static bool plan(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct detail_state *s = state;

    restore_form_open(&s->forms, &s->row);
    return true;
}

static bool verify(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct detail_state *s = state;

    verify_form_open(&s->forms, &s->row);
    return true;
}

static bool copy_id(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct detail_state *s = state;

    app_copy(s->app, str_from(s->id.text));
    return true;
}

static const struct action actions[] = {
    {"backup.verify", "v", "verify", "Compare it with the live cluster, a sample or every key.",
     .command = "verify", .flags = ACTION_FOOTER | ACTION_MENU, .blocked = not_known,
     .run = verify},
    {"backup.restore", "", "restore", "Put it into the cluster: form, plan, confirmation.",
     .command = "restore", .flags = ACTION_MENU | ACTION_WRITES | ACTION_NO_KEYS,
     .blocked = not_known, .run = plan},
    {"backup.plan", "p", "plan", "What a restore of it would do; changes nothing.",
     .command = "plan-restore", .flags = ACTION_FOOTER | ACTION_MENU, .blocked = not_known,
     .run = plan},
    {"backup.copy", "y", "copy id", "Copy the backup's id.", .flags = ACTION_FOOTER,
     .run = copy_id},
    {0},
};

static struct widget *focus(void *state)
{
    return &((struct detail_state *)state)->pager.widget;
}

static bool back(void *state)
{
    return pager_back(&((struct detail_state *)state)->pager);
}

static bool save(void *state, bool json, char **text, struct error *err)
{
    const struct detail_state *s = state;
    struct buf out;

    if (s->text == NULL)
        return error_set(err, ERROR_NOT_FOUND, 0, "the manifest has not been read yet");
    if (json) {
        *text = mem_copy_text(s->text);
        return true;
    }
    buf_init(&out, (size_t)16 << 20);
    for (size_t i = 0; i < s->pager.count; i++)
        buf_put(&out, "%.*s\n", (int)s->pager.lines[i].len, s->pager.lines[i].text);
    *text = buf_take(&out, NULL);
    return true;
}

static void crumb(const void *state, char *out, size_t size)
{
    (void)str_copy(str_from(((const struct detail_state *)state)->id.text), out, size);
}

const struct view_ops backup_view = {
    .id = "backup",
    .title = "Backup",
    .help = "One backup: what it holds by type, node, slot and part, its options and warnings, and "
            "why it is incomplete if it is.",
    .state_size = sizeof(struct detail_state),
    .actions = actions,
    .open = open_detail,
    .close = close_detail,
    .update = update,
    .draw = draw,
    .focus = focus,
    .back = back,
    .save = save,
    .crumb = crumb,
};
