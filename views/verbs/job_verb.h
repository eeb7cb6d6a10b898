/*
 * job_verb.h - what backup, restore, verify and the like share: find the cluster, ask for
 * confirmation, take the lock, run as a job, write the audit log, show progress on stderr.
 *
 * A verb fills a struct job_verb and calls job_verb_run once, from the main thread. The body gets
 * its connection to the environment in v->connection, whose client name carries the job's id and
 * whose calls hear the job's cancel.
 */
#ifndef VIEWS_VERBS_JOB_VERB_H
#define VIEWS_VERBS_JOB_VERB_H

#include "core/config/who.h"
#include "core/jobs/job.h"
#include "views/confirm_rule.h"
#include "views/connect.h"

struct job_verb {
    const struct invocation *inv;
    enum job_kind kind;
    enum danger danger;
    const char *action; /* for the confirmation: "restore redis-backup-…"; NULL with DANGER_NONE */
    const char *target;    /* one line for people */
    const char *reason;    /* --reason, or NULL */
    const char *resume;    /* --resume, or NULL */
    const json_t *options; /* for job.json; no secrets */
    bool looks_only;       /* --dry-run: takes no lock and stands in nobody's way */
    int outage_timeout_ms; /* 0: the default */
    bool (*body)(struct job_verb *v, struct task *t, json_t *result, struct error *err);
    void *ctx; /* the verb's own */

    /* Filled by job_verb_run. */
    const char *state_dir;
    struct who who;
    struct identity_decision identity;
    struct identity_observed observed;
    struct connection *connection; /* in the body only */
};

/* Returns the exit status; err and end as job_run. end->result is the caller's until
 * job_end_release. */
int job_verb_run(struct job_verb *v, struct job_end *end, struct error *err);

/* Rows that such verbs add to their option table. */
#define JOB_VERB_REASON                                                                          \
    {                                                                                            \
        "reason", 0, OPTION_TEXT, "TEXT", "Why this is done: kept in the job and the audit log." \
    }
#define JOB_VERB_CONFIRM                                                                         \
    {                                                                                            \
        "confirm", 0, OPTION_ENV, "NAME",                                                        \
            "The environment's name, where a change needs confirmation and nobody can be asked." \
    }
#define JOB_VERB_OUTAGE                                                                            \
    {                                                                                              \
        "outage-timeout", 0, OPTION_INT, "S", "Seconds to wait through an outage of the cluster.", \
            "60", .min = 1, .max = 86400                                                           \
    }

/* What the body put into `result`; NULL when there is none. Borrowed from end. */
const json_t *job_verb_report(const struct job_end *end);
/* result.json on stdout: --json. */
void job_verb_print_json(const struct job_end *end);
/* Lines of a job's result for people: "R-0001 done in 3.2 s". Nothing with --quiet. */
void job_verb_print_end(const struct job_verb *v, const struct job_end *end);

#endif
