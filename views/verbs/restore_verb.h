/*
 * restore_verb.h - what the files of the restore verb share: its options, from the command line or
 * from the job that goes on, and the backup it is about.
 *
 * Private to views/verbs/restore*.c; main thread and the job's body.
 */
#ifndef VIEWS_VERBS_RESTORE_VERB_H
#define VIEWS_VERBS_RESTORE_VERB_H

#include "core/restore/restore.h"
#include "views/verbs/backup_source.h"
#include "views/verbs/job_verb.h"

struct restore_verb {
    const struct invocation *inv; /* as typed: names the environment that the backup is of */
    struct invocation to;         /* the same for the environment that is written to */
    const char *state_dir;
    struct restore_options options;
    unsigned shard; /* of the backup, from 1; 0: all */
    bool dry_run;
    bool rate_given;    /* else protected environments get auto */
    const char *resume; /* the job that goes on, or NULL */
    json_t *job;        /* its job.json; strings of options point into it */
    json_t *steps;      /* of its journal, likewise */
    struct buf text;    /* the plan, for people */
};

/* Options of a new job, or those that the job to be resumed was started with; then whatever of the
 * command line speaks about this run only. Also finds the environments. */
bool restore_verb_read(const struct invocation *inv, const struct option_row *rows,
                       struct restore_verb *r, struct error *err) MUST_CHECK;
/* --rate: auto, none or a number. */
bool restore_check_rate(struct str value, struct error *err) MUST_CHECK;
json_t *restore_verb_options(const struct restore_verb *r); /* for job.json */
/* Seconds to wait through an outage: of this run, else of the job that goes on. */
int restore_verb_outage_s(const struct restore_verb *r);
void restore_verb_release(struct restore_verb *r);
/* "redis-backup-… of prd into staging": one line, before anything is opened. */
void restore_verb_describe(const struct restore_verb *r, char *out, size_t size);

/* ---- restore_origin.c: the backup and the cluster that a job is about --------------------------
 */

/* Open the backup: as the options say, noted in the journal for later runs; or, in a resumed job,
 * the very one that it began with, refusing another cluster. The report tells both. */
bool restore_origin_open(struct restore_verb *r, const struct job_verb *v, struct task *t,
                         struct backup_source *out, json_t *report, struct error *err) MUST_CHECK;
/* Refuse what --to-env must not do, once backup and target are known; say who is who. */
bool restore_origin_guard(struct restore_verb *r, const struct job_verb *v,
                          const struct manifest *m, json_t *report, struct error *err) MUST_CHECK;

#endif
