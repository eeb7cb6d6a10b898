/*
 * backup_form.h - the form that starts a backup job, from any screen.
 *
 * The job begins as soon as the form is accepted: a backup changes nothing in the cluster. UI
 * thread.
 */
#ifndef VIEWS_SCREENS_BACKUP_FORM_H
#define VIEWS_SCREENS_BACKUP_FORM_H

#include "views/app.h"
#include "views/screens/backups_args.h"
#include "views/screens/backups_model.h"

/* The first member of the state of a view that opens the forms of this folder: dialogs find it by
 * their owner. app is set when the view opens. */
struct backups_form {
    struct app *app;
    struct backups_row row; /* what the restore or verify form speaks of */
    char title[BACKUP_ID_MAX + 40];
    struct form_spec spec;
};

/* What the form asks for; the texts are as typed, a number that is 0 was left empty. Pure data. */
struct backup_order {
    struct str where; /* one of backup_places */
    struct str dir, s3_uri, match, types, slots, from, rate, sign_key, reason;
    long long level, chunk_keys, chunk_mib, memory_mib, outage_s;
    bool tree, strict;
};
extern const char *const backup_places[]; /* "disk and S3", "disk", "S3"; ends with NULL */

/* Pure: the words of `backup …`. configured_s3: where it goes without --s3-uri, or NULL.
 * ERROR_CONFIG when it cannot be done, as to S3 without any. */
bool backup_order_args(const struct backup_order *order, const char *configured_s3,
                       struct arg_list *out, struct error *err) MUST_CHECK;
void backup_form_open(struct backups_form *f);
/* Keep the row, and make the title "Restore redis-backup-… (s3)". */
void backups_form_title(struct backups_form *f, const char *what, const struct backups_row *row);

#endif
