#include "core/base/pace.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/attr.h"

#define SECOND_US 1000000
#define SLOWER 3       /* times the best, and */
#define SLOWER_US 2000 /* this much more: the node is busy */
#define CREEP 2000     /* the best rises by one part in so many with each probe */
#define STEP_FIRST 0.5 /* the first step back: rest half of the time that was worked */
#define STEP_MORE 1.3  /* each further one */
#define RECOVER 0.9    /* of the rest stays with each quick answer */
#define RECOVERED 0.05 /* below: full speed again */

int64_t pace_take(struct pace *p, uint64_t keys, uint64_t rate, int64_t now_us)
{
    int64_t from = p->next_us;

    if (from == 0)
        from = now_us;
    else if (from < now_us - PACE_CREDIT_US)
        from = now_us - PACE_CREDIT_US;
    p->next_us = from + (int64_t)((double)keys * SECOND_US / (double)rate);
    return p->next_us;
}

unsigned pace_batch(uint64_t rate, size_t workers, unsigned most)
{
    uint64_t tenth = rate / 10 / (workers > 0 ? workers : 1);

    if (rate == 0 || tenth >= most)
        return most;
    return tenth < 1 ? 1 : (unsigned)tenth;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int64_t median(const struct pace_auto *a)
{
    int64_t sorted[PACE_PROBES];

    memcpy(sorted, a->probe_us, sizeof(sorted));
    qsort(sorted, COUNT_OF(sorted), sizeof(sorted[0]), by_size);
    return sorted[COUNT_OF(sorted) / 2];
}

void pace_auto_see(struct pace_auto *a, int64_t probe_us)
{
    a->probe_us[a->seen++ % PACE_PROBES] = probe_us;
    if (a->seen < PACE_PROBES)
        return; /* nothing to judge by yet */
    a->now_us = median(a);
    if (a->best_us == 0 || a->now_us < a->best_us)
        a->best_us = a->now_us;
    else
        a->best_us += a->best_us / CREEP + 1;
    if (a->now_us > SLOWER * a->best_us && a->now_us > a->best_us + SLOWER_US) {
        a->rest = a->rest < STEP_FIRST ? STEP_FIRST : a->rest * STEP_MORE;
        if (a->rest > PACE_REST_MAX)
            a->rest = PACE_REST_MAX;
    } else {
        a->rest *= RECOVER;
        if (a->rest < RECOVERED)
            a->rest = 0;
    }
}

int64_t pace_auto_rest(const struct pace_auto *a, int64_t busy_us)
{
    return (int64_t)((double)busy_us * a->rest);
}
