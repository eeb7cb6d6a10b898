/*
 * control.h - what consoles ask of a running job: control.json, both sides.
 *
 * The file holds the whole wish, not a list of orders: the newest one counts and none can be lost
 * by being overwritten. `seq` rises with every change, and the job's progress.json repeats the one
 * it obeys. A wish names the run it is meant for, so that an old cancel cannot stop a resumed job.
 * Sending does file I/O: from a verb or a worker, never from the UI thread (see watch_send).
 */
#ifndef CORE_JOBS_CONTROL_H
#define CORE_JOBS_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/str.h"

enum control_order {
    CONTROL_PAUSE,
    CONTROL_RESUME,
    CONTROL_RATE,       /* value: units per second; 0 = as it was started */
    CONTROL_CANCEL,     /* at the next safe point */
    CONTROL_CANCEL_NOW, /* at once, like a second SIGTERM */
    CONTROL_ORDERS
};

struct control {
    uint64_t seq;    /* 0: nobody asked for anything */
    char run_id[33]; /* the run it is meant for */
    bool pause;
    int cancel; /* 0 no, 1 at the next safe point, 2 at once; never goes back */
    uint64_t rate;
    char by[64]; /* who asked last */
};

/* Read-change-write under a lock on the directory, so that two consoles do not undo each other.
 * *seq (may be NULL) gets the number to wait for in progress.json. ERROR_NOT_FOUND without such a
 * job, ERROR_REFUSED when it does not run. */
bool control_send(const char *state_dir, const char *id, enum control_order order, uint64_t value,
                  const char *by, uint64_t *seq, struct error *err) MUST_CHECK;

/* Parse control.json (outside bytes). */
bool control_parse(struct str text, struct control *out, struct error *err) MUST_CHECK;
json_t *control_to_json(const struct control *c);

#endif
