#include "core/backup/backup.h"
#include "core/base/json.h"

void backup_report(const struct backup_result *r, json_t *doc)
{
    const struct manifest *m = r->manifest;
    json_t *types = json_object();
    json_t *lists[2] = {json_array(), json_array()};

    json_put_count(doc, "findings", r->findings);
    json_put_text(doc, "backup_id", m->backup_id);
    json_put_flag(doc, "complete", m->complete);
    json_put_text(doc, "reason", m->complete ? NULL : m->reason);
    json_put_flag(doc, "filtered", m->filtered);
    json_put_count(doc, "keys", m->totals.keys);
    json_put_count(doc, "bytes", m->totals.bytes);
    json_put_count(doc, "with_ttl", m->totals.with_ttl);
    for (size_t i = 0; i < m->totals.type_count; i++)
        json_put_count(types, m->totals.by_type[i].name, m->totals.by_type[i].keys);
    json_put(doc, "by_type", types);
    json_put_count(doc, "hyperloglog", m->totals.hyperloglog);
    json_put_count(doc, "vanished", m->totals.vanished);
    json_put_count(doc, "fuzzy", m->totals.fuzzy);
    json_put_count(doc, "unreadable", m->totals.unreadable);
    json_put_count(doc, "too_large", m->totals.too_large);
    json_put_count(doc, "superseded", m->totals.superseded);
    json_put_count(doc, "rounds", r->rounds);
    json_put_count(doc, "parts", m->part_count);
    for (size_t i = 0; i < m->event_count; i++)
        json_push(lists[0], json_string(m->topology_events[i]));
    for (size_t i = 0; i < m->warning_count; i++)
        json_push(lists[1], json_string(m->warnings[i]));
    json_put(doc, "topology_events", lists[0]);
    json_put(doc, "warnings", lists[1]);
}
