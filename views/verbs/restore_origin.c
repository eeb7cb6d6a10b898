#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/json.h"
#include "core/config/identity_store.h"
#include "views/verbs/restore_verb.h"

/*
 * The journal's step "restore-origin" says which backup a job is about, exactly (never "latest"),
 * and which cluster it writes to. A run that goes on takes both from there.
 */

#define STEP "restore-origin"
#define IDS_MAX 1000 /* in the journal: one in common is enough to know a cluster again */

/* ---- the cluster ------------------------------------------------------------------------------
 */

static json_t *identity_doc(const struct cluster_identity *id)
{
    json_t *doc = json_object();
    json_t *ids = json_array();

    for (size_t i = 0; i < id->count && i < IDS_MAX; i++)
        json_push(ids, json_string(id->ids[i]));
    json_put_int(doc, "kind", (int64_t)id->kind);
    if (id->master_name != NULL)
        json_put_text(doc, "master_name", id->master_name);
    json_put(doc, "ids", ids);
    return doc;
}

static void identity_read(const json_t *doc, struct cluster_identity *out)
{
    const json_t *ids = json_object_get(doc, "ids");
    int64_t kind = json_int(doc, "kind", KIND_NONE);

    cluster_identity_init(out, kind >= KIND_NONE && kind <= KIND_SINGLE ? (enum cluster_kind)kind
                                                                        : KIND_NONE);
    if (json_text(doc, "master_name", NULL) != NULL)
        cluster_identity_set_master(out, json_text(doc, "master_name", ""));
    for (size_t i = 0; i < json_array_size(ids); i++)
        if (json_is_string(json_array_get(ids, i)))
            cluster_identity_add(out, json_string_value(json_array_get(ids, i)));
}

static bool same_cluster(const struct restore_verb *r, const struct job_verb *v, const json_t *step,
                         struct error *err)
{
    const struct cluster_identity *now = &v->observed.identity;
    struct cluster_identity then;
    char a[400];
    char b[400];
    bool same;

    identity_read(json_object_get(step, "cluster"), &then);
    same = cluster_identity_same(&then, now);
    if (!same)
        (void)error_set(err, ERROR_REFUSED, 0, "%s began in another cluster: %s; this is %s",
                        r->resume, cluster_identity_show(&then, a, sizeof(a)),
                        cluster_identity_show(now, b, sizeof(b)));
    cluster_identity_release(&then);
    return same;
}

/* ---- the backup, again ------------------------------------------------------------------------
 */

static const char *key_file(const struct restore_verb *r)
{
    const char *given = option_text(r->inv, "verify-key-file");

    return given != NULL ? given
                         : json_text(json_object_get(r->job, "options"), "verify_key_file", NULL);
}

static const struct environment *source_env(const struct restore_verb *r)
{
    const char *name = json_text(json_object_get(r->job, "options"), "from_env", NULL);

    return name == NULL ? r->to.env : config_environment(r->inv->config, name);
}

static bool open_again(const struct restore_verb *r, const json_t *step, struct task *t,
                       struct backup_source *out, struct error *err)
{
    struct config_scope scope = {r->inv->config, source_env(r)};
    struct source_options o = {.task = t, .spool_dir = task_dir(t)};
    const char *uri = json_text(step, "s3_uri", NULL);
    bool loose = false;
    bool ok = true;

    *out = (struct backup_source){0};
    if (scope.env == NULL)
        return error_set(err, ERROR_CONFIG, 0,
                         "the environment that the backup is of is not in the configuration");
    if (key_file(r) != NULL && !secret_load(&out->key, key_file(r), &loose, err))
        return false;
    o.verify_key = &out->key;
    (void)snprintf(out->name, sizeof(out->name), "%s", json_text(step, "name", ""));
    (void)snprintf(out->why, sizeof(out->why), "%.300s, as %s began with it",
                   json_text(step, "backup_id", "?"), r->resume);
    if (uri != NULL) {
        ok = connect_store(&scope, uri, &out->store, err);
        o.store = out->store;
        o.name = out->name;
    } else {
        o.path = json_text(step, "input", "");
    }
    ok = ok && source_open(&o, &out->source, err);
    if (!ok)
        backup_source_release(out);
    return ok;
}

static bool resume(struct restore_verb *r, const struct job_verb *v, struct task *t,
                   struct backup_source *out, struct error *err)
{
    const json_t *step = NULL;

    r->steps = task_steps(t); /* the source borrows its path from there */
    for (size_t i = 0; i < json_array_size(r->steps); i++)
        if (strcmp(json_text(json_array_get(r->steps, i), "step", ""), STEP) == 0)
            step = json_array_get(r->steps, i);
    if (step == NULL)
        return error_set(
            err, ERROR_REFUSED, 0,
            "%s ended before it had opened its backup, nothing was written: start it anew",
            r->resume);
    return same_cluster(r, v, step, err) && open_again(r, step, t, out, err);
}

static void tell(const struct restore_verb *r, struct task *t, const struct backup_source *from,
                 json_t *report)
{
    task_note(t, TASK_INFO, "backup: %s", from->why);
    if (!r->inv->quiet && !r->inv->json)
        (void)fprintf(stderr, "Backup: %s\n", from->why);
    json_put_text(report, "source", source_name(from->source));
    json_put_text(report, "chosen", from->why);
    json_put_text(report, "backup_id", source_manifest(from->source)->backup_id);
}

/* ---- the backup, for the first time -----------------------------------------------------------
 */

static bool note(const struct restore_verb *r, const struct job_verb *v, struct task *t,
                 const struct backup_source *from, struct error *err)
{
    const char *input = option_text(r->inv, "input");
    json_t *step = json_object();
    char *path = input == NULL ? NULL : realpath(input, NULL);

    json_put_text(step, "backup_id", source_manifest(from->source)->backup_id);
    if (input != NULL) {
        json_put_text(step, "input", path != NULL ? path : input);
    } else {
        const char *uri = option_text(r->inv, "s3-uri");

        json_put_text(step, "s3_uri", uri != NULL ? uri : r->inv->env->s3_uri);
        json_put_text(step, "name", from->name);
    }
    json_put(step, "cluster", identity_doc(&v->observed.identity));
    free(path);
    return task_step(t, STEP, step, err);
}

/* The cluster that the backup is of: the target's own, or what is remembered of the other. */
static bool source_cluster(const struct restore_verb *r, const struct job_verb *v,
                           struct cluster_identity *out, struct error *err)
{
    struct identity_memories all = {0};
    const struct identity_memory *known;

    if (r->to.env == r->inv->env) {
        cluster_identity_copy(out, &v->observed.identity);
        return true;
    }
    cluster_identity_init(out, KIND_NONE);
    if (!identity_store_load(r->state_dir, &all, err))
        return false;
    known = identity_memory_find(&all, r->inv->env->name);
    if (known != NULL) {
        cluster_identity_release(out);
        cluster_identity_copy(out, &known->identity);
    }
    identity_memories_release(&all);
    return true;
}

bool restore_origin_open(struct restore_verb *r, const struct job_verb *v, struct task *t,
                         struct backup_source *out, json_t *report, struct error *err)
{
    struct cluster_identity of = {0};
    bool ok;

    if (r->resume != NULL) {
        task_stage(t, "open");
        if (!resume(r, v, t, out, err))
            return false;
        tell(r, t, out, report);
        return true;
    }
    ok = source_cluster(r, v, &of, err) && backup_source_begin(r->inv, &of, t, out, report, err);
    cluster_identity_release(&of);
    if (ok && !r->dry_run && !note(r, v, t, out, err)) {
        backup_source_release(out);
        ok = false;
    }
    return ok;
}

/* ---- source and target ------------------------------------------------------------------------
 */

static bool is_of_cluster(const struct manifest *m, const struct cluster_identity *id)
{
    for (size_t i = 0; i < m->cluster_count; i++)
        for (size_t k = 0; k < id->count; k++)
            if (strcmp(m->cluster[i], id->ids[k]) == 0)
                return true;
    return false;
}

/* Another environment's name for the same cluster would make a restore of it look like a copy. */
static bool guard_target(const struct restore_verb *r, const struct job_verb *v,
                         const struct manifest *m, struct error *err)
{
    const struct cluster_identity *target = &v->observed.identity;
    struct cluster_identity of = {0};
    bool same;

    if (!source_cluster(r, v, &of, err))
        return false;
    same = cluster_identity_same(&of, target) || is_of_cluster(m, target);
    cluster_identity_release(&of);
    if (!same)
        return true;
    return error_set(err, ERROR_REFUSED, 0,
                     "%s and %s are the same cluster: to restore it into itself leave --to-env out",
                     r->inv->env->name, r->to.env->name);
}

bool restore_origin_guard(struct restore_verb *r, const struct job_verb *v,
                          const struct manifest *m, json_t *report, struct error *err)
{
    const struct cluster_identity *target = &v->observed.identity;
    const char *env = m->env[0] != '\0' ? m->env : "an unknown environment";
    bool own = m->cluster_count == 0 || is_of_cluster(m, target);
    char shown[400];

    if (r->resume == NULL && r->to.env != r->inv->env && !guard_target(r, v, m, err))
        return false;
    json_put_text(report, "backup_env", m->env);
    json_put_text(report, "target_env", r->to.env->name);
    json_put_text(report, "target_cluster", cluster_identity_show(target, shown, sizeof(shown)));
    json_put_flag(report, "of_this_cluster", own);
    buf_put(&r->text, "From %s into %s: %s%s\n", env, r->to.env->name, shown,
            own ? "" : ", which is not the cluster that was backed up");
    return true;
}
