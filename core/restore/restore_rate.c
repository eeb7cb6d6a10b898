#include "core/restore/restore_rate.h"

#define SLOW_TIMES 4
#define SLOW_MORE_US 5000
#define WINDOW 200 /* probes after which an old best is forgotten */
#define BACK_OFF 0.7
#define COME_BACK 0.05

int64_t restore_meter_wait_us(struct restore_meter *m, uint64_t keys, uint64_t rate, int64_t now_us)
{
    int64_t cost_us;

    if (rate == 0) {
        m->due_us = 0;
        return 0;
    }
    cost_us = (int64_t)((double)keys * 1e6 / (double)rate);
    if (m->due_us < now_us - cost_us)
        m->due_us = now_us - cost_us;
    m->due_us += cost_us;
    return m->due_us > now_us ? m->due_us - now_us : 0;
}

/* The best of this window; the window before lends its best until this one has some probes. */
static void remember(struct restore_rate *r, int64_t probe_us)
{
    if (r->best_us == 0 || probe_us < r->best_us)
        r->best_us = probe_us;
    if (r->next_best_us == 0 || probe_us < r->next_best_us)
        r->next_best_us = probe_us;
    if (++r->probes < WINDOW)
        return;
    r->best_us = r->next_best_us;
    r->next_best_us = 0;
    r->probes = 0;
}

int64_t restore_rate_pause_ms(struct restore_rate *r, int64_t batch_us, int64_t probe_us)
{
    double share;
    double pause_ms;

    remember(r, probe_us);
    share = 1.0 - r->given;
    if (probe_us > SLOW_TIMES * r->best_us && probe_us > r->best_us + SLOW_MORE_US)
        share *= BACK_OFF;
    else
        share += COME_BACK;
    if (share < RESTORE_RATE_LEAST_SHARE)
        share = RESTORE_RATE_LEAST_SHARE;
    if (share > 1.0)
        share = 1.0;
    r->given = 1.0 - share;
    pause_ms = (double)batch_us / 1000.0 * (1.0 / share - 1.0);
    return pause_ms > RESTORE_RATE_PAUSE_MOST_MS ? RESTORE_RATE_PAUSE_MOST_MS : (int64_t)pause_ms;
}
