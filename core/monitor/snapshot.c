#include "core/monitor/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

struct snapshot *snapshot_new(void)
{
    struct snapshot *s = mem_zero(1, sizeof(*s));

    atomic_init(&s->refs, 1);
    s->slots = arena_alloc(&s->arena, sizeof(*s->slots));
    for (size_t i = 0; i < SLOT_COUNT; i++)
        s->slots->owner[i] = SNAPSHOT_NONE;
    s->keys = -1;
    s->memory = -1;
    s->maxmemory = -1;
    s->ops_per_sec = -1;
    s->clients = -1;
    s->data_age_ms = -1;
    return s;
}

struct snapshot *snapshot_ref(const struct snapshot *s)
{
    /* Readers see it as const; the count is the one thing in it that changes. */
    union {
        const struct snapshot *shared;
        struct snapshot *counted;
    } both = {.shared = s};

    atomic_fetch_add_explicit(&both.counted->refs, 1, memory_order_relaxed);
    return both.counted;
}

void snapshot_unref(struct snapshot *s)
{
    if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    identity_release(&s->identity);
    arena_release(&s->arena);
    free(s);
}

uint16_t snapshot_find_id(const struct snapshot *s, struct str id)
{
    for (size_t i = 0; i < s->node_count && id.len > 0; i++)
        if (str_equal(s->nodes[i].id, id))
            return (uint16_t)i;
    return SNAPSHOT_NONE;
}

uint16_t snapshot_find_address(const struct snapshot *s, struct str address)
{
    for (size_t i = 0; i < s->node_count && address.len > 0; i++)
        if (str_equal(s->nodes[i].address, address))
            return (uint16_t)i;
    return SNAPSHOT_NONE;
}

static bool matches(const struct monitor_node *n, struct str name)
{
    bool port_only = name.len > 1 && name.ptr[0] == ':';
    bool prefix =
        name.len >= 4 && n->id.len > name.len && str_equal(str_slice(n->id, 0, name.len), name);

    if (port_only && n->address.len > name.len)
        return str_equal(str_slice(n->address, n->address.len - name.len, n->address.len), name);
    return prefix;
}

uint16_t snapshot_find(const struct snapshot *s, struct str name)
{
    uint16_t found = snapshot_find_id(s, name);

    if (found == SNAPSHOT_NONE)
        found = snapshot_find_address(s, name);
    if (found != SNAPSHOT_NONE)
        return found;
    for (size_t i = 0; i < s->node_count; i++) {
        if (!matches(&s->nodes[i], name))
            continue;
        if (found != SNAPSHOT_NONE)
            return SNAPSHOT_NONE; /* ambiguous */
        found = (uint16_t)i;
    }
    return found;
}

uint32_t snapshot_slots_in(const struct snapshot *s, unsigned states, struct slot_set *out)
{
    *out = (struct slot_set){0};
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++)
        if ((s->slots->state[slot] & states) != 0)
            slot_set_add(out, (uint16_t)slot);
    return slot_set_count(out);
}

void snapshot_slots_of(const struct snapshot *s, uint16_t node, struct slot_set *out)
{
    *out = (struct slot_set){0};
    for (uint32_t slot = 0; slot < SLOT_COUNT && node != SNAPSHOT_NONE; slot++)
        if (s->slots->owner[slot] == node)
            slot_set_add(out, (uint16_t)slot);
}

int64_t snapshot_node_age(const struct monitor_node *n, int64_t now_mono_ms)
{
    if (n->answered_ms < 0)
        return -1;
    return now_mono_ms > n->answered_ms ? now_mono_ms - n->answered_ms : 0;
}

const char *monitor_state_name(enum monitor_state state)
{
    static const char *const names[] = {"connecting", "ok", "degraded", "fail", "unreachable"};

    return names[state];
}

const char *monitor_role_name(enum monitor_role role)
{
    static const char *const names[] = {"unknown", "primary", "replica", "sentinel"};

    return names[role];
}

const char *monitor_node_state_name(enum monitor_node_state state)
{
    static const char *const names[] = {"unknown", "ok",     "warn",  "loading",
                                        "silent",  "denied", "pfail", "fail"};

    return names[state];
}

const char *monitor_keys_source_name(enum monitor_keys_source source)
{
    static const char *const names[] = {"unknown", "INFO keyspace", "DBSIZE"};

    return names[source];
}

const char *monitor_series_name(enum monitor_series series)
{
    static const char *const names[MONITOR_SERIES] = {
        "ops_per_sec",    "rtt_us",          "hit_pct", "memory_pct", "input_per_sec",
        "output_per_sec", "evicted_per_sec", "keys",    "clients"};

    return names[series];
}
