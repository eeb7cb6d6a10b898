/*
 * restore_rate.h - how long a worker pauses between two batches: for a number of keys a second, and
 * for `--rate auto`, which gives way while the nodes answer slowly. Private to
 * core/restore/restore*; pure.
 *
 * auto measures what clients feel: one PING beside each batch. A probe that took four times the
 * best of late, and 5 ms more, makes the share of time in which the worker writes smaller by a
 * third; a quick one gives a twentieth of the time back.
 */
#ifndef CORE_RESTORE_RESTORE_RATE_H
#define CORE_RESTORE_RESTORE_RATE_H

#include <stdint.h>

#define RESTORE_RATE_PAUSE_MOST_MS 1000
#define RESTORE_RATE_LEAST_SHARE 0.05

/* Keys a second of all workers together. Zero is a new one. */
struct restore_meter {
    int64_t due_us; /* when what was written so far may have been */
};

/* `keys` were written, at most `rate` a second (0: as fast as it goes). Microseconds to wait from
 * now_us on. Time that a slow server took is not made up for by a burst. */
int64_t restore_meter_wait_us(struct restore_meter *m, uint64_t keys, uint64_t rate,
                              int64_t now_us);

/* One per worker. Zero is a new one. */
struct restore_rate {
    double given;                  /* share of time given away, 0 to 1 - RESTORE_RATE_LEAST_SHARE */
    int64_t best_us, next_best_us; /* of this window of probes and of the next one */
    unsigned probes;
};

/* auto: a batch that took batch_us, and the probe beside it. Milliseconds to pause. */
int64_t restore_rate_pause_ms(struct restore_rate *r, int64_t batch_us, int64_t probe_us);

#endif
