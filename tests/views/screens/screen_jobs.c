/* The jobs screen while a cluster fails and after: what it says must be true, and enough to act on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/harness/proc.h"
#include "tests/harness/tmpdir.h"
#include "tests/views/screens/fixture_panel.h"

#define TO_RATE "Down Down Down Down Down Down Ctrl-u 2 0 "
#define TO_OUTAGE "Down Down Space Down Down Down Down Down Down Down Ctrl-u 5 "

/* A restore of 200 keys that takes 10 s, begun from the panel and under way. */
static void begin_restore(struct panel *f, const char *fields)
{
    panel_write_config(f, "local", false);
    panel_fill(f);
    panel_back_up(f, "--no-upload");
    panel_flush(f);
    panel_start(f, "backups", " local +local +complete +all +200 ");
    panel_make_plan(f, fields);
    screen_expect_match(f->screen, "New +200 keys would be created", 20000);
    panel_command(f, "apply");
    screen_expect(f->screen, "[ RESTORE into local ]", 5000);
    screen_keys(f->screen, "Right Enter");
    screen_expect_match(f->screen, "R-0002 +restore +running", 30000);
    screen_expect_match(f->screen, "TOTAL +.* [1-9][0-9.]*%", 20000); /* some are written */
}

/* The node that follows `primary`. */
static size_t replica_of(struct panel *f, size_t primary)
{
    char port[16];

    (void)snprintf(port, sizeof(port), "%d", lab_port(f->lab, primary));
    for (size_t i = 0; i < lab_nodes(f->lab); i++) {
        char *role = lab_cli(f->lab, i, "ROLE", NULL);
        bool follows = role != NULL && strncmp(role, "slave", 5) == 0 && strstr(role, port) != NULL;

        free(role);
        if (follows)
            return i;
    }
    fail_msg("no replica of node %zu", primary);
    return 0;
}

static void restore_waits_for_a_killed_primary_says_so_and_goes_on(void **state)
{
    struct panel *f = *state;
    size_t dead = (size_t)lab_primary_of(f->lab, 0);
    char pattern[200];

    begin_restore(f, TO_RATE);
    assert_true(lab_kill(f->lab, dead));
    (void)snprintf(pattern, sizeof(pattern),
                   "WAITS for [0-9]+ s, stops in [0-9]+ s \\(resumable\\): .*%d.*refused",
                   lab_port(f->lab, dead));
    screen_expect_match(f->screen, pattern, 20000);
    screen_expect_match(f->screen, "R-0002 +restore +running .* waits ", 5000);
    screen_expect_match(f->screen, "warn +waits for the cluster, 1m 00s at most: .*refused", 5000);
    screen_expect_match(f->screen, "info +goes on after waiting for ", 60000);
    assert_false(screen_find(f->screen, "WAITS for", NULL, NULL));
    screen_expect_match(f->screen, "R-0002 +restore +done", 60000);
    screen_expect_match(f->screen, "written [0-9]+", 5000);
    assert_int_equal(lab_keys(f->lab), PANEL_KEYS);
    screen_expect_clean_bytes(f->screen);
    assert_true(lab_restart(f->lab, dead));
    assert_true(lab_wait_ok(f->lab, 60000));
}

static void restore_that_gives_up_says_how_it_goes_on_and_does(void **state)
{
    struct panel *f = *state;
    size_t dead = (size_t)lab_primary_of(f->lab, 1);
    size_t other = replica_of(f, dead);

    begin_restore(f, TO_RATE TO_OUTAGE);
    assert_true(lab_kill(f->lab, other));
    assert_true(lab_kill(f->lab, dead));
    screen_resize(f->screen, 80, 24);
    screen_expect_match(f->screen, "WAITS for [0-9]+ s, stops in [0-9] s", 20000);
    screen_expect_match(f->screen, "R-0002 +restore +failed", 60000);
    screen_expect_match(f->screen, "failed: .*gave up after 5", 5000);
    screen_expect(f->screen, ":resume goes on", 5000);
    screen_expect_gone(f->screen, "WAITS for", 5000);

    assert_true(lab_restart(f->lab, dead));
    assert_true(lab_restart(f->lab, other));
    assert_true(lab_wait_ok(f->lab, 60000));
    panel_command(f, "resume");
    screen_expect(f->screen, "[ RESUME R-0002", 5000);
    screen_keys(f->screen, "Right Enter");
    screen_expect_match(f->screen, "R-0002 +restore +done", 60000);
    assert_int_equal(lab_keys(f->lab), PANEL_KEYS);
    panel_expect_key(f, 199, "old");
}

static void verification_that_finds_something_is_read_on_a_small_screen(void **state)
{
    struct panel *f = *state;

    panel_write_config(f, "local", false);
    panel_fill(f);
    panel_back_up(f, "--no-upload");
    panel_set_key(f, 7, "changed");
    free(lab_cli_routed(f->lab, "DEL", "item:8", NULL));
    free(lab_cli_routed(f->lab, "SET", "later", "mine", NULL));
    panel_start(f, "backups", " local +local +complete +all +200 ");
    screen_resize(f->screen, 80, 24);
    screen_keys(f->screen, "v");
    screen_expect(f->screen, "[ Start verify ]", 5000);
    screen_keys(f->screen, "Space Down Down Down Space Up Up Up Up Up Enter"); /* full, extra */
    screen_expect_match(f->screen, "V-0001 +verify +findings", 60000);
    screen_expect(f->screen, "2 of 200 keys are wrong; every key was looked at", 5000);
    screen_expect_match(f->screen, "same 198 +differs 1 +missing 1 +extra 1", 5000);
    screen_expect_match(f->screen, "differs +string +item:7 ", 5000);
    screen_expect_match(f->screen, "missing +string +item:8 ", 5000);
    screen_expect_match(f->screen, "extra +string +later ", 5000);
    screen_keys(f->screen, "Enter");
    screen_expect(f->screen, "[ V-0001 ]", 5000);
    screen_expect_match(f->screen, "differs +string +item:7 ", 5000);
    screen_expect_match(f->screen, "\"state\": \"findings\"", 5000);
    screen_expect_clean_bytes(f->screen);
}

static void outcome_of_a_backup_says_where_it_lies(void **state)
{
    struct panel *f = *state;

    panel_write_config(f, "local", false);
    panel_fill(f);
    panel_start(f, "backups", "no backups here yet");
    screen_keys(f->screen, "B");
    screen_expect(f->screen, "[ Start backup ]", 5000);
    screen_keys(f->screen, "Up Up Up Space");                                 /* more options */
    screen_keys(f->screen, "Down Ctrl-u 9 Up Up Up Up Up Up Up Right Right"); /* level; from auto */
    screen_expect(f->screen, "< auto >", 5000);
    screen_keys(f->screen, "Up Up Up Up Up Up Enter");
    screen_expect_match(f->screen, "B-0001 +backup +done", 60000);
    screen_expect(f->screen, "complete: 200 keys, 0 of them with expiry", 5000);
    screen_expect_match(f->screen, "archive +/.*redis-backup-local-.*tar.gz", 5000);
    screen_expect_match(f->screen, "uploaded +s3://.*redis-backup-local-.*tar.gz", 5000);
    screen_keys(f->screen, "Enter");
    screen_expect_match(f->screen, "\"id\": \"B-0001\"", 5000);
    screen_keys(f->screen, "/");
    screen_type(f->screen, "\"level\"");
    screen_keys(f->screen, "Enter");
    screen_expect_match(f->screen, "\"level\": 9", 5000);
    screen_expect(f->screen, "were read from replica", 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(verification_that_finds_something_is_read_on_a_small_screen,
                                  panel_close_screen),
        cmocka_unit_test_teardown(outcome_of_a_backup_says_where_it_lies, panel_close_screen),
        cmocka_unit_test_teardown(restore_waits_for_a_killed_primary_says_so_and_goes_on,
                                  panel_close_screen),
        cmocka_unit_test_teardown(restore_that_gives_up_says_how_it_goes_on_and_does,
                                  panel_close_screen),
    };

    return cmocka_run_group_tests(tests, panel_open_lab, panel_close_lab);
}
