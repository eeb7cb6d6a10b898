#include "core/verify/verify_rule.h"

static const char *const names[VERIFY_VERDICTS] = {
    [VERIFY_SAME] = "same",
    [VERIFY_DIFFERS] = "differs",
    [VERIFY_MISSING] = "missing",
    [VERIFY_EXTRA] = "extra",
    [VERIFY_EXPIRED] = "expired",
    [VERIFY_TTL] = "ttl",
    [VERIFY_UNREADABLE] = "unreadable",
    [VERIFY_MISPLACED] = "misplaced",
};

const char *verify_verdict_name(enum verify_verdict v)
{
    return names[v];
}

static int64_t original(const struct verify_expiry *e, const struct record_head *h)
{
    return h->expire_at_millis != RECORD_NO_TIME ? h->expire_at_millis : e->read_ms + h->ttl_millis;
}

bool verify_deadline_span(const struct verify_expiry *e, const struct record_head *h,
                          int64_t *first_ms, int64_t *last_ms)
{
    int64_t at;

    if (h->ttl_millis == RECORD_NO_TIME)
        return false;
    at = original(e, h);
    *first_ms = at;
    *last_ms = at;
    if (!e->restored.known) {
        if (e->now_ms + h->ttl_millis > *last_ms)
            *last_ms = e->now_ms + h->ttl_millis;
        return true;
    }
    if (e->restored.ttl == RESTORE_TTL_NONE)
        return false;
    if (e->restored.ttl == RESTORE_TTL_REMAINING) {
        int64_t first = e->restored.from_ms + h->ttl_millis;

        *first_ms = e->restored.kept_some && at < first ? at : first;
        *last_ms = e->restored.to_ms + h->ttl_millis;
    }
    return true;
}

bool verify_deadline_fits(const struct verify_expiry *e, const struct record_head *h,
                          int64_t live_ms, enum verify_deadline *saw)
{
    int64_t first;
    int64_t last;
    int64_t away;

    *saw = VERIFY_DEADLINE_NONE;
    if (!verify_deadline_span(e, h, &first, &last))
        return live_ms == RECORD_NO_TIME;
    if (live_ms == RECORD_NO_TIME)
        return false;
    away = live_ms - original(e, h);
    *saw = away <= e->tolerance_ms && away >= -e->tolerance_ms ? VERIFY_DEADLINE_ORIGINAL
                                                               : VERIFY_DEADLINE_MOVED;
    return live_ms >= first - e->tolerance_ms && live_ms <= last + e->tolerance_ms;
}

/* A restore moves deadlines of fields by the time since the key was read. */
struct value_rule verify_value_rule(const struct verify_expiry *e, const struct record_head *h)
{
    const struct verify_restored *last = &e->restored;
    int64_t read_ms = e->read_ms;
    struct value_rule rule = {
        .now_ms = e->now_ms, .tolerance_ms = e->tolerance_ms, .pending_times = true};

    if (h->expire_at_millis != RECORD_NO_TIME && h->ttl_millis != RECORD_NO_TIME)
        read_ms = h->expire_at_millis - h->ttl_millis;
    if (last->known && last->ttl == RESTORE_TTL_NONE) {
        rule.no_deadlines = true;
    } else if (last->known && last->ttl == RESTORE_TTL_REMAINING && read_ms > 0) {
        rule.earliest_shift_ms = last->kept_some ? 0 : last->from_ms - read_ms;
        rule.latest_shift_ms = last->to_ms - read_ms;
    } else if (!last->known && read_ms > 0) {
        rule.latest_shift_ms = e->now_ms - read_ms;
    }
    if (rule.earliest_shift_ms < 0)
        rule.earliest_shift_ms = 0;
    if (rule.latest_shift_ms < 0)
        rule.latest_shift_ms = 0;
    return rule;
}

enum verify_verdict verify_absent(const struct verify_expiry *e, const struct record_head *h)
{
    int64_t first;
    int64_t last;

    if (!verify_deadline_span(e, h, &first, &last))
        return VERIFY_MISSING;
    return e->now_ms >= first - e->tolerance_ms ? VERIFY_EXPIRED : VERIFY_MISSING;
}
