/*
 * diff_operand.h - what `rbconsole diff A B` was pointed at: a word becomes an opened backup, a
 * snapshot or a verification's report.
 *
 * A word is, in this order: a place and a name ("s3:ID", "local:latest"), a path that exists, a
 * job id ("S-0001"), `latest`, or a backup id, which is looked for in the backup directory and then
 * in S3. Blocking; jobs only. The struct owns what it opened.
 */
#ifndef VIEWS_VERBS_DIFF_OPERAND_H
#define VIEWS_VERBS_DIFF_OPERAND_H

#include <jansson.h>

#include "core/archive/source.h"
#include "core/base/secret.h"
#include "core/snapshot/snapshot_read.h"
#include "core/store/catalog.h"
#include "views/verbs/verb.h"

enum diff_what { DIFF_BACKUP, DIFF_SNAPSHOT, DIFF_VERIFICATION, DIFF_WHATS };

const char *diff_what_name(enum diff_what what); /* "a backup", "a snapshot" … */

struct diff_operand {
    enum diff_what what;
    char name[400]; /* for people */
    char why[400];  /* how `latest` was chosen; else "" */
    struct source *source;
    struct store *store;
    struct catalog *catalog;
    struct secret key;
    char object[CATALOG_NAME_MAX];
    struct snapshot *snapshot;
    char *keys_path;
    json_t *report; /* the verification's */
    json_t *holder; /* the document that it is part of */
    char *path;
};

/* ERROR_NOT_FOUND: there is nothing of that name; ERROR_USAGE: it is something that cannot be
 * compared. Release also after a failure. */
bool diff_operand_open(const struct invocation *inv, const char *word, const char *state_dir,
                       struct task *task, struct diff_operand *out, struct error *err) MUST_CHECK;
void diff_operand_release(struct diff_operand *o);

#endif
