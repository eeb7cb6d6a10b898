#include "core/restore/restore_gentle.h"

#include "core/base/clock.h"
#include "core/redis/command.h"

#define PROBE_TIMEOUT_MS 5000

/* Keys per second; 0: as fast as it goes, or as gently as auto finds right. */
static uint64_t rate_now(const struct restore_gentle *g)
{
    uint64_t rate = task_rate(g->task);

    return rate == 0 ? g->options->rate : rate;
}

static bool is_auto(const struct restore_gentle *g)
{
    return g->options->adaptive && task_rate(g->task) == 0;
}

size_t restore_gentle_batch(const struct restore_gentle *g)
{
    uint64_t rate = rate_now(g);

    if (is_auto(g))
        return RESTORE_GENTLE_KEYS;
    return rate == 0 ? SIZE_MAX : (size_t)(1 + rate / 5);
}

int64_t restore_gentle_probe_us(struct conn *conn)
{
    int64_t started = clock_mono_us();
    struct error why = {0};
    const struct reply *r;

    if (conn == NULL || !conn_call(conn, COMMAND(STR("PING")), PROBE_TIMEOUT_MS, &r, &why))
        return 0;
    return clock_mono_us() - started;
}

bool restore_gentle_rest(struct restore_gentle *g, size_t keys, int64_t batch_us,
                         struct conn *probe, struct error *err)
{
    int64_t pause_ms = 0;

    if (!task_checkpoint(g->task, err))
        return false;
    if (is_auto(g)) {
        int64_t probe_us = restore_gentle_probe_us(probe);

        pause_ms = probe_us == 0 ? 0 : restore_rate_pause_ms(&g->rate, batch_us, probe_us);
    } else {
        /* The meter keeps what is cut off here. */
        pause_ms = restore_meter_wait_us(&g->meter, keys, rate_now(g), clock_mono_us()) / 1000;
    }
    return pause_ms == 0 || cancel_sleep(g->cancel, pause_ms, err);
}
