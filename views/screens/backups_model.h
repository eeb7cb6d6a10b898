/*
 * backups_model.h - the backups screen's rows: what S3 and the local directory hold, newest first,
 * with what the jobs know about each (verified, being written). Pure.
 *
 * A row's id is "s3:<backup id>" or "local:<backup id>". Summaries are read for the rows in sight
 * only; a number that is not known is "-". At most BACKUPS_ROWS_MAX rows of a place, the newest.
 */
#ifndef VIEWS_SCREENS_BACKUPS_MODEL_H
#define VIEWS_SCREENS_BACKUPS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/jobs/watch.h"
#include "core/store/catalog.h"
#include "tui/table.h"
#include "views/verbs/backups.h"

#define BACKUPS_ROWS_MAX 20000
#define BACKUPS_KEY_MAX (BACKUP_ID_MAX + 8)
#define BACKUPS_TEXT 400

struct backups_row {
    struct catalog_row row; /* summary.cluster_ids is NULL here */
    int place;              /* PLACE_S3, PLACE_LOCAL */
    char key[BACKUPS_KEY_MAX];
    char verified[48]; /* "OK full 11-22", "DIFF 3 keys", "running", "-" */
    enum role verified_role;
    char writer[JOB_ID_MAX]; /* the job that is writing it now; "" */
};

struct backups_model {
    struct backups_row **rows; /* of both places, newest first */
    size_t count, cap;
    struct backups_row **shown; /* those that the table has: all, or one place */
    size_t shown_count, shown_cap;
    int only; /* PLACE_S3, PLACE_LOCAL; -1: both */
    int64_t now_ms;
};

void backups_model_init(struct backups_model *m);
void backups_model_release(struct backups_model *m);
/* What a place holds now. Rows that did not change keep the summary that was read before. */
void backups_model_take(struct backups_model *m, int place, const struct catalog_row *rows,
                        size_t count);
/* A summary that was read; false when the row is gone meanwhile. */
bool backups_model_settle(struct backups_model *m, int place, const struct catalog_row *row);
/* Show one place, or both with -1. */
void backups_model_show(struct backups_model *m, int only);
/* Who writes and who verified what, from the newest job list; env: of this console. */
void backups_model_jobs(struct backups_model *m, const struct watch_list *jobs, const char *env);
struct backups_row *backups_model_find(const struct backups_model *m, struct str key);
size_t backups_model_count(const struct backups_model *m, int place);
/* "s3:<id>" taken apart: the place, or -1. */
int backups_key_parse(const char *key, struct backup_id *id);

/* A table whose model is a const struct backups_model. */
extern const struct table_ops backups_table_ops;

const char *backups_place_name(int place); /* "s3", "local" */
/* "complete", and "writing" while its job runs. */
const char *backups_state_text(const struct backups_row *r);
enum role backups_state_role(const struct backups_row *r);
/* NULL, or why nothing can be restored from it or verified with it. */
const char *backups_unusable(const struct backups_row *r);

/* ---- lines of the pane below the table; each returns out ---- */
/* "complete   23h old, in s3   1.2 MiB" and the reason where it is not. */
char *backups_state_line(char *out, size_t size, const struct backups_row *r, int64_t now_ms);
char *backups_keys_line(char *out, size_t size, const struct backups_row *r);  /* totals by type */
char *backups_about_line(char *out, size_t size, const struct backups_row *r); /* server, mode … */
char *backups_time_line(char *out, size_t size, const struct backups_row *r);
char *backups_verify_line(char *out, size_t size, const struct backups_row *r);

#endif
