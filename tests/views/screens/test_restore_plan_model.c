#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/json.h"
#include "views/screens/restore_plan_model.h"

#define ENDED ((int64_t)1763769600000)
#define ID "redis-backup-local-20250102T030405Z-0002"
static const char from_id[] = "--from-s3=" ID;

static char nothing[] = "";
static char env[] = "local";
static char target[] = ID;

/* A finished dry run with these options and this report. */
static struct job_info planned(json_t *options, json_t *report)
{
    assert_non_null(options);
    return (struct job_info){.id = "R-0001",
                             .kind = JOB_RESTORE,
                             .state = JOB_DONE,
                             .env = env,
                             .target = target,
                             .error_text = nothing,
                             .ended_ms = ENDED,
                             .options = options,
                             .report = report};
}

static void release(struct job_info *job)
{
    json_decref(job->options);
    json_decref(job->report);
}

static json_t *plan_json(const char *blocker)
{
    json_t *plan = json_pack(
        "{s:s, s:i, s:i, s:i, s:i, s:{s:i}, s:[s], s:[{s:s, s:i, s:i, s:i, s:i, s:s}], s:[s]}",
        "backup_id", ID, "keys", 10, "existing", 4, "with_ttl", 2, "past_deadline", 1, "by_type",
        "string", 10, "existing_examples", "user:1", "nodes", "addr", "127.0.0.1:7001", "keys", 50,
        "used_memory", 1000, "maxmemory", 0, "to_write", 10, "version", "redis 7.0.15", "warnings",
        "mind the gap");
    json_t *blockers = json_array();

    assert_non_null(plan);
    if (blocker != NULL)
        json_push(blockers, json_string(blocker));
    json_put(plan, "blockers", blockers);
    return json_pack("{s:o, s:s}", "plan", plan, "backup_id", ID);
}

static json_t *options_json(const char *policy, bool flush)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:i, s:[s,s], s:[], s:s}", "from_s3", ID,
                     "policy", policy, "ttl", "absolute", "stream_groups", 0, "flush_first", flush,
                     "dry_run", 1, "rate", 7, "match", "a*", "b c", "type", "slots", "0-5");
}

static void expect_words(const struct arg_list *a, const char *const *words)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        assert_true(i < a->count);
        assert_string_equal(a->items[i], words[i]);
    }
    assert_null(args_words(a)[a->count]);
}

static void command_is_the_dry_run_without_dry_run(void **state)
{
    static const char *const words[] = {
        "restore",    from_id,       "--overwrite", "--ttl=absolute", "--no-stream-groups",
        "--match=a*", "--match=b c", "--slots=0-5", "--rate=7",       "--flush-first",
        NULL};
    struct job_info job = planned(options_json("overwrite", true), plan_json(NULL));
    struct arg_list args = {0};

    (void)state;
    restore_plan_args(&job, &args);
    expect_words(&args, words);
    assert_int_equal(args.count, sizeof(words) / sizeof(words[0]) - 1);
    assert_true(restore_plan_destroys(&job));
    args_release(&args);
    release(&job);
}

static void the_backup_of_the_plan_is_restored_not_a_later_one(void **state)
{
    static const char *const words[] = {"restore", from_id, "--verify-key-file=/k", NULL};
    struct job_info job = planned(options_json("overwrite", false), plan_json(NULL));
    struct arg_list args = {0};

    (void)state;
    json_put_text(job.options, "from_s3", "latest");
    json_put_text(job.options, "verify_key_file", "/k");
    restore_plan_args(&job, &args);
    expect_words(&args, words);
    args_release(&args);
    release(&job);
}

static void obstacles_are_named(void **state)
{
    struct job_info job = planned(options_json("overwrite", false), plan_json(NULL));

    (void)state;
    assert_null(restore_plan_obstacle(&job, ENDED + 1000));
    assert_non_null(strstr(restore_plan_obstacle(&job, ENDED + PLAN_FRESH_MS + 1), "older than"));
    job.state = JOB_RUNNING;
    assert_non_null(strstr(restore_plan_obstacle(&job, ENDED), "not ready"));
    job.state = JOB_FAILED;
    json_decref(job.report);
    job.report = NULL;
    assert_non_null(strstr(restore_plan_obstacle(&job, ENDED), "no plan"));
    job.report = plan_json("they exist");
    job.state = JOB_FINDINGS;
    assert_string_equal(restore_plan_obstacle(&job, ENDED), "they exist");
    json_put_flag(job.options, "dry_run", false);
    assert_string_equal(restore_plan_obstacle(&job, ENDED), "this job is no plan");
    release(&job);
}

static void collect(void *arg, enum role role, const char *text)
{
    (void)role;
    buf_put(arg, "%s\n", text);
}

static void expect_text(const struct plan_view *v, const char *const *wanted, bool summary)
{
    struct buf out;

    buf_init(&out, 1 << 20);
    if (summary)
        restore_plan_summary(v, &out);
    else
        restore_plan_lines(v, collect, &out);
    for (; *wanted != NULL; wanted++)
        if (strstr(out.data, *wanted) == NULL)
            fail_msg("\"%s\" is not in:\n%s", *wanted, out.data);
    buf_release(&out);
}

static void lines_tell_effect_nodes_warnings_undo_and_command(void **state)
{
    static const char *const words[] = {"4 of its keys exist on the target: they are REPLACED",
                                        "6 keys would be created",
                                        "such as user:1",
                                        "127.0.0.1:7001",
                                        "mind the gap",
                                        "NOT POSSIBLE: no complete backup of local",
                                        "Command    rbconsole restore --this",
                                        "Nothing was changed yet",
                                        NULL};
    static const char *const effect[] = {"6 new keys; 4 keys that exist are REPLACED",
                                         "1 warning stands", "Undo: NOT POSSIBLE", NULL};
    struct job_info job = planned(options_json("overwrite", false), plan_json(NULL));
    struct watch_list jobs = {.live = 0};
    struct plan_view v = {&job, &jobs, env, "rbconsole restore --this", ENDED};

    (void)state;
    expect_text(&v, words, false);
    expect_text(&v, effect, true);
    release(&job);
}

static void undo_names_the_newest_whole_backup_of_the_environment(void **state)
{
    static const char *const words[] = {"restore what is there now from B-TARGET (B-0007", NULL};
    static const char *const same[] = {"this one itself", NULL};
    static char other[] = "B-TARGET";
    struct job_info job = planned(options_json("overwrite", false), plan_json(NULL));
    struct job_info part = {.id = "B-0009", .kind = JOB_BACKUP, .state = JOB_DONE, .env = env};
    struct job_info failed = {.id = "B-0008", .kind = JOB_BACKUP, .state = JOB_FAILED, .env = env};
    struct job_info whole = {.id = "B-0007", .kind = JOB_BACKUP, .state = JOB_DONE, .env = env};
    struct job_info *list[] = {&part, &failed, &whole};
    struct watch_list jobs = {.jobs = {.items = list, .count = 3}};
    struct plan_view v = {&job, &jobs, env, "x", ENDED};

    (void)state;
    part.report = json_pack("{s:b, s:b}", "complete", 1, "filtered", 1);
    whole.report = json_pack("{s:b, s:b}", "complete", 1, "filtered", 0);
    whole.ended_ms = ENDED - 60000;
    whole.target = other;
    assert_ptr_equal(restore_plan_last_backup(&jobs, "local"), &whole);
    assert_null(restore_plan_last_backup(&jobs, "prd"));
    expect_text(&v, words, false);
    whole.target = target;
    expect_text(&v, same, false);
    json_decref(part.report);
    json_decref(whole.report);
    release(&job);
}

/* ---- what is chosen beyond the usual ---- */

/* A dry run with --exact, --tune and the rest; blocker: of the plan, or NULL. */
static struct job_info chosen(const char *blocker)
{
    json_t *options = json_pack(
        "{s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:b, s:b, s:i, s:i, s:s, s:[s], s:[s,s], s:b}",
        "from_s3", ID, "policy", "overwrite", "ttl", "remaining", "stream_groups", 1, "exact", 1,
        "tune", 1, "drop_field_ttl", 1, "allow_downgrade", 1, "rate_auto", 1, "shard", 2,
        "outage_s", 300, "slots", "0-99", "match", "a*", "type", "hash", "set", "dry_run", 1);
    json_t *report = plan_json(blocker);
    json_t *plan = json_object_get(report, "plan");
    json_t *node = json_array_get(json_object_get(plan, "nodes"), 0);

    json_put_text(node, "maxmemory_policy", "allkeys-lru");
    json_put_flag(node, "stops_writes", true);
    if (blocker == NULL) {
        json_put_int(plan, "to_remove", 12);
        json_put(plan, "remove_examples", json_pack("[s]", "late:1"));
    }
    return planned(options, report);
}

static void every_choice_reaches_the_command(void **state)
{
    static const char *const words[] = {"restore",
                                        from_id,
                                        "--overwrite",
                                        "--ttl=remaining",
                                        "--recreate-stream-groups",
                                        "--match=a*",
                                        "--type=hash",
                                        "--type=set",
                                        "--slots=0-99",
                                        "--shard=2",
                                        "--rate=auto",
                                        "--outage-timeout=300",
                                        "--tune",
                                        "--drop-field-ttl",
                                        "--allow-downgrade",
                                        "--exact",
                                        NULL};
    struct job_info job = chosen(NULL);
    struct arg_list args = {0};

    (void)state;
    restore_plan_args(&job, &args);
    expect_words(&args, words);
    assert_int_equal(args.count, sizeof(words) / sizeof(words[0]) - 1);
    args_release(&args);
    json_object_del(job.options, "rate_auto");
    json_put_flag(job.options, "rate_none", true);
    restore_plan_args(&job, &args);
    assert_string_equal(args.items[10], "--rate=none");
    args_release(&args);
    release(&job);
}

static void exact_and_tune_tell_what_they_do(void **state)
{
    static const char *const words[] = {
        "REMOVES    about 12 keys that the backup lacks",
        "such as late:1",
        "Tunes      maxmemory-policy noeviction (now allkeys-lru on 1 of 1",
        "stop-writes-on-bgsave-error no",
        "The old values come back",
        "Speed      auto",
        "Outages    are waited for up to 300 s",
        "Only       shard 2 of the backup; keys like a*; types hash set; slots 0-99",
        "Agreed     hash fields lose",
        "Agreed     what older servers",
        NULL};
    static const char *const effect[] = {"Then it REMOVES about 12 keys that the backup lacks",
                                         "Meanwhile no node evicts", NULL};
    static const char *const refused[] = {"Removes    not counted, since the plan is refused",
                                          NULL};
    struct job_info job = chosen(NULL);
    struct watch_list jobs = {.live = 0};
    struct plan_view v = {&job, &jobs, env, "x", ENDED};

    (void)state;
    assert_null(restore_plan_obstacle(&job, ENDED + 1000));
    assert_true(restore_plan_destroys(&job)); /* so the name has to be typed */
    assert_false(restore_plan_empties(&job));
    expect_text(&v, words, false);
    expect_text(&v, effect, true);
    release(&job);
    job = chosen("they exist");
    expect_text(&v, refused, false);
    release(&job);
}

/* What is removed is lost even where no key is replaced. */
static void exact_alone_needs_a_backup_to_be_undone(void **state)
{
    static const char *const words[] = {"Undo: NOT POSSIBLE: no complete backup", NULL};
    struct job_info job = chosen(NULL);
    struct watch_list jobs = {.live = 0};
    struct plan_view v = {&job, &jobs, env, "x", ENDED};

    (void)state;
    json_put_int(json_object_get(job.report, "plan"), "existing", 0);
    expect_text(&v, words, true);
    release(&job);
}

static void flush_says_that_it_deletes(void **state)
{
    static const char *const effect[] = {"This DELETES all 50 keys of local", NULL};
    struct job_info job = planned(options_json("skip-existing", true), plan_json(NULL));
    struct watch_list jobs = {.live = 0};
    struct plan_view v = {&job, &jobs, env, "x", ENDED};

    (void)state;
    expect_text(&v, effect, true);
    release(&job);
}

static void nonsense_in_the_files_is_no_crash(void **state)
{
    struct job_info job = planned(json_pack("{s:b}", "dry_run", 1), NULL);
    struct watch_list jobs = {.live = 0};
    struct plan_view v = {&job, &jobs, env, "x", ENDED};
    static const char *const shapes[] = {
        "{\"plan\":[]}", "{\"plan\":{\"nodes\":{},\"blockers\":3,\"warnings\":[1,{}]}}",
        "{\"plan\":{\"nodes\":[1,[],{}],\"by_type\":[1],\"existing_examples\":\"x\"}}",
        "{\"plan\":{\"blockers\":[{}],\"keys\":\"x\"}}"};
    static const char *const none[] = {NULL};

    (void)state;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        struct error err;

        json_decref(job.report);
        job.report = json_parse(str_from(shapes[i]), "report", &err);
        assert_non_null(job.report);
        expect_text(&v, none, false);
        expect_text(&v, none, true);
        (void)restore_plan_obstacle(&job, ENDED);
    }
    release(&job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_is_the_dry_run_without_dry_run),
        cmocka_unit_test(the_backup_of_the_plan_is_restored_not_a_later_one),
        cmocka_unit_test(obstacles_are_named),
        cmocka_unit_test(lines_tell_effect_nodes_warnings_undo_and_command),
        cmocka_unit_test(undo_names_the_newest_whole_backup_of_the_environment),
        cmocka_unit_test(flush_says_that_it_deletes),
        cmocka_unit_test(nonsense_in_the_files_is_no_crash),
        cmocka_unit_test(every_choice_reaches_the_command),
        cmocka_unit_test(exact_and_tune_tell_what_they_do),
        cmocka_unit_test(exact_alone_needs_a_backup_to_be_undone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
