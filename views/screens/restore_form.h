/*
 * restore_form.h - the form that asks how a backup is to be restored, and the plan job it starts.
 *
 * Nothing is changed here: accepting the form runs `restore --dry-run` as a job, and the plan
 * screen opens on it. UI thread.
 */
#ifndef VIEWS_SCREENS_RESTORE_FORM_H
#define VIEWS_SCREENS_RESTORE_FORM_H

#include "views/screens/backup_form.h"

/* What the form asks for; the texts are as typed. Pure data. */
struct restore_order {
    int place;
    const char *id;   /* in S3 */
    const char *path; /* on disk */
    struct str policy, ttl, match, types, slots, rate, verify_key;
    long long shard, outage_s; /* 0: left empty */
    bool exact, tune, stream_groups, flush_first, trust_dump, drop_field_ttl, allow_downgrade;
};

/* Pure: the words of `restore …` without --dry-run. */
void restore_order_args(const struct restore_order *order, struct arg_list *out);
void restore_form_open(struct backups_form *f, const struct backups_row *row);
/* Start `args` + --dry-run and open the plan screen on the job. */
bool restore_plan_start(struct backups_form *f, const struct arg_list *args,
                        struct error *err) MUST_CHECK;

#endif
