/* What follows from all views together: who is down, what is served, who disagrees, which shard. */
#include <string.h>

#include "core/base/format.h"
#include "core/monitor/events_internal.h"

#define RANGES_SHOWN 4

void events_choose(struct events *t)
{
    const struct observer *best = NULL;
    size_t best_count = 0;

    for (size_t i = 0; i < t->observer_count; i++) {
        const struct observer *o = &t->observers[i];
        size_t count = 0;

        if (o->silent || (best != NULL && o->fingerprint == best->fingerprint))
            continue;
        for (size_t j = i; j < t->observer_count; j++)
            count += !t->observers[j].silent && t->observers[j].fingerprint == o->fingerprint;
        if (count > best_count ||
            (count == best_count && best != NULL && o->view->max_epoch > best->view->max_epoch)) {
            best = o;
            best_count = count;
        }
    }
    t->agree_count = best_count;
    /* With everybody silent the last view stays: old, but better than none. */
    if (best == NULL && t->observer_count > 0) {
        best = &t->observers[0];
        for (size_t i = 1; i < t->observer_count; i++)
            if (t->observers[i].view->max_epoch > best->view->max_epoch)
                best = &t->observers[i];
    }
    t->agreed = best == NULL ? NULL : best->view;
    t->agreed_print = best == NULL ? 0 : best->fingerprint;
}

static void judge_member(struct events *t, const char *observer, struct member *m, int64_t at_ms,
                         struct event_list *out)
{
    size_t observers = events_observers(t, NULL);
    struct event_about about = {.node = m, .observer = observer, .at_ms = at_ms};

    if (m->down_by > 0 && !m->down) {
        about.kind = EVENT_DOWN;
        about.level = EVENT_CRIT;
        events_tell(t, out, &about, "%s is down (FAIL, agreed; seen by %u of %zu)", m->address,
                    m->down_by, observers);
        m->down = true;
        m->suspected_ms = m->suspected ? m->suspected_ms : at_ms;
        m->suspected = true;
    } else if (m->suspected_by > 0 && !m->suspected && m->down_by == 0) {
        about.kind = EVENT_SUSPECTED;
        about.level = EVENT_WARN;
        events_tell(t, out, &about, "%s is suspected (PFAIL, seen by %u of %zu)", m->address,
                    m->suspected_by, observers);
        m->suspected_ms = at_ms;
        m->suspected = true;
    } else if (m->suspected_by == 0 && m->down_by == 0 && m->suspected && m->listed_by > 0) {
        about.kind = EVENT_RECOVERED;
        about.level = EVENT_NOTICE;
        events_tell(t, out, &about, "%s is reachable for all observers again%s", m->address,
                    m->down ? " (was FAIL)" : "");
        m->down = false;
        m->suspected = false;
    }
}

static void judge_presence(struct events *t, const char *observer, struct member *m, int64_t at_ms,
                           struct event_list *out)
{
    struct event_about about = {
        .kind = EVENT_LEFT, .level = EVENT_NOTICE, .node = m, .observer = observer, .at_ms = at_ms};

    if (m->listed_by > 0 || !m->present || events_observers(t, NULL) == 0)
        return;
    events_tell(t, out, &about, "%s left: no node lists %.8s any more", m->address, m->id);
    m->present = false;
    m->suspected = false;
    m->down = false;
}

/* Slots that nobody serves, and when the first of their owners was suspected (0: none was). */
static void unserved(const struct events *t, struct slot_set *out, int64_t *since)
{
    *since = 0;
    topology_uncovered(t->agreed, out);
    for (size_t i = 0; i < t->agreed->count; i++) {
        const struct member *m = events_find(t, t->agreed->nodes[i].id);
        struct slot_set owned;

        if (m == NULL || m->down_by == 0 || t->agreed->nodes[i].slots == 0)
            continue;
        if (*since == 0 || m->suspected_ms < *since)
            *since = m->suspected_ms;
        topology_slots_of(t->agreed, (uint16_t)i, &owned);
        slot_set_merge(out, &owned);
    }
}

static void judge_coverage(struct events *t, const char *observer, int64_t at_ms,
                           struct event_list *out)
{
    struct event_about about = {.observer = observer, .at_ms = at_ms};
    struct slot_set open;
    struct error ignored;
    struct buf ranges;
    char took[FORMAT_MAX];
    int64_t since;
    uint32_t count;

    unserved(t, &open, &since);
    count = slot_set_count(&open);
    if ((count > 0) == t->uncovered)
        return;
    t->uncovered = count > 0;
    if (count > 0) {
        about.kind = EVENT_UNCOVERED;
        about.level = EVENT_CRIT;
        t->uncovered_since = since > 0 ? since : at_ms;
        buf_init(&ranges, EVENT_TEXT);
        if (!slot_set_format(&open, RANGES_SHOWN, &ranges, &ignored))
            buf_clear(&ranges);
        events_tell(t, out, &about, "%u slots are not served: %s", (unsigned)count, ranges.data);
        buf_release(&ranges);
    } else {
        about.kind = EVENT_COVERED;
        about.level = EVENT_NOTICE;
        events_tell(t, out, &about, "all slots are served again, %s after the first sign",
                    format_duration(took, sizeof(took), at_ms - t->uncovered_since));
    }
}

static void judge_open(struct events *t, const char *observer, int64_t at_ms,
                       struct event_list *out)
{
    struct event_about about = {.observer = observer, .at_ms = at_ms};
    struct slot_set now;
    struct slot_set importing;
    bool was = slot_set_count(&t->open) > 0;
    uint32_t count;

    events_open_slots(t, &now, &importing);
    slot_set_merge(&now, &importing);
    count = slot_set_count(&now);
    if (count > 0 && !was) {
        uint32_t at = 0;
        uint16_t first = 0;
        uint16_t last = 0;

        (void)slot_set_next_range(&now, &at, &first, &last);
        about.kind = EVENT_OPEN;
        about.level = EVENT_NOTICE;
        events_tell(t, out, &about, "%u open, the first is slot %u", (unsigned)count,
                    (unsigned)first);
    } else if (count == 0 && was) {
        about.kind = EVENT_CLOSED;
        about.level = EVENT_INFO;
        events_tell(t, out, &about, "no slot is open any more");
    }
    t->open = now;
}

void events_judge(struct events *t, const char *observer, int64_t at_ms, struct event_list *out)
{
    for (size_t i = 0; i < t->member_count; i++) {
        if (!t->members[i]->present)
            continue;
        judge_member(t, observer, t->members[i], at_ms, out);
        judge_presence(t, observer, t->members[i], at_ms, out);
    }
    if (t->agreed == NULL)
        return;
    events_assign_shards(t);
    if (events_observers(t, NULL) == 0)
        return;
    judge_coverage(t, observer, at_ms, out);
    judge_open(t, observer, at_ms, out);
}

static void judge_split(struct events *t, int64_t at_ms, struct event_list *out)
{
    struct event_about about = {.at_ms = at_ms};
    size_t observers = events_observers(t, NULL);

    if (t->agree_count == observers) {
        about.kind = EVENT_AGREE;
        about.level = EVENT_NOTICE;
        if (t->split_told)
            events_tell(t, out, &about, "all %zu observers have the same view again", observers);
        t->split_since = 0;
        t->split_told = false;
        return;
    }
    if (t->split_since == 0)
        t->split_since = at_ms;
    if (t->split_told || at_ms - t->split_since < t->options.split_ms)
        return;
    about.kind = EVENT_SPLIT;
    about.level = EVENT_WARN;
    events_tell(t, out, &about, "only %zu of %zu observers share one view of owners and roles",
                t->agree_count, observers);
    t->split_told = true;
}

/* An election that succeeds leaves a node with that config epoch; one that fails only raises the
 * current epoch. Judged when it had the time to show. */
static void judge_election(struct events *t, int64_t at_ms, struct event_list *out)
{
    struct event_about about = {
        .kind = EVENT_ELECTION, .level = EVENT_WARN, .epoch = t->epoch_seen, .at_ms = at_ms};

    if (t->epoch_seen <= t->epoch_told || at_ms - t->epoch_at < t->options.split_ms)
        return;
    if (t->agreed != NULL && t->agreed->max_epoch < t->epoch_seen)
        events_tell(t, out, &about,
                    "the epoch rose to %llu, but no node holds it: an election failed",
                    (unsigned long long)t->epoch_seen);
    t->epoch_told = t->epoch_seen;
}

void events_tick(struct events *t, int64_t at_ms, struct event_list *out)
{
    if (t->agreed == NULL)
        return;
    events_settle(t, at_ms, out);
    judge_split(t, at_ms, out);
    judge_election(t, at_ms, out);
}

/* ---- shards ---- */

#define SHARDS_MAX TOPOLOGY_NODES_MAX

static uint16_t free_number(const bool *used)
{
    uint16_t n = 0;

    while (n < SHARDS_MAX - 1 && used[n])
        n++;
    return n;
}

/* Owners of slots claim the number they have: first those that had slots before, so that a former
 * primary that gets slots again does not take the letter from the one that took over. */
static void claim_numbers(struct events *t, bool *used, bool held)
{
    const struct topology *view = t->agreed;

    for (size_t i = 0; i < view->count; i++) {
        struct member *m = view->nodes[i].slots > 0 ? events_find(t, view->nodes[i].id) : NULL;

        if (m == NULL || m->has_slots != held || m->shard >= SHARDS_MAX)
            continue;
        if (used[m->shard])
            m->shard = UINT16_MAX; /* two owners of one letter: this one gets a new one below */
        else
            used[m->shard] = true;
    }
}

static void number_owners(struct events *t, bool *used)
{
    const struct topology *view = t->agreed;
    uint16_t last = TOPOLOGY_NONE;

    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t at = view->owner[slot];
        struct member *m =
            at != last && at != TOPOLOGY_NONE ? events_find(t, view->nodes[at].id) : NULL;

        last = at;
        if (m == NULL)
            continue;
        if (m->shard >= SHARDS_MAX)
            m->shard = free_number(used);
        used[m->shard] = true;
    }
}

/* Letters stay with their shard: an owner of slots keeps its number, a replica has its primary's,
 * so a promoted replica takes the letter along. New owners get the lowest free one in slot order.
 * A primary that lost its slots stays in the shard it was in; one that never had any is in none. */
void events_assign_shards(struct events *t)
{
    const struct topology *view = t->agreed;
    bool used[SHARDS_MAX] = {false};

    claim_numbers(t, used, true);
    claim_numbers(t, used, false);
    number_owners(t, used);
    for (size_t i = 0; i < view->count; i++) {
        const struct topology_node *n = &view->nodes[i];
        struct member *m = events_find(t, n->id);
        const struct member *primary = events_find(t, n->primary_id);

        if (m == NULL)
            continue;
        m->has_slots = n->slots > 0;
        if (primary != NULL && n->role == NODE_ROLE_REPLICA)
            m->shard = primary->shard;
    }
}
