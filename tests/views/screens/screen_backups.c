/* The backups screen on a real cluster and a real S3 server: back up, look at it, verify, delete;
 * places that cannot be asked; hostile manifests; small terminals. */
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

#define KEYS 60
#define ID "redis-backup-local-20250101T000000Z-beef"

struct fixture {
    struct lab *lab;
    struct screen *screen;
    const char *dir;    /* config.json, .env.local, state */
    const char *config; /* of this test */
};

static void write_text(const char *path, const char *text)
{
    tmpdir_write(path, text, strlen(text));
}

/* A config of the test's own: the lab's nodes, an S3 place, an empty directory. */
static void write_config(struct fixture *f, const char *s3, const char *endpoint,
                         const char *access, const char *secret)
{
    char text[2000];

    f->dir = tmpdir_new();
    f->config = tmpdir_path(f->dir, "config.json");
    (void)snprintf(text, sizeof(text),
                   "{\"redis_nodes\":{\"local\":{\"nodes\":[\"%s\",\"%s\"]}},\"storage\":{%s%s%s"
                   "\"endpoint_url\":\"%s\",\"region\":\"%s\",\"addressing\":\"path\","
                   "\"backup_dir\":\"%s/backups\"},\"state_dir\":\"%s/state\"}",
                   lab_address(f->lab, 0), lab_address(f->lab, 1),
                   s3 != NULL ? "\"s3_uri\":\"" : "", s3 != NULL ? s3 : "", s3 != NULL ? "\"," : "",
                   endpoint, lab_s3(f->lab)->region, f->dir, f->dir);
    write_text(f->config, text);
    (void)snprintf(text, sizeof(text), "AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n", access,
                   secret);
    write_text(tmpdir_path(f->dir, ".env.local"), text);
    (void)mkdir(tmpdir_path(f->dir, "backups"), 0700);
}

static void good_config(struct fixture *f)
{
    const struct lab_s3 *s3 = lab_s3(f->lab);
    char uri[200];

    (void)snprintf(uri, sizeof(uri), "s3://%s/panel-%s", s3->bucket,
                   strrchr(tmpdir_new(), '/') + 1);
    write_config(f, uri, s3->endpoint, s3->access_key, s3->secret_key);
}

static int open_lab(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return -1;
    f->lab = lab_start(&(struct lab_options){.s3 = true});
    if (f->lab == NULL) {
        free(f);
        return -1;
    }
    for (int i = 0; i < KEYS; i++) {
        char key[24];

        (void)snprintf(key, sizeof(key), "user:%d", i);
        free(lab_cli_routed(f->lab, "SET", key, "x", NULL));
    }
    *state = f;
    return 0;
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

static void start(struct fixture *f, int w, int h)
{
    const char *const argv[] = {proc_rbconsole(), "-c",     f->config, "-e",
                                "local",          "--view", "backups", NULL};
    const char *const env[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL",
                               "S3_URI", NULL};

    f->screen = screen_open(&(struct screen_spec){.argv = argv, .env = env, .w = w, .h = h});
    screen_expect(f->screen, "[ Backups ]", 20000);
}

static void back_up_by_verb(struct fixture *f, const char *option)
{
    const char *const argv[] = {proc_rbconsole(), "-c",     f->config, "-e",
                                "local",          "backup", option,    NULL};
    struct proc_result r;

    assert_true(proc_run(argv, NULL, &r));
    assert_int_equal(r.status, 0);
    proc_result_release(&r);
}

/* Accept a form from its first field. */
static void accept_form(struct fixture *f, const char *button)
{
    screen_expect(f->screen, button, 5000);
    screen_keys(f->screen, "Up Up Enter");
}

static void backup_from_the_panel_appears_in_s3_and_on_disk(void **state)
{
    struct fixture *f = *state;

    good_config(f);
    start(f, 120, 36);
    screen_expect(f->screen, "no backups here yet", 20000);
    screen_expect_match(f->screen, "s3 +s3://.* 0 backups, listed", 20000);
    screen_expect_match(f->screen, "cluster redis", 20000);
    screen_keys(f->screen, "B");
    accept_form(f, "[ Start backup ]");
    screen_expect_match(f->screen, "B-0001 +backup +done", 60000);
    screen_keys(f->screen, "4");
    screen_expect_match(f->screen, " s3 +local +complete +all +60 ", 30000);
    screen_expect_match(f->screen, " local +local +complete +all +60 ", 30000);
    assert_int_equal(lab_keys(f->lab), KEYS);

    /* what the verb says is what the screen says */
    const char *const argv[] = {proc_rbconsole(), "-c", f->config, "-e", "local", "list", NULL};
    struct proc_result r;

    assert_true(proc_run(argv, NULL, &r));
    assert_int_equal(r.status, 0);
    assert_non_null(strstr(r.out, "s3://"));
    proc_result_release(&r);

    screen_keys(f->screen, "Enter");
    screen_expect_match(f->screen, "state +complete", 20000);
    screen_expect_match(f->screen, "keys +60 ", 5000);
    screen_expect(f->screen, "By node", 5000);
    screen_expect_match(f->screen, "Slots \\(3 ranges\\)", 5000);
    screen_keys(f->screen, "Esc v");
    accept_form(f, "[ Start verify ]");
    screen_expect_match(f->screen, "V-0001 +verify +done", 60000);
    screen_keys(f->screen, "4");
    screen_expect_match(f->screen, "complete +all +60 .* OK part [0-9]+-[0-9]+", 20000);
    screen_expect_clean_bytes(f->screen);
}

static void verify_that_finds_a_difference_shows_in_the_list(void **state)
{
    struct fixture *f = *state;

    good_config(f);
    back_up_by_verb(f, "--no-upload");
    free(lab_cli_routed(f->lab, "SET", "user:7", "changed", NULL));
    start(f, 120, 36);
    screen_expect_match(f->screen, " local +local +complete +all +60 ", 20000);
    screen_keys(f->screen, "v");
    screen_expect(f->screen, "[ Start verify ]", 5000);
    screen_keys(f->screen, "Space Up Up Enter");
    screen_expect_match(f->screen, "V-0001 +verify +findings", 60000);
    screen_keys(f->screen, "4");
    screen_expect_match(f->screen, "complete .* DIFF 1 key", 20000);
    free(lab_cli_routed(f->lab, "SET", "user:7", "x", NULL));
}

static void place_that_cannot_be_asked_is_one_line_and_local_backups_stay(void **state)
{
    struct fixture *f = *state;
    const struct lab_s3 *s3 = lab_s3(f->lab);
    char mine[200];
    const struct {
        const char *uri, *endpoint, *access, *secret, *shows;
    } cases[] = {
        {mine, "http://127.0.0.1:1", s3->access_key, s3->secret_key, "s3 +unreachable: "},
        {mine, s3->endpoint, s3->access_key, "wrong", "s3 +auth: "},
        {mine, s3->endpoint, s3->other_access_key, s3->other_secret_key, "s3 +auth: "},
        {"s3://no-such-bucket-here/x", s3->endpoint, s3->access_key, s3->secret_key,
         "s3 +(storage|not-found|not_found): .*no-such-bucket-here"},
        {NULL, s3->endpoint, s3->access_key, s3->secret_key, "s3 +not configured: set storage"},
    };

    (void)snprintf(mine, sizeof(mine), "s3://%s/broken", s3->bucket);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_config(f, cases[i].uri, cases[i].endpoint, cases[i].access, cases[i].secret);
        back_up_by_verb(f, "--no-upload");
        start(f, 120, 36);
        screen_expect_match(f->screen, cases[i].shows, 60000);
        screen_expect_match(f->screen, " local +local +complete +all +60 ", 20000);
        (void)close_screen(state);
    }
}

static void hostile_manifest_never_reaches_the_terminal_raw(void **state)
{
    struct fixture *f = *state;
    static const char manifest[] =
        "{\"format_version\":1,\"backup_id\":\"" ID "\",\"env\":\"local\",\"complete\":false,"
        "\"reason\":\"bad \\u001b]0;owned\\u0007 \\u009b31m end\",\"filtered\":false,"
        "\"tool\":\"rbconsole\",\"tool_version\":\"\\u001b[2J\","
        "\"started_at\":\"2025-01-01T00:00:00Z\",\"finished_at\":\"2025-01-01T00:00:01Z\","
        "\"mode\":\"cluster\",\"cluster\":[],\"servers\":[{\"addr\":\"\\u001b[31mx\","
        "\"role\":\"primary\",\"version\":\"1\",\"flavour\":\"redis\",\"rdb_version\":10}],"
        "\"options\":{},\"totals\":{\"keys\":1,\"bytes\":1,\"with_ttl\":0,\"by_type\":{},"
        "\"by_node\":{}},\"warnings\":[\"w \\u001b[5m\"],\"slots\":[],\"parts\":[]}";
    char path[400];

    good_config(f);
    (void)snprintf(path, sizeof(path), "%s/backups/%s", f->dir, ID);
    assert_int_equal(mkdir(path, 0700), 0);
    write_text(tmpdir_path(path, "metadata.json"), manifest);
    start(f, 120, 36);
    screen_expect_match(f->screen, "2025-01-01 00:00:00 .* incomplete", 20000);
    screen_expect(f->screen, "\\x1b]0;owned", 5000);
    screen_keys(f->screen, "Enter");
    screen_expect_match(f->screen, "state +incomplete", 20000);
    screen_expect(f->screen, "\\x1b]0;owned", 5000);
    screen_expect_clean_bytes(f->screen);
}

static void delete_asks_for_the_name_and_enter_cancels(void **state)
{
    struct fixture *f = *state;
    char file[400];
    char *row;
    struct stat st;
    int y = 0;

    good_config(f);
    back_up_by_verb(f, "--no-upload");
    start(f, 120, 36);
    screen_expect_match(f->screen, " local +local +complete +all +60 ", 20000);
    screen_expect_match(f->screen, "cluster redis", 20000);
    assert_true(screen_find(f->screen, "[ redis-backup-local", NULL, &y));
    row = screen_row(f->screen, y);
    (void)snprintf(file, sizeof(file), "%s/backups/%.40s.tar.gz", f->dir,
                   strstr(row, "redis-backup-local"));
    free(row);
    assert_int_equal(stat(file, &st), 0);

    screen_keys(f->screen, ":");
    screen_type(f->screen, "delete");
    screen_keys(f->screen, "Enter");
    screen_expect(f->screen, "DELETE a backup", 5000);
    screen_expect(f->screen, "NEWEST complete backup", 5000);
    screen_keys(f->screen, "Enter Enter");
    screen_expect_gone(f->screen, "DELETE a backup", 5000);
    assert_int_equal(stat(file, &st), 0);

    screen_keys(f->screen, ":");
    screen_type(f->screen, "delete");
    screen_keys(f->screen, "Enter");
    screen_expect(f->screen, "DELETE a backup", 5000);
    screen_type(f->screen, "local");
    screen_keys(f->screen, "Tab Right Enter");
    screen_expect(f->screen, "deleted ", 20000);
    screen_expect(f->screen, "no backups here yet", 20000);
    assert_int_not_equal(stat(file, &st), 0);
}

static void screen_fits_small_terminals(void **state)
{
    struct fixture *f = *state;

    good_config(f);
    back_up_by_verb(f, "--no-upload");
    start(f, 80, 24);
    screen_expect_match(f->screen, " local +complete +all +60 ", 20000);
    screen_expect(f->screen, "VERIFIED", 5000);
    screen_expect_match(f->screen, "keys +60:  string 60", 5000);
    screen_resize(f->screen, 60, 12);
    screen_expect_match(f->screen, " local +complete ", 5000);
    screen_resize(f->screen, 120, 36);
    screen_expect(f->screen, "where     ", 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(backup_from_the_panel_appears_in_s3_and_on_disk, close_screen),
        cmocka_unit_test_teardown(verify_that_finds_a_difference_shows_in_the_list, close_screen),
        cmocka_unit_test_teardown(place_that_cannot_be_asked_is_one_line_and_local_backups_stay,
                                  close_screen),
        cmocka_unit_test_teardown(hostile_manifest_never_reaches_the_terminal_raw, close_screen),
        cmocka_unit_test_teardown(delete_asks_for_the_name_and_enter_cancels, close_screen),
        cmocka_unit_test_teardown(screen_fits_small_terminals, close_screen),
    };

    return cmocka_run_group_tests(tests, open_lab, close_lab);
}
