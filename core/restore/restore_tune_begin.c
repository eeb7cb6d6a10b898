#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/restore/restore_tune_private.h"
#include "core/restore/restore_worker.h"

/*
 * Settings are changed in rounds, as often as the time an outage may last allows: what a lost
 * connection or a failover left undone is done by the next one. Each round first writes down what
 * it will change.
 */

#define REPLICA_MS 5000 /* a replica that does not answer holds nobody up for longer */

struct round {
    struct restore_tune *t;
    struct cluster *cluster;
    int64_t replicas_until;         /* from then on those that do not answer are passed over */
    size_t planned;                 /* settings that the journal knows */
    struct error why;               /* a node that did not answer; another round may do better */
    char (*passed)[CLUSTER_ID_MAX]; /* nodes that were passed over, and that was told */
    size_t passed_count, passed_cap;
};

static bool is_primary(const struct cluster_node *node)
{
    return node != NULL && node->role == NODE_ROLE_PRIMARY && node->slots > 0;
}

/* About the connection, or something that passes; not about what we ask. */
static bool may_pass(const struct error *why)
{
    return why->code == ERROR_UNREACHABLE || why->code == ERROR_TIMEOUT;
}

/* A primary has to answer. A replica that is down is passed over, at once when that is known. */
static bool is_passed_over(const struct round *r, const char *id)
{
    const struct cluster_node *node = cluster_find(r->cluster, id);

    return !is_primary(node) &&
           (node == NULL || node->failing || clock_mono_ms() >= r->replicas_until);
}

/* ---- what to change ---------------------------------------------------------------------------
 */

/* The value from before an earlier run that could not put it back counts. */
static bool is_known(const struct tune_settings *s, const char *node, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->items[i].node, node) == 0 && strcmp(s->items[i].name, name) == 0)
            return true;
    return false;
}

static bool plan_node(struct round *r, const struct cluster_node *node, struct error *err)
{
    struct tune_settings *s = &r->t->settings;
    struct conn *conn = cluster_node_conn(r->cluster, node->id, err);

    if (conn == NULL)
        return false;
    for (size_t i = 0; i < TUNE_WANTED; i++) {
        struct tune_setting item = {.settled = false};

        if (is_known(s, node->id, tune_wanted[i].name))
            continue;
        if (!tune_config_get(conn, tune_wanted[i].name, item.old, sizeof(item.old), err))
            return false;
        if (strcmp(item.old, tune_wanted[i].value) == 0)
            continue;
        (void)str_copy(str_from(node->id), item.node, sizeof(item.node));
        (void)address_text(item.addr, sizeof(item.addr), &node->address);
        (void)str_copy(str_from(tune_wanted[i].name), item.name, sizeof(item.name));
        (void)str_copy(str_from(tune_wanted[i].value), item.now, sizeof(item.now));
        ARRAY_PUSH(s->items, s->count, s->cap) = item;
    }
    return true;
}

static void tell_passed(struct round *r, const char *id, const struct error *why)
{
    for (size_t i = 0; i < r->passed_count; i++)
        if (strcmp(r->passed[i], id) == 0)
            return;
    r->passed = array_reserve(r->passed, &r->passed_cap, r->passed_count + 1, sizeof(*r->passed));
    (void)str_copy(str_from(id), r->passed[r->passed_count++], sizeof(*r->passed));
    task_note(r->t->task, TASK_WARN, "--tune passes over a node that does not answer: %s",
              why->text);
}

static bool plan_nodes(struct round *r, struct error *err)
{
    const struct cluster_node *nodes;
    size_t count = cluster_nodes(r->cluster, &nodes);
    struct cluster_node *copy = mem_zero(count, sizeof(*copy));
    bool ok = true;

    if (count > 0)
        memcpy(copy, nodes, count * sizeof(*copy));
    for (size_t i = 0; i < count && ok; i++) {
        struct error why = {0};

        if (plan_node(r, &copy[i], &why))
            continue;
        if (!may_pass(&why)) {
            *err = why;
            ok = error_wrap(err, "--tune");
        } else if (is_passed_over(r, copy[i].id)) {
            tell_passed(r, copy[i].id, &why);
        } else {
            r->why = why;
        }
    }
    free(copy);
    return ok;
}

/* ---- changing ---------------------------------------------------------------------------------
 */

/* It is no primary and does not answer. What an earlier run changed, and what we may have, stays in
 * the file. */
static void pass_over(struct round *r, struct tune_setting *s)
{
    s->settled = !s->earlier && !s->touched;
    s->set = true;
    task_note(r->t->task, TASK_WARN, "--tune passes over %s%s%s", s->addr,
              s->settled ? ", which does not answer" : ", which was changed before: ",
              s->settled ? "" : s->name);
}

static bool apply_one(struct round *r, struct tune_setting *s, struct error *err)
{
    struct error why = {0};
    struct conn *conn = cluster_node_conn(r->cluster, s->node, &why);

    if (conn != NULL) {
        bool before = s->touched;

        s->touched = true; /* a lost reply leaves it in doubt */
        s->set = tune_config_set(conn, s->name, s->now, &why);
        if (!s->set && conn_state(conn) == CONN_READY)
            s->touched = before; /* the server says that it did not */
    }
    if (s->set) {
        task_note(r->t->task, TASK_INFO, "%s: %s is %s for the restore, was %s", s->addr, s->name,
                  s->now, s->old);
        return true;
    }
    if (!may_pass(&why) && !(conn == NULL && cluster_find(r->cluster, s->node) == NULL)) {
        *err = why;
        return error_wrap(err, "--tune: %s: %s", s->addr, s->name);
    }
    if (is_passed_over(r, s->node))
        pass_over(r, s);
    else
        r->why = why;
    return true;
}

static bool write_down(struct round *r, struct error *err)
{
    struct restore_tune *t = r->t;

    if (r->planned == t->settings.count && r->planned > 0)
        return true;
    r->planned = t->settings.count;
    return tune_settings_write(t->path, &t->settings, err) &&
           task_step(t->task, "tune", tune_settings_json(&t->settings), err);
}

static bool one_round(struct round *r, struct error *err)
{
    struct tune_settings *s = &r->t->settings;

    r->why = (struct error){0};
    if (!plan_nodes(r, err) || !write_down(r, err))
        return false;
    for (size_t i = 0; i < s->count; i++)
        if (!s->items[i].set && !s->items[i].settled && !apply_one(r, &s->items[i], err))
            return false;
    return true;
}

static bool all_rounds(struct round *r, const struct redis_options *target, struct error *err)
{
    struct error ignored = {0};
    struct backoff wait;

    backoff_init(&wait,
                 target->outage_timeout_ms > 0 ? target->outage_timeout_ms : RESTORE_OUTAGE_MS);
    for (;;) {
        if (!one_round(r, err))
            return false;
        if (r->why.code == ERROR_NONE)
            return true;
        if (!backoff_wait(&wait, &target->cancel, &r->why, err))
            return error_wrap(err, "--tune");
        (void)!cluster_refresh(r->cluster, &ignored); /* where it fails the next round does too */
    }
}

/* After a failure: what was not touched is not ours to put back. */
static void take_back(struct restore_tune *t)
{
    struct restore_tune_end end;

    for (size_t i = 0; i < t->settings.count; i++)
        if (!t->settings.items[i].touched)
            t->settings.items[i].settled = !t->settings.items[i].earlier;
    restore_tune_finish(t, &end);
}

static void drop(struct restore_tune *t)
{
    free(t->settings.items);
    free(t->path);
    free(t);
}

bool restore_tune_begin(const struct redis_options *target, struct task *task,
                        struct restore_tune **out, struct error *err)
{
    struct restore_tune *t = mem_zero(1, sizeof(*t));
    struct round r = {.t = t, .replicas_until = clock_after(REPLICA_MS)};
    bool ok = true;

    *out = NULL;
    t->options = tune_deaf(target);
    t->task = task;
    t->path = task_dir(task) == NULL ? NULL : file_join(task_dir(task), RESTORE_TUNE_FILE);
    if (t->path != NULL && file_exists(t->path))
        ok = tune_settings_read(t->path, &t->settings, err);
    r.cluster = cluster_new(target);
    ok = ok && cluster_connect(r.cluster, true, err);
    if (!ok) {
        drop(t);
    } else if (all_rounds(&r, target, err)) {
        *out = t;
    } else {
        ok = false;
        if (r.planned > 0)
            take_back(t);
        else
            drop(t);
    }
    free(r.passed);
    cluster_free(r.cluster);
    return ok;
}
