#include "core/backup/backup_private.h"

static const char **copy_texts(struct arena *arena, const char *const *items, size_t count)
{
    const char **list = arena_array(arena, count + 1, sizeof(*list));

    for (size_t i = 0; i < count; i++)
        list[i] = arena_text(arena, str_from(items[i]));
    return list;
}

static void put_servers(struct manifest *m, const struct backup *b)
{
    m->servers = arena_array(&m->arena, b->node_count + 1, sizeof(*m->servers));
    for (size_t i = 0; i < b->node_count; i++) {
        const struct backup_node *n = &b->nodes[i];

        m->servers[m->server_count++] = (struct manifest_server){
            .addr = arena_text(&m->arena, str_from(n->name)),
            .role = n->replica ? "replica" : "primary",
            .version = arena_text(&m->arena, str_from(n->capability.version)),
            .flavour = flavour_name(n->capability.flavour)};
    }
}

static void put_options(struct manifest *m, const struct backup *b)
{
    const struct filter *f = &b->o->filter;
    struct manifest_options *o = &m->options;

    o->match = copy_texts(&m->arena, f->match, f->match_count);
    o->match_count = f->match_count;
    o->types = copy_texts(&m->arena, f->types, f->type_count);
    o->type_count = f->type_count;
    if (b->o->slots != NULL)
        o->slots = arena_text(&m->arena, str_from(b->o->slots));
    o->chunk_keys = b->chunk_keys;
    o->chunk_bytes = b->chunk_bytes;
    o->source = backup_from_name(b->o->source);
    m->filtered = !filter_is_open(f);
}

static void put_totals(struct manifest *m, const struct backup *b)
{
    struct manifest_totals *t = &m->totals;
    uint64_t types[RECORD_TYPES] = {0};

    t->by_node = arena_array(&m->arena, b->node_count + 1, sizeof(*t->by_node));
    for (size_t i = 0; i < b->node_count; i++)
        t->by_node[t->node_count++].name = m->servers[i].addr;
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        const struct tally_slot *s = &b->total->slots[slot];

        for (size_t i = 0; i < RECORD_TYPES; i++)
            types[i] += s->types[i];
        t->keys += tally_slot_keys(s);
        t->with_ttl += s->with_ttl;
        t->hyperloglog += s->hyperloglog;
        t->fuzzy += s->fuzzy;
        t->vanished += s->vanished;
        t->unreadable += s->unreadable;
        t->too_large += s->too_large;
        if (b->owner[slot] != UINT16_MAX)
            t->by_node[b->owner[slot]].keys += tally_slot_keys(s);
    }
    t->by_type = arena_array(&m->arena, RECORD_TYPES, sizeof(*t->by_type));
    for (size_t i = 0; i < RECORD_TYPES; i++) {
        const char *name = i == RECORD_OPAQUE ? "other" : record_type_name((enum record_type)i);

        if (types[i] > 0)
            t->by_type[t->type_count++] = (struct manifest_count){name, types[i]};
    }
    t->superseded = b->superseded;
}

static bool continues(const struct backup *b, const struct manifest_slots *s, unsigned slot)
{
    return b->owner[s->first] == b->owner[slot] && s->generation == b->generation[slot] &&
           s->last + 1u == slot;
}

static void put_slots(struct manifest *m, const struct backup *b)
{
    struct manifest_slots *s = NULL;

    m->slots = arena_array(&m->arena, SLOT_COUNT, sizeof(*m->slots));
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        if (b->owner[slot] == UINT16_MAX)
            continue;
        if (s != NULL && continues(b, s, slot)) {
            s->last = (uint16_t)slot;
            continue;
        }
        s = &m->slots[m->slot_count++];
        *s = (struct manifest_slots){
            .first = (uint16_t)slot,
            .last = (uint16_t)slot,
            .owner = arena_text(&m->arena, str_from(b->nodes[b->owner[slot]].id)),
            .generation = b->generation[slot]};
    }
}

struct manifest *backup_manifest(const struct backup *b)
{
    struct manifest *m = manifest_new();

    m->backup_id = arena_text(&m->arena, str_from(b->o->archive.id));
    m->env = arena_text(&m->arena, str_from(b->o->env));
    m->complete = b->reason[0] == '\0';
    m->reason = arena_text(&m->arena, str_from(b->reason));
    m->tool = "rbconsole";
    m->tool_version = RBCONSOLE_VERSION;
    m->started_ms = b->started_ms;
    m->finished_ms = b->finished_ms;
    m->mode = redis_mode_name(cluster_mode(b->cluster));
    m->cluster = copy_texts(&m->arena, b->o->identity, b->o->identity_count);
    m->cluster_count = b->o->identity_count;
    put_servers(m, b);
    put_options(m, b);
    put_totals(m, b);
    m->topology_events =
        copy_texts(&m->arena, (const char *const *)b->events.items, b->events.count);
    m->event_count = b->events.count;
    m->warnings = copy_texts(&m->arena, (const char *const *)b->warnings.items, b->warnings.count);
    m->warning_count = b->warnings.count;
    if (b->by_slot)
        put_slots(m, b);
    return m;
}
