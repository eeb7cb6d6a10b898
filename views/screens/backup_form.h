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

/* What the form asks for; the texts are as typed. Pure data. */
struct backup_order {
    struct str where; /* one of backup_places */
    struct str dir, match, type, slots, rate, reason;
    bool tree, strict;
};
extern const char *const backup_places[]; /* "disk and S3", "disk", "S3"; ends with NULL */

/* Pure: the words of `backup …`. ERROR_USAGE when it cannot be done, as to S3 without s3_uri. */
bool backup_order_args(const struct backup_order *order, bool has_s3, struct arg_list *out,
                       struct error *err) MUST_CHECK;
void backup_form_open(struct backups_form *f);
/* Keep the row, and make the title "Restore redis-backup-… (s3)". */
void backups_form_title(struct backups_form *f, const char *what, const struct backups_row *row);

/* Checks of fields that several forms have: NULL, or what is wrong. */
const char *form_check_slots(struct str value);
const char *form_check_rate(struct str value);
extern const char *const form_types[]; /* "all", "string", …; ends with NULL */

#endif
