/*
 * series.h - the last values of one measure, one per poll, for sparklines.
 *
 * A value that could not be measured is a gap (SERIES_GAP), never a zero. Plain data of fixed size:
 * zeroed memory is an empty series, assignment copies. One writer; readers see copies.
 */
#ifndef CORE_MONITOR_SERIES_H
#define CORE_MONITOR_SERIES_H

#include <stdbool.h>
#include <stddef.h>

#define SERIES_MAX 120

struct series {
    double values[SERIES_MAX]; /* a ring */
    size_t next;               /* where the next value goes */
    size_t count;
};

/* What series_add takes and series_at gives for "not measured". */
double series_gap(void);
bool series_is_gap(double value);

void series_add(struct series *s, double value);
/* i = 0 is the oldest of count values. Out of range is a gap. */
double series_at(const struct series *s, size_t i);
double series_last(const struct series *s); /* gap when empty */
/* Least and greatest measured value; false when all are gaps. */
bool series_range(const struct series *s, double *least, double *most);
/* Squeeze the last `window` values into `cells` cells, each the mean of its measured values, or a
 * gap. window 0 means all. Right-aligned: missing history is gaps on the left. */
void series_cells(const struct series *s, size_t window, double *cells, size_t count);

/* A counter that only grows, as a rate: the difference of two readings over their time. */
struct series_rate {
    double value; /* last reading */
    double at_ms; /* when, monotonic */
    bool has_value;
};

/* The rate per second since the last reading; a gap for the first reading, and when the counter
 * fell (the server was restarted). A negative value stands for "not known" and keeps the old
 * reading. */
double series_rate_next(struct series_rate *r, double value, double at_ms);

#endif
