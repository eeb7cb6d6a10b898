/*
 * progress.h - how far a job is: rows (one per node or shard), a total, rates, time left, counters.
 *
 * Plain data with limits; the pure half of progress.json, both ways. Rates come from samples over
 * the last 15 seconds, so they follow a change within that time and do not jump. Unknown values are
 * 0 for a total, -1 for a rate or a time left: never a made-up number. One thread (its owner
 * locks).
 */
#ifndef CORE_JOBS_PROGRESS_H
#define CORE_JOBS_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

#define PROGRESS_NAME 96 /* bytes with the terminator; longer names are cut */
#define PROGRESS_WORD 24
#define PROGRESS_STATE 96 /* "waiting for replica 127.0.0.1:7004" */
#define PROGRESS_WHY 200
#define PROGRESS_ROWS 4096   /* more rows are counted into the last one */
#define PROGRESS_COUNTERS 64 /* more counters are dropped */
#define PROGRESS_SAMPLES 16

struct progress_samples {
    uint64_t done[PROGRESS_SAMPLES];
    int64_t mono_ms[PROGRESS_SAMPLES];
    size_t count; /* ever taken; the newest is at (count - 1) % PROGRESS_SAMPLES */
};

struct progress_bar {
    char name[PROGRESS_NAME];  /* "A 127.0.0.1:7001"; empty for the total */
    char word[PROGRESS_STATE]; /* "waiting", "done", "failed", or empty */
    uint64_t done;
    uint64_t total;                  /* 0: not known */
    int64_t rate;                    /* units per second; -1: not known yet */
    int64_t eta_ms;                  /* -1: not known */
    struct progress_samples samples; /* not in the file */
};

struct progress_counter {
    char name[PROGRESS_WORD * 2];
    int64_t value;
};

/* An outage that is being waited through; real clock. */
struct progress_waiting {
    char why[PROGRESS_WHY]; /* empty: nothing is waited for */
    int64_t since_ms;
    int64_t until_ms; /* then it gives up */
};

struct progress {
    struct progress_waiting waiting;
    char stage[PROGRESS_WORD * 2];
    char unit[PROGRESS_WORD]; /* "keys" */
    struct progress_bar total;
    bool total_set; /* progress_set_total was called: the rows are not summed */
    struct progress_bar *rows;
    size_t row_count, row_cap;
    struct progress_counter counters[PROGRESS_COUNTERS];
    size_t counter_count;
};

void progress_init(struct progress *p);
void progress_release(struct progress *p);
void progress_copy(struct progress *to, const struct progress *from); /* releases what `to` held */

void progress_set_row(struct progress *p, size_t row, const char *name, uint64_t done,
                      uint64_t total); /* name NULL keeps the one it has */
void progress_set_name(struct progress *p, size_t row, const char *name);
void progress_set_word(struct progress *p, size_t row, const char *word);
void progress_set_total(struct progress *p, uint64_t done, uint64_t total);
void progress_set_counter(struct progress *p, const char *name, int64_t value);
void progress_add_counter(struct progress *p, const char *name, int64_t more);
int64_t progress_counter(const struct progress *p, const char *name); /* 0 when absent */

/* Take a sample if a second has passed, and compute rates, time left and the total bar. While
 * `paused` the rate is 0 and no time left is known. */
void progress_tick(struct progress *p, int64_t mono_ms, bool paused);

/* The members stage, unit, total, rows, counters; owned by the caller. */
json_t *progress_to_json(const struct progress *p);
/* Lenient: what is missing or of the wrong type stays unknown. */
void progress_from_json(struct progress *p, const json_t *doc);

#endif
