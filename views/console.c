#include "views/console.h"

#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/config/process_env.h"
#include "views/console_private.h"
#include "views/registry.h"

#define FRAME_MS 250
#define SLOW_FRAME_MS 2000

static void on_answers(void *owner)
{
    struct console *k = owner;

    pump_drain(k->app.pump);
    if (ui_dirty(k->app.ui))
        pace_dirty(&k->pace, false);
}

static void on_second(void *owner)
{
    struct console *k = owner;

    session_tick(k);
    ui_update(k->app.ui);
    pace_dirty(&k->pace, false);
}

/* ---- themes ---- */

static bool is_theme_dir(const char *dir)
{
    char *file = file_join(dir, "nord.json");
    bool found = file_exists(file);

    free(file);
    return found;
}

static char *beside_program(const char *below)
{
    char self[1024];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    if (n <= 0)
        return NULL;
    self[n] = '\0';
    slash = strrchr(self, '/');
    if (slash == NULL)
        return NULL;
    *slash = '\0';
    return file_join(self, below);
}

/* Installed (bin/../share/rbconsole/themes), or in the source tree (build/MODE/../../themes). */
static char *find_theme_dir(void)
{
    static const char *const below[] = {"../share/rbconsole/themes", "../../themes"};

    for (size_t i = 0; i < COUNT_OF(below); i++) {
        char *dir = beside_program(below[i]);

        if (dir != NULL && is_theme_dir(dir))
            return dir;
        free(dir);
    }
    return NULL;
}

bool console_set_theme(struct console *k, const char *name, struct error *err)
{
    struct theme fresh;

    if (!theme_load(&fresh, k->theme_dir, name, err))
        return false;
    k->theme = fresh;
    if (k->term != NULL)
        term_set_theme(k->term, &k->theme);
    pace_dirty(&k->pace, true);
    return true;
}

/* ---- start and end ---- */

static const char *leave_question(const void *app)
{
    struct console *k = console_of(app);

    if (k->app.jobs->live == 0 && k->app.access != ACCESS_ARMED)
        return NULL;
    (void)snprintf(k->leave_text, sizeof(k->leave_text),
                   "%zu job%s running; they go on without this console.%s", k->app.jobs->live,
                   k->app.jobs->live == 1 ? " is" : "s are",
                   k->app.access == ACCESS_ARMED ? "\nRead-write mode ends with it." : "");
    return k->leave_text;
}

static const char *write_blocked(const void *app)
{
    return app_write_blocked(app);
}

static void note_action(void *app UNUSED, const struct action *action, struct str arg)
{
    log_write(LOG_LEVEL_INFO, "console", "%s %.*s", action->id,
              (int)(arg.len > 100 ? 100 : arg.len), arg.len > 0 ? arg.ptr : "");
}

static bool make_parts(struct console *k, const struct invocation *inv, struct error *err)
{
    struct ui_setup setup = {
        .places = registry,
        .globals = console_actions,
        .app = &k->app,
        .header = header_draw,
        .header_rows = header_rows,
        .write_blocked = write_blocked,
        .leave_question = leave_question,
        .ran = note_action,
        .version = RBCONSOLE_VERSION,
        .slow = option_flag(inv, "slow"),
    };

    k->app.inv = inv;
    k->app.config = inv->config;
    k->app.env = inv->env;
    k->app.utc = true;
    who_now(&k->app.who);
    for (size_t i = 0; i < LAUNCHES_MAX; i++)
        k->launches[i].fd = -1;
    k->pace.interval_ms = setup.slow ? SLOW_FRAME_MS : FRAME_MS;
    k->theme_dir = find_theme_dir();
    k->themes = theme_names(k->theme_dir, &k->theme_count);
    if (!loop_new(&k->loop, err))
        return false;
    k->app.pump = pump_new(err);
    if (k->app.pump == NULL)
        return false;
    k->app.ui = ui_new(&setup);
    loop_watch(k->loop, pump_fd(k->app.pump), on_answers, k);
    loop_every(k->loop, 1000, on_second, k);
    return ui_bind(k->app.ui, config_json(inv->config, inv->env, "ui.keys"), err) &&
           console_set_theme(k,
                             inv->env != NULL && inv->env->theme != NULL
                                 ? inv->env->theme
                                 : config_text(inv->config, inv->env, "ui.theme"),
                             err);
}

static void release_parts(struct console *k)
{
    app_release_launches(k);
    ui_free(k->app.ui);
    if (k->app.pump != NULL)
        session_stop(k);
    pump_free(k->app.pump);
    loop_free(k->loop);
    theme_names_free(k->themes, k->theme_count);
    free(k->theme_dir);
    free(k->next_env);
}

static bool open_terminal(struct console *k, bool utf8, bool cjk, struct error *err)
{
    const struct invocation *inv = k->app.inv;
    struct term_options options = {
        .type = process_env_text("TERM"),
        .theme = &k->theme,
        .no_color = process_env_text("NO_COLOR") != NULL,
        .ascii = option_flag(inv, "ascii") || !utf8,
        .mouse = config_flag(inv->config, inv->env, "ui.mouse"),
    };

    if (options.type != NULL &&
        (strcmp(options.type, "linux") == 0 || strncmp(options.type, "vt", 2) == 0))
        options.ascii = true;
    if (!term_start(&k->term, k->loop, &options, err))
        return false;
    canvas_plain_lines(term_canvas(k->term), cjk);
    mem_on_exhausted(term_emergency);
    if (term_note(k->term) != NULL)
        ui_toast(k->app.ui, TOAST_WARN, "%s", term_note(k->term));
    return true;
}

/* ---- the loop ---- */

static void suspend(struct console *k)
{
    term_suspend(k->term);
    pace_dirty(&k->pace, true);
}

static void on_event(struct console *k, const struct term_event *e)
{
    struct ui *ui = k->app.ui;

    pace_dirty(&k->pace, true);
    switch (e->kind) {
    case TERM_EVENT_KEY:
        if (e->key == (TK_CTRL | 'z'))
            suspend(k);
        else
            ui_key(ui, e->key);
        break;
    case TERM_EVENT_MOUSE:
        ui_mouse(ui, &e->mouse);
        break;
    case TERM_EVENT_PASTE:
        ui_paste(ui, true);
        break;
    case TERM_EVENT_PASTE_END:
        ui_paste(ui, false);
        break;
    case TERM_EVENT_STOP:
        suspend(k);
        break;
    case TERM_EVENT_LEAVE:
        ui_leave(ui, false);
        break;
    case TERM_EVENT_NONE:
    case TERM_EVENT_RESIZE:
    case TERM_EVENT_RESUME:
        break;
    }
}

static void draw(struct console *k)
{
    int64_t now = clock_mono_ms();

    if (now < pace_next(&k->pace))
        return;
    k->app.now_mono = now;
    k->app.now_real = clock_real_ms();
    ui_draw(k->app.ui, term_canvas(k->term));
    if (term_present(k->term))
        pace_drawn(&k->pace, now);
    else
        k->pace.last_ms = now; /* the line is stalled: this frame is skipped, the next one tried */
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void console_step(struct console *k, int64_t deadline)
{
    struct term_event e;

    if (k->next_env != NULL) {
        const struct environment *env = config_environment(k->app.config, k->next_env);

        free(k->next_env);
        k->next_env = NULL;
        session_switch(k, env);
    }
    if (k->term == NULL) {
        loop_step(k->loop, deadline);
        return;
    }
    draw(k);
    deadline = earlier(deadline, earlier(pace_next(&k->pace), term_deadline(k->term)));
    loop_step(k->loop, deadline);
    while (!ui_leaving(k->app.ui) && term_next(k->term, &e))
        on_event(k, &e);
}

static int run_terminal(struct console *k, bool utf8, bool cjk, struct error *err)
{
    if (!open_terminal(k, utf8, cjk, err))
        return verb_fail(err);
    while (!ui_leaving(k->app.ui))
        console_step(k, CLOCK_NEVER);
    mem_on_exhausted(NULL);
    term_stop(k->term);
    k->term = NULL;
    return 0;
}

static const char *first_view(const struct console *k)
{
    return k->app.env == NULL ? "setup" : option_text(k->app.inv, "view");
}

int console_run(const struct invocation *inv, struct error *err)
{
    struct console *k = mem_zero(1, sizeof(*k));
    bool cjk = false;
    bool utf8 = text_start(&cjk);
    const char *script = option_text(inv, "script");
    int status;

    if (!make_parts(k, inv, err) || !session_start(k, err) ||
        !ui_start(k->app.ui, first_view(k), err))
        status = verb_fail(err);
    else if (script != NULL)
        status = script_run(k, script, option_text(inv, "size"), option_text(inv, "dump"), err);
    else
        status = run_terminal(k, utf8, cjk, err);
    release_parts(k);
    if (k->restart != NULL) {
        (void)execv("/proc/self/exe", k->restart);
        (void)error_set(err, ERROR_INTERNAL, 0, "start again with what was entered");
        status = verb_fail(err);
        for (size_t i = 0; k->restart[i] != NULL; i++)
            free(k->restart[i]);
        free(k->restart);
    }
    free(k);
    return status;
}
