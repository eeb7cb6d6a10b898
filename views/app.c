#include "views/app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/format.h"
#include "views/console_private.h"

const char *app_write_blocked(const struct app *app)
{
    const struct snapshot *s = app->snapshot;

    if (app->inv->read_only)
        return "this console was started with --read-only";
    if (app->env == NULL)
        return "no environment is configured";
    if (app->identity.refused)
        return app->identity.text;
    if (app->identity.match == IDENTITY_UNSEEN)
        return "the cluster has not answered yet";
    if (s->node_count > 0 && s->stale * 2 > s->node_count)
        return "most nodes do not answer: what is shown is old";
    if (app->access == ACCESS_READ_ONLY)
        return "read-only: arm with :rw 20m REASON";
    return NULL;
}

bool app_is_protected(const struct app *app)
{
    return app->env == NULL || app->env->protected || app->identity.protected;
}

const char *app_typed_name(const struct app *app, bool destroys)
{
    if (app->env == NULL)
        return NULL;
    return destroys || app_is_protected(app) ? app->env->name : NULL;
}

void app_ask(struct app *app, const struct app_request *request)
{
    pump_ask(app->pump, request);
}

void app_forget(struct app *app, void *owner)
{
    struct console *k = console_of(app);

    pump_forget(app->pump, owner);
    for (size_t i = 0; i < LAUNCHES_MAX; i++)
        if (k->launches[i].owner == owner)
            k->launches[i].told = NULL;
}

bool app_is_waiting(const struct app *app, const void *owner, int channel)
{
    return pump_is_waiting(app->pump, owner, channel);
}

/* ---- jobs ---- */

/* Global options of this console that its jobs must have as well. Secrets are named by file only.
 */
static const char *const passed_on[] = {"config", "nodes", "user",      "password-file", "cacert",
                                        "cert",   "key",   "state-dir", "log-file"};
static const char *const passed_flags[] = {"tls", "insecure", "read-only"};

struct args {
    char **items;
    size_t count, cap;
};

static void add_arg(struct args *a, const char *text)
{
    ARRAY_PUSH(a->items, a->count, a->cap) = mem_copy_text(text);
}

static void add_globals(const struct app *app, struct args *a)
{
    for (size_t i = 0; i < COUNT_OF(passed_on); i++)
        if (option_given(app->inv, passed_on[i])) {
            ARRAY_PUSH(a->items, a->count, a->cap) = mem_format("--%s", passed_on[i]);
            add_arg(a, option_text(app->inv, passed_on[i]));
        }
    for (size_t i = 0; i < COUNT_OF(passed_flags); i++)
        if (option_flag(app->inv, passed_flags[i]))
            ARRAY_PUSH(a->items, a->count, a->cap) = mem_format("--%s", passed_flags[i]);
    if (app->env != NULL && app->env->in_config) {
        add_arg(a, "--env");
        add_arg(a, app->env->name);
    }
}

static void make_args(const struct app *app, const char *const *args, struct args *out)
{
    *out = (struct args){0};
    add_globals(app, out);
    for (; *args != NULL; args++)
        add_arg(out, *args);
    ARRAY_PUSH(out->items, out->count, out->cap) = NULL;
}

static void release_args(struct args *a)
{
    for (size_t i = 0; i < a->count; i++)
        free(a->items[i]);
    free(a->items);
}

static bool is_plain(const char *arg)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "-_./:,=@+%";

    return arg[0] != '\0' && strspn(arg, good) == strlen(arg);
}

/* As a shell would take it: anything unusual in single quotes. */
static void quote(struct buf *out, const char *arg)
{
    if (is_plain(arg)) {
        buf_put(out, " %s", arg);
        return;
    }
    buf_put(out, " '");
    for (; *arg != '\0'; arg++)
        if (*arg == '\'')
            buf_put(out, "'\\''");
        else
            buf_put(out, "%c", *arg);
    buf_put(out, "'");
}

char *app_command_text(const struct app *app, const char *const *args)
{
    struct args all;
    struct buf out;

    make_args(app, args, &all);
    buf_init(&out, (size_t)64 * 1024);
    buf_put(&out, "rbconsole");
    for (size_t i = 0; all.items[i] != NULL; i++)
        quote(&out, all.items[i]);
    release_args(&all);
    return buf_take(&out, NULL);
}

static void on_launch(void *owner)
{
    app_poll_launches(owner);
}

static struct launch *free_launch(struct console *k)
{
    for (size_t i = 0; i < LAUNCHES_MAX; i++)
        if (k->launches[i].spawn == NULL)
            return &k->launches[i];
    return NULL;
}

/* NULL: not started, err says why. */
static struct launch *start(struct app *app, const char *const *args, struct error *err)
{
    struct console *k = console_of(app);
    struct launch *launch = free_launch(k);
    struct spawn_spec spec = {0};
    struct args all;

    if (launch == NULL) {
        (void)error_set(err, ERROR_REFUSED, 0, "%d jobs of this console run already: wait for one",
                        LAUNCHES_MAX);
        return NULL;
    }
    make_args(app, args, &all);
    spec.args = (const char *const *)all.items;
    launch->spawn = spawn_start(&spec, err);
    release_args(&all);
    if (launch->spawn == NULL)
        return NULL;
    launch->started = false;
    launch->what = mem_copy_text(args[0]);
    launch->fd = spawn_fd(launch->spawn);
    if (launch->fd >= 0)
        loop_watch(k->loop, launch->fd, on_launch, k);
    ui_toast(app->ui, TOAST_INFO, "%s: starting", args[0]);
    return launch;
}

bool app_start_job(struct app *app, const char *const *args, bool show, struct error *err)
{
    struct launch *launch = start(app, args, err);

    if (launch == NULL)
        return false;
    launch->show = show;
    return true;
}

bool app_start_told(struct app *app, const char *const *args, app_told told, void *owner,
                    struct error *err)
{
    struct launch *launch = start(app, args, err);

    if (launch == NULL)
        return false;
    launch->told = told;
    launch->owner = owner;
    return true;
}

static void unwatch_launch(struct console *k, struct launch *l)
{
    if (l->fd >= 0)
        loop_unwatch(k->loop, l->fd);
    l->fd = -1;
}

static void end_launch(struct console *k, struct launch *l)
{
    unwatch_launch(k, l);
    spawn_free(l->spawn);
    free(l->what);
    *l = (struct launch){.fd = -1};
}

static void tell_started(struct console *k, struct launch *l)
{
    struct error err;
    const char *id = spawn_id(l->spawn);

    unwatch_launch(k, l);
    if (l->started)
        return;
    l->started = true;
    if (l->owner != NULL) {
        if (l->told != NULL)
            l->told(l->owner, id, NULL);
        return;
    }
    ui_toast(k->app.ui, TOAST_GOOD, "%s started as %s; it goes on without this console", l->what,
             id);
    if (l->show && !ui_go(k->app.ui, "jobs", id, &err))
        ui_error(k->app.ui, &err);
}

static void poll_launch(struct console *k, struct launch *l)
{
    struct error err = {ERROR_NONE, 0, ""};

    switch (spawn_poll(l->spawn, &err)) {
    case SPAWN_WAITING:
        return;
    case SPAWN_STARTED:
        tell_started(k, l);
        return;
    case SPAWN_FAILED:
        (void)error_wrap(&err, "%s did not start", l->what);
        if (l->told != NULL)
            l->told(l->owner, NULL, &err);
        else
            ui_error(k->app.ui, &err);
        end_launch(k, l);
        return;
    case SPAWN_ENDED:
        tell_started(k, l);
        end_launch(k, l);
        return;
    }
}

void app_poll_launches(struct console *k)
{
    for (size_t i = 0; i < LAUNCHES_MAX; i++)
        if (k->launches[i].spawn != NULL)
            poll_launch(k, &k->launches[i]);
    pace_dirty(&k->pace, false);
}

void app_release_launches(struct console *k)
{
    for (size_t i = 0; i < LAUNCHES_MAX; i++)
        if (k->launches[i].spawn != NULL)
            end_launch(k, &k->launches[i]);
}

void app_job_order(struct app *app, const char *id, enum control_order order, uint64_t value)
{
    struct console *k = console_of(app);

    if (k->watch != NULL)
        watch_send(k->watch, id, order, value, app->who.user);
}

struct watch *app_watch(struct app *app)
{
    return console_of(app)->watch;
}

void app_refresh(struct app *app)
{
    struct console *k = console_of(app);

    app->refreshes++;
    if (k->monitor != NULL)
        monitor_refresh(k->monitor);
}

void app_restart(struct app *app, const char *const *args)
{
    static const char *const kept[] = {"config", "state-dir", "log-file"};
    struct console *k = console_of(app);
    struct args all = {0};

    add_arg(&all, app->inv->program);
    for (size_t i = 0; i < COUNT_OF(kept); i++)
        if (option_given(app->inv, kept[i])) {
            ARRAY_PUSH(all.items, all.count, all.cap) = mem_format("--%s", kept[i]);
            add_arg(&all, option_text(app->inv, kept[i]));
        }
    for (; *args != NULL; args++)
        add_arg(&all, *args);
    ARRAY_PUSH(all.items, all.count, all.cap) = NULL;
    k->restart = all.items;
    ui_leave(app->ui, false);
}

struct config_scope app_scope(const struct app *app)
{
    return (struct config_scope){.config = app->config, .env = app->env};
}

char *app_time(const struct app *app, char *out, size_t size, int64_t real_ms)
{
    time_t seconds = (time_t)(real_ms / 1000);
    struct tm local;
    char clock[FORMAT_MAX];

    if (real_ms <= 0)
        (void)snprintf(out, size, "-");
    else if (app->utc)
        (void)snprintf(out, size, "%sZ", format_clock(clock, sizeof(clock), real_ms));
    else if (localtime_r(&seconds, &local) == NULL || strftime(out, size, "%H:%M:%S", &local) == 0)
        (void)snprintf(out, size, "?");
    return out;
}
