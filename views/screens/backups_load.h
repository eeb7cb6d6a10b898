/*
 * backups_load.h - what the backups screens ask worker threads: names page by page, summaries of
 * the rows in sight, one manifest in full, delete.
 *
 * A struct backups_source is one place (S3 or the directory) with its catalog. It belongs to the
 * UI thread, which lends it to one request at a time; requests hold a reference. Answers are run
 * on the UI thread and dropped after app_forget(owner).
 */
#ifndef VIEWS_SCREENS_BACKUPS_LOAD_H
#define VIEWS_SCREENS_BACKUPS_LOAD_H

#include "views/app.h"
#include "views/screens/backups_model.h"

#define BACKUPS_AT_ONCE 8 /* summaries asked for in one request */

struct backups_source;

/* uri NULL: the place is not configured, so there is nothing to ask. */
struct backups_source *backups_source_new(struct app *app, int place);
struct backups_source *backups_source_ref(struct backups_source *s);
void backups_source_unref(struct backups_source *s);            /* NULL is fine */
const char *backups_source_uri(const struct backups_source *s); /* as configured; may be NULL */

/* The next page of names; the answer holds all rows so far. */
struct backups_page {
    struct backups_source *source;
    int place;
    struct catalog_row *rows;
    size_t count;
    size_t left_out; /* rows over BACKUPS_ROWS_MAX */
    size_t ignored;  /* names that are no backup's */
    bool more;
    struct error err;
};
void backups_ask_page(struct app *app, struct backups_source *source, void *owner, int channel,
                      void (*done)(void *owner, void *page));

/* The summaries of up to BACKUPS_AT_ONCE backups; those that could not be read say so. */
struct backups_heads {
    struct backups_source *source;
    int place;
    char ids[BACKUPS_AT_ONCE][BACKUP_ID_MAX];
    size_t wanted;
    struct catalog_row rows[BACKUPS_AT_ONCE];
    size_t count;
};
void backups_ask_heads(struct app *app, struct backups_source *source,
                       const struct backups_heads *want, void *owner, int channel,
                       void (*done)(void *owner, void *heads));

/* One backup with its whole manifest: lines for people and the JSON of `show --json`. */
struct backups_manifest {
    int place;
    char id[BACKUP_ID_MAX];
    struct config_scope scope;
    struct catalog_row row;
    char *uri;                 /* owned, as all below */
    char *text;                /* the JSON document */
    struct manifest *manifest; /* NULL: there is none, or it cannot be read: why says */
    struct error why;
    struct error err; /* the backup could not be found */
};
void backups_ask_manifest(struct app *app, int place, const char *id, void *owner, int channel,
                          void (*done)(void *owner, void *manifest));

/* Delete one backup in one place: audit log first, the manifest first, then the rest. */
struct backups_removal {
    int place;
    char id[BACKUP_ID_MAX];
    struct config_scope scope;
    struct who who;
    const char *state_dir;
    char reason[200];
    char *uri;
    struct error err;
};
void backups_ask_remove(struct app *app, int place, const char *id, struct str reason, void *owner,
                        int channel, void (*done)(void *owner, void *removal));

/* "s3://bucket/prefix/<id>.tar.gz" or a path; the caller frees. */
char *backups_row_uri(const struct app *app, const struct backups_row *r);
/* The document of `list --json`, from what has been read so far. Owned by the caller. */
json_t *backups_list_json(const struct app *app, const struct backups_model *m);

#endif
