#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/base64.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/snapshot/snapshot_private.h"
#include "core/snapshot/snapshot_read.h"

static void put_digest(json_t *doc, const char *name, struct digest128 d)
{
    char text[KEY_DIGEST_TEXT];

    json_put_text(doc, name, digest128_format(text, d));
}

static void put_time(json_t *doc, const char *name, int64_t ms)
{
    char text[FORMAT_MAX];

    json_put_text(doc, name, format_rfc3339_ms(text, sizeof(text), ms));
}

static void put_set(json_t *doc, const char *name, const struct slot_set *set)
{
    struct error ignored = {0};
    struct buf text;

    buf_init(&text, (size_t)1 << 20);
    if (slot_set_format(set, 0, &text, &ignored))
        json_put_text(doc, name, text.data);
    buf_release(&text);
}

static json_t *texts(const char *const *items, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        json_t *holder = json_object(); /* it escapes what is no text */

        json_put_text(holder, "text", items[i]);
        json_push(list, json_incref(json_object_get(holder, "text")));
        json_decref(holder);
    }
    return list;
}

/* ---- tables -----------------------------------------------------------------------------------
 */

static void put_counts(json_t *doc, uint64_t keys, uint64_t with_ttl, uint64_t bytes)
{
    json_put_count(doc, "keys", keys);
    json_put_count(doc, "with_ttl", with_ttl);
    json_put_count(doc, "bytes", bytes);
}

static json_t *totals_json(const struct snapshot_run *run, const struct slot_sum *total)
{
    const struct manifest_totals *t = &run->reading->manifest->totals;
    json_t *doc = json_object();

    put_counts(doc, total->keys, total->with_ttl, total->bytes);
    json_put_count(doc, "hyperloglog", total->hyperloglog);
    json_put_count(doc, "fuzzy", total->fuzzy);
    json_put_count(doc, "vanished", t->vanished);
    json_put_count(doc, "unreadable", t->unreadable);
    json_put_count(doc, "too_large", t->too_large);
    json_put_count(doc, "superseded", t->superseded);
    put_digest(doc, "content", total->content);
    put_digest(doc, "deadlines", total->deadlines);
    return doc;
}

static json_t *types_json(const struct slot_sum *total)
{
    json_t *list = json_array();

    for (size_t i = 0; i < RECORD_TYPES; i++) {
        const char *name = record_type_name((enum record_type)i);
        json_t *one;

        if (total->types[i] == 0)
            continue;
        one = json_object();
        json_put_text(one, "type", name != NULL ? name : "other");
        put_counts(one, total->types[i], total->type_ttl[i], total->type_bytes[i]);
        json_push(list, one);
    }
    return list;
}

static json_t *prefixes_json(const struct prefixes *p)
{
    struct prefix_row rows[SNAPSHOT_PREFIXES];
    struct prefix_count other;
    size_t count = prefixes_list(p, rows, SNAPSHOT_PREFIXES, &other);
    json_t *doc = json_object();
    json_t *list = json_array();
    json_t *rest = json_object();

    for (size_t i = 0; i < count; i++) {
        json_t *one = json_object();

        json_put_str(one, "prefix", rows[i].name);
        put_counts(one, rows[i].count.keys, rows[i].count.with_ttl, rows[i].count.bytes);
        if (rows[i].at_least)
            json_put_flag(one, "at_least", true);
        json_push(list, one);
    }
    put_counts(rest, other.keys, other.with_ttl, other.bytes);
    json_put_int(doc, "limit", SNAPSHOT_PREFIXES);
    json_put(doc, "list", list);
    json_put(doc, "other", rest);
    return doc;
}

struct node_total {
    const struct snapshot_pass *first; /* a pass of that node */
    uint64_t slots;
    struct slot_sum sum;
};

static struct node_total *node_of(struct node_total *nodes, size_t *count,
                                  const struct snapshot_pass *p)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(nodes[i].first->node_id, p->node_id) == 0)
            return &nodes[i];
    nodes[*count].first = p;
    return &nodes[(*count)++];
}

static json_t *nodes_json(const struct snapshot_run *run)
{
    struct node_total *nodes = mem_zero(run->pass_count + 1, sizeof(*nodes));
    json_t *list = json_array();
    size_t count = 0;

    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        struct node_total *n;

        if (run->counting[slot] == NULL)
            continue;
        n = node_of(nodes, &count, run->counting[slot]);
        n->slots++;
        slot_sum_merge(&n->sum, slot_sums_at(run->total.sums, (uint16_t)slot));
    }
    for (size_t i = 0; i < count; i++) {
        json_t *one = json_object();

        json_put_text(one, "id", nodes[i].first->node_id);
        json_put_text(one, "addr", nodes[i].first->node);
        json_put_count(one, "slots", nodes[i].slots);
        put_counts(one, nodes[i].sum.keys, nodes[i].sum.with_ttl, nodes[i].sum.bytes);
        json_push(list, one);
    }
    free(nodes);
    return list;
}

static json_t *slots_json(const struct slot_sums *sums)
{
    json_t *list = json_array();

    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        const struct slot_sum *s = slot_sums_at(sums, (uint16_t)slot);
        json_t *types;
        json_t *one;

        if (s->keys == 0)
            continue;
        one = json_object();
        types = json_array();
        json_put_int(one, "slot", (int64_t)slot);
        put_counts(one, s->keys, s->with_ttl, s->bytes);
        for (size_t i = 0; i < RECORD_TYPES; i++)
            json_push(types, json_integer((json_int_t)s->types[i]));
        json_put(one, "types", types);
        put_digest(one, "content", s->content);
        put_digest(one, "deadlines", s->deadlines);
        json_push(list, one);
    }
    return list;
}

/* ---- sample -----------------------------------------------------------------------------------
 */

static void put_key(json_t *doc, struct str key)
{
    struct error ignored = {0};
    struct buf text;

    if (str_is_text(key)) {
        json_put_str(doc, "key", key);
        return;
    }
    buf_init(&text, SIZE_MAX / 2);
    if (base64_encode(&text, key, &ignored))
        json_put_str(doc, "key_b64", buf_str(&text));
    buf_release(&text);
}

static json_t *key_json(const struct key_facts *k)
{
    json_t *doc = json_object();

    put_key(doc, k->key);
    if (k->db != 0)
        json_put_int(doc, "db", k->db);
    json_put_int(doc, "slot", k->slot);
    json_put_str(doc, "type", k->type_name);
    put_digest(doc, "digest", k->content);
    if (k->deadline != RECORD_NO_TIME)
        json_put_int(doc, "expire_at_millis", k->deadline < 0 ? 0 : k->deadline);
    json_put_count(doc, "bytes", k->bytes);
    if (k->hyperloglog)
        json_put_flag(doc, "hyperloglog", true);
    if (k->fuzzy)
        json_put_flag(doc, "fuzzy", true);
    return doc;
}

static json_t *sample_json(const struct snapshot_run *run)
{
    const struct key_sample *s = run->total.sample;
    json_t *doc;
    json_t *list;
    char below[20];

    if (s == NULL)
        return json_null();
    doc = json_object();
    list = json_array();
    (void)snprintf(below, sizeof(below), "%016" PRIx64, key_sample_below(s));
    json_put_int(doc, "asked", (int64_t)run->o->sample);
    json_put_text(doc, "below", below);
    for (size_t i = 0; i < key_sample_count(s); i++)
        json_push(list, key_json(key_sample_at(s, i)));
    json_put(doc, "keys", list);
    return doc;
}

static json_t *keys_file_json(const struct snapshot_run *run)
{
    const char *path = run->o->keys_path;
    json_t *doc;

    if (path == NULL)
        return json_null();
    doc = json_object();
    json_put_text(doc, "name", strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path);
    json_put_count(doc, "keys", run->keys_written);
    return doc;
}

/* ---- what it covers ----------------------------------------------------------------------------
 */

/* Slots that were asked for, read, and held until the end. */
static void covered_slots(const struct snapshot_run *run, struct slot_set *covered,
                          struct slot_set *unsettled)
{
    const struct filter *f = &run->o->reading.filter;

    *covered = (struct slot_set){0};
    *unsettled = (struct slot_set){0};
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        bool dirty =
            slot_set_has(&run->reading->unsettled, run->by_slot ? (uint16_t)slot : (uint16_t)0);

        if (f->by_slot && !slot_set_has(&f->slots, (uint16_t)slot))
            continue;
        slot_set_add(dirty || run->counting[slot] == NULL ? unsettled : covered, (uint16_t)slot);
    }
}

static json_t *options_json(const struct snapshot_run *run)
{
    const struct filter *f = &run->o->reading.filter;
    json_t *doc = json_object();

    json_put(doc, "match", texts(f->match, f->match_count));
    json_put(doc, "types", texts(f->types, f->type_count));
    json_put_text(doc, "slots", run->o->reading.slots);
    json_put_text(doc, "source", run->reading->manifest->options.source);
    return doc;
}

static void put_head(json_t *doc, const struct snapshot_run *run)
{
    const struct manifest *m = run->reading->manifest;
    const char *id = task_id(run->task);

    json_put_text(doc, "kind", SNAPSHOT_KIND);
    json_put_int(doc, "v", SNAPSHOT_VERSION);
    json_put_text(doc, "digest", KEY_DIGEST_NAME);
    json_put_text(doc, "id", id != NULL ? id : "");
    json_put_text(doc, "run_id", run->run_id);
    json_put_text(doc, "env", m->env);
    json_put_text(doc, "tool", m->tool);
    json_put_text(doc, "tool_version", m->tool_version);
    put_time(doc, "started_at", m->started_ms);
    put_time(doc, "finished_at", m->finished_ms);
    json_put_text(doc, "mode", m->mode);
    json_put(doc, "cluster", texts(m->cluster, m->cluster_count));
    json_put_flag(doc, "complete", m->complete);
    json_put_text(doc, "reason", m->complete ? NULL : m->reason);
}

json_t *snapshot_report(const struct snapshot_run *run, json_t *facts)
{
    const struct manifest *m = run->reading->manifest;
    struct slot_sum total = slot_sums_total(run->total.sums);
    json_t *doc = json_object();
    struct slot_set covered;
    struct slot_set unsettled;

    covered_slots(run, &covered, &unsettled);
    put_head(doc, run);
    if (slot_set_count(&unsettled) > 0)
        put_set(doc, "unsettled", &unsettled);
    else
        json_put_text(doc, "unsettled", NULL);
    json_put_flag(doc, "filtered", m->filtered);
    json_put(doc, "options", options_json(run));
    json_put(doc, "totals", totals_json(run, &total));
    json_put(doc, "types", types_json(&total));
    json_put(doc, "prefixes", prefixes_json(run->total.prefixes));
    json_put(doc, "nodes", nodes_json(run));
    json_put(doc, "topology_events", texts(m->topology_events, m->event_count));
    json_put(doc, "warnings", texts(m->warnings, m->warning_count));
    (void)json_object_update(doc, facts);
    json_put(doc, "keys_file", keys_file_json(run));
    json_put(doc, "sample", sample_json(run));
    put_set(doc, "covered", &covered);
    json_put(doc, "slots", slots_json(run->total.sums));
    return doc;
}

json_t *snapshot_summary(const json_t *report)
{
    json_t *doc = json_copy(mem_unconst(report));
    json_t *sample = json_copy(json_object_get(report, "sample"));

    (void)json_object_del(doc, "slots");
    if (json_is_object(sample)) {
        json_put_int(sample, "count", (int64_t)json_array_size(json_object_get(sample, "keys")));
        (void)json_object_del(sample, "keys");
    }
    json_put(doc, "sample", sample);
    return doc;
}
