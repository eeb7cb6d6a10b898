/* Events from what a node says of itself (INFO), and from what Sentinels publish. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/escape.h"
#include "core/base/format.h"
#include "core/monitor/events_internal.h"

#define SENTINEL_ECHO_MS 10000 /* the same message of another Sentinel within this is no news */

struct facing {
    struct events *t;
    struct member *m;
    const struct event_facts *facts;
    struct event_list *out;
    int64_t at_ms;
};

static struct event_about about(const struct facing *f, enum event_kind kind,
                                enum event_level level)
{
    return (struct event_about){.kind = kind, .level = level, .node = f->m, .at_ms = f->at_ms};
}

static bool replace(char *known, size_t size, struct str now)
{
    bool changed = known[0] != '\0' && now.len > 0 && !str_is(now, known);

    if (now.len > 0 && now.len < size)
        (void)str_copy(now, known, size);
    return changed;
}

/* A primary that runs on with less than it had. One that was started again says so by its run id,
 * and while it loads its offset means nothing. */
static void judge_offset(const struct facing *f, bool same_process)
{
    struct member *m = f->m;
    struct event_about a = about(f, EVENT_ROLLBACK, EVENT_CRIT);

    if (f->facts->loading == 1) {
        m->offset = 0;
        return;
    }
    if (same_process && m->offset > 0 && f->facts->offset >= 0 && f->facts->offset < m->offset)
        events_tell(f->t, f->out, &a,
                    "%s went back from offset %" PRId64 " to %" PRId64 ": writes were lost",
                    m->address, m->offset, f->facts->offset);
    if (f->facts->offset >= 0)
        m->offset = f->facts->offset;
}

static void judge_process(const struct facing *f)
{
    struct member *m = f->m;
    bool restarted = replace(m->run_id, sizeof(m->run_id), f->facts->run_id);
    bool history = replace(m->replid, sizeof(m->replid), f->facts->replid);
    bool stays_primary = m->own_role == NODE_ROLE_PRIMARY && f->facts->role == NODE_ROLE_PRIMARY;
    struct event_about a = about(f, EVENT_RESTARTED, EVENT_WARN);

    if (restarted) {
        events_tell(f->t, f->out, &a, "%s was restarted (new run id %.8s)", m->address, m->run_id);
    } else if (history && stays_primary) {
        a = about(f, EVENT_HISTORY, EVENT_NOTICE);
        events_tell(f->t, f->out, &a, "%s began a new replication history", m->address);
    }
    judge_offset(f, stays_primary && !restarted);
    if (f->facts->role != NODE_ROLE_UNKNOWN)
        m->own_role = f->facts->role;
}

static void judge_link(const struct facing *f)
{
    struct member *m = f->m;
    struct event_about a = about(f, EVENT_LINK, f->facts->link == 0 ? EVENT_WARN : EVENT_INFO);

    if (m->link >= 0 && f->facts->link >= 0 && m->link != f->facts->link)
        events_tell(f->t, f->out, &a, "the link of %s to its primary is %s", m->address,
                    f->facts->link == 0 ? "down" : "up");
    m->link = f->facts->link;
}

static void judge_lag(const struct facing *f)
{
    struct member *m = f->m;
    int64_t limit = f->t->options.lag_warn_ms;
    char time[FORMAT_MAX];
    char size[FORMAT_MAX];
    struct event_about a = about(f, EVENT_LAG, EVENT_WARN);

    if (!m->lagging && f->facts->lag_ms > limit) {
        m->lagging = true;
        events_tell(f->t, f->out, &a, "%s is %s (%s) behind its primary", m->address,
                    format_duration(time, sizeof(time), f->facts->lag_ms),
                    format_size(size, sizeof(size), f->facts->lag_bytes));
    } else if (m->lagging && f->facts->lag_ms >= 0 && f->facts->lag_ms <= limit / 2) {
        m->lagging = false;
        a.level = EVENT_INFO;
        events_tell(f->t, f->out, &a, "%s has caught up with its primary", m->address);
    }
}

static void judge_state(const struct facing *f)
{
    struct member *m = f->m;
    bool loading = f->facts->loading == 1;
    bool bad = f->facts->persistence.len > 0 && !str_is(f->facts->persistence, "ok");
    char what[80];
    struct event_about a = about(f, EVENT_LOADING, loading ? EVENT_WARN : EVENT_INFO);

    if (f->facts->loading >= 0 && (m->loading == 1) != loading && m->has_facts)
        events_tell(f->t, f->out, &a, "%s %s", m->address,
                    loading ? "is loading its data set" : "has loaded its data set");
    if (f->facts->loading >= 0)
        m->loading = f->facts->loading;
    if (f->facts->persistence.len > 0 && bad != m->persistence_bad) {
        a = about(f, EVENT_PERSISTENCE, bad ? EVENT_CRIT : EVENT_INFO);
        events_tell(f->t, f->out, &a, "%s: %s", m->address,
                    bad ? escape_text(what, sizeof(what), f->facts->persistence)
                        : "saving works again");
        m->persistence_bad = bad;
    }
}

static void judge_cluster_state(const struct facing *f)
{
    struct event_about a = about(f, EVENT_STATE, EVENT_CRIT);
    size_t members = 0;
    size_t failing = 0;

    if (f->facts->cluster_state.len == 0)
        return;
    f->m->state_fail = !str_is(f->facts->cluster_state, "ok");
    for (size_t i = 0; i < f->t->member_count; i++) {
        members += f->t->members[i]->present ? 1 : 0;
        failing += f->t->members[i]->present && f->t->members[i]->state_fail ? 1 : 0;
    }
    if (failing > 0 && f->t->state_fail == 0) {
        events_tell(f->t, f->out, &a, "cluster_state:fail, first said by %s", f->m->address);
    } else if (failing == 0 && f->t->state_fail > 0) {
        a.level = EVENT_NOTICE;
        a.node = NULL;
        events_tell(f->t, f->out, &a, "cluster_state:ok on all of %zu nodes that answer", members);
    }
    f->t->state_fail = failing;
}

static void note_epoch(struct events *t, int64_t epoch, int64_t at_ms)
{
    if (epoch < 0 || (uint64_t)epoch <= t->epoch_seen)
        return;
    if (t->epoch_seen == 0)
        t->epoch_told = (uint64_t)epoch; /* what was before us is no news */
    t->epoch_seen = (uint64_t)epoch;
    t->epoch_at = at_ms;
}

void events_facts(struct events *t, const struct event_facts *facts, int64_t at_ms,
                  struct event_list *out)
{
    struct facing f = {
        .t = t, .m = events_member(t, facts->id), .facts = facts, .out = out, .at_ms = at_ms};

    if (f.m == NULL)
        return;
    if (f.m->address[0] == '\0' || t->agreed == NULL)
        (void)escape_text(f.m->address, sizeof(f.m->address), facts->address);
    if (t->agreed == NULL) {
        f.m->present = true;
        f.m->shard = 0;
    }
    judge_process(&f);
    judge_link(&f);
    judge_lag(&f);
    judge_state(&f);
    judge_cluster_state(&f);
    note_epoch(t, facts->current_epoch, at_ms);
    f.m->has_facts = true;
}

/* ---- Sentinel ---- */

static const struct {
    const char *channel;
    enum event_kind kind;
    enum event_level level;
    const char *says;
} messages[] = {
    {"+sdown", EVENT_SUSPECTED, EVENT_WARN, "is suspected (+sdown)"},
    {"-sdown", EVENT_RECOVERED, EVENT_NOTICE, "is reachable again (-sdown)"},
    {"+odown", EVENT_DOWN, EVENT_CRIT, "is down (+odown, agreed by the quorum)"},
    {"-odown", EVENT_RECOVERED, EVENT_NOTICE, "is no longer down (-odown)"},
    {"+role-change", EVENT_ROLE, EVENT_NOTICE, "changed its role"},
    {"-role-change", EVENT_ROLE, EVENT_NOTICE, "has not the role it should have"},
    {"+convert-to-slave", EVENT_ROLE, EVENT_NOTICE, "is made a replica"},
    {"+promoted-slave", EVENT_ROLE, EVENT_NOTICE, "was promoted"},
    {"+reboot", EVENT_RESTARTED, EVENT_WARN, "was restarted"},
    {"+slave", EVENT_JOINED, EVENT_INFO, "is a new replica"},
    {"+sentinel", EVENT_JOINED, EVENT_INFO, "is a new Sentinel"},
};

static uint64_t message_key(const struct sentinel_event *e)
{
    const struct str parts[] = {e->channel, e->type, e->name, e->host, e->new_host, e->extra};
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)e->port ^ ((uint64_t)e->new_port << 16) ^
                 ((uint64_t)e->epoch << 32);

    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        /* "#quorum 2/2" differs from Sentinel to Sentinel. */
        if (i == COUNT_OF(parts) - 1 && e->type.len > 0)
            break;
        for (size_t j = 0; j < parts[i].len; j++)
            h = (h ^ (unsigned char)parts[i].ptr[j]) * UINT64_C(0x100000001b3);
        h = (h ^ i) * UINT64_C(0x100000001b3);
    }
    return h;
}

static bool is_echo(struct events *t, const struct sentinel_event *e, int64_t at_ms)
{
    uint64_t key = message_key(e);

    for (size_t i = 0; i < RECENT_MAX; i++)
        if (t->recent[i].key == key && at_ms - t->recent[i].at_ms < SENTINEL_ECHO_MS &&
            t->recent[i].at_ms != 0)
            return true;
    t->recent[t->recent_next] = (struct recent){key, at_ms};
    t->recent_next = (t->recent_next + 1) % RECENT_MAX;
    return false;
}

static void tell_switch(struct events *t, const struct sentinel_event *e, struct event_about *a,
                        struct event_list *out)
{
    char from[EVENT_NAME];
    char to[EVENT_NAME];
    char name[64];
    struct member *old;
    struct member *new;

    events_address(from, e->host, e->port);
    events_address(to, e->new_host, e->new_port);
    old = events_find(t, str_from(from));
    new = events_find(t, str_from(to));
    a->kind = EVENT_FAILOVER;
    a->level = EVENT_CRIT;
    a->node = old;
    a->other = new;
    events_tell(t, out, a, "failover of %s: %s -> %s (+switch-master)",
                escape_text(name, sizeof(name), e->name), from, to);
}

void events_sentinel(struct events *t, struct str address, const struct sentinel_event *message,
                     int64_t at_ms, struct event_list *out)
{
    char observer[EVENT_NAME];
    char node[EVENT_NAME];
    char channel[64];
    char extra[120];
    struct event_about a = {.kind = EVENT_SENTINEL, .level = EVENT_INFO, .at_ms = at_ms};

    if (is_echo(t, message, at_ms))
        return;
    (void)str_copy(address, observer, sizeof(observer));
    a.observer = observer;
    if (str_is(message->channel, "+switch-master") && message->new_port != 0) {
        tell_switch(t, message, &a, out);
        return;
    }
    (void)escape_text(extra, sizeof(extra), message->extra);
    (void)escape_text(channel, sizeof(channel), message->channel);
    if (message->host.len == 0) {
        events_tell(t, out, &a, "%s %s", channel, extra);
        return;
    }
    events_address(node, message->host, message->port);
    a.node = events_find(t, str_from(node));
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        if (str_is(message->channel, messages[i].channel)) {
            a.kind = messages[i].kind;
            a.level = messages[i].level;
            events_tell(t, out, &a, "%s %s%s%s", node, messages[i].says,
                        extra[0] == '\0' ? "" : ", ", extra);
            return;
        }
    }
    events_tell(t, out, &a, "%s %s %s", channel, node, extra);
}
