#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "tui/gauge.h"
#include "tui/pager.h"
#include "views/registry.h"
#include "views/screens/restore_form.h"
#include "views/screens/restore_plan_model.h"

/* The plan of a restore, opened with the id of the job that makes it. */

#define TEXT_MAX ((size_t)1 << 20)

struct plan_state {
    struct backups_form forms; /* first */
    struct app *app;
    struct pager pager;
    char id[JOB_ID_MAX];
    struct watch_list *jobs; /* with a reference: job points into it */
    const struct job_info *job;
    char *command; /* of the restore itself */
    bool was_fresh;
};

static void add_line(void *arg, enum role role, const char *text)
{
    pager_add(arg, role, str_from(text));
}

static struct plan_view view_of(const struct plan_state *s)
{
    return (struct plan_view){.job = s->job,
                              .jobs = s->jobs,
                              .env = s->job->env,
                              .command = s->command,
                              .now_ms = s->app->now_real};
}

static const struct job_info *find_job(const struct watch_list *list, const char *id)
{
    for (size_t i = 0; i < list->jobs.count; i++)
        if (strcmp(list->jobs.items[i]->id, id) == 0)
            return list->jobs.items[i];
    return NULL;
}

static void make_args(const struct plan_state *s, struct str reason, bool confirmed,
                      struct arg_list *out)
{
    *out = (struct arg_list){0};
    restore_plan_args(s->job, out);
    if (confirmed)
        args_option(out, "confirm", str_from(s->app->env->name));
    args_option(out, "reason", reason);
}

static bool needs_name(const struct plan_state *s)
{
    return app_typed_name(s->app, restore_plan_destroys(s->job)) != NULL;
}

static void print(struct plan_state *s)
{
    struct plan_view v;
    struct arg_list args;
    size_t top = s->pager.top;

    make_args(s, str_from(s->app->reason), needs_name(s), &args);
    free(s->command);
    s->command = app_command_text(s->app, args_words(&args));
    args_release(&args);
    pager_clear(&s->pager);
    v = view_of(s);
    restore_plan_lines(&v, add_line, &s->pager);
    s->pager.top = top < s->pager.count ? top : 0;
}

static void update(void *state)
{
    struct plan_state *s = state;
    const struct job_info *old = s->job;
    struct watch_list *before = s->jobs;
    bool fresh;

    s->jobs = watch_list_ref(s->app->jobs);
    s->job = find_job(s->jobs, s->id);
    if (s->job == NULL) {
        if (old != NULL || s->pager.count == 0) {
            pager_clear(&s->pager);
            pager_add(&s->pager, ROLE_DIM, STR("waiting for the job that makes the plan"));
        }
    } else {
        fresh = restore_plan_obstacle(s->job, s->app->now_real) == NULL;
        if (s->job != old || fresh != s->was_fresh)
            print(s);
        s->was_fresh = fresh;
    }
    watch_list_unref(before);
}

static bool open_plan(void *state, const struct view_context *at, struct error *err)
{
    struct plan_state *s = state;
    enum job_kind kind;
    uint32_t number;

    s->app = at->app;
    s->forms.app = at->app;
    if (s->app->env == NULL || !job_id_parse(str_from(at->arg), &kind, &number) ||
        kind != JOB_RESTORE)
        return error_set(err, ERROR_USAGE, 0,
                         "choose a backup on screen 4, then p: that makes a plan");
    (void)str_copy(str_from(at->arg), s->id, sizeof(s->id));
    pager_init(&s->pager, false);
    return true;
}

static void close_plan(void *state)
{
    struct plan_state *s = state;

    app_forget(s->app, s);
    pager_release(&s->pager);
    watch_list_unref(s->jobs);
    free(s->command);
}

static void draw(const void *state, struct canvas *c, struct rect at, enum view_layout layout)
{
    const struct plan_state *s = state;
    struct rect in = canvas_box(c, at, ROLE_FOCUS, "Plan of a restore", s->id);
    const struct progress_bar *bar = s->job != NULL ? &s->job->progress.total : NULL;

    if (bar != NULL && layout != LAYOUT_STRIP && job_state_is_live(s->job->state))
        gauge_draw(c, rect_take_bottom(&in, 1), ROLE_BAR, bar->done, bar->total);
    pager_draw(&s->pager, c, in, true);
}

/* ---- going ahead ---- */

static const char *not_possible(const void *state)
{
    const struct plan_state *s = state;

    if (s->job == NULL)
        return "the plan is not ready yet";
    if (s->app->env == NULL || strcmp(s->job->env, s->app->env->name) != 0)
        return "this plan is of another environment";
    return restore_plan_obstacle(s->job, s->app->now_real);
}

/* Asked again while the dialog is open and in the step that accepts. */
static const char *check(void *owner)
{
    const struct plan_state *s = owner;
    const char *why = app_write_blocked(s->app);

    return why != NULL ? why : not_possible(s);
}

static bool go_ahead(void *owner, struct str reason, struct error *err)
{
    struct plan_state *s = owner;
    struct arg_list args;
    bool ok;

    make_args(s, reason.len > 0 ? reason : str_from(s->app->reason), needs_name(s), &args);
    ok = !args.full || error_set(err, ERROR_LIMIT, 0, "too many patterns");
    ok = ok && app_start_job(s->app, args_words(&args), true, err);
    args_release(&args);
    return ok;
}

static bool confirm(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct plan_state *s = state;
    struct plan_view v = view_of(s);
    char title[200];
    struct buf text;

    (void)snprintf(title, sizeof(title), "RESTORE into %s", s->app->env->name);
    buf_init(&text, TEXT_MAX);
    restore_plan_summary(&v, &text);
    ui_confirm(s->app->ui, &(struct ui_confirm){
                               .title = title,
                               .text = text.len > 0 ? text.data : "",
                               .command = s->command,
                               .accept = "Restore",
                               .typed = app_typed_name(s->app, restore_plan_destroys(s->job)),
                               .danger = true,
                               .ask_reason = app_is_protected(s->app) && s->app->reason[0] == '\0',
                               .check = check,
                               .accepted = go_ahead,
                               .owner = s});
    buf_release(&text);
    return true;
}

static const char *not_again(const void *state)
{
    const struct plan_state *s = state;

    if (s->job == NULL || job_state_is_live(s->job->state))
        return "the plan is being made";
    return restore_plan_is_one(s->job) ? NULL : "this job is no plan";
}

static bool again(void *state, struct str arg UNUSED, struct error *err)
{
    struct plan_state *s = state;
    struct arg_list args = {0};
    bool ok;

    restore_plan_args(s->job, &args);
    ok = restore_plan_start(&s->forms, &args, err);
    args_release(&args);
    return ok;
}

static bool back_up(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    backup_form_open(&((struct plan_state *)state)->forms);
    return true;
}

static bool copy(void *state, struct str arg UNUSED, struct error *err)
{
    struct plan_state *s = state;

    if (s->command == NULL)
        return error_set(err, ERROR_NOT_FOUND, 0, "the plan is not ready yet");
    app_copy(s->app, str_from(s->command));
    return true;
}

static bool job_screen(void *state, struct str arg UNUSED, struct error *err)
{
    struct plan_state *s = state;

    return ui_go(s->app->ui, "jobs", s->id, err);
}

static const struct action actions[] = {
    {"plan.apply", "", "restore", "Go ahead with this restore; asks before anything is written.",
     .command = "apply", .flags = ACTION_MENU | ACTION_WRITES | ACTION_NO_KEYS,
     .blocked = not_possible, .run = confirm},
    {"plan.again", "R", "plan again", "Make the plan again, from what is there now.",
     .command = "plan-again", .flags = ACTION_FOOTER | ACTION_MENU, .blocked = not_again,
     .run = again},
    {"plan.backup", "B", "backup", "Back up what is there now, before it is changed.",
     .command = "backup-now", .flags = ACTION_FOOTER | ACTION_MENU, .run = back_up},
    {"plan.copy", "y", "copy", "Copy the command line that does the same.", .flags = ACTION_FOOTER,
     .run = copy},
    {"plan.job", "L", "job", "The job that made this plan, with its journal.",
     .flags = ACTION_FOOTER, .run = job_screen},
    {0},
};

static struct widget *focus(void *state)
{
    return &((struct plan_state *)state)->pager.widget;
}

static bool back(void *state)
{
    return pager_back(&((struct plan_state *)state)->pager);
}

/* The content of `restore --dry-run --json`. */
static bool save(void *state, bool json, char **text, struct error *err)
{
    const struct plan_state *s = state;
    json_t *doc;
    struct buf out;
    bool ok = true;

    if (s->job == NULL)
        return error_set(err, ERROR_NOT_FOUND, 0, "the plan is not ready yet");
    buf_init(&out, (size_t)16 << 20);
    if (json) {
        doc = job_info_to_json(s->job, true);
        ok = json_print(doc, true, &out, err);
        json_decref(doc);
    } else {
        for (size_t i = 0; i < s->pager.count; i++)
            buf_put(&out, "%.*s\n", (int)s->pager.lines[i].len, s->pager.lines[i].text);
    }
    *text = ok ? buf_take(&out, NULL) : NULL;
    buf_release(&out);
    return ok;
}

static void crumb(const void *state, char *out, size_t size)
{
    (void)str_copy(str_from(((const struct plan_state *)state)->id), out, size);
}

const struct view_ops plan_view = {
    .id = "plan",
    .title = "Restore plan",
    .help = "What a restore would do: what exists, what would change on each node, warnings, how "
            "to undo it and the exact command. Nothing is changed until it is confirmed.",
    .state_size = sizeof(struct plan_state),
    .actions = actions,
    .open = open_plan,
    .close = close_plan,
    .update = update,
    .draw = draw,
    .focus = focus,
    .back = back,
    .save = save,
    .crumb = crumb,
};
