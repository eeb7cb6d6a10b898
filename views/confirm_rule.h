/*
 * confirm_rule.h - may this change go ahead? The one rule for headless verbs and screens.
 *
 * Pure: what is about to happen, where, what is known of the cluster, and what was typed.
 * `--confirm NAME` must equal the environment's name for anything that changes data in a protected
 * environment, and anywhere for what cannot be put back. On a terminal the program asks instead.
 */
#ifndef VIEWS_CONFIRM_RULE_H
#define VIEWS_CONFIRM_RULE_H

#include "core/base/error.h"
#include "core/config/environment.h"
#include "core/config/identity.h"
#include "views/verbs/verb.h"

enum danger {
    DANGER_NONE,   /* only looks */
    DANGER_CHANGE, /* changes data or the cluster; the command line itself is the confirmation in
                      an unprotected environment */
    DANGER_DESTROY /* cannot be put back: --flush-first, delete, prune, force, takeover, shutdown */
};

enum confirm_answer {
    CONFIRM_GO,
    CONFIRM_ASK,   /* the name must be typed: --confirm NAME, or at a prompt; err says so */
    CONFIRM_REFUSE /* no confirmation helps; err says why and what does */
};

struct confirm_question {
    enum danger danger;
    const struct environment *env;
    const struct identity_decision *identity; /* NULL only for what touches no cluster (delete) */
    bool read_only;                           /* --read-only */
    const char *typed;                        /* --confirm, or NULL */
    const char *action;                       /* "restore", "delete redis-backup-…" */
};

/* err is set (ERROR_REFUSED) unless the answer is CONFIRM_GO. */
enum confirm_answer confirm_check(const struct confirm_question *q, struct error *err);

/* For verbs: the rule with the verb's own --confirm option, asking on the terminal when there is
 * one (never when --json, and never without a controlling terminal on both ends). */
bool confirm_require(const struct invocation *inv, enum danger danger,
                     const struct identity_decision *identity, const char *action,
                     struct error *err) MUST_CHECK;

#endif
