/*
 * backup_source.h - the backup that restore and verify were pointed at: `-i DIR|ARCHIVE`, or
 * `--from-s3 latest|ID` through the catalog, opened and checked.
 *
 * Blocking. The struct owns store, catalog and source; release it after everything that reads.
 */
#ifndef VIEWS_VERBS_BACKUP_SOURCE_H
#define VIEWS_VERBS_BACKUP_SOURCE_H

#include "core/archive/source.h"
#include "core/base/secret.h"
#include "core/config/identity.h"
#include "core/store/catalog.h"
#include "views/verbs/verb.h"

struct backup_source {
    struct source *source;
    struct store *store;
    struct catalog *catalog;
    struct secret key;
    char name[CATALOG_NAME_MAX]; /* in the store */
    char why[400];               /* what was chosen and why: always shown */
};

/* Rows for the option table of such verbs. */
#define BACKUP_SOURCE_ROWS                                                                       \
    {"input",          'i', OPTION_FILE, "PATH", "A backup's directory or archive on disk.",     \
     .group = "source"},                                                                         \
        {"from-s3",                                                                              \
         0,                                                                                      \
         OPTION_TEXT,                                                                            \
         "latest|ID",                                                                            \
         "A backup in S3: the newest usable one, or the one with this id.",                      \
         .group = "source"},                                                                     \
        {"s3-uri",                                                                               \
         0,                                                                                      \
         OPTION_TEXT,                                                                            \
         "URI",                                                                                  \
         "Where in S3; else the configuration's.",                                               \
         .config_key = "storage.s3_uri"},                                                        \
        {"any", 0, OPTION_FLAG, NULL,                                                            \
         "With latest: also of another environment or cluster, filtered, or without manifest."}, \
    {                                                                                            \
        "verify-key-file", 0, OPTION_FILE, "FILE", "The manifest must be signed with this key.", \
            .flags = OPTION_SECRET                                                               \
    }

/* Before anything else: ERROR_USAGE when no source or a wrong id was named. */
bool backup_source_check(const struct invocation *inv, struct error *err) MUST_CHECK;
/* After backup_source_check. ids: the cluster at hand, for `latest`. */
bool backup_source_open(const struct invocation *inv, const struct cluster_identity *ids,
                        struct task *task, struct backup_source *out, struct error *err) MUST_CHECK;
/* The same at the start of a job's body: also told in the journal, on stderr and in the report. */
bool backup_source_begin(const struct invocation *inv, const struct cluster_identity *ids,
                         struct task *task, struct backup_source *out, json_t *report,
                         struct error *err) MUST_CHECK;
void backup_source_release(struct backup_source *s);
/* "restore latest", "verify /dir/redis-backup-…": one line, before anything is opened. */
void backup_source_describe(const struct invocation *inv, char *out, size_t size);
/* Members input, from_s3, any for job.json. */
void backup_source_options(const struct invocation *inv, json_t *options);

#endif
