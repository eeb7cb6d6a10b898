/*
 * restore_form.h - the form that asks how a backup is to be restored, and the plan job it starts.
 *
 * Nothing is changed here: accepting the form runs `restore --dry-run` as a job, and the plan
 * screen opens on it. UI thread.
 */
#ifndef VIEWS_SCREENS_RESTORE_FORM_H
#define VIEWS_SCREENS_RESTORE_FORM_H

#include "views/app.h"
#include "views/screens/backups_args.h"
#include "views/screens/backups_model.h"

/* Embedded in the state of the view that opens the form, zeroed. */
struct restore_form {
    struct app *app;
    struct backups_row row; /* what is restored */
    char title[BACKUP_ID_MAX + 40];
    struct form_spec spec;
};

/* What the form asks for; the texts are as typed. Pure data. */
struct restore_order {
    int place;
    const char *id;   /* in S3 */
    const char *path; /* on disk */
    struct str policy, ttl, match, type, slots;
    long long rate;
    bool stream_groups, flush_first, trust_dump;
};

/* Pure: the words of `restore …` without --dry-run. */
void restore_order_args(const struct restore_order *order, struct arg_list *out);
/* Open the form. The struct must stay where it is while the view is open. */
void restore_form_open(struct restore_form *f, struct app *app, const struct backups_row *row);
/* Start `args` + --dry-run and open the plan screen on the job. */
bool restore_plan_start(struct app *app, const struct arg_list *args, void *owner,
                        struct error *err) MUST_CHECK;

#endif
