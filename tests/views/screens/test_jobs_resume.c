#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/json.h"
#include "views/screens/jobs_resume.h"

static char env[] = "local";

static struct job_info job(enum job_kind kind, enum job_state state, const char *member)
{
    struct job_info info = {.id = "R-0007", .kind = kind, .state = state, .env = env};

    info.options = json_pack("{s:s}", "backup_dir", "/var/backups");
    if (member != NULL)
        json_put_flag(info.options, member, true);
    return info;
}

static void check(enum job_kind kind, enum job_state state, const char *member, bool possible)
{
    struct job_info info = job(kind, state, member);

    assert_int_equal(jobs_cannot_resume(&info, "local") == NULL, possible);
    json_decref(info.options);
}

static void what_ended_early_can_be_resumed(void **state)
{
    (void)state;
    check(JOB_RESTORE, JOB_CRASHED, NULL, true);
    check(JOB_RESTORE, JOB_FAILED, NULL, true);
    check(JOB_RESTORE, JOB_CANCELLED, NULL, true);
    check(JOB_BACKUP, JOB_CRASHED, NULL, true);
    check(JOB_RESTORE, JOB_DONE, NULL, false);
    check(JOB_RESTORE, JOB_RUNNING, NULL, false);
    check(JOB_BACKUP, JOB_FINDINGS, NULL, false);
    check(JOB_VERIFY, JOB_CRASHED, NULL, false);
    check(JOB_RESTORE, JOB_FAILED, "dry_run", false);
    check(JOB_BACKUP, JOB_CRASHED, "signed", false);
}

static void nothing_is_resumed_in_another_environment(void **state)
{
    struct job_info info = job(JOB_RESTORE, JOB_CRASHED, NULL);

    (void)state;
    assert_non_null(jobs_cannot_resume(&info, "prd"));
    assert_non_null(jobs_cannot_resume(&info, NULL));
    assert_non_null(jobs_cannot_resume(NULL, "local"));
    json_decref(info.options);
}

static void a_streamed_backup_has_nothing_to_go_on_with(void **state)
{
    struct job_info info = job(JOB_BACKUP, JOB_CRASHED, NULL);

    (void)state;
    json_object_del(info.options, "backup_dir");
    assert_non_null(jobs_cannot_resume(&info, "local"));
    json_decref(info.options);
}

static void only_a_restore_is_given_the_typed_name(void **state)
{
    struct job_info backup = job(JOB_BACKUP, JOB_CRASHED, NULL);
    struct job_info restore = job(JOB_RESTORE, JOB_CRASHED, "exact");
    struct arg_list args;

    (void)state;
    jobs_resume_args(&backup, "local", STR(""), &args);
    assert_int_equal(args.count, 2);
    assert_string_equal(args.items[0], "backup");
    assert_string_equal(args.items[1], "--resume=R-0007");
    args_release(&args);
    jobs_resume_args(&restore, "local", STR("line dropped"), &args);
    assert_int_equal(args.count, 4);
    assert_string_equal(args.items[0], "restore");
    assert_string_equal(args.items[2], "--confirm=local");
    assert_string_equal(args.items[3], "--reason=line dropped");
    args_release(&args);
    assert_true(jobs_resume_destroys(&restore));
    assert_false(jobs_resume_destroys(&backup));
    json_decref(backup.options);
    json_decref(restore.options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_ended_early_can_be_resumed),
        cmocka_unit_test(nothing_is_resumed_in_another_environment),
        cmocka_unit_test(a_streamed_backup_has_nothing_to_go_on_with),
        cmocka_unit_test(only_a_restore_is_given_the_typed_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
