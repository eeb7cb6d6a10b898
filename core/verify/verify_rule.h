/*
 * verify_rule.h - when is a key's expiry right, and is a missing key a loss or the natural end?
 *
 * A live deadline may lie anywhere between the original one and the one of a restore that gave the
 * key its remaining life, give or take the tolerance. After a restore that we know of, its own
 * times and mode are used, so a key that vanished too early is missing. Pure; all times in ms,
 * deadlines on the servers' clock.
 */
#ifndef CORE_VERIFY_VERIFY_RULE_H
#define CORE_VERIFY_VERIFY_RULE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/record/record.h"
#include "core/restore/restore.h"
#include "core/value/value_sum.h"

enum verify_verdict {
    VERIFY_SAME,
    VERIFY_DIFFERS,
    VERIFY_MISSING,
    VERIFY_EXTRA,
    VERIFY_EXPIRED, /* gone, as its deadline says */
    VERIFY_TTL,     /* the value is right, the expiry is not */
    VERIFY_UNREADABLE,
    VERIFY_MISPLACED, /* a copy on a primary that does not own its slot; no key's own verdict */
    VERIFY_VERDICTS
};

const char *verify_verdict_name(enum verify_verdict v); /* "same", "differs" … "misplaced" */

/* The restore that filled the cluster; known false: there may have been none. */
struct verify_restored {
    bool known;
    enum restore_ttl ttl;
    int64_t from_ms; /* its first and its last write can lie anywhere between these */
    int64_t to_ms;
    bool kept_some; /* it left keys alone that were there: those have their original deadline */
};

enum verify_deadline { VERIFY_DEADLINE_NONE, VERIFY_DEADLINE_ORIGINAL, VERIFY_DEADLINE_MOVED };

struct verify_expiry {
    int64_t now_ms;
    int64_t tolerance_ms;
    int64_t read_ms; /* end of the backup, for records without a deadline of their own */
    struct verify_restored restored;
};

/* The span in which the deadline may lie; false: the key must have none. */
bool verify_deadline_span(const struct verify_expiry *e, const struct record_head *h,
                          int64_t *first_ms, int64_t *last_ms);
/* live_ms RECORD_NO_TIME: the key has no expiry. *saw says which deadline it is. */
bool verify_deadline_fits(const struct verify_expiry *e, const struct record_head *h,
                          int64_t live_ms, enum verify_deadline *saw);
/* The same rule for what is inside a value: deadlines of fields, delivery times. */
struct value_rule verify_value_rule(const struct verify_expiry *e, const struct record_head *h);
/* The verdict for a key that is not there: VERIFY_EXPIRED or VERIFY_MISSING. */
enum verify_verdict verify_absent(const struct verify_expiry *e, const struct record_head *h);

#endif
