#include <string.h>

#include "core/archive/manifest.h"
#include "core/base/escape.h"
#include "core/base/format.h"
#include "core/base/hex.h"
#include "core/base/json.h"
#include "core/base/map.h"
#include "core/codec/tar.h"

/* What is being read; the first failure stays. */
struct reader {
    struct manifest *m;
    struct error *err;
};

static bool bad(struct reader *r, const char *member, const char *what)
{
    return error_set(r->err, ERROR_CORRUPT, 0, "%s: %s %s", MANIFEST_NAME, member, what);
}

/* Absent or null leaves *out alone. */
static bool get_text(struct reader *r, const json_t *obj, const char *name, const char **out)
{
    const json_t *value = json_object_get(obj, name);
    struct str text;

    if (value == NULL || json_is_null(value))
        return true;
    if (!json_is_string(value))
        return bad(r, name, "is not a text");
    text = (struct str){json_string_value(value), json_string_length(value)};
    if (!str_is_text(text))
        return bad(r, name, "is not a text");
    *out = arena_text(&r->m->arena, text);
    return true;
}

static bool get_count(struct reader *r, const json_t *obj, const char *name, uint64_t *out)
{
    const json_t *value = json_object_get(obj, name);

    if (value == NULL || json_is_null(value))
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return bad(r, name, "is not a count");
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static bool get_u32(struct reader *r, const json_t *obj, const char *name, uint32_t *out)
{
    uint64_t value = *out;

    if (!get_count(r, obj, name, &value))
        return false;
    if (value >= UINT32_MAX)
        return bad(r, name, "is out of range");
    *out = (uint32_t)value;
    return true;
}

static bool get_flag(struct reader *r, const json_t *obj, const char *name, bool *out)
{
    const json_t *value = json_object_get(obj, name);

    if (value == NULL || json_is_null(value))
        return true;
    if (!json_is_boolean(value))
        return bad(r, name, "is not true or false");
    *out = json_is_true(value);
    return true;
}

static bool get_time(struct reader *r, const json_t *obj, const char *name, int64_t *out)
{
    const char *text = "";

    if (!get_text(r, obj, name, &text))
        return false;
    if (text[0] != '\0' && !format_parse_utc(str_from(text), out) && r->m->format_version > 0)
        return bad(r, name, "is not a time");
    return true;
}

/* A list of objects or texts; NULL and count 0 when absent. */
static bool get_list(struct reader *r, const json_t *obj, const char *name, const json_t **out)
{
    *out = json_object_get(obj, name);
    if (*out != NULL && json_is_null(*out))
        *out = NULL;
    return *out == NULL || json_is_array(*out) || bad(r, name, "is not a list");
}

static bool get_texts(struct reader *r, const json_t *obj, const char *name, const char ***out,
                      size_t *count)
{
    const json_t *list;

    if (!get_list(r, obj, name, &list))
        return false;
    *count = json_array_size(list);
    *out = arena_array(&r->m->arena, *count + 1, sizeof(**out));
    for (size_t i = 0; i < *count; i++) {
        const json_t *item = json_array_get(list, i);

        if (!json_is_string(item) || strlen(json_string_value(item)) != json_string_length(item))
            return bad(r, name, "holds something that is not a text");
        (*out)[i] = arena_text(&r->m->arena, str_from(json_string_value(item)));
    }
    return true;
}

static bool get_counts(struct reader *r, const json_t *obj, const char *name,
                       struct manifest_count **out, size_t *count)
{
    json_t *map = json_object_get(obj, name);
    void *at;

    if (map == NULL || json_is_null(map))
        return true;
    if (!json_is_object(map))
        return bad(r, name, "is not an object");
    *out = arena_array(&r->m->arena, json_object_size(map) + 1, sizeof(**out));
    for (at = json_object_iter(map); at != NULL; at = json_object_iter_next(map, at)) {
        struct manifest_count *item = &(*out)[(*count)++];
        const char *key = json_object_iter_key(at);

        item->name = arena_text(&r->m->arena, str_from(key));
        if (!get_count(r, map, key, &item->keys))
            return false;
    }
    return true;
}

static bool read_totals(struct reader *r, const json_t *doc)
{
    const json_t *obj = json_object_get(doc, "totals");
    struct manifest_totals *t = &r->m->totals;

    if (obj == NULL && r->m->format_version == 0)
        return true;
    if (!json_is_object(obj))
        return bad(r, "totals", "is missing");
    return get_count(r, obj, "keys", &t->keys) && get_count(r, obj, "bytes", &t->bytes) &&
           get_count(r, obj, "with_ttl", &t->with_ttl) &&
           get_counts(r, obj, "by_type", &t->by_type, &t->type_count) &&
           get_counts(r, obj, "by_node", &t->by_node, &t->node_count) &&
           get_count(r, obj, "hyperloglog", &t->hyperloglog) &&
           get_count(r, obj, "vanished", &t->vanished) && get_count(r, obj, "fuzzy", &t->fuzzy) &&
           get_count(r, obj, "unreadable", &t->unreadable) &&
           get_count(r, obj, "too_large", &t->too_large) &&
           get_count(r, obj, "superseded", &t->superseded);
}

static bool read_servers(struct reader *r, const json_t *doc)
{
    const json_t *list;

    if (!get_list(r, doc, "servers", &list))
        return false;
    r->m->servers = arena_array(&r->m->arena, json_array_size(list) + 1, sizeof(*r->m->servers));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *obj = json_array_get(list, i);
        struct manifest_server *s = &r->m->servers[r->m->server_count++];

        s->addr = s->role = s->version = s->flavour = "";
        if (!get_text(r, obj, "addr", &s->addr) || !get_text(r, obj, "role", &s->role) ||
            !get_text(r, obj, "version", &s->version) ||
            !get_text(r, obj, "flavour", &s->flavour) ||
            !get_u32(r, obj, "rdb_version", &s->rdb_version))
            return false;
    }
    return true;
}

static bool read_options(struct reader *r, const json_t *doc)
{
    const json_t *obj = json_object_get(doc, "options");
    struct manifest_options *o = &r->m->options;

    if (obj == NULL || r->m->format_version == 0)
        return true;
    return get_texts(r, obj, "match", &o->match, &o->match_count) &&
           get_texts(r, obj, "types", &o->types, &o->type_count) &&
           get_text(r, obj, "slots", &o->slots) &&
           get_count(r, obj, "chunk_keys", &o->chunk_keys) &&
           get_count(r, obj, "chunk_bytes", &o->chunk_bytes) &&
           get_text(r, obj, "source", &o->source);
}

static bool parse_range(struct str text, struct manifest_slots *out)
{
    size_t dash = str_find(text, '-');
    int first;
    int last;

    if (!str_to_int(str_slice(text, 0, dash), 0, SLOT_COUNT - 1, &first))
        return false;
    last = first;
    if (dash < text.len &&
        !str_to_int(str_slice(text, dash + 1, text.len), first, SLOT_COUNT - 1, &last))
        return false;
    out->first = (uint16_t)first;
    out->last = (uint16_t)last;
    return true;
}

static bool read_slots(struct reader *r, const json_t *doc)
{
    const json_t *list;
    int next = 0;

    if (!get_list(r, doc, "slots", &list))
        return false;
    if (json_array_size(list) > SLOT_COUNT)
        return bad(r, "slots", "has too many ranges");
    r->m->slots = arena_array(&r->m->arena, json_array_size(list) + 1, sizeof(*r->m->slots));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *obj = json_array_get(list, i);
        struct manifest_slots *s = &r->m->slots[r->m->slot_count++];
        const char *range = "";

        s->owner = "";
        if (!get_text(r, obj, "range", &range) || !get_text(r, obj, "owner", &s->owner) ||
            !get_u32(r, obj, "generation", &s->generation))
            return false;
        if (!parse_range(str_from(range), s) || s->first < next)
            return bad(r, "slots", "has a range that is wrong or out of order");
        next = s->last + 1;
    }
    return true;
}

static bool read_part(struct reader *r, const json_t *obj, struct manifest_part *p)
{
    const char *sha256 = "";

    p->name = p->shard = "";
    p->has_range = json_object_get(obj, "offset") != NULL;
    if (!get_text(r, obj, "name", &p->name) || !get_u32(r, obj, "generation", &p->generation) ||
        !get_text(r, obj, "shard", &p->shard) || !get_flag(r, obj, "continues", &p->continues) ||
        !get_count(r, obj, "keys", &p->keys) || !get_count(r, obj, "bytes", &p->bytes) ||
        !get_text(r, obj, "sha256", &sha256) || !get_count(r, obj, "offset", &p->offset) ||
        !get_count(r, obj, "length", &p->length))
        return false;
    p->has_sha256 = hex_decode(p->sha256, sizeof(p->sha256), str_from(sha256));
    if (!p->has_sha256)
        return bad(r, "parts", "has a part without a right sha256");
    if (p->has_range && (p->length == 0 || p->offset > INT64_MAX - p->length))
        return bad(r, "parts", "has a part with a wrong offset or length");
    return true;
}

/* "keys/NAME.jsonl" */
static bool is_part_name(const char *name)
{
    struct str text = str_from(name);

    return tar_name_is_safe(name) && str_starts(text, "keys/") && str_ends(text, ".jsonl") &&
           str_find_last(text, '/') == 4 && text.len > strlen("keys/.jsonl");
}

static bool read_parts(struct reader *r, const json_t *doc)
{
    const json_t *list;
    struct map *names;
    bool ok = true;

    if (!get_list(r, doc, "parts", &list))
        return false;
    if (json_array_size(list) > MANIFEST_PARTS_MAX)
        return bad(r, "parts", "has too many entries");
    r->m->parts = arena_array(&r->m->arena, json_array_size(list) + 1, sizeof(*r->m->parts));
    names = map_new();
    for (size_t i = 0; ok && i < json_array_size(list); i++) {
        struct manifest_part *p = &r->m->parts[r->m->part_count++];

        ok = read_part(r, json_array_get(list, i), p);
        if (ok && !is_part_name(p->name))
            ok = bad(r, "parts", "has a part with a forbidden name");
        if (ok && map_put(names, str_from(p->name), p) != NULL)
            ok = bad(r, "parts", "names a part twice");
    }
    map_free(names, NULL);
    return ok;
}

static bool read_functions(struct reader *r, const json_t *doc)
{
    const json_t *obj = json_object_get(doc, "functions");

    if (obj == NULL || json_is_null(obj) || r->m->format_version == 0)
        return true;
    if (!json_is_object(obj))
        return bad(r, "functions", "is not an object");
    r->m->functions = true;
    return read_part(r, obj, &r->m->function_part) &&
           (strcmp(r->m->function_part.name, "functions.jsonl") == 0 ||
            bad(r, "functions", "has a forbidden name"));
}

static bool read_cluster(struct reader *r, const json_t *doc)
{
    const json_t *obj = json_object_get(doc, "cluster");

    if (obj == NULL || !json_is_object(obj))
        return r->m->format_version == 0 || bad(r, "cluster", "is missing");
    return get_texts(r, obj, "names", &r->m->cluster, &r->m->cluster_count);
}

static bool read_version(struct reader *r, const json_t *doc)
{
    uint64_t version = 0;

    if (!json_is_object(doc))
        return error_set(r->err, ERROR_CORRUPT, 0, "%s is not an object", MANIFEST_NAME);
    /* What an older tool wrote there need not be a number. */
    if (json_is_integer(json_object_get(doc, "format_version")) &&
        !get_count(r, doc, "format_version", &version))
        return false;
    if (version > MANIFEST_VERSION)
        return error_set(r->err, ERROR_UNSUPPORTED, 0,
                         "the backup has format version %d; this rbconsole reads up to %d",
                         version > INT32_MAX ? INT32_MAX : (int)version, MANIFEST_VERSION);
    r->m->format_version = (int)version;
    return true;
}

static bool read_document(struct reader *r, const json_t *doc)
{
    struct manifest *m = r->m;

    if (!read_version(r, doc))
        return false;
    if (m->format_version == 0) { /* an older tool's: only what helps people */
        struct error ignored = {0};
        struct reader lenient = {m, &ignored};

        (void)get_text(&lenient, doc, "backup_id", &m->backup_id);
        (void)get_text(&lenient, doc, "env", &m->env);
        (void)get_time(&lenient, doc, "started_at", &m->started_ms);
        m->reason = "an older tool's archive does not say whether it is complete";
        return true;
    }
    if (!json_is_boolean(json_object_get(doc, "complete")))
        return bad(r, "complete", "is missing");
    return get_text(r, doc, "backup_id", &m->backup_id) && get_text(r, doc, "env", &m->env) &&
           get_flag(r, doc, "complete", &m->complete) && get_text(r, doc, "reason", &m->reason) &&
           get_flag(r, doc, "filtered", &m->filtered) && get_text(r, doc, "tool", &m->tool) &&
           get_text(r, doc, "tool_version", &m->tool_version) &&
           get_time(r, doc, "started_at", &m->started_ms) &&
           get_time(r, doc, "finished_at", &m->finished_ms) && get_text(r, doc, "mode", &m->mode) &&
           read_cluster(r, doc) && read_servers(r, doc) && read_options(r, doc) &&
           read_totals(r, doc) && read_functions(r, doc) &&
           get_texts(r, doc, "topology_events", &m->topology_events, &m->event_count) &&
           get_texts(r, doc, "warnings", &m->warnings, &m->warning_count) && read_slots(r, doc) &&
           read_parts(r, doc);
}

bool manifest_parse(struct str text, struct manifest **out, struct error *err)
{
    struct reader r = {manifest_new(), err};
    json_t *doc = NULL;
    bool ok;

    *out = NULL;
    if (text.len > MANIFEST_BYTES_MAX)
        ok = error_set(err, ERROR_LIMIT, 0, "%s is larger than %zu MiB", MANIFEST_NAME,
                       MANIFEST_BYTES_MAX >> 20);
    else
        ok = (doc = json_parse(text, MANIFEST_NAME, err)) != NULL && read_document(&r, doc);
    json_decref(doc);
    if (ok)
        *out = r.m;
    else
        manifest_free(r.m);
    return ok;
}
