#include "views/screens/backups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/format.h"
#include "core/base/json.h"
#include "views/registry.h"
#include "views/screens/restore_form.h"
#include "views/screens/verify_form.h"

#define SAVE_MAX ((size_t)256 << 20)

struct backups_row *backups_selected(const struct backups_state *s)
{
    size_t row = 0;

    return table_selected(&s->table, &row) ? s->model.shown[row] : NULL;
}

/* ---- life ---- */

static void start(struct backups_state *s)
{
    s->env = s->app->env;
    s->forms.app = s->app;
    s->jobs = watch_list_ref(s->app->jobs);
    s->refreshes = s->app->refreshes;
    s->model.now_ms = s->app->now_real;
    backups_list_start(s);
}

static void stop(struct backups_state *s)
{
    app_forget(s->app, s);
    backups_list_release(s);
    watch_list_unref(s->jobs);
    memset(s->shelves, 0, sizeof(s->shelves));
    s->jobs = NULL;
}

static bool open_backups(void *state, const struct view_context *at, struct error *err UNUSED)
{
    struct backups_state *s = state;

    s->app = at->app;
    backups_model_init(&s->model);
    table_init(&s->table, &backups_table_ops, &s->model, -1);
    start(s);
    return true;
}

static void close_backups(void *state)
{
    struct backups_state *s = state;

    stop(s);
    table_release(&s->table);
    backups_model_release(&s->model);
}

static void update(void *state)
{
    struct backups_state *s = state;

    if (s->env != s->app->env) {
        stop(s);
        backups_model_release(&s->model);
        table_sync(&s->table, &s->model);
        start(s);
    }
    if (s->refreshes != s->app->refreshes)
        backups_list_start(s);
    s->refreshes = s->app->refreshes;
    s->model.now_ms = s->app->now_real;
    backups_list_jobs(s);
    backups_list_go_on(s);
}

/* ---- actions ---- */

static const char *none_selected(const void *state)
{
    return backups_selected(state) == NULL ? "no backup selected" : NULL;
}

static const char *not_usable(const void *state)
{
    const struct backups_row *r = backups_selected(state);

    return r == NULL ? "no backup selected" : backups_unusable(r);
}

static const char *no_environment(const void *state)
{
    const struct backups_state *s = state;

    return s->app->env == NULL ? "no environment is configured" : NULL;
}

static bool show(void *state, struct str arg UNUSED, struct error *err)
{
    struct backups_state *s = state;
    const struct backups_row *r = backups_selected(s);

    return r == NULL || ui_go(s->app->ui, "backup", r->key, err);
}

static bool back_up(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    backup_form_open(&((struct backups_state *)state)->forms);
    return true;
}

static bool verify(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct backups_state *s = state;
    const struct backups_row *r = backups_selected(s);

    if (r != NULL)
        verify_form_open(&s->forms, r);
    return true;
}

static bool plan(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct backups_state *s = state;
    const struct backups_row *r = backups_selected(s);

    if (r != NULL)
        restore_form_open(&s->forms, r);
    return true;
}

static bool copy_id(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct backups_state *s = state;
    const struct backups_row *r = backups_selected(s);

    if (r != NULL)
        app_copy(s->app, str_from(r->row.id.text));
    return true;
}

static bool next_place(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct backups_state *s = state;

    backups_model_show(&s->model, s->model.only + 1 < PLACES ? s->model.only + 1 : -1);
    table_sync(&s->table, &s->model);
    backups_list_go_on(s);
    return true;
}

/* ---- delete ---- */

static void removed(void *owner, void *data)
{
    struct backups_state *s = owner;
    struct backups_removal *r = data;

    if (r->err.code != ERROR_NONE)
        ui_error(s->app->ui, &r->err);
    else
        ui_toast(s->app->ui, TOAST_GOOD, "deleted %s", r->uri);
    backups_list_start(s);
}

static const char *delete_check(void *owner)
{
    const struct backups_state *s = owner;
    const char *why = app_write_blocked(s->app);

    if (why == NULL && s->app->state_dir == NULL)
        why = "there is no state directory for the audit log";
    return why != NULL ? why
           : backups_model_find(&s->model, str_from(s->forms.row.key)) == NULL
               ? "it is not there any more"
               : NULL;
}

static bool delete_now(void *owner, struct str reason, struct error *err UNUSED)
{
    struct backups_state *s = owner;
    const struct backups_row *r = &s->forms.row;

    backups_ask_remove(s->app, r->place, r->row.id.text,
                       reason.len > 0 ? reason : str_from(s->app->reason), s,
                       BACKUPS_CHANNEL_REMOVE, removed);
    ui_toast(s->app->ui, TOAST_INFO, "deleting %s", r->row.id.text);
    return true;
}

/* Is there another complete one of its environment, in either place, that is younger? */
static bool is_newest_complete(const struct backups_state *s, const struct backups_row *r)
{
    for (size_t i = 0; i < s->model.count; i++) {
        const struct backups_row *other = s->model.rows[i];

        if (other->row.state == BACKUP_COMPLETE && !other->row.summary.filtered &&
            strcmp(other->row.id.env, r->row.id.env) == 0 && strcmp(other->key, r->key) != 0 &&
            other->row.id.time_ms >= r->row.id.time_ms)
            return false;
    }
    return r->row.state == BACKUP_COMPLETE && !r->row.summary.filtered;
}

static void delete_text(const struct backups_state *s, const struct backups_row *r, struct buf *out)
{
    char size[FORMAT_MAX];
    char keys[FORMAT_MAX];
    char *uri = backups_row_uri(s->app, r);

    buf_put(out, "Deletes %s (%s, %s, %s keys)%s. It cannot be put back.\n", uri,
            format_size(size, sizeof(size), r->row.archive_bytes), backups_state_text(r),
            format_count(keys, sizeof(keys), r->row.summary.keys),
            r->row.has_directory ? " and its unpacked directory" : "");
    buf_put(out, "A copy in %s stays as it is.\n",
            r->place == PLACE_S3 ? "the local directory" : "S3");
    if (is_newest_complete(s, r))
        buf_put(out, "This is the NEWEST complete backup of %s that is known here.\n",
                r->row.id.env);
    buf_put(out, "The manifest goes first: what is half deleted never counts as complete.");
    free(uri);
}

static bool delete_backup(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct backups_state *s = state;
    const struct backups_row *r = backups_selected(s);
    struct arg_list args = {0};
    struct buf text;
    char *command;

    if (r == NULL)
        return true;
    s->forms.row = *r;
    args_add(&args, "delete");
    args_add(&args, r->row.id.text);
    args_add(&args, r->place == PLACE_S3 ? "--s3" : "--local");
    args_option(&args, "confirm", str_from(s->app->env->name));
    command = app_command_text(s->app, args_words(&args));
    buf_init(&text, (size_t)64 * 1024);
    delete_text(s, r, &text);
    ui_confirm(s->app->ui, &(struct ui_confirm){.title = "DELETE a backup",
                                                .text = text.data,
                                                .command = command,
                                                .accept = "Delete",
                                                .typed = app_typed_name(s->app, true),
                                                .danger = true,
                                                .ask_reason = app_is_protected(s->app) &&
                                                              s->app->reason[0] == '\0',
                                                .check = delete_check,
                                                .accepted = delete_now,
                                                .owner = s});
    buf_release(&text);
    free(command);
    args_release(&args);
    return true;
}

static const char *not_deletable(const void *state)
{
    const struct backups_row *r = backups_selected(state);

    return r == NULL              ? "no backup selected"
           : r->writer[0] != '\0' ? "it is being written: cancel its job first"
                                  : NULL;
}

static const struct action actions[] = {
    {"backups.show", "Enter", "open",
     "The whole manifest: totals, nodes, parts, options, warnings.", .command = "show",
     .flags = ACTION_FOOTER | ACTION_MENU, .blocked = none_selected, .run = show},
    {"backups.backup", "B", "backup", "Back up now: a form, then a job.", .command = "backup-now",
     .flags = ACTION_FOOTER | ACTION_MENU, .blocked = no_environment, .run = back_up},
    {"backups.verify", "v", "verify", "Compare it with the live cluster, a sample or every key.",
     .command = "verify", .flags = ACTION_FOOTER | ACTION_MENU, .blocked = not_usable,
     .run = verify},
    {"backups.restore", "", "restore", "Put it into the cluster: form, plan, confirmation.",
     .command = "restore", .flags = ACTION_MENU | ACTION_WRITES | ACTION_NO_KEYS,
     .blocked = not_usable, .run = plan},
    {"backups.plan", "p", "plan", "What a restore of it would do; changes nothing.",
     .command = "plan-restore", .flags = ACTION_FOOTER | ACTION_MENU, .blocked = not_usable,
     .run = plan},
    {"backups.delete", "", "delete", "Delete it where it is; shows what goes and asks first.",
     .command = "delete", .flags = ACTION_MENU | ACTION_WRITES | ACTION_NO_KEYS,
     .blocked = not_deletable, .run = delete_backup},
    {"backups.place", "Tab", "where", "Show both places, only S3, or only the local directory.",
     .flags = ACTION_FOOTER, .run = next_place},
    {"backups.copy", "y", "copy id", "Copy the backup's id.", .flags = ACTION_FOOTER,
     .blocked = none_selected, .run = copy_id},
    {0},
};

static struct widget *focus(void *state)
{
    return &((struct backups_state *)state)->table.widget;
}

/* The content of `list --json` with what has been read, or of `list`. */
static bool save(void *state, bool json, char **text, struct error *err)
{
    const struct backups_state *s = state;
    char time[FORMAT_MAX];
    char size[FORMAT_MAX];
    struct buf out;
    bool ok = true;

    buf_init(&out, SAVE_MAX);
    if (json) {
        json_t *doc = backups_list_json(s->app, &s->model);

        ok = json_print(doc, true, &out, err);
        json_decref(doc);
    }
    for (size_t i = 0; !json && i < s->model.shown_count; i++) {
        const struct backups_row *r = s->model.shown[i];
        char *uri = backups_row_uri(s->app, r);

        buf_put(&out, "%s\t%s\t%s\t%s\n", format_rfc3339(time, sizeof(time), r->row.id.time_ms),
                format_size(size, sizeof(size), r->row.archive_bytes), uri, backups_state_text(r));
        free(uri);
    }
    *text = ok ? buf_take(&out, NULL) : NULL;
    buf_release(&out);
    return ok;
}

static void crumb(const void *state, char *out, size_t size)
{
    const struct backups_row *r = backups_selected(state);

    (void)str_copy(str_from(r != NULL ? r->row.id.text : ""), out, size);
}

const struct view_ops backups_view = {
    .id = "backups",
    .title = "Backups",
    .help = "What is in S3 and in the local directory, newest first. Backup, restore, verify and "
            "delete start here; what they do goes on as jobs without this console.",
    .state_size = sizeof(struct backups_state),
    .actions = actions,
    .open = open_backups,
    .close = close_backups,
    .update = update,
    .draw = backups_draw,
    .focus = focus,
    .save = save,
    .crumb = crumb,
};
