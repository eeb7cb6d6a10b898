#include "core/archive/manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/format.h"
#include "core/base/hex.h"
#include "core/base/json.h"
#include "core/codec/digest.h"

struct manifest *manifest_new(void)
{
    struct manifest *m = mem_zero(1, sizeof(*m));

    m->format_version = MANIFEST_VERSION;
    m->backup_id = m->env = m->reason = m->tool = m->tool_version = m->mode = "";
    m->options.slots = m->options.source = "";
    m->function_part.name = m->function_part.shard = "";
    return m;
}

void manifest_free(struct manifest *m)
{
    if (m == NULL)
        return;
    arena_release(&m->arena);
    free(m);
}

/* ---- encode -----------------------------------------------------------------------------------
 */

static void put_time(json_t *obj, const char *name, int64_t ms)
{
    char text[FORMAT_MAX];

    json_put_text(obj, name, ms != 0 ? format_rfc3339(text, sizeof(text), ms) : NULL);
}

static json_t *texts(const char **items, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_push(list, json_string(items[i]));
    return list;
}

static json_t *counts(const struct manifest_count *items, size_t count)
{
    json_t *obj = json_object();

    for (size_t i = 0; i < count; i++)
        json_put_count(obj, items[i].name, items[i].keys);
    return obj;
}

static json_t *servers_of(const struct manifest *m)
{
    json_t *list = json_array();

    for (size_t i = 0; i < m->server_count; i++) {
        const struct manifest_server *s = &m->servers[i];
        json_t *obj = json_object();

        json_put_text(obj, "addr", s->addr);
        json_put_text(obj, "role", s->role);
        json_put_text(obj, "version", s->version);
        json_put_text(obj, "flavour", s->flavour);
        if (s->rdb_version != 0)
            json_put_count(obj, "rdb_version", s->rdb_version);
        json_push(list, obj);
    }
    return list;
}

static json_t *options_of(const struct manifest_options *o)
{
    json_t *obj = json_object();

    json_put(obj, "match", texts(o->match, o->match_count));
    json_put(obj, "types", texts(o->types, o->type_count));
    json_put_text(obj, "slots", o->slots[0] != '\0' ? o->slots : NULL);
    json_put_count(obj, "chunk_keys", o->chunk_keys);
    json_put_count(obj, "chunk_bytes", o->chunk_bytes);
    json_put_text(obj, "source", o->source);
    return obj;
}

/* How far the parts reach in the archive: a list sees by it that an archive was cut off. */
static uint64_t archive_bytes(const struct manifest *m)
{
    uint64_t end = 0;

    for (size_t i = 0; i < m->part_count; i++)
        if (m->parts[i].has_range && m->parts[i].offset + m->parts[i].length > end)
            end = m->parts[i].offset + m->parts[i].length;
    return end;
}

static json_t *totals_of(const struct manifest *m)
{
    const struct manifest_totals *t = &m->totals;
    json_t *obj = json_object();

    json_put_count(obj, "keys", t->keys);
    json_put_count(obj, "bytes", t->bytes);
    json_put_count(obj, "archive_bytes", archive_bytes(m));
    json_put_count(obj, "with_ttl", t->with_ttl);
    json_put(obj, "by_type", counts(t->by_type, t->type_count));
    json_put(obj, "by_node", counts(t->by_node, t->node_count));
    json_put_count(obj, "hyperloglog", t->hyperloglog);
    json_put_count(obj, "vanished", t->vanished);
    json_put_count(obj, "fuzzy", t->fuzzy);
    json_put_count(obj, "unreadable", t->unreadable);
    json_put_count(obj, "too_large", t->too_large);
    json_put_count(obj, "superseded", t->superseded);
    return obj;
}

static json_t *slots_of(const struct manifest *m)
{
    json_t *list = json_array();

    for (size_t i = 0; i < m->slot_count; i++) {
        const struct manifest_slots *s = &m->slots[i];
        json_t *obj = json_object();
        char range[16];

        (void)snprintf(range, sizeof(range), s->first == s->last ? "%u" : "%u-%u",
                       (unsigned)s->first, (unsigned)s->last);
        json_put_text(obj, "range", range);
        json_put_text(obj, "owner", s->owner);
        json_put_count(obj, "generation", s->generation);
        json_push(list, obj);
    }
    return list;
}

static json_t *part_of(const struct manifest_part *p)
{
    json_t *obj = json_object();
    char hex[2 * sizeof(p->sha256) + 1];

    json_put_text(obj, "name", p->name);
    json_put_count(obj, "generation", p->generation);
    json_put_text(obj, "shard", p->shard);
    json_put_flag(obj, "continues", p->continues);
    json_put_count(obj, "keys", p->keys);
    json_put_count(obj, "bytes", p->bytes);
    if (p->has_sha256)
        json_put_text(obj, "sha256", hex_encode(hex, p->sha256, sizeof(p->sha256)));
    if (p->has_range) {
        json_put_count(obj, "offset", p->offset);
        json_put_count(obj, "length", p->length);
    }
    return obj;
}

static json_t *parts_of(const struct manifest *m)
{
    json_t *list = json_array();

    for (size_t i = 0; i < m->part_count; i++)
        json_push(list, part_of(&m->parts[i]));
    return list;
}

static json_t *cluster_of(const struct manifest *m)
{
    json_t *obj = json_object();

    json_put_text(obj, "mode", m->mode);
    json_put(obj, "names", texts(m->cluster, m->cluster_count));
    return obj;
}

bool manifest_encode(const struct manifest *m, struct buf *out, struct error *err)
{
    json_t *doc = json_object();
    bool ok;

    json_put_count(doc, "format_version", (uint64_t)m->format_version);
    json_put_text(doc, "backup_id", m->backup_id);
    json_put_text(doc, "env", m->env);
    json_put_flag(doc, "complete", m->complete);
    if (!m->complete)
        json_put_text(doc, "reason", m->reason);
    json_put_flag(doc, "filtered", m->filtered);
    json_put_text(doc, "tool", m->tool);
    json_put_text(doc, "tool_version", m->tool_version);
    put_time(doc, "started_at", m->started_ms);
    put_time(doc, "finished_at", m->finished_ms);
    json_put_text(doc, "mode", m->mode);
    json_put(doc, "cluster", cluster_of(m));
    json_put(doc, "servers", servers_of(m));
    json_put(doc, "options", options_of(&m->options));
    json_put(doc, "totals", totals_of(m));
    json_put(doc, "functions", m->functions ? part_of(&m->function_part) : json_null());
    json_put(doc, "topology_events", texts(m->topology_events, m->event_count));
    json_put(doc, "warnings", texts(m->warnings, m->warning_count));
    json_put(doc, "slots", slots_of(m));
    json_put(doc, "parts", parts_of(m));
    ok = json_print(doc, true, out, err);
    json_decref(doc);
    return ok;
}

/* ---- generations ------------------------------------------------------------------------------
 */

uint32_t manifest_generation(const struct manifest *m, uint16_t slot)
{
    size_t low = 0;
    size_t high = m->slot_count;
    uint32_t newest = 0;

    while (slot != SLOT_NONE && low < high) { /* ranges rise and do not overlap */
        size_t middle = low + (high - low) / 2;

        if (m->slots[middle].first > slot)
            high = middle;
        else if (m->slots[middle].last < slot)
            low = middle + 1;
        else
            return m->slots[middle].generation;
    }
    if (m->slot_count > 0)
        return UINT32_MAX; /* a slot that nobody owned: no part counts for it */
    for (size_t i = 0; i < m->part_count; i++)
        newest = m->parts[i].generation > newest ? m->parts[i].generation : newest;
    return newest;
}

bool manifest_counts(const struct manifest *m, const struct manifest_part *part, uint16_t slot)
{
    return part->generation == manifest_generation(m, slot);
}

char *manifest_describe(const struct manifest *m, char *out, size_t size)
{
    char keys[FORMAT_MAX];

    (void)snprintf(
        out, size, "%s keys in %zu part%s, %s%s%s",
        format_count(keys, sizeof(keys), (int64_t)m->totals.keys), m->part_count,
        m->part_count == 1 ? "" : "s",
        m->format_version == 0 ? "of an older tool" : (m->complete ? "complete" : "incomplete: "),
        m->format_version == 0 || m->complete ? "" : m->reason, m->filtered ? ", filtered" : "");
    return out;
}

/* ---- authenticity -----------------------------------------------------------------------------
 */

void manifest_sign(struct str text, const struct secret *key, char out[65])
{
    unsigned char mac[SHA256_SIZE];

    sha256_hmac(secret_reveal(key), text, mac);
    (void)hex_encode(out, mac, sizeof(mac));
}

bool manifest_check_sign(struct str text, const struct secret *key, struct str hex,
                         struct error *err)
{
    unsigned char mac[SHA256_SIZE];
    unsigned char given[SHA256_SIZE];

    if (!hex_decode(given, sizeof(given), str_trim(hex)))
        return error_set(err, ERROR_CORRUPT, 0, "%s is no HMAC-SHA-256 in hex", MANIFEST_HMAC_NAME);
    sha256_hmac(secret_reveal(key), text, mac);
    return sha256_equal(mac, given) ||
           error_set(err, ERROR_CORRUPT, 0,
                     "the manifest was not signed with this key, or was changed after");
}
