#include "core/restore/restore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "views/verbs/backup_source.h"
#include "views/verbs/job_verb.h"
#include "views/verbs/key_filter.h"
#include "views/verbs/restore_remarks.h"
#include "views/verbs/restore_verb.h"
#include "views/verbs/tune_left.h"

static const struct option_row rows[] = {
    BACKUP_SOURCE_ROWS,
    {"overwrite", 0, OPTION_FLAG, NULL, "Replace keys that exist.", .group = "policy"},
    {"skip-existing", 0, OPTION_FLAG, NULL, "Leave keys that exist as they are.",
     .group = "policy"},
    {"fail-existing", 0, OPTION_FLAG, NULL,
     "Count the keys that exist and refuse before the first write (the default).",
     .group = "policy"},
    {"recreate-stream-groups", 0, OPTION_FLAG, NULL,
     "Bring back consumer groups and their pending entries (the default).", .group = "groups"},
    {"no-stream-groups", 0, OPTION_FLAG, NULL, "Restore streams without their groups.",
     .group = "groups"},
    {"ttl", 0, OPTION_CHOICE, "MODE",
     "remaining: the life a key had left when it was read; absolute: its original deadline; none: "
     "no expiry.",
     .config_key = "restore.ttl", .choices = "remaining|absolute|none"},
    KEY_FILTER_ROWS,
    {"shard", 0, OPTION_INT, "N",
     "Only keys of the backup's Nth shard, counted by slots from 1; the plan says which that is.",
     .min = 1, .max = 16384},
    {"to-env", 0, OPTION_ENV, "NAME",
     "Write into this environment's cluster, from a backup of the one that -e names."},
    {"resume", 0, OPTION_TEXT, "JOB",
     "Go on with a restore that was killed, cancelled or failed, as R-0001: with its backup and "
     "its options."},
    {"rate", 0, OPTION_TEXT, "auto|none|N",
     "Keys a second; auto gives way while the nodes answer slowly, and is what protected "
     "environments get. Never more than the replicas can follow.",
     .check = restore_check_rate},
    {"tune", 0, OPTION_FLAG, NULL,
     "Set maxmemory-policy noeviction and stop-writes-on-bgsave-error no on every node for the "
     "duration, and put the old values back."},
    {"drop-field-ttl", 0, OPTION_FLAG, NULL,
     "Restore hashes without the deadlines of their fields where the servers know none."},
    {"allow-downgrade", 0, OPTION_FLAG, NULL,
     "Leave out what older servers do not know: counters of streams, pending entries without "
     "consumer, functions."},
    {"exact", 0, OPTION_FLAG, NULL,
     "Afterwards also remove the keys that the backup lacks; the plan counts them."},
    {"flush-first", 0, OPTION_FLAG, NULL,
     "Empty every primary first, once the whole archive was checked."},
    {"trust-dump", 0, OPTION_FLAG, NULL,
     "Feed DUMP payloads and functions of an unsigned archive to the servers."},
    {"dry-run", 0, OPTION_FLAG, NULL, "Show the plan and change nothing."},
    JOB_VERB_OUTAGE,
    JOB_VERB_CONFIRM,
    JOB_VERB_REASON,
    {0}};

static bool old_backup_needs_ttl(const struct job_verb *v, const struct restore_plan *plan,
                                 struct error *err)
{
    if (!v->identity.protected || plan->past_deadline == 0 || plan->resumed ||
        option_given(v->inv, "ttl"))
        return true;
    return error_set(err, ERROR_REFUSED, 0,
                     "%llu keys of this backup are past their deadline: say what shall become of "
                     "them, --ttl remaining brings them back, --ttl absolute leaves them out",
                     (unsigned long long)plan->past_deadline);
}

/* --shard is a set of slots once the manifest is known; --slots narrows it further. */
static bool choose_shard(struct restore_verb *r, const struct manifest *m, struct error *err)
{
    struct filter *f = &r->options.filter;
    struct slot_set slots;
    char shown[200];

    if (r->shard == 0)
        return true;
    if (!manifest_shard(m, r->shard, &slots, shown, sizeof(shown), err))
        return false;
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++)
        if (f->by_slot && !slot_set_has(&f->slots, slot))
            slot_set_remove(&slots, slot);
    f->by_slot = true;
    f->slots = slots;
    buf_put(&r->text, "Only shard %u of the backup: slots %s\n", r->shard, shown);
    return true;
}

/* Plan, then do it. Everything that was found out goes into the result. */
static bool plan_and_run(struct job_verb *v, struct restore_verb *r, struct source *source,
                         struct task *t, json_t *result, struct error *err)
{
    const struct redis_options *target = connection_options(v->connection);
    struct restore_plan *plan = NULL;
    struct restore_result done = {0};
    bool ok;

    if (!r->rate_given)
        r->options.adaptive = v->identity.protected;
    if (!restore_origin_guard(r, v, source_manifest(source), result, err) ||
        !choose_shard(r, source_manifest(source), err) ||
        !restore_survey(source, target, &r->options, t, &plan, err))
        return false;
    json_put(result, "plan", restore_plan_json(plan, &r->options, source_manifest(source)));
    restore_plan_text(plan, &r->options, source_manifest(source), &r->text);
    if (r->dry_run) {
        json_put_int(result, "findings", plan->blocker_count > 0 ? 1 : 0);
        restore_plan_free(plan);
        return true;
    }
    ok = old_backup_needs_ttl(v, plan, err);
    json_put_flag(result, "resumable", ok && plan->blocker_count == 0);
    if (ok && plan->blocker_count == 0)
        tune_left_mend(&(struct tune_left){.state_dir = v->state_dir,
                                           .env = v->inv->env->name,
                                           .own = task_id(t),
                                           .target = target,
                                           .fix = true},
                       t);
    ok = ok &&
         task_step(t, "restore", restore_plan_json(plan, &r->options, source_manifest(source)),
                   err) &&
         restore_run(source, target, &r->options, plan, t, &done, err);
    json_put(result, "restore", restore_result_json(&done));
    json_put_int(result, "elapsed_ms", done.elapsed_ms);
    json_put_int(result, "findings", (int64_t)restore_result_findings(&done));
    restore_plan_free(plan);
    return ok;
}

static bool body(struct job_verb *v, struct task *t, json_t *result, struct error *err)
{
    struct restore_verb *r = v->ctx;
    struct backup_source from;
    bool ok;

    if (!restore_origin_open(r, v, t, &from, result, err))
        return false;
    ok = plan_and_run(v, r, from.source, t, result, err);
    backup_source_release(&from);
    return ok;
}

static void print_result(const struct invocation *inv, const struct restore_verb *r,
                         const struct job_end *end)
{
    const json_t *done = json_object_get(job_verb_report(end), "restore");

    if (inv->json) {
        job_verb_print_json(end);
        return;
    }
    if (r->dry_run)
        (void)fwrite(r->text.data, 1, r->text.len, stdout);
    if (done != NULL)
        printf("Restored: written=%lld existing=%lld expired=%lld failed=%lld left_out=%lld "
               "functions=%lld\n",
               (long long)json_int(done, "written", 0), (long long)json_int(done, "existing", 0),
               (long long)json_int(done, "expired", 0), (long long)json_int(done, "failed", 0),
               (long long)json_int(done, "left_out", 0), (long long)json_int(done, "functions", 0));
    for (const struct restore_remark *m = restore_remarks; m->member != NULL && done != NULL; m++)
        if (json_int(done, m->member, 0) > 0)
            printf("%s: %lld%s\n", m->text, (long long)json_int(done, m->member, 0),
                   m->other ? "" : " keys");
}

static void print_how_to_go_on(const struct restore_verb *r, const struct job_end *end)
{
    bool over = end->state == JOB_FAILED || end->state == JOB_CANCELLED;

    if (over && json_flag(job_verb_report(end), "resumable", false) && !r->inv->json)
        (void)fprintf(stderr, "Go on with: rbconsole -e %s restore --resume %s\n", r->to.env->name,
                      end->id);
}

static int run(const struct invocation *inv, struct error *err)
{
    struct restore_verb r = {0};
    struct job_verb v = {.inv = &r.to, .kind = JOB_RESTORE, .body = body, .ctx = &r};
    struct job_end end = {0};
    json_t *options = NULL;
    char what[300];
    char action[340];
    int status;

    buf_init(&r.text, (size_t)1 << 20);
    if (!restore_verb_read(inv, rows, &r, err)) {
        status = verb_fail(err);
        goto out;
    }
    restore_verb_describe(&r, what, sizeof(what));
    (void)snprintf(action, sizeof(action), "restore %s", what);
    if (r.dry_run) {
        (void)snprintf(action, sizeof(action), "plan of %s", what);
        (void)str_copy(str_from(action), what, sizeof(what));
    }
    options = restore_verb_options(&r);
    v.resume = r.resume;
    v.options = options;
    v.target = what;
    v.action = action;
    v.reason = option_text(inv, "reason");
    v.outage_timeout_ms = restore_verb_outage_s(&r) * 1000;
    v.looks_only = r.dry_run;
    v.danger = r.dry_run                                  ? DANGER_NONE
               : r.options.flush_first || r.options.exact ? DANGER_DESTROY
                                                          : DANGER_CHANGE;
    status = job_verb_run(&v, &end, err);
    print_result(inv, &r, &end);
    job_verb_print_end(&v, &end);
    print_how_to_go_on(&r, &end);
out:
    job_end_release(&end);
    json_decref(options);
    restore_verb_release(&r);
    return status;
}

const struct verb verb_restore = {
    .name = "restore",
    .summary = "Put a backup into the cluster.",
    .options = rows,
    .notes =
        "The whole archive is read and checked, and the target is asked, before the first key "
        "is written. A key is never half-written: it is built aside and renamed into place. "
        "Keys that could not be written are in the job's failed.jsonl.\n"
        "A restore that was killed, cancelled or stopped (an outage, memory that ran out) goes "
        "on with --resume JOB, under the same policy: keys that it wrote itself are known by "
        "their value and expiry, finished parts are not read again unless their primary was "
        "replaced or evicted keys meanwhile, or keys of them failed; in those --overwrite also "
        "replaces what clients changed since, where a key was there before the restore. A key "
        "that stands there with another value than the backup's is otherwise taken for "
        "somebody else's.\n"
        "After a failover the keys of that primary's slots are looked at again: missing ones "
        "are written, those that are right stay. One with another value is replaced under "
        "--overwrite if it was there before the restore (its old value has come back), and "
        "counted; a key that is new is left to the client that made it, named, and is a "
        "finding.",
    .examples = "rbconsole -e local restore --from-s3 latest --overwrite\n"
                "rbconsole -e local restore -i ./backups/redis-backup-local-20250818T060635Z-28e5 "
                "--dry-run\n",
    .run = run,
};
