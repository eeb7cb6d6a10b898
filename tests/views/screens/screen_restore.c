/* Restores from the panel on a real cluster: form, plan, confirmation, job; the cluster is looked
 * at with the server's own client before, during and after. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/harness/tmpdir.h"
#include "tests/harness/wait.h"
#include "tests/views/screens/fixture_panel.h"

#define SLOW "20" /* keys a second: the restore outlives the terminal by far */

static void restore_from_s3_changes_nothing_before_it_is_confirmed_and_all_after(void **state)
{
    struct panel *f = *state;

    panel_write_config(f, "local", false);
    panel_fill(f);
    panel_back_up(f, "--stream");
    panel_set_key(f, 1, "new");
    free(lab_cli_routed(f->lab, "DEL", "item:2", NULL));
    free(lab_cli_routed(f->lab, "SET", "later", "mine", NULL));

    panel_start(f, "backups", " s3 +local +complete +all +200 ");
    panel_make_plan(f, "Space Space"); /* overwrite */
    screen_expect_match(f->screen, "There now +199 of its keys exist on the target: .*REPLACED",
                        20000);
    screen_expect_match(f->screen, "New +1 key would be created", 5000);
    screen_expect_match(f->screen, "Undo +NOT POSSIBLE", 5000);
    screen_expect_match(f->screen, "Command +rbconsole --config .*", 5000);
    screen_expect(f->screen, "Nothing was changed yet", 5000);
    for (size_t i = 0; i < 3; i++)
        screen_expect_match(f->screen, lab_address(f->lab, i), 1000);
    panel_expect_key(f, 1, "new");
    panel_expect_key(f, 2, "");

    /* Enter on the confirmation cancels */
    panel_command(f, "apply");
    screen_expect(f->screen, "[ RESTORE into local ]", 5000);
    screen_expect_match(f->screen, "1 new key; 199 keys that exist are REPLACED", 5000);
    screen_keys(f->screen, "Enter");
    screen_expect_gone(f->screen, "[ RESTORE into local ]", 5000);
    panel_expect_key(f, 1, "new");
    panel_expect_key(f, 2, "");
    assert_true(panel_job_exists(f, "R-0001"));
    assert_false(panel_job_exists(f, "R-0002"));

    screen_keys(f->screen, "F9");
    screen_expect(f->screen, "Go ahead with this restore", 5000);
    screen_keys(f->screen, "Enter");
    screen_expect(f->screen, "[ RESTORE into local ]", 5000);
    screen_keys(f->screen, "Right Enter");
    screen_expect_match(f->screen, "R-0002 +restore +done", 60000);
    panel_expect_key(f, 1, "old");
    panel_expect_key(f, 2, "old");
    assert_int_equal(lab_keys(f->lab), PANEL_KEYS + 1);
    screen_expect_clean_bytes(f->screen);
}

static void plan_with_blockers_cannot_be_confirmed(void **state)
{
    struct panel *f = *state;

    panel_write_config(f, "local", false);
    panel_fill(f);
    panel_back_up(f, "--no-upload");
    panel_set_key(f, 1, "new");
    panel_start(f, "backups", " local +local +complete +all +200 ");
    panel_make_plan(f, "");
    screen_expect_match(f->screen, "There now +200 of its keys exist", 20000);
    screen_expect_match(f->screen, "REFUSED +200 keys of the backup exist", 5000);
    panel_command(f, "apply");
    screen_expect_match(f->screen, "restore: 200 keys of the backup exist", 5000);
    assert_false(screen_find(f->screen, "[ RESTORE into local ]", NULL, NULL));
    assert_false(panel_job_exists(f, "R-0002"));
    panel_expect_key(f, 1, "new");
}

static bool all_there(void *context)
{
    return lab_keys(((struct panel *)context)->lab) == PANEL_KEYS;
}

static void restore_goes_on_when_the_terminal_is_killed(void **state)
{
    struct panel *f = *state;
    long long during;

    panel_write_config(f, "local", false);
    panel_fill(f);
    panel_back_up(f, "--stream");
    panel_flush(f);
    panel_start(f, "backups", " s3 +local +complete +all +200 ");
    panel_make_plan(f, "Down Down Down Down Down Down Ctrl-u 2 0");
    screen_expect_match(f->screen, "New +200 keys would be created", 20000);
    panel_command(f, "apply");
    screen_expect(f->screen, "[ RESTORE into local ]", 5000);
    screen_expect(f->screen, "--rate=" SLOW, 5000);
    screen_keys(f->screen, "Right Enter");
    screen_expect_match(f->screen, "R-0002 +restore +running", 30000);
    screen_expect(f->screen, "losing SSH does not stop it", 5000);
    screen_close(f->screen); /* SIGKILL, and its terminal is gone */
    f->screen = NULL;
    during = lab_keys(f->lab);
    assert_true(during < PANEL_KEYS);

    /* a second console, while it runs and after */
    panel_start(f, "jobs", "R-0002 +restore +running");
    assert_true(wait_until(all_there, f, 60000));
    screen_expect_match(f->screen, "R-0002 +restore +done", 30000);
    panel_expect_key(f, 199, "old");
    screen_keys(f->screen, "g Enter");
    screen_expect_match(f->screen, "\"state\": \"done\"", 10000);
    screen_keys(f->screen, "/");
    screen_type(f->screen, "\"written\"");
    screen_keys(f->screen, "Enter");
    screen_expect_match(f->screen, "\"written\": 200", 10000);
}

static void protected_environment_refuses_until_armed_and_asks_for_its_name(void **state)
{
    struct panel *f = *state;
    char *audit;

    panel_write_config(f, "prd", true);
    panel_fill(f);
    panel_back_up(f, "--no-upload");
    panel_flush(f);
    panel_start(f, "backups", " local +prd +complete +all +200 ");

    panel_command(f, "restore");
    screen_expect_match(f->screen, "restore: read-only: arm with :rw 20m REASON", 5000);
    screen_keys(f->screen, "F9");
    screen_expect_match(f->screen, "restore .*\\(read-only: arm", 5000);
    screen_keys(f->screen, "Esc");
    assert_false(screen_find(f->screen, "[ Show the plan ]", NULL, NULL));

    panel_command(f, "rw 20m INC-4411 drill");
    screen_expect_match(f->screen, "RW [0-9:]+", 5000);
    panel_make_plan(f, "");
    screen_expect_match(f->screen, "New +200 keys would be created", 20000);
    panel_command(f, "apply");
    screen_expect(f->screen, "Type the name  prd  :", 5000);
    screen_type(f->screen, "pr");
    screen_keys(f->screen, "Tab Right Enter");
    screen_expect(f->screen, "the name is not complete", 5000);
    assert_int_equal(lab_keys(f->lab), 0);
    screen_keys(f->screen, "Esc");
    screen_expect_gone(f->screen, "Type the name", 5000);

    panel_command(f, "apply");
    screen_expect(f->screen, "Type the name  prd  :", 5000);
    screen_type(f->screen, "prd");
    screen_keys(f->screen, "Tab Right Enter");
    screen_expect_match(f->screen, "R-0002 +restore +done", 60000);
    assert_int_equal(lab_keys(f->lab), PANEL_KEYS);
    audit = tmpdir_read(tmpdir_path(f->dir, "state/audit.jsonl"), NULL);
    assert_non_null(audit);
    assert_non_null(strstr(audit, "\"action\":\"restore\""));
    assert_non_null(strstr(audit, "INC-4411 drill"));
    free(audit);
}

static void set_policy(struct panel *f, const char *policy)
{
    for (size_t i = 0; i < lab_nodes(f->lab); i++)
        free(lab_cli(f->lab, i, "CONFIG", "SET", "maxmemory-policy", policy, NULL));
}

static void expect_policy(struct panel *f, const char *policy)
{
    for (size_t i = 0; i < lab_nodes(f->lab); i++) {
        char *got = lab_cli(f->lab, i, "CONFIG", "GET", "maxmemory-policy", NULL);

        assert_non_null(got);
        assert_non_null(strstr(got, policy));
        free(got);
    }
}

/* No environment is too harmless for a typed name when keys are removed. */
static void exact_and_tune_are_in_the_plan_and_exact_wants_the_name(void **state)
{
    struct panel *f = *state;
    char *journal;
    char *left;

    panel_write_config(f, "local", false);
    panel_fill(f);
    panel_back_up(f, "--no-upload");
    free(lab_cli_routed(f->lab, "SET", "later", "mine", NULL));
    set_policy(f, "allkeys-lru");
    panel_start(f, "backups", " local +local +complete +all +200 ");
    panel_make_plan(f, "Space Space Down Space Down Down Down Down Down Down Space");
    screen_expect_match(f->screen, "REMOVES +about 1 keys that the backup lacks", 20000);
    screen_expect_match(f->screen, "such as later", 5000);
    screen_expect_match(f->screen,
                        "Tunes +maxmemory-policy noeviction \\(now allkeys-lru on 3 of 3", 5000);
    screen_expect_match(f->screen, "Speed +as fast as the nodes", 5000);

    panel_command(f, "apply");
    screen_expect(f->screen, "Then it REMOVES about 1 keys", 5000);
    screen_expect(f->screen, "Meanwhile no node evicts", 5000);
    screen_expect(f->screen, "Type the name  local  :", 5000);
    screen_keys(f->screen, "Tab Enter"); /* Cancel */
    screen_expect_gone(f->screen, "Type the name", 5000);
    assert_false(panel_job_exists(f, "R-0002"));
    panel_command(f, "apply");
    screen_expect(f->screen, "Type the name  local  :", 5000);
    screen_type(f->screen, "local");
    screen_keys(f->screen, "Tab Right Enter");
    screen_expect_match(f->screen, "R-0002 +restore +done", 60000);
    assert_int_equal(lab_keys(f->lab), PANEL_KEYS);
    left = lab_cli_routed(f->lab, "EXISTS", "later", NULL);
    assert_string_equal(left, "0");
    free(left);
    expect_policy(f, "allkeys-lru");
    journal = tmpdir_read(tmpdir_path(f->dir, "state/jobs/R-0002/journal.jsonl"), NULL);
    assert_non_null(journal);
    assert_non_null(strstr(journal, "maxmemory-policy is noeviction for the restore"));
    free(journal);
    set_policy(f, "noeviction");
}

static void seldom_options_unfold_on_a_small_terminal_and_reach_the_plan(void **state)
{
    struct panel *f = *state;

    panel_write_config(f, "local", false);
    panel_fill(f);
    panel_back_up(f, "--no-upload");
    panel_start(f, "backups", " local +local +complete +all +200 ");
    screen_resize(f->screen, 80, 24);
    panel_command(f, "restore");
    screen_expect(f->screen, "[+] More options", 5000);
    assert_false(screen_find(f->screen, "Only shard", NULL, NULL));
    screen_keys(f->screen, "Down Space Down Down Down Down Down x"); /* "none" becomes "nonex" */
    screen_expect(f->screen, "want auto, none or keys a second", 5000);
    screen_keys(f->screen, "Ctrl-u 9 9 Down Down Space");
    screen_expect(f->screen, "[-] More options", 5000);
    screen_keys(f->screen, "Down Down 2 Down Space Down Space Down Down Down Ctrl-u 3 0 0 Down");
    screen_expect(f->screen, "> Flush first", 5000);
    screen_keys(f->screen, "Up Up Up Up Up Up Up Up Left");
    screen_expect(f->screen, "4 changed", 5000);
    screen_keys(f->screen, "Enter");
    screen_expect(f->screen, ">[ Show the plan ]<", 5000);
    screen_keys(f->screen, "Enter");
    screen_expect(f->screen, "[ Plan of a restore ]", 20000);
    screen_expect_match(f->screen, "Only +shard 2 of the backup", 20000);
    screen_resize(f->screen, 120, 36); /* all of the plan */
    screen_expect_match(f->screen, "Speed +at most 99 keys a second", 5000);
    screen_expect_match(f->screen, "Outages +are waited for up to 300 s", 5000);
    screen_expect_match(f->screen, "Agreed +hash fields lose", 5000);
    screen_expect_match(f->screen, "Agreed +what older servers", 5000);
    screen_expect_clean_bytes(f->screen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(
            restore_from_s3_changes_nothing_before_it_is_confirmed_and_all_after,
            panel_close_screen),
        cmocka_unit_test_teardown(plan_with_blockers_cannot_be_confirmed, panel_close_screen),
        cmocka_unit_test_teardown(restore_goes_on_when_the_terminal_is_killed, panel_close_screen),
        cmocka_unit_test_teardown(protected_environment_refuses_until_armed_and_asks_for_its_name,
                                  panel_close_screen),
        cmocka_unit_test_teardown(exact_and_tune_are_in_the_plan_and_exact_wants_the_name,
                                  panel_close_screen),
        cmocka_unit_test_teardown(seldom_options_unfold_on_a_small_terminal_and_reach_the_plan,
                                  panel_close_screen),
    };

    return cmocka_run_group_tests(tests, panel_open_lab, panel_close_lab);
}
