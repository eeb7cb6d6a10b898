/*
 * verify_form.h - the form that starts the comparison of a backup with the live cluster.
 *
 * Reads only, so the job starts when the form is accepted. UI thread.
 */
#ifndef VIEWS_SCREENS_VERIFY_FORM_H
#define VIEWS_SCREENS_VERIFY_FORM_H

#include "views/screens/backup_form.h"

/* What the form asks for; the texts are as typed. Pure data. */
struct verify_order {
    int place;
    const char *id;   /* in S3 */
    const char *path; /* on disk */
    struct str extent, subset, match, types, slots, verify_key, reason;
    long long sample, tolerance_s, rounds, outage_s;
    bool extra, stream_groups;
};

/* Pure: the words of `verify …`. */
void verify_order_args(const struct verify_order *order, struct arg_list *out);
void verify_form_open(struct backups_form *f, const struct backups_row *row);

#endif
