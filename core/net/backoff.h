/*
 * backoff.h - waiting between attempts: 50 ms doubling to 2 s with jitter, within a budget, and
 * able to hear that the operator wants to stop.
 *
 * A struct backoff is plain data of one thread. The budget begins with the first wait, so that an
 * outage is measured from where it began. Blocking: jobs only.
 */
#ifndef CORE_NET_BACKOFF_H
#define CORE_NET_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/rng.h"

/* Whoever a wait is for: asked several times a second while something waits (NULL = never to stop),
 * and told before each wait of a backoff why there is one and how much of its budget is left, and
 * with NULL that the waits are over. */
struct cancel {
    bool (*asked)(void *arg);
    void *arg;
    void (*told)(void *arg, const struct error *why, int64_t left_ms);
};

bool cancel_asked(const struct cancel *c);

#define BACKOFF_FIRST_MS 50
#define BACKOFF_MOST_MS 2000
#define CANCEL_SLICE_MS 200 /* the longest wait without asking */

struct backoff {
    int64_t budget_ms;
    int64_t deadline; /* 0 until the first wait */
    int64_t step_ms;
    unsigned attempts; /* waits so far */
    struct rng rng;
};

void backoff_init(struct backoff *b, int64_t budget_ms);
void backoff_reset(struct backoff *b); /* it worked: the next failure starts a new budget */
/* Half to all of the step, then the step doubles. False with ERROR_CANCELLED, or with
 * ERROR_UNREACHABLE when the budget is used up; `why` (the last failure) is the text's end. */
bool backoff_wait(struct backoff *b, const struct cancel *cancel, const struct error *why,
                  struct error *err) MUST_CHECK;
/* It worked after all: tell so, if it was told that there were waits. */
void backoff_over(const struct backoff *b, const struct cancel *cancel);
/* Sleep in slices; false with ERROR_CANCELLED. */
bool cancel_sleep(const struct cancel *cancel, int64_t ms, struct error *err) MUST_CHECK;

#endif
