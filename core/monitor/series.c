#include "core/monitor/series.h"

#include <math.h>

double series_gap(void)
{
    return (double)NAN;
}

bool series_is_gap(double value)
{
    return isnan(value) != 0;
}

void series_add(struct series *s, double value)
{
    s->values[s->next] = value;
    s->next = (s->next + 1) % SERIES_MAX;
    if (s->count < SERIES_MAX)
        s->count++;
}

double series_at(const struct series *s, size_t i)
{
    if (i >= s->count)
        return series_gap();
    return s->values[(s->next + SERIES_MAX - s->count + i) % SERIES_MAX];
}

double series_last(const struct series *s)
{
    return s->count == 0 ? series_gap() : series_at(s, s->count - 1);
}

bool series_range(const struct series *s, double *least, double *most)
{
    bool found = false;

    for (size_t i = 0; i < s->count; i++) {
        double v = series_at(s, i);

        if (series_is_gap(v))
            continue;
        *least = !found || v < *least ? v : *least;
        *most = !found || v > *most ? v : *most;
        found = true;
    }
    return found;
}

void series_cells(const struct series *s, size_t window, double *cells, size_t count)
{
    if (window == 0 || window > SERIES_MAX)
        window = SERIES_MAX;
    for (size_t cell = 0; cell < count; cell++) {
        /* Positions within the window; the newest value is at window - 1. */
        size_t from = cell * window / count;
        size_t to = (cell + 1) * window / count;
        double sum = 0;
        size_t n = 0;

        for (size_t at = from; at < (to > from ? to : from + 1); at++) {
            size_t back = window - at; /* 1 = the newest */
            double v = back <= s->count ? series_at(s, s->count - back) : series_gap();

            if (series_is_gap(v))
                continue;
            sum += v;
            n++;
        }
        cells[cell] = n == 0 ? series_gap() : sum / (double)n;
    }
}

double series_rate_next(struct series_rate *r, double value, double at_ms)
{
    double rate = series_gap();

    if (value < 0 || series_is_gap(value))
        return rate;
    if (r->has_value && value >= r->value && at_ms > r->at_ms)
        rate = (value - r->value) * 1000.0 / (at_ms - r->at_ms);
    *r = (struct series_rate){.value = value, .at_ms = at_ms, .has_value = true};
    return rate;
}
