#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/value/value_sum_private.h"

#define IDLE_MS 1000 /* a time told as "idle for" is this sure */

static struct value_difference differ(const char *fmt, ...) PRINTF_LIKE(1, 2);

static struct value_difference differ(const char *fmt, ...)
{
    struct value_difference d = {.same = false};
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(d.what, sizeof(d.what), fmt, ap);
    va_end(ap);
    return d;
}

/* ---- elements -------------------------------------------------------------------------------- */

static int by_hash(const void *a, const void *b)
{
    const struct value_item *x = a;
    const struct value_item *y = b;
    int order = XXH128_cmp(&x->name, &y->name);

    return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

/* Sort by name, then keep the last of each. */
static void sort_items(struct value_sum *s)
{
    size_t out = 0;

    if (s->count > 1)
        qsort(s->items, s->count, sizeof(*s->items), by_hash);
    for (size_t i = 0; i < s->count; i++)
        if (i + 1 == s->count || !XXH128_isEqual(s->items[i].name, s->items[i + 1].name))
            s->items[out++] = s->items[i];
    s->count = out;
}

static bool time_fits(int64_t saved, int64_t live, enum record_type type,
                      const struct value_rule *rule)
{
    if (type == RECORD_STREAM && (saved == RECORD_NO_TIME || !rule->pending_times))
        return true; /* a consumer, or nobody asks */
    if (type == RECORD_STREAM)
        return live >= saved - rule->tolerance_ms - IDLE_MS &&
               live <= saved + rule->tolerance_ms + IDLE_MS;
    if (rule->no_deadlines)
        return live == RECORD_NO_TIME;
    if (saved == RECORD_NO_TIME || live == RECORD_NO_TIME)
        return saved == live;
    return live >= saved + rule->earliest_shift_ms - rule->tolerance_ms &&
           live <= saved + rule->latest_shift_ms + rule->tolerance_ms;
}

static bool may_be_gone(int64_t deadline, enum record_type type, const struct value_rule *rule)
{
    return type == RECORD_HASH && deadline != RECORD_NO_TIME && !rule->no_deadlines &&
           rule->now_ms >= deadline + rule->earliest_shift_ms - rule->tolerance_ms;
}

struct value_tally value_tally_items(struct value_sum *saved, struct value_sum *live,
                                     const struct value_rule *rule)
{
    struct value_tally t = {0};
    size_t i = 0;
    size_t k = 0;

    sort_items(saved);
    sort_items(live);
    t.saved = saved->count;
    while (i < saved->count || k < live->count) {
        const struct value_item *a = &saved->items[i];
        const struct value_item *b = &live->items[k];
        int order = i == saved->count ? 1 : k == live->count ? -1 : XXH128_cmp(&a->name, &b->name);

        if (order < 0 && may_be_gone(a->deadline, saved->type, rule))
            t.expired++;
        else if (order < 0)
            t.only_saved++;
        else if (order > 0)
            t.only_live++;
        else if (!XXH128_isEqual(a->content, b->content))
            t.changed++;
        else if (!time_fits(a->deadline, b->deadline, saved->type, rule))
            t.deadlines++;
        i += order <= 0 ? 1 : 0;
        k += order >= 0 ? 1 : 0;
    }
    return t;
}

struct value_difference value_tally_said(const struct value_tally *t, enum record_type type)
{
    static const char *const words[RECORD_TYPES] = {[RECORD_HASH] = "fields",
                                                    [RECORD_SET] = "members",
                                                    [RECORD_ZSET] = "members",
                                                    [RECORD_STREAM] = "consumers and pending"};
    struct value_difference d = {.same = true};

    if (t->changed + t->only_saved + t->only_live > 0)
        d = differ("%" PRIu64 " %s saved: %" PRIu64 " differ, %" PRIu64 " missing, %" PRIu64
                   " added",
                   t->saved, words[type], t->changed, t->only_saved, t->only_live);
    else if (type == RECORD_STREAM && t->deadlines > 0)
        d = differ("%" PRIu64 " pending entries were delivered at another time", t->deadlines);
    d.deadlines = type == RECORD_STREAM ? 0 : t->deadlines;
    d.expired = t->expired;
    return d;
}

static XXH128_hash_t table_print(const struct value_sum *s)
{
    XXH128_hash_t sum = {0, 0};

    for (size_t i = 0; i < s->count; i++)
        value_hash_add(&sum, value_item_print(&s->items[i]));
    return sum;
}

static bool ranges_are_equal(const struct value_sum *a, const struct value_sum *b)
{
    for (size_t i = 0; i < VALUE_RANGES; i++)
        if (a->ranges[i].count != b->ranges[i].count ||
            !XXH128_isEqual(a->ranges[i].sum, b->ranges[i].sum))
            return false;
    return true;
}

static bool is_timed(const struct value_sum *s)
{
    return s->last_deadline != INT64_MIN;
}

bool value_sums_tell(const struct value_sum *saved, const struct value_rule *rule)
{
    return saved->type != RECORD_HASH || !is_timed(saved) ||
           (!rule->no_deadlines && rule->earliest_shift_ms <= rule->tolerance_ms);
}

static struct value_difference compare_items(struct value_sum *saved, struct value_sum *live,
                                             const struct value_rule *rule)
{
    struct value_difference d = {.same = true};
    struct value_tally t;
    bool sums_tell = value_sums_tell(saved, rule);

    if (saved->ranges != NULL || live->ranges != NULL) {
        value_sum_fold(saved);
        value_sum_fold(live);
        if (sums_tell && ranges_are_equal(saved, live))
            return d;
        d = differ("some of its elements differ");
        d.unsure = true;
        return d;
    }
    if (sums_tell && saved->count == live->count &&
        XXH128_isEqual(table_print(saved), table_print(live)))
        return d;
    t = value_tally_items(saved, live, rule);
    return value_tally_said(&t, saved->type);
}

int64_t value_sum_last_death(const struct value_sum *s)
{
    return s->type == RECORD_HASH && s->untimed == 0 && is_timed(s) ? s->last_deadline
                                                                    : RECORD_NO_TIME;
}

bool value_sum_may_be_gone(const struct value_sum *saved, const struct value_rule *rule)
{
    return may_be_gone(value_sum_last_death(saved), RECORD_HASH, rule);
}

/* ---- streams --------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const struct value_group *x = a;
    const struct value_group *y = b;

    return XXH128_cmp(&x->name, &y->name);
}

static void sort_groups(struct value_sum *s)
{
    if (s->group_count > 1)
        qsort(s->groups, s->group_count, sizeof(*s->groups), by_name);
}

/* entries-read counts only where the archive has it and the server can. */
static struct value_difference compare_groups(struct value_sum *saved, struct value_sum *live)
{
    struct value_difference d = {.same = true};

    sort_groups(saved);
    sort_groups(live);
    if (saved->group_count != live->group_count)
        return differ("%zu consumer groups saved, %zu there", saved->group_count,
                      live->group_count);
    for (size_t i = 0; i < saved->group_count; i++) {
        const struct value_group *a = &saved->groups[i];
        const struct value_group *b = &live->groups[i];

        if (!XXH128_isEqual(a->name, b->name) || !XXH128_isEqual(a->content, b->content))
            return differ("a consumer group differs");
        if (!a->has_read || (live->has_state && !live->state.has_counters))
            d.partly = d.partly || a->has_read != b->has_read;
        else if (!b->has_read)
            return differ("a group's entries-read: %" PRIu64 " saved, unknown there",
                          a->entries_read);
        else if (a->entries_read != b->entries_read)
            return differ("a group's entries-read: %" PRIu64 " saved, %" PRIu64 " there",
                          a->entries_read, b->entries_read);
    }
    return d;
}

static struct value_difference compare_state(const struct value_sum *a, const struct value_sum *b)
{
    struct value_difference d = {.same = true};

    if (!a->has_state || !b->has_state)
        return d;
    if (stream_id_compare(a->state.last_id, b->state.last_id) != 0)
        return differ("the last id differs");
    d.partly = a->state.has_counters != b->state.has_counters;
    if (!a->state.has_counters || !b->state.has_counters)
        return d;
    if (a->state.entries_added != b->state.entries_added)
        return differ("entries-added: %" PRIu64 " saved, %" PRIu64 " there", a->state.entries_added,
                      b->state.entries_added);
    if (stream_id_compare(a->state.max_deleted, b->state.max_deleted) != 0)
        return differ("max-deleted-entry-id differs");
    return d;
}

static struct value_difference compare_streams(struct value_sum *a, struct value_sum *b,
                                               const struct value_rule *rule)
{
    struct value_difference state = compare_state(a, b);
    struct value_difference d = compare_groups(a, b);
    bool partly = d.partly || state.partly;

    if (d.same && !state.same)
        d = state;
    if (d.same)
        d = compare_items(a, b, rule);
    d.partly = partly;
    return d;
}

/* ---- all types ------------------------------------------------------------------------------- */

struct value_difference value_sum_compare_by(struct value_sum *saved, struct value_sum *live,
                                             const struct value_rule *rule)
{
    XXH128_hash_t a;
    XXH128_hash_t b;

    if (saved->type != live->type) {
        const char *x = record_type_name(saved->type);
        const char *y = record_type_name(live->type);

        return differ("type %s saved, %s there", x == NULL ? "other" : x, y == NULL ? "other" : y);
    }
    if (saved->type == RECORD_HASH || saved->type == RECORD_SET || saved->type == RECORD_ZSET)
        return compare_items(saved, live, rule);
    if (saved->length != live->length)
        return differ("%" PRIu64 " %s saved, %" PRIu64 " there", saved->length,
                      saved->type == RECORD_STRING ? "bytes" : "elements", live->length);
    a = XXH3_128bits_digest(saved->stream);
    b = XXH3_128bits_digest(live->stream);
    if (!XXH128_isEqual(a, b))
        return differ("the %s differ", saved->type == RECORD_STRING ? "bytes" : "elements");
    if (saved->type == RECORD_STREAM)
        return compare_streams(saved, live, rule);
    return (struct value_difference){.same = true};
}

struct value_difference value_sum_compare(struct value_sum *saved, struct value_sum *live,
                                          int64_t latest_shift_ms, int64_t tolerance_ms)
{
    struct value_rule rule = {.latest_shift_ms = latest_shift_ms, .tolerance_ms = tolerance_ms};

    return value_sum_compare_by(saved, live, &rule);
}
