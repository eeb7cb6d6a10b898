/*
 * fixture_panel.h - the console on a real cluster with S3, driven by keys, and the cluster looked
 * at with the server's own client. Test thread only.
 */
#ifndef TESTS_VIEWS_SCREENS_FIXTURE_PANEL_H
#define TESTS_VIEWS_SCREENS_FIXTURE_PANEL_H

#include <stdbool.h>

#include "tests/harness/lab.h"
#include "tests/harness/screen.h"

#define PANEL_KEYS 200

struct panel {
    struct lab *lab;
    struct screen *screen;
    const char *dir; /* config.json, backups, state */
    const char *config;
    const char *env;
};

/* cmocka fixtures: one lab for a group, one screen for a test. */
int panel_open_lab(void **state);
int panel_close_lab(void **state);
int panel_close_screen(void **state);

/* Keys item:0 and so on, and their value; "" means that there is no such key. */
void panel_set_key(struct panel *f, int i, const char *value);
void panel_expect_key(struct panel *f, int i, const char *value);
void panel_flush(struct panel *f);
void panel_fill(struct panel *f); /* PANEL_KEYS keys with the value "old" and no others */

/* A configuration of the test's own, in a directory of its own; guarded: a protected environment.
 */
void panel_write_config(struct panel *f, const char *env, bool guarded);
/* By the verb; where: "--stream" (S3 only) or "--no-upload" (disk only). */
void panel_back_up(struct panel *f, const char *where);
void panel_start(struct panel *f, const char *view, const char *first);
/* As typed after ":". */
void panel_command(struct panel *f, const char *text);
/* From the backups screen to a plan that may be confirmed; fields: keys pressed in the form. */
void panel_make_plan(struct panel *f, const char *fields);
bool panel_job_exists(struct panel *f, const char *id);

#endif
