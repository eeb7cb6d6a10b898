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
/* Open the form over the view whose state is `owner`. */
void backup_form_open(struct app *app, void *owner);

/* Checks of fields that several forms have: NULL, or what is wrong. */
const char *form_check_slots(struct str value);
const char *form_check_rate(struct str value);
extern const char *const form_types[]; /* "all", "string", …; ends with NULL */

#endif
