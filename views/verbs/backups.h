/*
 * backups.h - the places where an environment's backups are (S3 and the local directory), as the
 * verbs list, show, download, delete and prune see them. Main thread.
 */
#ifndef VIEWS_VERBS_BACKUPS_H
#define VIEWS_VERBS_BACKUPS_H

#include <stdio.h>

#include "core/base/json.h"
#include "core/config/config.h"
#include "core/store/catalog.h"
#include "views/verbs/verb.h"

enum { PLACE_S3, PLACE_LOCAL, PLACES };

/* One store and what is in it. catalog is NULL when the place was not asked for. */
struct place {
    struct store *store;
    struct catalog *catalog;
};

struct backups {
    struct config_scope scope;
    struct place places[PLACES];
    struct error s3_error; /* why S3 could not be listed; ERROR_NONE otherwise */
};

/* Options that every one of the verbs has: --s3, --local, --s3-uri, --backup-dir. */
#define BACKUPS_OPTIONS                                                            \
    {"s3", 0, OPTION_FLAG, .help = "Only what is in S3.", .group = "place"},       \
        {"local", 0, OPTION_FLAG, .help = "Only what is in the backup directory.", \
         .group = "place"},                                                        \
        {"s3-uri",                                                                 \
         0,                                                                        \
         OPTION_TEXT,                                                              \
         "URI",                                                                    \
         "Where in S3 backups are.",                                               \
         .config_key = "storage.s3_uri"},                                          \
    {                                                                              \
        "backup-dir", 0, OPTION_DIR, "DIR", "Directory of local backups.",         \
            .config_key = "storage.backup_dir"                                     \
    }

/* Open and list the places asked for; both when neither was. S3 that fails while local is shown
 * too is kept in s3_error. Release also after a failure. */
bool backups_open(const struct invocation *inv, struct backups *b, struct error *err) MUST_CHECK;
void backups_release(struct backups *b);
/* The rows with this id; at most PLACES of them, S3 first. ERROR_NOT_FOUND names the nearest. */
bool backups_find(const struct backups *b, const char *id, struct catalog_row *rows[PLACES],
                  struct error *err) MUST_CHECK;
/* "s3://bucket/prefix/<id>.tar.gz" or a path; the caller frees. */
char *backups_uri(const struct place *place, const struct catalog_row *row);
/* Row and, where it was read, summary. */
json_t *backups_json(const struct place *place, const struct catalog_row *row);
/* The same where there is no open store: the screens. */
json_t *backups_row_json(const struct catalog_row *row, const char *uri, bool in_s3);
void backups_print_json(json_t *doc); /* takes doc */

#endif
