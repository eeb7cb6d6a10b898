#include "core/backup/backup.h"
#include "core/base/json.h"

static void put_u64(json_t *obj, const char *name, uint64_t value)
{
    json_put_int(obj, name, (int64_t)value);
}

void backup_report(const struct backup_result *r, json_t *doc)
{
    const struct manifest *m = r->manifest;
    json_t *types = json_object();
    json_t *lists[2] = {json_array(), json_array()};

    put_u64(doc, "findings", r->findings);
    json_put_text(doc, "backup_id", m->backup_id);
    json_put_flag(doc, "complete", m->complete);
    json_put_text(doc, "reason", m->complete ? NULL : m->reason);
    json_put_flag(doc, "filtered", m->filtered);
    put_u64(doc, "keys", m->totals.keys);
    put_u64(doc, "bytes", m->totals.bytes);
    put_u64(doc, "with_ttl", m->totals.with_ttl);
    for (size_t i = 0; i < m->totals.type_count; i++)
        put_u64(types, m->totals.by_type[i].name, m->totals.by_type[i].keys);
    json_put(doc, "by_type", types);
    put_u64(doc, "hyperloglog", m->totals.hyperloglog);
    put_u64(doc, "vanished", m->totals.vanished);
    put_u64(doc, "fuzzy", m->totals.fuzzy);
    put_u64(doc, "unreadable", m->totals.unreadable);
    put_u64(doc, "too_large", m->totals.too_large);
    put_u64(doc, "superseded", m->totals.superseded);
    put_u64(doc, "rounds", r->rounds);
    put_u64(doc, "parts", m->part_count);
    for (size_t i = 0; i < m->event_count; i++)
        json_push(lists[0], json_string(m->topology_events[i]));
    for (size_t i = 0; i < m->warning_count; i++)
        json_push(lists[1], json_string(m->warnings[i]));
    json_put(doc, "topology_events", lists[0]);
    json_put(doc, "warnings", lists[1]);
}
