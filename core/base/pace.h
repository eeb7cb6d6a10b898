/*
 * pace.h - how fast a backup may go: a budget of keys that all workers share, and a rule that gives
 * way when a node answers slower than it could.
 *
 * Pure arithmetic on times that the caller passes in; no clock, no sleep, no lock: a struct pace
 * that several threads share needs a lock of theirs. Times are microseconds of one monotonic clock.
 */
#ifndef CORE_BASE_PACE_H
#define CORE_BASE_PACE_H

#include <stddef.h>
#include <stdint.h>

#define PACE_CREDIT_US 500000 /* of lost time that may be made up for */
#define PACE_PROBES 9         /* answers that a judgement rests on: their median */

/* Zeroed is a valid start. */
struct pace {
    int64_t next_us; /* when the keys that were given out so far are used up; 0: none yet */
};

/* `keys` were read under a limit of `rate` keys a second (> 0): go on at this time. Time lost in a
 * pause or an outage is made up for by PACE_CREDIT_US at most. */
int64_t pace_take(struct pace *p, uint64_t keys, uint64_t rate, int64_t now_us);
/* How many keys each of so many workers should ask for at once: a tenth of a second's worth of its
 * share, 1 to most; rate 0: most. */
unsigned pace_batch(uint64_t rate, size_t workers, unsigned most);

/* One node, by the round trips of a small command beside the reading. Zeroed is a valid start. */
struct pace_auto {
    int64_t probe_us[PACE_PROBES]; /* a ring */
    size_t seen;
    int64_t best_us; /* the median of an undisturbed node; creeps up when it never comes back */
    int64_t now_us;  /* median of the newest ones */
    double rest;     /* of a batch's time, to rest after it: 0 … PACE_REST_MAX */
};

#define PACE_REST_MAX 19.0 /* one twentieth of full speed: a backup always ends */

/* One more round trip. */
void pace_auto_see(struct pace_auto *a, int64_t probe_us);
/* How long to rest after a batch that took busy_us. */
int64_t pace_auto_rest(const struct pace_auto *a, int64_t busy_us);

#endif
