#include "views/verbs/job_verb.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/format.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/config/state_dir.h"
#include "core/jobs/audit.h"
#include "views/verbs/job_bar.h"
#include "views/verbs/job_guard.h"

const json_t *job_verb_report(const struct job_end *end)
{
    return json_object_get(end->result, "report");
}

void job_verb_print_json(const struct job_end *end)
{
    struct error ignored = {0};
    struct buf out;

    if (end->result == NULL)
        return;
    buf_init(&out, (size_t)64 << 20);
    if (json_print(end->result, true, &out, &ignored))
        (void)fwrite(out.data, 1, out.len, stdout);
    buf_release(&out);
}

void job_verb_print_end(const struct job_verb *v, const struct job_end *end)
{
    char took[FORMAT_MAX];
    int64_t ms =
        json_int(job_verb_report(end), "elapsed_ms", -1); /* a plan or a refusal has none */

    if (v->inv->quiet || v->inv->json || end->id[0] == '\0')
        return;
    (void)fprintf(stderr, "%s %s %s%s%s\n", end->id, job_kind_name(v->kind),
                  job_state_name(end->state), ms >= 0 ? " in " : "",
                  ms >= 0 ? format_duration(took, sizeof(took), ms) : "");
}

/* ---- before the job ----------------------------------------------------------------------------
 */

static bool look_at_cluster(struct job_verb *v, struct error *err)
{
    struct connection *connection = NULL;
    struct cluster *cluster = NULL;
    bool blind = false;
    bool ok = connection_new(v->inv->config, v->inv->env, &(struct connection_purpose){0},
                             &connection, err) &&
              connect_cluster(connection, false, &cluster, err) &&
              connect_identity(connection, cluster, &v->identity, err) &&
              connect_observe(connection, cluster, &v->observed, err) &&
              (v->looks_only || job_guard_check(cluster, v->kind, &blind, err));

    if (ok && blind)
        log_write(LOG_LEVEL_WARN, "jobs",
                  "a server does not show its clients: jobs of other machines would not be seen");
    cluster_free(cluster);
    connection_free(connection);
    return ok;
}

static struct job_operator operator_of(const struct job_verb *v)
{
    return (struct job_operator){.user = v->who.user,
                                 .sudo_user = v->who.sudo_user[0] == '\0' ? NULL : v->who.sudo_user,
                                 .ssh = v->who.ssh[0] == '\0' ? NULL : v->who.ssh};
}

static bool audit(const struct job_verb *v, const char *phase, const struct job_end *end,
                  struct error *err)
{
    struct audit_entry entry = {.action = job_kind_name(v->kind),
                                .phase = phase,
                                .env = v->inv->env->name,
                                .target = v->target,
                                .redis_user = v->inv->env->username,
                                .reason = v->reason,
                                .who = operator_of(v),
                                .confirmed = option_text(v->inv, "confirm"),
                                .plan = v->options,
                                .duration_ms = -1};

    if (end != NULL) {
        entry.job_id = end->id;
        entry.result = job_state_name(end->state);
        entry.duration_ms = json_int(job_verb_report(end), "elapsed_ms", -1);
    }
    return audit_append(v->state_dir, &entry, err);
}

/* ---- the job ------------------------------------------------------------------------------------
 */

static bool is_cancelled(void *task)
{
    return task_cancelled(task);
}

static void waits(void *task, const struct error *why, int64_t left_ms)
{
    if (why == NULL)
        task_goes_on(task);
    else
        task_waits(task, why->text, left_ms);
}

static bool run_body(struct task *t, void *ctx, json_t *result, struct error *err)
{
    struct job_verb *v = ctx;
    /* Consoles elsewhere look for the names of dangerous kinds: a rehearsal must not look like one.
     */
    struct connection_purpose purpose = {.kind =
                                             v->looks_only ? "rehearsal" : job_kind_name(v->kind),
                                         .id = task_id(t),
                                         .outage_timeout_ms = v->outage_timeout_ms,
                                         .cancel = {is_cancelled, t, waits}};
    bool ok;

    if (!connection_new(v->inv->config, v->inv->env, &purpose, &v->connection, err))
        return false;
    ok = v->body(v, t, result, err);
    connection_free(v->connection);
    v->connection = NULL;
    return ok;
}

static int run_job(struct job_verb *v, struct job_end *end, struct error *err)
{
    const struct cluster_identity *id = &v->observed.identity;
    bool bar = job_bar_wanted(v->inv);
    struct job_spec spec = {
        .kind = v->kind,
        .state_dir = v->state_dir,
        .env = v->inv->env->name,
        .target = v->target,
        .reason = v->reason,
        .who = operator_of(v),
        .options = v->options,
        .identity = (const char *const *)id->ids,
        .identity_count = id->count,
        .resume = v->resume,
        .id_fd = option_given(v->inv, "job-fd") ? (int)option_int(v->inv, "job-fd") : -1,
        .watcher = bar ? job_bar_watch : NULL,
        .exit_now = v->inv->exit_now};
    int status = job_run(&spec, run_body, v, end, err);

    if (bar)
        (void)fprintf(stderr, "\r\033[K");
    return status;
}

int job_verb_run(struct job_verb *v, struct job_end *end, struct error *err)
{
    struct error late = {0};
    int status;

    who_now(&v->who);
    if (!state_dir_open(v->inv->config, &v->state_dir, err) || !look_at_cluster(v, err))
        return verb_fail(err);
    if (v->danger != DANGER_NONE &&
        (!confirm_require(v->inv, v->danger, &v->identity, v->action, err) ||
         !audit(v, "begin", NULL, err))) {
        cluster_identity_release(&v->observed.identity);
        return verb_fail(err);
    }
    status = run_job(v, end, err);
    if (v->danger != DANGER_NONE && !audit(v, "end", end, &late))
        log_write(LOG_LEVEL_ERROR, "audit", "%s", late.text);
    cluster_identity_release(&v->observed.identity);
    return status;
}
