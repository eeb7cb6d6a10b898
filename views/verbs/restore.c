#include "core/backup/restore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/json.h"
#include "views/verbs/backup_source.h"
#include "views/verbs/job_verb.h"
#include "views/verbs/key_filter.h"

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
    {"rate", 0, OPTION_INT, "N", "At most N keys a second; 0 = as fast as the servers take them.",
     "0", .min = 0, .max = 100000000},
    {"flush-first", 0, OPTION_FLAG, NULL,
     "Empty every primary first, once the whole archive was checked."},
    {"trust-dump", 0, OPTION_FLAG, NULL,
     "Feed DUMP payloads and functions of an unsigned archive to the servers."},
    {"dry-run", 0, OPTION_FLAG, NULL, "Show the plan and change nothing."},
    JOB_VERB_OUTAGE,
    JOB_VERB_CONFIRM,
    JOB_VERB_REASON,
    {0}};

struct restore_verb {
    struct restore_options options;
    bool dry_run;
    struct buf text; /* the plan, for people */
};

static bool read_options(const struct invocation *inv, struct restore_verb *r, struct error *err)
{
    struct restore_options *o = &r->options;

    o->policy = option_flag(inv, "overwrite")       ? RESTORE_OVERWRITE
                : option_flag(inv, "skip-existing") ? RESTORE_SKIP_EXISTING
                                                    : RESTORE_FAIL_EXISTING;
    if (!restore_ttl_parse(option_text(inv, "ttl"), &o->ttl))
        return error_set(err, ERROR_USAGE, 0, "--ttl takes remaining, absolute or none");
    o->no_stream_groups = option_flag(inv, "no-stream-groups");
    o->trust_dump = option_flag(inv, "trust-dump");
    o->flush_first = option_flag(inv, "flush-first");
    o->rate = (uint64_t)option_int(inv, "rate");
    r->dry_run = option_flag(inv, "dry-run");
    return backup_source_check(inv, err) && key_filter_read(inv, &o->filter, err);
}

static json_t *options_json(const struct invocation *inv, const struct restore_verb *r)
{
    json_t *doc = json_object();

    backup_source_options(inv, doc);
    json_put_text(doc, "policy", restore_policy_name(r->options.policy));
    json_put_text(doc, "ttl", restore_ttl_name(r->options.ttl));
    json_put_flag(doc, "stream_groups", !r->options.no_stream_groups);
    json_put_flag(doc, "flush_first", r->options.flush_first);
    json_put_flag(doc, "trust_dump", r->options.trust_dump);
    json_put_flag(doc, "dry_run", r->dry_run);
    json_put_int(doc, "rate", (int64_t)r->options.rate);
    key_filter_options(inv, doc);
    return doc;
}

static bool old_backup_needs_ttl(const struct job_verb *v, const struct restore_plan *plan,
                                 struct error *err)
{
    if (!v->identity.protected || plan->past_deadline == 0 || option_given(v->inv, "ttl"))
        return true;
    return error_set(err, ERROR_REFUSED, 0,
                     "%llu keys of this backup are past their deadline: say what shall become of "
                     "them, --ttl remaining brings them back, --ttl absolute leaves them out",
                     (unsigned long long)plan->past_deadline);
}

/* Plan, then do it. Everything that was found out goes into the result. */
static bool plan_and_run(struct job_verb *v, struct restore_verb *r, struct source *source,
                         struct task *t, json_t *result, struct error *err)
{
    const struct redis_options *target = connection_options(v->connection);
    struct restore_plan *plan = NULL;
    struct restore_result done = {0};
    bool ok;

    if (!restore_survey(source, target, &r->options, t, &plan, err))
        return false;
    json_put(result, "plan", restore_plan_json(plan, &r->options, source_manifest(source)));
    restore_plan_text(plan, &r->options, source_manifest(source), &r->text);
    if (r->dry_run) {
        json_put_int(result, "findings", plan->blocker_count > 0 ? 1 : 0);
        restore_plan_free(plan);
        return true;
    }
    ok = old_backup_needs_ttl(v, plan, err) &&
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

    if (!backup_source_begin(v->inv, &v->observed.identity, t, &from, result, err))
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
    if (done != NULL && json_int(done, "conflicts", 0) > 0)
        printf("Created by others meanwhile, and left alone: %lld keys\n",
               (long long)json_int(done, "conflicts", 0));
    if (done != NULL && json_int(done, "unsure", 0) > 0)
        printf("There, but perhaps not ours, after a lost reply: %lld keys\n",
               (long long)json_int(done, "unsure", 0));
    if (done != NULL && json_int(done, "rewritten", 0) > 0)
        printf("Written again after a failover: %lld keys\n",
               (long long)json_int(done, "rewritten", 0));
    if (done != NULL && json_int(done, "evicted", 0) > 0)
        printf("Evicted by the servers meanwhile: %lld keys\n",
               (long long)json_int(done, "evicted", 0));
}

static int run(const struct invocation *inv, struct error *err)
{
    struct restore_verb r = {0};
    struct job_verb v = {.inv = inv, .kind = JOB_RESTORE, .body = body, .ctx = &r};
    struct job_end end = {0};
    json_t *options = NULL;
    char what[300];
    char action[340];
    int status;

    buf_init(&r.text, (size_t)1 << 20);
    backup_source_describe(inv, what, sizeof(what));
    (void)snprintf(action, sizeof(action), "restore %s", what);
    if (!read_options(inv, &r, err)) {
        status = verb_fail(err);
        goto out;
    }
    if (r.dry_run) {
        (void)snprintf(action, sizeof(action), "plan of %s", what);
        (void)str_copy(str_from(action), what, sizeof(what));
    }
    options = options_json(inv, &r);
    v.options = options;
    v.target = what;
    v.action = action;
    v.reason = option_text(inv, "reason");
    v.outage_timeout_ms = (int)option_int(inv, "outage-timeout") * 1000;
    v.looks_only = r.dry_run;
    v.danger = r.dry_run ? DANGER_NONE : r.options.flush_first ? DANGER_DESTROY : DANGER_CHANGE;
    status = job_verb_run(&v, &end, err);
    print_result(inv, &r, &end);
    job_verb_print_end(&v, &end);
out:
    job_end_release(&end);
    json_decref(options);
    buf_release(&r.text);
    key_filter_release(&r.options.filter);
    return status;
}

const struct verb verb_restore = {
    .name = "restore",
    .summary = "Put a backup into the cluster.",
    .options = rows,
    .notes = "The whole archive is read and checked, and the target is asked, before the first key "
             "is written. A key is never half-written: it is built aside and renamed into place. "
             "Keys that could not be written are in the job's failed.jsonl.",
    .examples = "rbconsole -e local restore --from-s3 latest --overwrite\n"
                "rbconsole -e local restore -i ./backups/redis-backup-local-20250818T060635Z-28e5 "
                "--dry-run\n",
    .run = run,
};
