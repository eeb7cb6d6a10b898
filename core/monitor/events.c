#include "core/monitor/events.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/escape.h"
#include "core/monitor/events_internal.h"

struct events *events_new(const struct events_options *options)
{
    struct events *t = mem_zero(1, sizeof(*t));

    t->options = *options;
    if (t->options.split_ms <= 0)
        t->options.split_ms = 15000;
    if (t->options.lag_warn_ms <= 0)
        t->options.lag_warn_ms = 10000;
    t->by_id = map_new();
    for (size_t i = 0; i < SLOT_COUNT; i++)
        t->owner[i] = MEMBER_NONE;
    return t;
}

void events_free(struct events *t)
{
    if (t == NULL)
        return;
    for (size_t i = 0; i < t->observer_count; i++)
        topology_free(t->observers[i].view);
    for (size_t i = 0; i < t->member_count; i++)
        free(t->members[i]);
    free(t->observers);
    free(t->members);
    map_free(t->by_id, NULL);
    free(t);
}

void events_tell(struct events *t, struct event_list *out, const struct event_about *about,
                 const char *fmt, ...)
{
    struct event *e = &ARRAY_PUSH(out->items, out->count, out->cap);
    va_list args;

    *e = (struct event){.seq = ++t->seq,
                        .at_ms = about->at_ms,
                        .kind = about->kind,
                        .level = about->level,
                        .epoch = about->epoch};
    if (about->node != NULL) {
        (void)events_shard_name(e->shard, about->node->shard);
        (void)str_copy(str_from(about->node->id), e->node, sizeof(e->node));
        (void)str_copy(str_from(about->node->address), e->address, sizeof(e->address));
    }
    if (about->other != NULL)
        (void)str_copy(str_from(about->other->address), e->other, sizeof(e->other));
    if (about->observer != NULL)
        (void)escape_text(e->observer, sizeof(e->observer), str_from(about->observer));
    va_start(args, fmt);
    (void)vsnprintf(e->text, sizeof(e->text), fmt, args);
    va_end(args);
}

struct member *events_find(const struct events *t, struct str id)
{
    return id.len > 0 ? map_get(t->by_id, id) : NULL;
}

struct member *events_member(struct events *t, struct str id)
{
    struct member *m = events_find(t, id);

    if (m != NULL || id.len == 0 || id.len >= EVENT_NAME || t->member_count >= MEMBERS_MAX)
        return m;
    m = mem_zero(1, sizeof(*m));
    (void)escape_text(m->id, sizeof(m->id), id);
    m->index = (uint16_t)t->member_count;
    m->shard = UINT16_MAX;
    m->primary = MEMBER_NONE;
    m->followed = MEMBER_NONE;
    m->offset = -1;
    m->link = -1;
    m->loading = -1;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression) */
    ARRAY_PUSH(t->members, t->member_count, t->member_cap) = m;
    (void)map_put(t->by_id, id, m);
    return m;
}

void events_address(char *out, struct str host, uint16_t port)
{
    char raw[EVENT_NAME];
    char text[EVENT_NAME];
    bool v6 = str_find(host, ':') < host.len;

    (void)str_copy(host, raw, sizeof(raw) - 16);
    (void)escape_text(text, sizeof(text) - 16, str_from(raw));
    (void)snprintf(out, EVENT_NAME, "%s%.100s%s:%u", v6 ? "[" : "", text, v6 ? "]" : "",
                   (unsigned)port);
}

static struct observer *find_observer(const struct events *t, struct str address)
{
    for (size_t i = 0; i < t->observer_count; i++) {
        if (str_is(address, t->observers[i].address))
            return &t->observers[i];
    }
    return NULL;
}

static struct observer *add_observer(struct events *t, struct str address)
{
    struct observer *o = find_observer(t, address);

    if (o != NULL || address.len >= EVENT_NAME)
        return o;
    o = &ARRAY_PUSH(t->observers, t->observer_count, t->observer_cap);
    *o = (struct observer){0};
    (void)str_copy(address, o->address, sizeof(o->address));
    return o;
}

void events_take_view(struct events *t, struct str address, struct topology *view, int64_t at_ms,
                      struct event_list *out)
{
    struct observer *o = add_observer(t, address);
    struct comparing compare;
    struct topology *before;

    if (o == NULL) {
        topology_free(view);
        return;
    }
    before = o->view;
    if (before != NULL && !o->silent)
        events_count(t, before, false);
    o->view = view;
    o->fingerprint = topology_fingerprint(view);
    o->silent = false;
    events_count(t, view, true);
    events_choose(t);
    compare = (struct comparing){.t = t,
                                 .observer = o->address,
                                 .before = before,
                                 .after = view,
                                 .at_ms = at_ms,
                                 .out = out};
    events_compare(&compare);
    events_judge(t, o->address, at_ms, out);
    topology_free(before);
}

void events_forget(struct events *t, struct str address)
{
    struct observer *o = find_observer(t, address);

    if (o == NULL)
        return;
    if (!o->silent)
        events_count(t, o->view, false);
    topology_free(o->view);
    *o = t->observers[--t->observer_count];
    events_choose(t);
}

void events_silence(struct events *t, struct str address, bool silent, const char *why,
                    int64_t at_ms, struct event_list *out)
{
    struct observer *o = find_observer(t, address);
    struct member *m = NULL;
    struct event_about about = {.kind = silent ? EVENT_SILENT : EVENT_ANSWERS,
                                .level = silent ? EVENT_WARN : EVENT_INFO,
                                .at_ms = at_ms};
    char name[EVENT_NAME];
    char reason[160];
    struct str cause = str_from(why);

    (void)escape_text(name, sizeof(name), address);
    if (str_starts(cause, name) && cause.len > address.len + 2 && cause.ptr[address.len] == ':')
        cause = str_slice(cause, address.len + 2, cause.len); /* it stands in front already */
    for (size_t i = 0; i < t->member_count && m == NULL; i++) {
        if (strcmp(t->members[i]->address, name) == 0 && t->members[i]->present)
            m = t->members[i];
    }
    about.node = m;
    if (m != NULL) {
        m->silent = silent;
        m->state_fail = m->state_fail && !silent;
    }
    if (silent)
        events_tell(t, out, &about, "%s does not answer: %s", name,
                    escape_text(reason, sizeof(reason), cause));
    else
        events_tell(t, out, &about, "%s answers again", name);
    if (o == NULL || o->silent == silent)
        return;
    o->silent = silent;
    events_count(t, o->view, !silent);
    events_choose(t);
    events_judge(t, NULL, at_ms, out);
}

/* ---- reading ---- */

const struct topology *events_agreed(const struct events *t)
{
    return t->agreed;
}

size_t events_observers(const struct events *t, size_t *agree)
{
    size_t count = 0;

    for (size_t i = 0; i < t->observer_count; i++)
        count += t->observers[i].silent ? 0 : 1;
    if (agree != NULL)
        *agree = t->agree_count;
    return count;
}

bool events_has_view(const struct events *t, struct str address)
{
    return find_observer(t, address) != NULL;
}

bool events_agrees(const struct events *t, struct str address)
{
    const struct observer *o = find_observer(t, address);

    return o != NULL && t->agreed != NULL && o->fingerprint == t->agreed_print;
}

void events_held_down(const struct events *t, struct str id, size_t *suspected, size_t *down)
{
    const struct member *m = events_find(t, id);

    *suspected = m == NULL ? 0 : m->suspected_by;
    *down = m == NULL ? 0 : m->down_by;
}

uint32_t events_disputed(const struct events *t, struct slot_set *out)
{
    *out = (struct slot_set){0};
    for (size_t i = 0; i < t->observer_count && t->agreed != NULL; i++) {
        struct slot_set other;

        if (t->observers[i].silent || t->observers[i].fingerprint == t->agreed_print)
            continue;
        if (topology_differ(t->agreed, t->observers[i].view, &other) > 0)
            slot_set_merge(out, &other);
    }
    return slot_set_count(out);
}

void events_open_slots(const struct events *t, struct slot_set *migrating,
                       struct slot_set *importing)
{
    *migrating = (struct slot_set){0};
    if (importing != NULL)
        *importing = (struct slot_set){0};
    for (size_t i = 0; i < t->observer_count; i++) {
        const struct topology *view = t->observers[i].view;

        for (size_t j = 0; j < view->open_count && !t->observers[i].silent; j++) {
            if (!view->open[j].importing)
                slot_set_add(migrating, view->open[j].slot);
            else if (importing != NULL)
                slot_set_add(importing, view->open[j].slot);
        }
    }
}

uint16_t events_shard(const struct events *t, struct str id)
{
    const struct member *m = events_find(t, id);

    return m == NULL ? UINT16_MAX : m->shard;
}
