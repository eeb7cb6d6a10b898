#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/config/identity_store.h"
#include "core/config/state_dir.h"
#include "core/monitor/event_log.h"
#include "views/console_private.h"
#include "views/screens/cluster_model.h"

enum { CHANNEL_CONNECT, CHANNEL_IDENTITY };

static void on_snapshot(void *owner)
{
    struct console *k = owner;
    struct snapshot *fresh;

    monitor_take_notice(k->monitor);
    fresh = monitor_snapshot(k->monitor);
    snapshot_unref(k->held);
    k->held = fresh;
    k->app.snapshot = fresh;
    session_tick(k);
    ui_update(k->app.ui);
    pace_dirty(&k->pace, false);
}

static void on_jobs(void *owner)
{
    struct console *k = owner;
    char id[JOB_ID_MAX];
    struct error why;

    watch_list_unref(k->held_jobs);
    k->held_jobs = watch_latest(k->watch);
    k->app.jobs = k->held_jobs;
    while (watch_failure(k->watch, id, &why)) {
        (void)error_wrap(&why, "%s", id);
        ui_error(k->app.ui, &why);
    }
    ui_update(k->app.ui);
    pace_dirty(&k->pace, false);
}

/* ---- connecting: password files and certificates are read by a worker ---- */

struct connecting {
    const struct config *config;
    const struct environment *env;
    struct connection *made;
    char *event_log;
    const char *state_dir;
    struct error err;
};

static void connect_work(void *data, const _Atomic(bool) *stale UNUSED)
{
    static const struct connection_purpose purpose = {.kind = "console"};
    struct connecting *c = data;

    if (!connection_new(c->config, c->env, &purpose, &c->made, &c->err))
        return;
    if (c->state_dir != NULL)
        c->event_log = event_log_path(c->state_dir, c->env->name);
}

static void connect_release(void *data)
{
    struct connecting *c = data;

    connection_free(c->made);
    free(c->event_log);
    free(c);
}

static void connect_done(void *owner, void *data)
{
    struct console *k = owner;
    struct connecting *c = data;
    struct monitor_options options = {.event_log = c->event_log};

    if (c->made != NULL) {
        k->connection = c->made;
        c->made = NULL;
        options.redis = connection_options(k->connection);
        options.interval_ms = config_int(k->app.config, k->app.env, "monitor.interval_ms");
        options.limits = HEALTH_LIMITS_DEFAULT;
        options.limits.lag_warn_ms =
            config_int(k->app.config, k->app.env, "monitor.lag_warn_s") * 1000;
        k->monitor = monitor_start(&options, &c->err);
    }
    if (k->monitor == NULL) {
        k->app.trouble = c->err;
        ui_error(k->app.ui, &c->err);
        return;
    }
    k->monitor_fd = monitor_fd(k->monitor);
    loop_watch(k->loop, k->monitor_fd, on_snapshot, k);
    on_snapshot(k);
}

static void start_connecting(struct console *k)
{
    struct connecting *c = mem_zero(1, sizeof(*c));

    c->config = k->app.config;
    c->env = k->app.env;
    c->state_dir = k->app.state_dir;
    pump_ask(k->app.pump, &(struct app_request){.work = connect_work,
                                                .done = connect_done,
                                                .release = connect_release,
                                                .data = c,
                                                .owner = k,
                                                .channel = CHANNEL_CONNECT});
}

/* ---- which cluster is this? ---- */

struct judging {
    const struct config *config;
    const struct environment *env;
    const char *state_dir;
    struct identity_observed observed;
    struct identity_decision decision;
    struct error err;
};

static void observe(const struct snapshot *s, struct identity_observed *out)
{
    static const enum cluster_kind kinds[] = {[IDENTITY_NONE] = KIND_NONE,
                                              [IDENTITY_CLUSTER] = KIND_CLUSTER,
                                              [IDENTITY_SENTINEL] = KIND_SENTINEL,
                                              [IDENTITY_SINGLE] = KIND_SINGLE};

    cluster_identity_init(&out->identity, kinds[s->identity.mode]);
    if (s->identity.master != NULL)
        cluster_identity_set_master(&out->identity, s->identity.master);
    for (size_t i = 0; i < s->identity.count; i++)
        cluster_identity_add(&out->identity, s->identity.names[i]);
    out->all_loopback = true;
    for (size_t i = 0; i < s->node_count; i++)
        out->all_loopback = out->all_loopback && environment_is_loopback(s->nodes[i].address);
}

static void judge_work(void *data, const _Atomic(bool) *stale UNUSED)
{
    struct judging *j = data;
    struct identity_memories memories = {0};
    size_t count = config_environment_count(j->config);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression) */
    const struct environment **all = mem_zero(count + 1, sizeof(*all));
    struct identity_question question = {.env = j->env,
                                         .memories = &memories,
                                         .observed = &j->observed,
                                         .environments = all,
                                         .environment_count = count};

    for (size_t i = 0; i < count; i++)
        all[i] = config_environment_at(j->config, i);
    if (identity_store_load(j->state_dir, &memories, &j->err)) {
        identity_decide(&question, &j->decision);
        if (j->decision.remember &&
            !identity_store_remember(j->state_dir, j->env, &j->observed.identity, clock_real_ms(),
                                     &j->err))
            j->decision.remember = false;
        identity_memories_release(&memories);
    }
    free(all);
}

static void judge_release(void *data)
{
    struct judging *j = data;

    cluster_identity_release(&j->observed.identity);
    free(j);
}

static void judge_done(void *owner, void *data)
{
    struct console *k = owner;
    const struct judging *j = data;

    if (j->err.code != ERROR_NONE) {
        /* No guess about protection: changes stay refused until the memory can be read. */
        k->app.identity = (struct identity_decision){.protected = true, .refused = true};
        (void)str_copy(str_from(j->err.text), k->app.identity.text, sizeof(k->app.identity.text));
        ui_error(k->app.ui, &j->err);
        return;
    }
    k->app.identity = j->decision;
    session_tick(k);
    ui_touch(k->app.ui);
    pace_dirty(&k->pace, false);
}

static void judge_identity(struct console *k)
{
    const struct snapshot *s = k->app.snapshot;
    struct judging *j;

    if (s->identity.mode == IDENTITY_NONE || s->identity.count == 0 || k->app.state_dir == NULL ||
        identity_same(&s->identity, &k->asked))
        return;
    identity_release(&k->asked);
    identity_copy(&k->asked, &s->identity);
    j = mem_zero(1, sizeof(*j));
    j->config = k->app.config;
    j->env = k->app.env;
    j->state_dir = k->app.state_dir;
    observe(s, &j->observed);
    pump_ask(k->app.pump, &(struct app_request){.work = judge_work,
                                                .done = judge_done,
                                                .release = judge_release,
                                                .data = j,
                                                .owner = k,
                                                .channel = CHANNEL_IDENTITY});
}

/* ---- every second, and with every snapshot ---- */

static void disarm(struct console *k, const char *why)
{
    k->app.access =
        app_is_protected(&k->app) || k->app.inv->read_only ? ACCESS_READ_ONLY : ACCESS_OPEN;
    k->app.reason[0] = '\0';
    ui_toast(k->app.ui, TOAST_WARN, "read-write ended: %s", why);
    log_write(LOG_LEVEL_INFO, "console", "disarmed: %s", why);
}

static void write_warning(struct console *k)
{
    const struct snapshot *s = k->app.snapshot;
    struct cluster_line silent = cluster_warning(s, k->app.now_mono);
    char *out = k->warning;
    size_t size = sizeof(k->warning);

    out[0] = '\0';
    if (k->app.trouble.code != ERROR_NONE)
        (void)snprintf(out, size, " CANNOT CONNECT: %.300s", k->app.trouble.text);
    else if (k->app.identity.refused)
        (void)snprintf(out, size, " CHANGES REFUSED: %.300s", k->app.identity.text);
    else if (s->state == MONITOR_CONNECTING && k->app.env != NULL)
        (void)snprintf(out, size, " connecting to %s ...", k->app.env->name);
    else if (silent.text[0] != '\0')
        (void)snprintf(out, size, "%.390s", silent.text);
    else if (k->app.env != NULL && k->app.env->tls.enabled && k->app.env->tls.insecure)
        (void)snprintf(out, size,
                       " TLS IS NOT VERIFIED here (--insecure): anybody may be answering");
    else if (k->app.state_dir == NULL)
        (void)snprintf(out, size, " NO STATE DIRECTORY, so no jobs: %.300s",
                       k->app.state_error.text);
}

void session_tick(struct console *k)
{
    const struct snapshot *s = k->app.snapshot;

    k->app.now_mono = clock_mono_ms();
    k->app.now_real = clock_real_ms();
    judge_identity(k);
    if (k->app.access == ACCESS_ARMED && k->app.now_mono >= k->app.armed_until)
        disarm(k, "the time of :rw is over");
    if (k->app.access == ACCESS_ARMED && s->node_count > 0 && s->stale * 2 > s->node_count)
        disarm(k, "most nodes do not answer, so what is shown is old");
    if (k->app.access == ACCESS_OPEN && app_is_protected(&k->app))
        k->app.access = ACCESS_READ_ONLY;
    app_poll_launches(k);
    write_warning(k);
}

bool session_start(struct console *k, struct error *err)
{
    struct app *app = &k->app;

    k->held = snapshot_new();
    app->snapshot = k->held;
    k->monitor_fd = -1;
    app->access = app->env != NULL && !app->env->protected && !app->inv->read_only
                      ? ACCESS_OPEN
                      : ACCESS_READ_ONLY;
    if (k->watch == NULL) {
        app->jobs = &k->no_jobs;
        if (!state_dir_open(app->config, &app->state_dir, &app->state_error))
            app->state_dir = NULL;
        if (app->state_dir != NULL) {
            k->watch = watch_start(app->state_dir, err);
            if (k->watch == NULL)
                return false;
            loop_watch(k->loop, watch_fd(k->watch), on_jobs, k);
            k->held_jobs = watch_latest(k->watch);
            app->jobs = k->held_jobs;
        }
    }
    if (app->env != NULL)
        start_connecting(k);
    session_tick(k);
    return true;
}

static void stop_watching(struct console *k)
{
    pump_forget(k->app.pump, k);
    if (k->monitor_fd >= 0)
        loop_unwatch(k->loop, k->monitor_fd);
    k->monitor_fd = -1;
    monitor_stop(k->monitor);
    k->monitor = NULL;
    connection_free(k->connection);
    k->connection = NULL;
    identity_release(&k->asked);
    snapshot_unref(k->held);
    k->held = NULL;
    k->app.snapshot = NULL;
}

void session_stop(struct console *k)
{
    stop_watching(k);
    if (k->watch != NULL) {
        loop_unwatch(k->loop, watch_fd(k->watch));
        watch_list_unref(k->held_jobs);
        watch_free(k->watch);
    }
    k->watch = NULL;
}

/* The screens are opened anew: what they had read (backups, plans, events) is of the environment
 * that was left, and must not stand under the name of the other one. */
void session_switch(struct console *k, const struct environment *env)
{
    char *view = mem_copy_text(ui_view_id(k->app.ui));
    struct error err;

    ui_close_all(k->app.ui);
    stop_watching(k);
    k->app.env = env;
    k->app.identity = (struct identity_decision){.match = IDENTITY_UNSEEN};
    k->app.trouble.code = ERROR_NONE;
    k->app.reason[0] = '\0';
    if (!session_start(k, &err))
        ui_error(k->app.ui, &err);
    if (env->theme != NULL && !console_set_theme(k, env->theme, &err))
        ui_error(k->app.ui, &err);
    session_tick(k);
    if (!ui_start(k->app.ui, NULL, &err) ||
        (strcmp(view, ui_view_id(k->app.ui)) != 0 && !ui_go(k->app.ui, view, NULL, &err)))
        ui_error(k->app.ui, &err);
    free(view);
    ui_update(k->app.ui);
}
