/* What the jobs screen says about jobs: outcome, fate, what is waited for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/buf.h"
#include "core/base/json.h"
#include "views/screens/jobs_model.h"
#include "views/screens/jobs_result.h"

#define NOW ((int64_t)1763769600000)

static char nothing[] = "";
static char env[] = "prd";
static char why[] = "gave up after 1m 00s: cannot connect to 127.0.0.1:7001";

/* The report (JSON) is the job's until release. */
static struct job_info job(enum job_kind kind, enum job_state state, const char *report)
{
    struct error err;
    struct job_info info = {.id = "V-0001",
                            .kind = kind,
                            .state = state,
                            .env = env,
                            .host = nothing,
                            .target = nothing,
                            .user = nothing,
                            .reason = nothing,
                            .error_text = nothing};

    if (report != NULL) {
        info.report = json_parse(str_from(report), "report", &err);
        assert_non_null(info.report);
    }
    return info;
}

static void collect(void *out, enum role role, const char *text)
{
    buf_put(out, "%d %s\n", (int)role, text);
}

static void expect_lines(const struct job_info *info, size_t keys, const char *const *wanted,
                         const char *unwanted)
{
    struct buf out;

    buf_init(&out, 1 << 20);
    jobs_result_lines(info, keys, collect, &out);
    buf_put(&out, "%s", "");
    for (; wanted != NULL && *wanted != NULL; wanted++)
        if (out.len == 0 || strstr(out.data, *wanted) == NULL)
            fail_msg("\"%s\" is not in:\n%s", *wanted, out.len > 0 ? out.data : "");
    if (unwanted != NULL && out.len > 0)
        assert_null(strstr(out.data, unwanted));
    if (wanted == NULL)
        assert_int_equal(out.len, 0);
    buf_release(&out);
}

static const char verification[] =
    "{\"findings\":3,\"verify\":{\"checked\":1000,\"extra\":true,\"found\":3,\"changing\":2,"
    "\"coverage\":{\"text\":\"3 of 1,000 keys are wrong\"},\"placement\":{\"stray\":4},"
    "\"verdicts\":{\"same\":997,\"differs\":1,\"missing\":2,\"extra\":0},\"keys\":["
    "{\"key\":\"user:1\",\"type\":\"hash\",\"verdict\":\"differs\",\"detail\":\"field a\"},"
    "{\"key\":\"user:2\",\"type\":\"string\",\"verdict\":\"missing\",\"detail\":\"\"},"
    "{\"key\":\"user:3\",\"type\":\"string\",\"verdict\":\"missing\",\"detail\":\"\"}]}}";

static void verification_is_read_without_opening_a_file(void **state)
{
    static const char *const all[] = {"3 of 1,000 keys are wrong",
                                      "checked 1,000:  same 997  differs 1  missing 2\n",
                                      "differs    hash   user:1  field a",
                                      "missing    string user:3",
                                      "4 keys lie on a node",
                                      "2 findings changed between rounds",
                                      NULL};
    static const char *const few[] = {"user:2", "and 1 more: failed.jsonl", NULL};
    struct job_info info = job(JOB_VERIFY, JOB_FINDINGS, verification);

    (void)state;
    expect_lines(&info, 20, all, "not looked for");
    expect_lines(&info, 2, few, "user:3");
    info.state = JOB_RUNNING; /* the report is of an earlier run */
    expect_lines(&info, 20, NULL, NULL);
    json_decref(info.report);
}

static void sample_without_extra_keys_says_what_it_did_not_look_for(void **state)
{
    static const char *const words[] = {"0 of 10 keys", "were not looked for", NULL};
    struct job_info info =
        job(JOB_VERIFY, JOB_DONE,
            "{\"findings\":0,\"verify\":{\"checked\":10,\"extra\":false,\"verdicts\":{\"same\":10},"
            "\"coverage\":{\"text\":\"0 of 10 keys are wrong\"},\"keys\":[]}}");

    (void)state;
    expect_lines(&info, 20, words, NULL);
    json_decref(info.report);
}

static void restore_tells_what_became_of_the_keys(void **state)
{
    static const char *const words[] = {"written 100  failed 2",
                                        "Removed, because the backup lacks them: 7 keys",
                                        "Written again after a failover: 5 keys",
                                        "not put back: 1; rbconsole -e prd doctor --fix",
                                        "warning: mind the gap",
                                        NULL};
    static const char *const refused[] = {"REFUSED: they exist", NULL};
    static const char *const plan[] = {"a plan only: nothing was changed", NULL};
    struct job_info info =
        job(JOB_RESTORE, JOB_FINDINGS,
            "{\"restore\":{\"written\":100,\"failed\":2,\"removed\":7,\"rewritten\":5,"
            "\"untuned\":1},\"plan\":{\"warnings\":[\"mind the gap\"]}}");

    (void)state;
    expect_lines(&info, 20, words, NULL);
    json_decref(info.report);
    info = job(JOB_RESTORE, JOB_FINDINGS, "{\"plan\":{\"blockers\":[\"they exist\"]}}");
    expect_lines(&info, 20, refused, "a plan only");
    info.options = json_pack("{s:b}", "dry_run", 1);
    expect_lines(&info, 20, plan, NULL);
    json_decref(info.options);
    json_decref(info.report);
}

static void backup_and_snapshot_tell_how_whole_they_are_and_where(void **state)
{
    static const char *const whole[] = {"complete: 10 keys, 3 of them with expiry",
                                        "types      string 4  hash 6",
                                        "archive    /b/x.tar.gz",
                                        "uploaded   s3://b/x.tar.gz",
                                        "2 keys could not be read",
                                        NULL};
    static const char *const part[] = {"INCOMPLETE: slots moved", NULL};
    static const char *const shot[] = {"complete for what the filter let through: 10 keys",
                                       "content    abcd", "report     /r.json", NULL};
    struct job_info info =
        job(JOB_BACKUP, JOB_FINDINGS,
            "{\"complete\":true,\"keys\":10,\"with_ttl\":3,\"unreadable\":2,\"by_type\":{"
            "\"string\":4,\"hash\":6,\"set\":0},\"places\":{\"archive\":\"/b/x.tar.gz\","
            "\"uploaded\":\"s3://b/x.tar.gz\"}}");

    (void)state;
    expect_lines(&info, 20, whole, "set");
    json_decref(info.report);
    info = job(JOB_BACKUP, JOB_FINDINGS,
               "{\"complete\":false,\"reason\":\"slots moved\",\"keys\":10}");
    expect_lines(&info, 20, part, "complete:");
    json_decref(info.report);
    info = job(JOB_SNAPSHOT, JOB_DONE,
               "{\"file\":\"/r.json\",\"snapshot\":{\"complete\":true,\"filtered\":true,"
               "\"totals\":{\"keys\":10,\"with_ttl\":3,\"content\":\"abcd\"}}}");
    expect_lines(&info, 20, shot, NULL);
    json_decref(info.report);
}

static void nonsense_in_a_report_is_no_crash(void **state)
{
    static const char *const shapes[] = {
        "{\"verify\":[]}", "{\"verify\":{\"keys\":{},\"found\":9}}", "{\"restore\":3,\"plan\":[]}",
        "{\"keys\":\"x\"}", "{\"snapshot\":{\"totals\":[1]},\"places\":7}"};
    static const enum job_kind kinds[] = {JOB_VERIFY, JOB_RESTORE, JOB_BACKUP, JOB_SNAPSHOT};
    static const char *const none[] = {NULL};

    (void)state;
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
        for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
            struct job_info info = job(kinds[k], JOB_DONE, shapes[i]);

            expect_lines(&info, 20, none, NULL);
            json_decref(info.report);
        }
}

/* ---- fate ---- */

static void only_what_can_go_on_is_said_to(void **state)
{
    struct job_info info = job(JOB_RESTORE, JOB_FAILED, NULL);
    char text[JOBS_TEXT * 2];

    (void)state;
    info.error_text = why;
    (void)jobs_fate_text(text, sizeof(text), &info, NOW);
    assert_non_null(strstr(text, "failed: gave up after 1m 00s"));
    assert_non_null(strstr(text, ":resume goes on, or rbconsole -e prd restore --resume V-0001"));
    info.kind = JOB_VERIFY;
    (void)jobs_fate_text(text, sizeof(text), &info, NOW);
    assert_null(strstr(text, "resume"));
}

static void a_job_that_waits_says_for_what_and_how_long(void **state)
{
    struct job_info info = job(JOB_RESTORE, JOB_RUNNING, NULL);
    char text[JOBS_TEXT * 2];

    (void)state;
    assert_string_equal(jobs_waiting_text(text, sizeof(text), &info, NOW), "");
    info.progress.waiting.since_ms = NOW - 12000;
    info.progress.waiting.until_ms = NOW + 48000;
    (void)snprintf(info.progress.waiting.why, sizeof(info.progress.waiting.why), "%s",
                   "127.0.0.1:7001: refused");
    assert_string_equal(jobs_waiting_text(text, sizeof(text), &info, NOW),
                        "WAITS for 12 s, stops in 48 s (resumable): 127.0.0.1:7001: refused");
    info.kind = JOB_VERIFY;
    assert_string_equal(jobs_waiting_text(text, sizeof(text), &info, NOW),
                        "WAITS for 12 s, stops in 48 s: 127.0.0.1:7001: refused");
    info.state = JOB_FAILED;
    assert_string_equal(jobs_waiting_text(text, sizeof(text), &info, NOW), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verification_is_read_without_opening_a_file),
        cmocka_unit_test(sample_without_extra_keys_says_what_it_did_not_look_for),
        cmocka_unit_test(restore_tells_what_became_of_the_keys),
        cmocka_unit_test(backup_and_snapshot_tell_how_whole_they_are_and_where),
        cmocka_unit_test(nonsense_in_a_report_is_no_crash),
        cmocka_unit_test(only_what_can_go_on_is_said_to),
        cmocka_unit_test(a_job_that_waits_says_for_what_and_how_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
