/*
 * it_restore_functions.c - function libraries that the target has already: the same code is fine,
 * other code is a finding, left alone or replaced as the policy says. Asked of the servers
 * themselves.
 */
#include "tests/engine/restore_kit.h"

#include "core/base/alloc.h"
#include "tests/engine/fixture_backup.h"
#include "tests/harness/resp_server.h"

#define KEPT "#!lua name=mylib\nredis.register_function('answer', function() return 42 end)\n"
#define OTHER "#!lua name=mylib\nredis.register_function('answer', function() return 7 end)\n"
#define CLASH "#!lua name=theirs\nredis.register_function('answer', function() return 9 end)\n"

static struct lab *lab;
static const char *backup_dir;

static void load(size_t node, const char *code)
{
    free(lab_cli(lab, node, "FUNCTION", "FLUSH", NULL));
    CLI_ON(lab, node, NULL, "FUNCTION", "LOAD", code);
}

static void expect_answers(const char *first, const char *others)
{
    for (size_t i = 0; i < 3; i++)
        CLI_ON(lab, i, i == 0 ? first : others, "FCALL", "answer", "0");
}

/* The keys are gone, node 0 has one library, the others none. */
static void restore_over(const char *code, enum restore_policy policy, struct kit *k)
{
    for (size_t i = 0; i < 3; i++) {
        free(lab_cli(lab, i, "FLUSHALL", NULL));
        free(lab_cli(lab, i, "FUNCTION", "FLUSH", NULL));
    }
    load(0, code);
    kit_open(k, backup_dir, (uint16_t)lab_port(lab, 0));
    k->options.policy = policy;
    k->options.trust_dump = true;
    if (!kit_restore(k))
        fail_msg("%s", k->err.text);
    assert_int_equal(k->result.written, 1);
}

static void the_same_code_is_no_finding(void **ctx UNUSED)
{
    struct kit k;

    restore_over(KEPT, RESTORE_FAIL_EXISTING, &k);
    assert_int_equal(restore_result_findings(&k.result), 0);
    assert_int_equal(k.result.functions, 1);
    assert_int_equal(k.result.existing, 0);
    kit_close(&k);
    expect_answers("42", "42");
}

static void other_code_is_a_finding_and_stays(void **ctx UNUSED)
{
    struct kit k;

    restore_over(OTHER, RESTORE_FAIL_EXISTING, &k);
    assert_int_equal(k.result.failed, 1);
    assert_int_equal(restore_result_findings(&k.result), 1);
    assert_int_equal(task_ledger_count(k.task), 1);
    kit_close(&k);
    expect_answers("7", "42");
}

static void other_code_is_left_and_counted_where_existing_things_are_skipped(void **ctx UNUSED)
{
    struct kit k;

    restore_over(OTHER, RESTORE_SKIP_EXISTING, &k);
    assert_int_equal(restore_result_findings(&k.result), 0);
    assert_int_equal(k.result.existing, 1);
    kit_close(&k);
    expect_answers("7", "42");
}

static void other_code_is_replaced_where_existing_things_are(void **ctx UNUSED)
{
    struct kit k;

    restore_over(OTHER, RESTORE_OVERWRITE, &k);
    assert_int_equal(restore_result_findings(&k.result), 0);
    assert_int_equal(k.result.functions, 1);
    kit_close(&k);
    expect_answers("42", "42");
}

/* "Function answer already exists": of another library, so ours is not there at all. */
static void a_function_of_another_library_in_the_way_is_a_finding(void **ctx UNUSED)
{
    struct kit k;

    restore_over(CLASH, RESTORE_SKIP_EXISTING, &k);
    assert_int_equal(k.result.failed, 1);
    kit_close(&k);
    expect_answers("9", "42");
}

/* Hangs up when it is to load a library. */
static bool answer(void *arg UNUSED, const struct str *argv, size_t argc, char *out, size_t size,
                   size_t *len)
{
    const char *text = "-ERR unknown command\r\n";

    if (str_is(argv[0], "FUNCTION") && argc > 1 && str_is(argv[1], "LOAD"))
        return false;
    if (str_is(argv[0], "INFO"))
        text = "$58\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrole:master\r\n\r\n";
    else if (str_is(argv[0], "PING"))
        text = "+PONG\r\n";
    else if (str_is(argv[0], "TIME"))
        text = "*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n";
    else if (str_is(argv[0], "EXISTS"))
        text = ":0\r\n";
    else if (str_is(argv[0], "SCAN"))
        text = "*2\r\n$1\r\n0\r\n*0\r\n";
    *len = (size_t)snprintf(out, size, "%s", text);
    return true;
}

/* It did not refuse the library: the run ends, and the next one loads it. */
static void a_server_that_is_lost_ends_the_run_and_fails_no_library(void **ctx UNUSED)
{
    struct resp_server *s = resp_server_answering(answer, NULL);
    struct kit k;

    kit_open(&k, backup_dir, resp_server_port(s));
    k.options.trust_dump = true;
    k.target.outage_timeout_ms = 1000;
    assert_false(kit_restore(&k));
    assert_int_equal(k.err.code, ERROR_UNREACHABLE);
    assert_int_equal(k.result.failed, 0);
    assert_int_equal(task_ledger_count(k.task), 0);
    resp_server_stop(s);
    kit_close(&k);
}

static int set_up(void **ctx UNUSED)
{
    struct task *task = task_new_plain();
    struct backup_result done;
    struct setting s;

    lab = lab_start(&(struct lab_options){.replicas = -1});
    if (lab == NULL)
        return -1;
    setting_init(&s, lab);
    CLI(lab, "SET", "text", "value");
    for (size_t i = 0; i < 3; i++)
        load(i, KEPT);
    setting_run(&s, task, &done);
    assert_true(done.manifest->functions);
    backup_dir = tmpdir_path(s.dir, ID);
    backup_result_release(&done);
    task_free(task);
    return 0;
}

static int tear_down(void **ctx UNUSED)
{
    lab_stop(lab);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_code_is_no_finding),
        cmocka_unit_test(other_code_is_a_finding_and_stays),
        cmocka_unit_test(other_code_is_left_and_counted_where_existing_things_are_skipped),
        cmocka_unit_test(other_code_is_replaced_where_existing_things_are),
        cmocka_unit_test(a_function_of_another_library_in_the_way_is_a_finding),
        cmocka_unit_test(a_server_that_is_lost_ends_the_run_and_fails_no_library),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
