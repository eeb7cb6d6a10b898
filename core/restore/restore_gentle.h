/*
 * restore_gentle.h - the rate of whatever changes keys outside the workers' pipelines, for one
 * thread: the removal of keys that the backup lacks goes as gently as the writing before it.
 * Private to core/restore/restore*; see restore_rate.h for what the rates mean.
 */
#ifndef CORE_RESTORE_RESTORE_GENTLE_H
#define CORE_RESTORE_RESTORE_GENTLE_H

#include <stddef.h>

#include "core/redis/conn.h"
#include "core/restore/restore.h"
#include "core/restore/restore_rate.h"

#define RESTORE_GENTLE_KEYS 200 /* of one batch under --rate auto: so little holds no client up */

/* The first three are set by its owner; the rest is zero in a new one. */
struct restore_gentle {
    const struct restore_options *options;
    struct task *task;
    const struct cancel *cancel;
    struct restore_meter meter;
    struct restore_rate rate;
};

/* Keys that one batch may have now; SIZE_MAX where no rate is wanted. */
size_t restore_gentle_batch(const struct restore_gentle *g);
/* A batch of so many keys took batch_us: rest for as long as the rate asks for. probe: to a node
 * that was changed, with nothing pending, for --rate auto; NULL: there is none right now. */
bool restore_gentle_rest(struct restore_gentle *g, size_t keys, int64_t batch_us,
                         struct conn *probe, struct error *err) MUST_CHECK;
/* How long the node takes to answer a PING; 0: it does not. */
int64_t restore_gentle_probe_us(struct conn *conn);

#endif
