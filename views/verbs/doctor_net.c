#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/format.h"
#include "core/config/config.h"
#include "views/connect.h"
#include "views/verbs/doctor.h"
#include "views/verbs/tune_left.h"

static void judge_identity(struct doctor *d, struct connection *c, struct cluster *cluster,
                           const char *name)
{
    const struct environment *env = connection_environment(c);
    struct identity_decision decision;
    struct error err = {0};
    if (!connect_identity(c, cluster, &decision, &err)) {
        doctor_check(d, DOCTOR_FAIL, name, "identity: %s", err.text);
        return;
    }
    if (decision.refused && d->fix && env == d->inv->env) {
        if (connect_accept_identity(c, cluster, &err))
            doctor_check(d, DOCTOR_OK, name, "accepted: %s is this cluster from now on", env->name);
        else
            doctor_check(d, DOCTOR_FAIL, name, "%s", err.text);
        return;
    }
    if (decision.text[0] != '\0')
        doctor_check(d, decision.refused ? DOCTOR_FAIL : DOCTOR_WARN, name, "%s", decision.text);
}

static void describe(struct doctor *d, struct cluster *cluster, const char *name, int64_t took_ms)
{
    const struct cluster_node *nodes = NULL;
    size_t count = cluster_nodes(cluster, &nodes);
    size_t primaries = 0;
    size_t failing = 0;
    for (size_t i = 0; i < count; i++) {
        primaries += nodes[i].role == NODE_ROLE_PRIMARY;
        failing += nodes[i].failing;
    }
    doctor_check(d, failing > 0 ? DOCTOR_WARN : DOCTOR_OK, name,
                 "%s, %zu primar%s, %zu replica%s%s, answered in %lld ms",
                 redis_mode_name(cluster_mode(cluster)), primaries, primaries == 1 ? "y" : "ies",
                 count - primaries, count - primaries == 1 ? "" : "s",
                 failing > 0 ? ", some of them failing" : "", (long long)took_ms);
}

/* ---- settings that a killed restore left ----------------------------------------------------- */

struct tuned {
    struct doctor *d;
    const char *name;
};

static void say_tuned(void *arg, const char *job, const struct restore_tune_end *end,
                      const struct error *err)
{
    const struct tuned *t = arg;
    if (err != NULL) {
        doctor_check(t->d, DOCTOR_FAIL, t->name, "%s: %s", job, err->text);
        return;
    }
    if (end->put_back > 0)
        doctor_check(t->d, DOCTOR_OK, t->name,
                     "put back %zu settings that %s (restore --tune) left", end->put_back, job);
    if (end->left > 0)
        doctor_check(t->d, DOCTOR_FAIL, t->name,
                     "%s (restore --tune) left %zu settings changed (%s)%s", job, end->left,
                     end->why, t->d->fix ? "" : "; --fix puts them back");
    if (end->put_back == 0 && end->left == 0)
        doctor_check(t->d, DOCTOR_NOTE, t->name,
                     "%s (restore --tune) was killed; its settings have other values by now", job);
}

/* Only --fix changes servers, and only those of the environment that was chosen. */
static void look_at_tuned(struct doctor *d, struct connection *c, const char *name)
{
    const struct environment *env = connection_environment(c);
    struct tuned tuned = {d, name};
    struct tune_left left = {.state_dir = d->state_dir,
                             .env = env->name,
                             .target = connection_options(c),
                             .fix = d->fix && env == d->inv->env};
    if (d->state_dir != NULL)
        tune_left_each(&left, say_tuned, &tuned);
}

static void look_at_one(struct doctor *d, const struct environment *env)
{
    struct connection_purpose purpose = {.kind = "doctor"};
    struct connection *c = NULL;
    struct cluster *cluster = NULL;
    struct error err = {0};
    int64_t start = clock_mono_ms();
    char name[80];
    memcpy(name, "env ", 5);
    str_copy(str_from(env->name), name + 4, sizeof(name) - 4);
    if (!connection_new(d->inv->config, env, &purpose, &c, &err) ||
        !connect_cluster(c, false, &cluster, &err)) {
        /* Another environment may well be out of reach from here. */
        doctor_check(d, env == d->inv->env ? DOCTOR_FAIL : DOCTOR_WARN, name, "%s", err.text);
    } else {
        describe(d, cluster, name, clock_mono_ms() - start);
        judge_identity(d, c, cluster, name);
        look_at_tuned(d, c, name);
    }
    cluster_free(cluster);
    connection_free(c);
}

void doctor_look_at_environments(struct doctor *d)
{
    for (size_t i = 0; i < config_environment_count(d->inv->config); i++)
        look_at_one(d, config_environment_at(d->inv->config, i));
}
