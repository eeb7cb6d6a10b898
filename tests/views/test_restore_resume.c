/* What a resumed restore keeps of the options that it was started with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "core/base/json.h"
#include "tests/harness/tmpdir.h"
#include "views/cli.h"
#include "views/verbs/restore_verb.h"

struct resumed {
    struct options options;
    struct config *config;
    struct invocation inv;
    struct restore_verb verb;
};

/* R-0001 with these options in its job.json, as `restore --resume R-0001 EXTRA` reads it. */
static void read_again(struct resumed *r, const char *options, const char *extra)
{
    const char *dir = tmpdir_new();
    const char *config = tmpdir_path(dir, "config.json");
    const char *argv[] = {"rbconsole", "-c",       config,   "--state-dir", dir,
                          "restore",   "--resume", "R-0001", extra};
    struct config_request request = {.file = config};
    struct config_setting settings[8];
    struct error err = {0};
    char job[1000];

    (void)snprintf(job, sizeof(job),
                   "{\"kind\":\"restore\",\"env\":\"local\",\"options\":{\"policy\":\"overwrite\","
                   "\"ttl\":\"remaining\"%s}}",
                   options);
    assert_int_equal(mkdir(tmpdir_path(dir, "jobs"), 0700), 0);
    assert_int_equal(mkdir(tmpdir_path(dir, "jobs/R-0001"), 0700), 0);
    tmpdir_write(tmpdir_path(dir, "jobs/R-0001/job.json"), job, strlen(job));
    (void)snprintf(job, sizeof(job), "{\"redis_nodes\":{\"local\":{\"nodes\":[\"127.0.0.1:1\"]}}}");
    tmpdir_write(config, job, strlen(job));
    *r = (struct resumed){0};
    assert_true(cli_parse(extra != NULL ? 9 : 8, argv, &r->options, &err));
    request.settings = settings;
    request.setting_count = cli_settings(&r->options, settings, 8);
    assert_true(config_load(&request, &r->config, &err));
    cli_invocation(&r->options, argv[0], r->config, config_selected(r->config), &r->inv);
    buf_init(&r->verb.text, 1000);
    if (!restore_verb_read(&r->inv, verb_restore.options, &r->verb, &err))
        fail_msg("%s", err.text);
}

static void release(struct resumed *r)
{
    restore_verb_release(&r->verb);
    config_free(r->config);
    cli_release(&r->options);
}

static void a_limit_holds_for_all_runs_of_the_job(void **state)
{
    struct resumed r;

    (void)state;
    read_again(&r, ",\"rate\":20,\"outage_s\":300", NULL);
    assert_int_equal(r.verb.options.rate, 20);
    assert_true(r.verb.rate_given);
    assert_int_equal(restore_verb_outage_s(&r.verb), 300);
    release(&r);
    read_again(&r, ",\"rate\":0,\"rate_auto\":true", NULL);
    assert_true(r.verb.options.adaptive);
    assert_true(r.verb.rate_given);
    assert_int_equal(restore_verb_outage_s(&r.verb), 60);
    release(&r);
    read_again(&r, ",\"rate\":0,\"rate_none\":true", NULL);
    assert_false(r.verb.options.adaptive);
    assert_true(r.verb.rate_given); /* also in a protected environment */
    release(&r);
}

static void this_run_may_say_another_limit(void **state)
{
    struct resumed r;

    (void)state;
    read_again(&r, ",\"rate\":20,\"outage_s\":300", "--rate=500");
    assert_int_equal(r.verb.options.rate, 500);
    release(&r);
    read_again(&r, ",\"rate\":20", "--rate=auto");
    assert_int_equal(r.verb.options.rate, 0);
    assert_true(r.verb.options.adaptive);
    release(&r);
    read_again(&r, ",\"outage_s\":300", "--outage-timeout=5");
    assert_int_equal(restore_verb_outage_s(&r.verb), 5);
    release(&r);
}

/* A job of before says nothing: then the environment decides. */
static void nothing_said_is_nothing_kept(void **state)
{
    struct resumed r;

    (void)state;
    read_again(&r, ",\"rate\":0", NULL);
    assert_false(r.verb.rate_given);
    release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_holds_for_all_runs_of_the_job),
        cmocka_unit_test(this_run_may_say_another_limit),
        cmocka_unit_test(nothing_said_is_nothing_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
