/* Restores from the panel on a real cluster: form, plan, confirmation, job; the cluster is looked
 * at with the server's own client before, during and after. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/harness/lab.h"
#include "tests/harness/proc.h"
#include "tests/harness/screen.h"
#include "tests/harness/tmpdir.h"
#include "tests/harness/wait.h"

#define KEYS 200
#define SLOW "20" /* keys a second: the restore outlives the terminal by far */

struct fixture {
    struct lab *lab;
    struct screen *screen;
    const char *dir; /* config.json, backups, state */
    const char *config;
    const char *env;
};

/* ---- the cluster, through the server's own client ---- */

static void set_key(struct fixture *f, int i, const char *value)
{
    char key[24];

    (void)snprintf(key, sizeof(key), "item:%d", i);
    free(lab_cli_routed(f->lab, "SET", key, value, NULL));
}

static void expect_key(struct fixture *f, int i, const char *value)
{
    char key[24];
    char *got;

    (void)snprintf(key, sizeof(key), "item:%d", i);
    got = lab_cli_routed(f->lab, "GET", key, NULL);
    assert_non_null(got);
    assert_string_equal(got, value);
    free(got);
}

static void flush(struct fixture *f)
{
    for (size_t i = 0; i < lab_shards(f->lab); i++)
        free(lab_cli(f->lab, i, "FLUSHALL", NULL));
    assert_int_equal(lab_keys(f->lab), 0);
}

static void fill(struct fixture *f)
{
    flush(f);
    for (int i = 0; i < KEYS; i++)
        set_key(f, i, "old");
    assert_int_equal(lab_keys(f->lab), KEYS);
}

/* ---- the console ---- */

static int open_lab(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return -1;
    f->lab = lab_start(&(struct lab_options){.s3 = true});
    *state = f;
    return f->lab != NULL ? 0 : -1;
}

static int close_lab(void **state)
{
    struct fixture *f = *state;

    lab_stop(f->lab);
    free(f);
    return 0;
}

static int close_screen(void **state)
{
    struct fixture *f = *state;

    screen_close(f->screen);
    f->screen = NULL;
    return 0;
}

static void write_config(struct fixture *f, const char *env, bool guarded)
{
    const struct lab_s3 *s3 = lab_s3(f->lab);
    char name[40];
    char text[2000];

    f->env = env;
    f->dir = tmpdir_new();
    f->config = tmpdir_path(f->dir, "config.json");
    (void)snprintf(
        text, sizeof(text),
        "{\"redis_nodes\":{\"%s\":{\"nodes\":[\"%s\",\"%s\"],\"protected\":%s}},"
        "\"storage\":{\"s3_uri\":\"s3://%s%s\",\"endpoint_url\":\"%s\",\"region\":\"%s\","
        "\"addressing\":\"path\",\"backup_dir\":\"%s/backups\"},"
        "\"state_dir\":\"%s/state\"}",
        env, lab_address(f->lab, 0), lab_address(f->lab, 1), guarded ? "true" : "false", s3->bucket,
        f->dir, s3->endpoint, s3->region, f->dir, f->dir);
    tmpdir_write(f->config, text, strlen(text));
    (void)snprintf(text, sizeof(text), "AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n",
                   s3->access_key, s3->secret_key);
    (void)snprintf(name, sizeof(name), ".env.%s", env);
    tmpdir_write(tmpdir_path(f->dir, name), text, strlen(text));
}

/* Whole backup of KEYS keys; where: "--stream" (S3 only) or "--no-upload" (disk only). */
static void back_up(struct fixture *f, const char *where)
{
    const char *const argv[] = {proc_rbconsole(), "-c",     f->config, "-e",
                                f->env,           "backup", where,     NULL};
    struct proc_result r;

    assert_true(proc_run(argv, NULL, &r));
    assert_int_equal(r.status, 0);
    proc_result_release(&r);
}

static void start(struct fixture *f, const char *view, const char *first)
{
    const char *const argv[] = {proc_rbconsole(), "-c",     f->config, "-e",
                                f->env,           "--view", view,      NULL};
    const char *const env[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL",
                               "S3_URI", NULL};

    f->screen = screen_open(&(struct screen_spec){.argv = argv, .env = env, .w = 120, .h = 36});
    screen_expect_match(f->screen, first, 20000);
    screen_expect(f->screen, "cluster redis", 20000);
}

static void command(struct fixture *f, const char *text)
{
    screen_keys(f->screen, ":");
    screen_type(f->screen, text);
    screen_keys(f->screen, "Enter");
}

/* From the backups screen to a plan that may be confirmed; fields: keys pressed in the form. */
static void make_plan(struct fixture *f, const char *fields)
{
    command(f, "restore");
    screen_expect(f->screen, "[ Show the plan ]", 5000);
    if (fields[0] != '\0')
        screen_keys(f->screen, fields);
    /* the button is behind the last field */
    for (int i = 0; i < 12 && !screen_find(f->screen, ">[ Show the plan ]<", NULL, NULL); i++) {
        screen_keys(f->screen, "Tab");
        screen_pump(f->screen, 300);
    }
    screen_keys(f->screen, "Enter");
    screen_expect(f->screen, "[ Plan of a restore ]", 20000);
}

static bool job_exists(struct fixture *f, const char *id)
{
    char path[400];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/state/jobs/%s", f->dir, id);
    return stat(path, &st) == 0;
}

/* ---- tests ---- */

static void restore_from_s3_changes_nothing_before_it_is_confirmed_and_all_after(void **state)
{
    struct fixture *f = *state;

    write_config(f, "local", false);
    fill(f);
    back_up(f, "--stream");
    set_key(f, 1, "new");
    free(lab_cli_routed(f->lab, "DEL", "item:2", NULL));
    free(lab_cli_routed(f->lab, "SET", "later", "mine", NULL));

    start(f, "backups", " s3 +local +complete +all +200 ");
    make_plan(f, "Space Space"); /* overwrite */
    screen_expect_match(f->screen, "There now +199 of its keys exist on the target: .*REPLACED",
                        20000);
    screen_expect_match(f->screen, "New +1 keys would be created", 5000);
    screen_expect_match(f->screen, "Undo +NOT POSSIBLE", 5000);
    screen_expect_match(f->screen, "Command +rbconsole --config .*", 5000);
    screen_expect(f->screen, "Nothing was changed yet", 5000);
    for (size_t i = 0; i < 3; i++)
        screen_expect_match(f->screen, lab_address(f->lab, i), 1000);
    expect_key(f, 1, "new");
    expect_key(f, 2, "");

    /* Enter on the confirmation cancels */
    command(f, "apply");
    screen_expect(f->screen, "[ RESTORE into local ]", 5000);
    screen_expect_match(f->screen, "1 new keys; 199 keys that exist are REPLACED", 5000);
    screen_keys(f->screen, "Enter");
    screen_expect_gone(f->screen, "[ RESTORE into local ]", 5000);
    expect_key(f, 1, "new");
    expect_key(f, 2, "");
    assert_true(job_exists(f, "R-0001"));
    assert_false(job_exists(f, "R-0002"));

    screen_keys(f->screen, "F9");
    screen_expect(f->screen, "Go ahead with this restore", 5000);
    screen_keys(f->screen, "Enter");
    screen_expect(f->screen, "[ RESTORE into local ]", 5000);
    screen_keys(f->screen, "Right Enter");
    screen_expect_match(f->screen, "R-0002 +restore +done", 60000);
    expect_key(f, 1, "old");
    expect_key(f, 2, "old");
    assert_int_equal(lab_keys(f->lab), KEYS + 1);
    screen_expect_clean_bytes(f->screen);
}

static void plan_with_blockers_cannot_be_confirmed(void **state)
{
    struct fixture *f = *state;

    write_config(f, "local", false);
    fill(f);
    back_up(f, "--no-upload");
    set_key(f, 1, "new");
    start(f, "backups", " local +local +complete +all +200 ");
    make_plan(f, "");
    screen_expect_match(f->screen, "There now +200 of its keys exist", 20000);
    screen_expect_match(f->screen, "REFUSED +200 keys of the backup exist", 5000);
    command(f, "apply");
    screen_expect_match(f->screen, "restore: 200 keys of the backup exist", 5000);
    assert_false(screen_find(f->screen, "[ RESTORE into local ]", NULL, NULL));
    assert_false(job_exists(f, "R-0002"));
    expect_key(f, 1, "new");
}

static bool all_there(void *context)
{
    return lab_keys(((struct fixture *)context)->lab) == KEYS;
}

static void restore_goes_on_when_the_terminal_is_killed(void **state)
{
    struct fixture *f = *state;
    long long during;

    write_config(f, "local", false);
    fill(f);
    back_up(f, "--stream");
    flush(f);
    start(f, "backups", " s3 +local +complete +all +200 ");
    make_plan(f, "Down Down Down Down Down Down Backspace 2 0");
    screen_expect_match(f->screen, "New +200 keys would be created", 20000);
    command(f, "apply");
    screen_expect(f->screen, "[ RESTORE into local ]", 5000);
    screen_expect(f->screen, "--rate=" SLOW, 5000);
    screen_keys(f->screen, "Right Enter");
    screen_expect_match(f->screen, "R-0002 +restore +running", 30000);
    screen_expect(f->screen, "losing SSH does not stop it", 5000);
    screen_close(f->screen); /* SIGKILL, and its terminal is gone */
    f->screen = NULL;
    during = lab_keys(f->lab);
    assert_true(during < KEYS);

    /* a second console, while it runs and after */
    start(f, "jobs", "R-0002 +restore +running");
    assert_true(wait_until(all_there, f, 60000));
    screen_expect_match(f->screen, "R-0002 +restore +done", 30000);
    expect_key(f, 199, "old");
    screen_keys(f->screen, "g Enter");
    screen_expect_match(f->screen, "\"state\": \"done\"", 10000);
    screen_keys(f->screen, "/");
    screen_type(f->screen, "\"written\"");
    screen_keys(f->screen, "Enter");
    screen_expect_match(f->screen, "\"written\": 200", 10000);
}

static void protected_environment_refuses_until_armed_and_asks_for_its_name(void **state)
{
    struct fixture *f = *state;
    char *audit;

    write_config(f, "prd", true);
    fill(f);
    back_up(f, "--no-upload");
    flush(f);
    start(f, "backups", " local +prd +complete +all +200 ");

    command(f, "restore");
    screen_expect_match(f->screen, "restore: read-only: arm with :rw 20m REASON", 5000);
    screen_keys(f->screen, "F9");
    screen_expect_match(f->screen, "restore .*\\(read-only: arm", 5000);
    screen_keys(f->screen, "Esc");
    assert_false(screen_find(f->screen, "[ Show the plan ]", NULL, NULL));

    command(f, "rw 20m INC-4411 drill");
    screen_expect_match(f->screen, "RW [0-9:]+", 5000);
    make_plan(f, "");
    screen_expect_match(f->screen, "New +200 keys would be created", 20000);
    command(f, "apply");
    screen_expect(f->screen, "Type the name  prd  :", 5000);
    screen_type(f->screen, "pr");
    screen_keys(f->screen, "Tab Right Enter");
    screen_expect(f->screen, "the name is not complete", 5000);
    assert_int_equal(lab_keys(f->lab), 0);
    screen_keys(f->screen, "Esc");
    screen_expect_gone(f->screen, "Type the name", 5000);

    command(f, "apply");
    screen_expect(f->screen, "Type the name  prd  :", 5000);
    screen_type(f->screen, "prd");
    screen_keys(f->screen, "Tab Right Enter");
    screen_expect_match(f->screen, "R-0002 +restore +done", 60000);
    assert_int_equal(lab_keys(f->lab), KEYS);
    audit = tmpdir_read(tmpdir_path(f->dir, "state/audit.jsonl"), NULL);
    assert_non_null(audit);
    assert_non_null(strstr(audit, "\"action\":\"restore\""));
    assert_non_null(strstr(audit, "INC-4411 drill"));
    free(audit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(
            restore_from_s3_changes_nothing_before_it_is_confirmed_and_all_after, close_screen),
        cmocka_unit_test_teardown(plan_with_blockers_cannot_be_confirmed, close_screen),
        cmocka_unit_test_teardown(restore_goes_on_when_the_terminal_is_killed, close_screen),
        cmocka_unit_test_teardown(protected_environment_refuses_until_armed_and_asks_for_its_name,
                                  close_screen),
    };

    return cmocka_run_group_tests(tests, open_lab, close_lab);
}
