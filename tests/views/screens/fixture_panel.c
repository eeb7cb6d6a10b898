#include "tests/views/screens/fixture_panel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/harness/proc.h"
#include "tests/harness/tmpdir.h"

/* ---- the cluster, through the server's own client ---- */

void panel_set_key(struct panel *f, int i, const char *value)
{
    char key[24];

    (void)snprintf(key, sizeof(key), "item:%d", i);
    free(lab_cli_routed(f->lab, "SET", key, value, NULL));
}

void panel_expect_key(struct panel *f, int i, const char *value)
{
    char key[24];
    char *got;

    (void)snprintf(key, sizeof(key), "item:%d", i);
    got = lab_cli_routed(f->lab, "GET", key, NULL);
    assert_non_null(got);
    assert_string_equal(got, value);
    free(got);
}

void panel_flush(struct panel *f)
{
    for (size_t i = 0; i < lab_shards(f->lab); i++)
        free(lab_cli(f->lab, (size_t)lab_primary_of(f->lab, i), "FLUSHALL", NULL));
    assert_int_equal(lab_keys(f->lab), 0);
}

void panel_fill(struct panel *f)
{
    panel_flush(f);
    for (int i = 0; i < PANEL_KEYS; i++)
        panel_set_key(f, i, "old");
    assert_int_equal(lab_keys(f->lab), PANEL_KEYS);
}

/* ---- the console ---- */

int panel_open_lab(void **state)
{
    struct panel *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return -1;
    f->lab = lab_start(&(struct lab_options){.s3 = true});
    *state = f;
    return f->lab != NULL ? 0 : -1;
}

int panel_close_lab(void **state)
{
    struct panel *f = *state;

    lab_stop(f->lab);
    free(f);
    return 0;
}

int panel_close_screen(void **state)
{
    struct panel *f = *state;

    screen_close(f->screen);
    f->screen = NULL;
    return 0;
}

void panel_write_config(struct panel *f, const char *env, bool guarded)
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

void panel_back_up(struct panel *f, const char *where)
{
    const char *const argv[] = {proc_rbconsole(), "-c",     f->config, "-e",
                                f->env,           "backup", where,     NULL};
    struct proc_result r;

    assert_true(proc_run(argv, NULL, &r));
    assert_int_equal(r.status, 0);
    proc_result_release(&r);
}

void panel_start(struct panel *f, const char *view, const char *first)
{
    const char *const argv[] = {proc_rbconsole(), "-c",     f->config, "-e",
                                f->env,           "--view", view,      NULL};
    const char *const env[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL",
                               "S3_URI", NULL};

    f->screen = screen_open(&(struct screen_spec){.argv = argv, .env = env, .w = 120, .h = 36});
    screen_expect_match(f->screen, first, 20000);
    screen_expect(f->screen, "cluster redis", 20000);
}

void panel_command(struct panel *f, const char *text)
{
    screen_keys(f->screen, ":");
    screen_type(f->screen, text);
    screen_keys(f->screen, "Enter");
}

void panel_make_plan(struct panel *f, const char *fields)
{
    panel_command(f, "restore");
    screen_expect(f->screen, "[ Show the plan ]", 5000);
    if (fields[0] != '\0')
        screen_keys(f->screen, fields);
    /* the button is behind the last field */
    for (int i = 0; i < 24 && !screen_find(f->screen, ">[ Show the plan ]<", NULL, NULL); i++) {
        screen_keys(f->screen, "Tab");
        screen_pump(f->screen, 300);
    }
    screen_keys(f->screen, "Enter");
    screen_expect(f->screen, "[ Plan of a restore ]", 20000);
}

bool panel_job_exists(struct panel *f, const char *id)
{
    char path[400];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/state/jobs/%s", f->dir, id);
    return stat(path, &st) == 0;
}
