#include "core/net/backoff.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/format.h"
#include "core/base/log.h"

bool cancel_asked(const struct cancel *c)
{
    return c != NULL && c->asked != NULL && c->asked(c->arg);
}

bool cancel_sleep(const struct cancel *cancel, int64_t ms, struct error *err)
{
    int64_t end = clock_after(ms);
    for (;;) {
        if (cancel_asked(cancel))
            return error_set(err, ERROR_CANCELLED, 0, "cancelled");
        int64_t left = end - clock_mono_ms();
        if (left <= 0)
            return true;
        clock_sleep_ms(left < CANCEL_SLICE_MS ? left : CANCEL_SLICE_MS);
    }
}

void backoff_init(struct backoff *b, int64_t budget_ms)
{
    memset(b, 0, sizeof(*b));
    b->budget_ms = budget_ms;
    b->step_ms = BACKOFF_FIRST_MS;
    rng_bytes(&b->rng.state, sizeof(b->rng.state));
}

void backoff_reset(struct backoff *b)
{
    b->deadline = 0;
    b->step_ms = BACKOFF_FIRST_MS;
    b->attempts = 0;
}

void backoff_over(const struct backoff *b, const struct cancel *cancel)
{
    if (b->attempts > 0 && cancel != NULL && cancel->told != NULL)
        cancel->told(cancel->arg, NULL, 0);
}

static bool used_up(const struct backoff *b, const struct error *why, struct error *err)
{
    char budget[FORMAT_MAX];
    struct error cause = *why; /* may be err itself */
    return error_set(err, ERROR_UNREACHABLE, cause.detail, "gave up after %s: %s",
                     format_duration(budget, sizeof(budget), b->budget_ms), cause.text);
}

bool backoff_wait(struct backoff *b, const struct cancel *cancel, const struct error *why,
                  struct error *err)
{
    if (b->deadline == 0)
        b->deadline = clock_after(b->budget_ms);
    int64_t left = b->deadline - clock_mono_ms();
    if (left <= 0)
        return used_up(b, why, err);
    int64_t half = b->step_ms / 2;
    int64_t ms = half + (int64_t)(rng_next(&b->rng) % (uint64_t)(half + 1));
    b->step_ms = b->step_ms * 2 < BACKOFF_MOST_MS ? b->step_ms * 2 : BACKOFF_MOST_MS;
    b->attempts++;
    log_write(LOG_LEVEL_INFO, "net", "waits, then try %u: %s", b->attempts + 1, why->text);
    if (cancel != NULL && cancel->told != NULL)
        cancel->told(cancel->arg, why, left);
    return cancel_sleep(cancel, ms < left ? ms : left, err);
}
