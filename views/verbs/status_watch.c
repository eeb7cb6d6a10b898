#include "views/verbs/status_watch.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/escape.h"
#include "core/config/state_dir.h"
#include "core/monitor/event_log.h"
#include "views/screens/cluster_json.h"

#define FIRST_MS                                                                    \
    8000 /* a node that has neither answered nor failed by then is shown as unknown \
          */
#define VERB_INTERVAL_MS 500

char *status_watch_log(const struct invocation *inv, struct error *err)
{
    const char *dir;

    if (!state_dir_open(inv->config, &dir, err))
        return NULL;
    return event_log_path(dir, inv->env->name);
}

bool status_watch_open(struct status_watch *w, const struct invocation *inv, int64_t interval_ms,
                       bool store, struct error *err)
{
    struct monitor_options options = {.interval_ms = interval_ms, .limits = HEALTH_LIMITS_DEFAULT};
    char *log = NULL;

    *w = (struct status_watch){0};
    if (interval_ms <= 0)
        options.interval_ms =
            store ? config_int(inv->config, inv->env, "monitor.interval_ms") : VERB_INTERVAL_MS;
    options.limits.lag_warn_ms = config_int(inv->config, inv->env, "monitor.lag_warn_s") * 1000;
    if (store && (log = status_watch_log(inv, err)) == NULL)
        return false;
    if (connection_new(inv->config, inv->env, &(struct connection_purpose){.kind = "status"},
                       &w->connection, err)) {
        options.redis = connection_options(w->connection);
        options.event_log = log;
        w->monitor = monitor_start(&options, err);
    }
    free(log);
    if (w->monitor == NULL)
        status_watch_close(w);
    return w->monitor != NULL;
}

void status_watch_close(struct status_watch *w)
{
    monitor_stop(w->monitor);
    connection_free(w->connection);
    *w = (struct status_watch){0};
}

struct snapshot *status_watch_next(struct status_watch *w, uint64_t after, int timeout_ms)
{
    int64_t deadline = clock_after(timeout_ms);

    for (;;) {
        struct snapshot *s = monitor_snapshot(w->monitor);
        struct pollfd p = {.fd = monitor_fd(w->monitor), .events = POLLIN};

        if (s->number > after)
            return s;
        snapshot_unref(s);
        if (clock_left_ms(deadline) == 0)
            return NULL;
        (void)poll(&p, 1, clock_left_ms(deadline));
        monitor_take_notice(w->monitor);
    }
}

/* Servers answer, but let this user see nothing: not even what kind they are. */
static bool is_refused(const struct snapshot *s)
{
    bool refused = s->mode == REDIS_MODE_AUTO && s->state != MONITOR_CONNECTING && s->reachable > 0;

    for (size_t i = 0; i < s->node_count && refused; i++)
        refused = s->nodes[i].error_code == ERROR_AUTH || !s->nodes[i].reachable;
    return refused;
}

static bool is_complete(const struct snapshot *s)
{
    if (is_refused(s))
        return true;
    if (s->state == MONITOR_CONNECTING || s->mode == REDIS_MODE_AUTO)
        return s->state == MONITOR_UNREACHABLE;
    if (s->mode == REDIS_MODE_CLUSTER && !s->slots->known && s->state == MONITOR_DEGRADED)
        return true; /* CLUSTER NODES is refused */
    for (size_t i = 0; i < s->node_count; i++)
        if (s->nodes[i].answered_ms < 0 && s->nodes[i].missed == 0)
            return false;
    return s->state == MONITOR_UNREACHABLE || s->mode != REDIS_MODE_CLUSTER ||
           s->views + s->stale >= s->node_count || s->views >= 48;
}

bool status_watch_refused(const struct snapshot *s, struct error *err)
{
    char text[300] = "";

    for (size_t i = 0; i < s->node_count && text[0] == '\0'; i++)
        if (s->nodes[i].error_code == ERROR_AUTH)
            (void)escape_text(text, sizeof(text), s->nodes[i].error);
    return error_set(err, ERROR_AUTH, 0,
                     "this user may see too little (INFO, CLUSTER INFO and CLUSTER NODES are "
                     "needed): %s",
                     text);
}

static bool unreachable(const struct snapshot *s, struct error *err)
{
    char text[300];
    enum error_code code = ERROR_UNREACHABLE;

    for (size_t i = 0; i < s->node_count; i++)
        if (s->nodes[i].error_code == ERROR_AUTH)
            code = ERROR_AUTH;
    return error_set(err, code, 0, "no node answers: %s",
                     escape_text(text, sizeof(text), s->trouble));
}

struct snapshot *status_watch_first(struct status_watch *w, struct error *err)
{
    int64_t deadline = clock_after(FIRST_MS);
    struct snapshot *s = monitor_snapshot(w->monitor);

    while (!is_complete(s) && clock_left_ms(deadline) > 0) {
        struct snapshot *next = status_watch_next(w, s->number, clock_left_ms(deadline));

        if (next == NULL)
            break;
        snapshot_unref(s);
        s = next;
    }
    if (is_refused(s))
        (void)status_watch_refused(s, err);
    else if (s->state == MONITOR_UNREACHABLE || s->state == MONITOR_CONNECTING)
        (void)unreachable(s, err);
    else
        return s;
    snapshot_unref(s);
    return NULL;
}

int status_exit(const struct snapshot *s)
{
    return s->state == MONITOR_OK ? 0 : 1;
}

void status_print_findings(const struct snapshot *s)
{
    for (size_t i = 0; i < s->finding_count; i++) {
        const struct finding *f = &s->findings[i];
        char node[128] = "";

        if (f->node < s->node_count)
            (void)escape_text(node, sizeof(node), s->nodes[f->node].address);
        printf("%-4s %s%s%s\n     -> %s\n", health_severity_name(f->severity), node,
               node[0] == '\0' ? "" : " ", f->text, f->advice);
    }
}

void status_print_json(json_t *doc, bool pretty)
{
    char *text = cluster_json_text(doc, pretty);

    (void)fputs(text, stdout);
    if (!pretty)
        (void)fputc('\n', stdout);
    (void)fflush(stdout);
    free(text);
}
