#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/format.h"
#include "core/base/json.h"
#include "tui/pager.h"
#include "views/app.h"
#include "views/registry.h"
#include "views/screens/cluster_text.h"
#include "views/screens/jobs_detail.h"
#include "views/screens/jobs_model.h"
#include "views/screens/jobs_result.h"
#include "views/screens/jobs_resume.h"
#include "views/verbs/jobs_print.h"

#define LOG_HEIGHT_FULL 9
#define LOG_HEIGHT_STACKED 5
#define KEYS_READ 1000 /* of a verification, in its window */
#define LINES_AT_ONCE 64

struct jobs_state {
    struct app *app;
    struct table table;
    struct pager log;
    struct watch_list *list;   /* with a reference: what the table points into */
    char followed[JOB_ID_MAX]; /* whose journal the log shows */
    uint64_t last_line;
    char last_step[40];
    bool in_log; /* Tab: the log has the keys */
    char to_cancel[JOB_ID_MAX];
    char to_resume[JOB_ID_MAX];
    char wanted[JOB_ID_MAX]; /* to be selected as soon as it is in the list */
};

static const struct job_info *selected(const struct jobs_state *s)
{
    size_t row = 0;
    return table_selected(&s->table, &row) ? s->list->jobs.items[row] : NULL;
}

/* ---- life -------------------------------------------------------------------------------------
 */

/* The notes that a later run needs come by the hundred: of each kind in a row one is shown. */
static bool is_more_of_the_same(struct jobs_state *s, const struct watch_line *line)
{
    char name[sizeof(s->last_step)] = "";
    struct str rest = str_from(line->text);
    struct str word = {0};
    if (strcmp(line->level, "step") == 0 && str_split(&rest, ' ', &word))
        (void)str_copy(word, name, sizeof(name));
    bool same = name[0] != '\0' && strcmp(name, s->last_step) == 0;
    memcpy(s->last_step, name, sizeof(name));
    return same;
}

static void add_line(struct jobs_state *s, const struct watch_line *line)
{
    static const struct {
        const char *level;
        enum role role;
    } roles[] = {{"warn", ROLE_WARN}, {"error", ROLE_BAD}, {"step", ROLE_DIM}};
    enum role role = ROLE_TEXT;
    char stamp[FORMAT_MAX];
    char text[WATCH_TEXT + FORMAT_MAX + 16];
    s->last_line = line->number;
    if (is_more_of_the_same(s, line))
        return;
    for (size_t i = 0; i < COUNT_OF(roles); i++)
        if (strcmp(line->level, roles[i].level) == 0)
            role = roles[i].role;
    (void)snprintf(text, sizeof(text), "%sZ %-5s %s",
                   format_clock_ms(stamp, sizeof(stamp), line->real_ms), line->level, line->text);
    pager_add(&s->log, role, str_from(text));
}

static void follow_selected(struct jobs_state *s)
{
    const struct job_info *info = selected(s);
    struct watch *watch = app_watch(s->app);
    struct watch_line lines[LINES_AT_ONCE];
    size_t n = 0;
    if (watch == NULL || info == NULL)
        return;
    if (strcmp(s->followed, info->id) != 0) {
        memcpy(s->followed, info->id, sizeof(s->followed));
        s->last_line = 0;
        s->last_step[0] = '\0';
        pager_clear(&s->log);
        watch_follow(watch, info->id);
    }
    while ((n = watch_lines(watch, info->id, s->last_line, lines, LINES_AT_ONCE)) > 0) {
        for (size_t i = 0; i < n; i++)
            add_line(s, &lines[i]);
    }
}

static void update(void *state)
{
    struct jobs_state *s = state;
    if (s->list != s->app->jobs) {
        struct watch_list *old = s->list;
        s->list = watch_list_ref(s->app->jobs);
        table_sync(&s->table, s->list);
        watch_list_unref(old);
    }
    if (s->wanted[0] != '\0' && table_select_id(&s->table, str_from(s->wanted)))
        s->wanted[0] = '\0';
    follow_selected(s);
}

static bool open_jobs(void *state, const struct view_context *at, struct error *err)
{
    struct jobs_state *s = state;
    (void)err;
    s->app = at->app;
    s->list = watch_list_ref(s->app->jobs);
    table_init(&s->table, &jobs_table_ops, s->list, -1);
    pager_init(&s->log, true);
    table_sync(&s->table, s->list);
    (void)str_copy(str_from(at->arg), s->wanted, sizeof(s->wanted));
    update(s);
    return true;
}

static void close_jobs(void *state)
{
    struct jobs_state *s = state;
    if (app_watch(s->app) != NULL)
        watch_follow(app_watch(s->app), NULL);
    table_release(&s->table);
    pager_release(&s->log);
    watch_list_unref(s->list);
}

/* ---- drawing ----------------------------------------------------------------------------------
 */

static void draw(const void *state, struct canvas *c, struct rect at, enum view_layout layout)
{
    const struct jobs_state *s = state;
    const struct job_info *info = selected(s);
    char note[160];
    if (layout == LAYOUT_STRIP) {
        table_draw(&s->table, c, at, true);
        return;
    }
    if (info == NULL) {
        table_draw(
            &s->table, c,
            canvas_box(c, at, ROLE_FOCUS, "Jobs", table_status(&s->table, note, sizeof(note))),
            true);
        return;
    }
    int log_height = layout == LAYOUT_FULL ? LOG_HEIGHT_FULL : LOG_HEIGHT_STACKED;
    struct rect log = rect_take_bottom(&at, log_height);
    struct rect detail = rect_take_bottom(&at, jobs_detail_height(info, at.w, at.h / 2));
    struct rect in = canvas_box(c, at, s->in_log ? ROLE_BORDER : ROLE_FOCUS, "Jobs",
                                table_status(&s->table, note, sizeof(note)));
    table_draw(&s->table, c, in, !s->in_log);
    jobs_detail_draw(c, detail, info, s->app->now_real);
    in = canvas_box(c, log, s->in_log ? ROLE_FOCUS : ROLE_BORDER, "Journal", s->followed);
    pager_draw(&s->log, c, in, s->in_log);
}

/* ---- actions ----------------------------------------------------------------------------------
 */

static const char *not_running(const void *state)
{
    const struct job_info *info = selected(state);
    if (info == NULL)
        return "no job selected";
    return job_state_is_live(info->state) ? NULL : "this job does not run any more";
}

static const char *none_selected(const void *state)
{
    return selected(state) == NULL ? "no job selected" : NULL;
}

static bool pause_or_go(void *state, struct str arg, struct error *err)
{
    struct jobs_state *s = state;
    const struct job_info *info = selected(s);
    (void)arg;
    (void)err;
    if (info == NULL)
        return true;
    app_job_order(s->app, info->id, info->state == JOB_PAUSED ? CONTROL_RESUME : CONTROL_PAUSE, 0);
    return true;
}

static bool cancel_accepted(void *owner, struct str reason, struct error *err)
{
    struct jobs_state *s = owner;
    (void)reason;
    (void)err;
    app_job_order(s->app, s->to_cancel, CONTROL_CANCEL, 0);
    return true;
}

/* The question names the job, and its button is not called as the one that keeps it running. */
static bool cancel(void *state, struct str arg, struct error *err)
{
    struct jobs_state *s = state;
    const struct job_info *info = selected(s);
    char title[JOB_ID_MAX + 40];
    const char *args[] = {"jobs", "cancel", s->to_cancel, NULL};
    char *command;
    (void)arg;
    (void)err;
    if (info == NULL)
        return true;
    memcpy(s->to_cancel, info->id, sizeof(s->to_cancel));
    (void)snprintf(title, sizeof(title), "STOP %s  %s", info->id, job_kind_name(info->kind));
    command = app_command_text(s->app, args);
    ui_confirm(s->app->ui,
               &(struct ui_confirm){.title = title,
                                    .text = "It ends at its next safe point, as cancelled. What it "
                                            "has done until then stays.",
                                    .command = command,
                                    .accept = "Stop job",
                                    .accepted = cancel_accepted,
                                    .owner = s});
    free(command);
    return true;
}

static const char *not_resumable(const void *state)
{
    const struct jobs_state *s = state;
    const struct job_info *info = selected(s);
    const char *why = jobs_cannot_resume(info, s->app->env != NULL ? s->app->env->name : NULL);
    return why != NULL || !jobs_resume_writes(info) ? why : app_write_blocked(s->app);
}

static const struct job_info *find_job(const struct jobs_state *s, const char *id)
{
    for (size_t i = 0; i < s->list->jobs.count; i++)
        if (strcmp(s->list->jobs.items[i]->id, id) == 0)
            return s->list->jobs.items[i];
    return NULL;
}

/* Asked again while the question stands: another console may have resumed it meanwhile. */
static const char *check_resume(void *owner)
{
    const struct jobs_state *s = owner;
    const char *why = jobs_cannot_resume(find_job(s, s->to_resume), s->app->env->name);
    return why != NULL ? why : app_write_blocked(s->app);
}

static bool start_again(struct jobs_state *s, const struct job_info *info, struct str reason,
                        struct error *err)
{
    struct arg_list args;
    bool destroys = jobs_resume_destroys(info);
    jobs_resume_args(info, app_typed_name(s->app, destroys), reason, &args);
    bool ok = app_start_job(s->app, args_words(&args), false, err);
    args_release(&args);
    return ok;
}

static bool resume_accepted(void *owner, struct str reason, struct error *err)
{
    struct jobs_state *s = owner;
    const struct job_info *info = find_job(s, s->to_resume);
    return info != NULL &&
           start_again(s, info, reason.len > 0 ? reason : str_from(s->app->reason), err);
}

/* A backup only reads, and goes on at once; a restore asks as it did the first time. */
static bool resume(void *state, struct str arg, struct error *err)
{
    struct jobs_state *s = state;
    const struct job_info *info = selected(s);
    char title[JOB_ID_MAX + 80];
    struct arg_list args;
    char *command;
    (void)arg;
    if (info == NULL)
        return true;
    if (!jobs_resume_writes(info))
        return start_again(s, info, STR(""), err);
    memcpy(s->to_resume, info->id, sizeof(s->to_resume));
    (void)snprintf(title, sizeof(title), "RESUME %s  %s into %s", info->id,
                   job_kind_name(info->kind), info->env);
    const char *typed = app_typed_name(s->app, jobs_resume_destroys(info));
    jobs_resume_args(info, typed, str_from(s->app->reason), &args);
    command = app_command_text(s->app, args_words(&args));
    args_release(&args);
    ui_confirm(s->app->ui,
               &(struct ui_confirm){
                   .title = title,
                   .text = "It goes on with what it has not done yet, under its first options. "
                           "Keys it wrote are known and are not written twice.",
                   .command = command,
                   .accept = "Resume",
                   .typed = typed,
                   .danger = true,
                   .ask_reason = app_is_protected(s->app) && s->app->reason[0] == '\0',
                   .check = check_resume,
                   .accepted = resume_accepted,
                   .owner = s});
    free(command);
    return true;
}

/* From the limit that stands, or from the rate it has now. */
static bool change_rate(struct jobs_state *s, uint64_t times, uint64_t by, struct error *err)
{
    const struct job_info *info = selected(s);
    uint64_t rate = info != NULL ? info->rate_limit : 0;
    if (rate == 0 && info != NULL && info->progress.total.rate > 0)
        rate = (uint64_t)info->progress.total.rate;
    if (rate == 0 || info == NULL)
        return error_set(err, ERROR_REFUSED, 0, "its rate is not known yet: give one with :rate N");
    rate = rate > UINT64_MAX / times ? rate : rate * times / by;
    app_job_order(s->app, info->id, CONTROL_RATE, rate > 0 ? rate : 1);
    return true;
}

static bool slower(void *state, struct str arg, struct error *err)
{
    (void)arg;
    return change_rate(state, 1, 2, err);
}

static bool faster(void *state, struct str arg, struct error *err)
{
    (void)arg;
    return change_rate(state, 2, 1, err);
}

static bool set_rate(void *state, struct str arg, struct error *err)
{
    struct jobs_state *s = state;
    uint64_t rate = 0;
    if (!str_to_u64(str_trim(arg), &rate))
        return error_set(err, ERROR_USAGE, 0, "rate: a number of units per second, 0 = as started");
    const struct job_info *info = selected(s);
    if (info != NULL)
        app_job_order(s->app, info->id, CONTROL_RATE, rate);
    return true;
}

/* Takes doc. */
static bool print_json(json_t *doc, char **text, struct error *err)
{
    struct buf out;
    buf_init(&out, (size_t)64 << 20);
    bool ok = json_print(doc, true, &out, err);
    json_decref(doc);
    *text = ok ? buf_take(&out, NULL) : NULL;
    buf_release(&out);
    return ok;
}

static bool save(void *state, bool as_json, char **text, struct error *err)
{
    const struct jobs_state *s = state;
    if (!as_json) {
        *text = cluster_screen_text(&jobs_view, state);
        return true;
    }
    return print_json(jobs_list_json(&s->list->jobs, SIZE_MAX), text, err);
}

static void put_line(void *out, enum role role, const char *text)
{
    (void)role;
    buf_put(out, "%s\n", text);
}

/* What came of it in words first, then all that is known. */
static bool show_whole(void *state, struct str arg, struct error *err)
{
    const struct jobs_state *s = state;
    const struct job_info *info = selected(s);
    char *text = NULL;
    struct buf out;
    (void)arg;
    if (info == NULL || !print_json(job_info_to_json(info, true), &text, err))
        return info == NULL;
    buf_init(&out, (size_t)64 << 20);
    jobs_result_lines(info, KEYS_READ, put_line, &out);
    buf_put(&out, "%s%s", out.len > 0 ? "\n" : "", text);
    ui_text(s->app->ui, s->followed, buf_str(&out));
    buf_release(&out);
    free(text);
    return true;
}

static bool other_pane(void *state, struct str arg, struct error *err)
{
    struct jobs_state *s = state;
    (void)arg;
    (void)err;
    s->in_log = !s->in_log;
    return true;
}

static const struct action actions[] = {
    {"jobs.show", "Enter", "Details", "Show everything that is known about the selected job.",
     "details", NULL, ACTION_FOOTER | ACTION_MENU, none_selected, show_whole},
    {"jobs.pause", "p", "Pause", "Pause the selected job at its next safe point, or let it go on.",
     "pause", NULL, ACTION_FOOTER | ACTION_MENU, not_running, pause_or_go},
    {"jobs.slower", "{", "Slower", "Halve the selected job's rate.", "slower", NULL, ACTION_FOOTER,
     not_running, slower},
    {"jobs.faster", "}", "Faster", "Double the selected job's rate limit.", "faster", NULL,
     ACTION_FOOTER, not_running, faster},
    {"jobs.rate", "", "Rate", "Set the selected job's rate; 0 is as it was started.", "rate", "N",
     ACTION_NO_KEYS, not_running, set_rate},
    {"jobs.cancel", "", "Stop job", "Cancel the selected job at its next safe point.", "cancel",
     NULL, ACTION_MENU | ACTION_NO_KEYS, not_running, cancel},
    {"jobs.resume", "", "Resume", "Go on with a backup or restore that ended early.", "resume",
     NULL, ACTION_MENU | ACTION_NO_KEYS, not_resumable, resume},
    {"jobs.pane", "Tab", "Pane", "Give the keys to the journal, or back to the list.", NULL, NULL,
     ACTION_REPEAT, none_selected, other_pane},
    {NULL},
};

static struct widget *focus(void *state)
{
    struct jobs_state *s = state;
    return s->in_log ? &s->log.widget : &s->table.widget;
}

static bool back(void *state)
{
    struct jobs_state *s = state;
    if (s->in_log && !pager_back(&s->log)) {
        s->in_log = false;
        return true;
    }
    return s->in_log || table_back(&s->table);
}

static void crumb(const void *state, char *out, size_t size)
{
    const struct job_info *info = selected(state);
    (void)str_copy(str_from(info != NULL ? info->id : ""), out, size);
}

const struct view_ops jobs_view = {
    .id = "jobs",
    .title = "Jobs",
    .help = "Backups, restores and all other long work, of every console. Jobs are processes of "
            "their own: leaving this screen or losing SSH stops none.",
    .state_size = sizeof(struct jobs_state),
    .actions = actions,
    .open = open_jobs,
    .close = close_jobs,
    .update = update,
    .draw = draw,
    .focus = focus,
    .back = back,
    .save = save,
    .crumb = crumb,
};
