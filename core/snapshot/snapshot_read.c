#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/snapshot/snapshot_read_private.h"

static const json_t *get(const json_t *doc, const char *name)
{
    return json_object_get(doc, name);
}

static bool want_flag(const json_t *doc, const char *name, bool *out, struct error *err)
{
    const json_t *value = get(doc, name);

    *out = json_is_true(value);
    return json_is_boolean(value) || snapshot_bad(err, name);
}

/* Absent and null are "". */
static bool take_text(const json_t *doc, const char *name, struct arena *arena, const char **out,
                      struct error *err)
{
    const json_t *value = get(doc, name);

    *out = "";
    return value == NULL || json_is_null(value) || snapshot_want_text(doc, name, arena, out, err);
}

static bool want_time(const json_t *doc, const char *name, int64_t *out, struct error *err)
{
    const json_t *value = get(doc, name);

    return (json_is_string(value) &&
            format_parse_utc((struct str){json_string_value(value), json_string_length(value)},
                             out)) ||
           snapshot_bad(err, name);
}

static bool want_list(const json_t *doc, const char *name, const json_t **out, struct error *err)
{
    *out = get(doc, name);
    return json_is_array(*out) || snapshot_bad(err, name);
}

static bool want_texts(const json_t *doc, const char *name, struct arena *arena, const char ***out,
                       size_t *count, struct error *err)
{
    const json_t *list;

    if (!want_list(doc, name, &list, err))
        return false;
    *count = json_array_size(list);
    *out = arena_array(arena, *count + 1, sizeof(**out));
    for (size_t i = 0; i < *count; i++) {
        const json_t *one = json_array_get(list, i);

        if (!json_is_string(one))
            return snapshot_bad(err, name);
        (*out)[i] =
            arena_text(arena, (struct str){json_string_value(one), json_string_length(one)});
    }
    return true;
}

static bool want_slots(const json_t *doc, const char *name, struct slot_set *out, struct error *err)
{
    const json_t *value = get(doc, name);
    struct error why = {0};

    *out = (struct slot_set){0};
    if (json_is_string(value) && strcmp(json_string_value(value), "-") == 0)
        return true;
    return (json_is_string(value) &&
            slot_set_parse(out, str_from(json_string_value(value)), &why)) ||
           snapshot_bad(err, name);
}

/* ---- tables -----------------------------------------------------------------------------------
 */

static bool want_row(const json_t *one, const char *name, struct arena *arena,
                     struct snapshot_row *out, struct error *err)
{
    out->name = "";
    out->at_least = json_is_true(get(one, "at_least"));
    return (name == NULL || snapshot_want_text(one, name, arena, &out->name, err)) &&
           snapshot_want_u64(one, "keys", &out->keys, err) &&
           snapshot_want_u64(one, "with_ttl", &out->with_ttl, err) &&
           snapshot_want_u64(one, "bytes", &out->bytes, err);
}

static bool want_rows(const json_t *list, const char *name, struct arena *arena,
                      struct snapshot_row **out, size_t *count, struct error *err)
{
    if (!json_is_array(list))
        return snapshot_bad(err, name);
    *out = arena_array(arena, json_array_size(list) + 1, sizeof(**out));
    for (*count = 0; *count < json_array_size(list); ++*count)
        if (!want_row(json_array_get(list, *count), name, arena, &(*out)[*count], err))
            return false;
    return true;
}

static bool want_nodes(struct snapshot *s, struct error *err)
{
    const json_t *list;

    if (!want_list(s->doc, "nodes", &list, err))
        return false;
    s->nodes = arena_array(&s->arena, json_array_size(list) + 1, sizeof(*s->nodes));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        struct snapshot_node_row *n = &s->nodes[s->node_count++];

        if (!snapshot_want_text(one, "id", &s->arena, &n->id, err) ||
            !snapshot_want_text(one, "addr", &s->arena, &n->addr, err) ||
            !snapshot_want_u64(one, "slots", &n->slots, err) ||
            !snapshot_want_u64(one, "keys", &n->keys, err) ||
            !snapshot_want_u64(one, "with_ttl", &n->with_ttl, err) ||
            !snapshot_want_u64(one, "bytes", &n->bytes, err))
            return false;
    }
    return true;
}

/* ---- slots ------------------------------------------------------------------------------------
 */

static bool want_slot(const json_t *one, uint64_t *slot, struct slot_sum *sum, struct error *err)
{
    const json_t *types;
    uint64_t keys = 0;

    *sum = (struct slot_sum){0};
    if (!snapshot_want_u64(one, "slot", slot, err) ||
        !snapshot_want_u64(one, "keys", &sum->keys, err) ||
        !snapshot_want_u64(one, "with_ttl", &sum->with_ttl, err) ||
        !snapshot_want_u64(one, "bytes", &sum->bytes, err) ||
        !snapshot_want_digest(one, "content", &sum->content, err) ||
        !snapshot_want_digest(one, "deadlines", &sum->deadlines, err) ||
        !want_list(one, "types", &types, err))
        return false;
    if (json_array_size(types) != RECORD_TYPES)
        return snapshot_bad(err, "types");
    for (size_t i = 0; i < RECORD_TYPES; i++) {
        const json_t *n = json_array_get(types, i);

        if (!json_is_integer(n) || json_integer_value(n) < 0)
            return snapshot_bad(err, "types");
        sum->types[i] = (uint64_t)json_integer_value(n);
        keys += sum->types[i];
    }
    return keys == sum->keys || snapshot_bad(err, "types");
}

static bool want_sums(struct snapshot *s, struct error *err)
{
    const json_t *list;
    uint64_t least = 0;

    if (!want_list(s->doc, "slots", &list, err))
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct slot_sum sum;
        uint64_t slot;

        if (!want_slot(json_array_get(list, i), &slot, &sum, err))
            return error_wrap(err, "slots, entry %zu", i + 1);
        if (slot < least || slot >= SLOT_COUNT)
            return snapshot_bad(err, "slot");
        slot_sums_set(s->sums, (uint16_t)slot, &sum);
        least = slot + 1;
    }
    s->total = slot_sums_total(s->sums);
    return true;
}

/* What the report says in sum must be what its slots give. */
static bool check_totals(struct snapshot *s, struct error *err)
{
    const json_t *totals = get(s->doc, "totals");
    struct slot_sum said = {0};

    if (!snapshot_want_u64(totals, "keys", &said.keys, err) ||
        !snapshot_want_u64(totals, "with_ttl", &said.with_ttl, err) ||
        !snapshot_want_u64(totals, "bytes", &said.bytes, err) ||
        !snapshot_want_u64(totals, "hyperloglog", &s->total.hyperloglog, err) ||
        !snapshot_want_u64(totals, "fuzzy", &s->total.fuzzy, err) ||
        !snapshot_want_u64(totals, "vanished", &s->vanished, err) ||
        !snapshot_want_u64(totals, "unreadable", &s->unreadable, err) ||
        !snapshot_want_u64(totals, "too_large", &s->too_large, err) ||
        !snapshot_want_digest(totals, "content", &said.content, err) ||
        !snapshot_want_digest(totals, "deadlines", &said.deadlines, err))
        return error_wrap(err, "totals");
    if (said.bytes != s->total.bytes || !slot_sum_same_content(&said, &s->total) ||
        !slot_sum_same_deadlines(&said, &s->total))
        return error_set(err, ERROR_CORRUPT, 0, "its totals are not the sum of its slots");
    return true;
}

/* ---- sample -----------------------------------------------------------------------------------
 */

static bool want_rank(const json_t *doc, const char *name, uint64_t *out, struct error *err)
{
    const char *text = json_text(doc, name, "");
    struct digest128 both;
    char padded[KEY_DIGEST_TEXT];

    if (strlen(text) != 16)
        return snapshot_bad(err, name);
    (void)snprintf(padded, sizeof(padded), "%016d%s", 0, text);
    if (!digest128_parse(str_from(padded), &both))
        return snapshot_bad(err, name);
    *out = both.low;
    return true;
}

static bool want_sample(struct snapshot *s, struct error *err)
{
    const json_t *doc = get(s->doc, "sample");
    const json_t *list;

    if (doc == NULL || json_is_null(doc))
        return true;
    if (!want_rank(doc, "below", &s->sample.below, err) || !want_list(doc, "keys", &list, err))
        return error_wrap(err, "sample");
    s->sample.taken = true;
    s->sample.keys = arena_array(&s->arena, json_array_size(list) + 1, sizeof(*s->sample.keys));
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct key_facts *k = &s->sample.keys[s->sample.count];

        if (!snapshot_want_key(json_array_get(list, i), &s->arena, k, err))
            return error_wrap(err, "sample, key %zu", i + 1);
        if ((i > 0 && key_facts_compare(k - 1, k) >= 0) ||
            key_digest_rank(k->key, k->db) >= s->sample.below)
            return error_set(err, ERROR_CORRUPT, 0, "sample, key %zu does not belong there", i + 1);
        s->sample.count++;
    }
    return true;
}

/* A plain name: it will be joined to the report's directory. */
static bool want_keys_file(struct snapshot *s, struct error *err)
{
    const json_t *doc = get(s->doc, "keys_file");

    if (doc == NULL || json_is_null(doc))
        return true;
    if (!snapshot_want_text(doc, "name", &s->arena, &s->keys_file, err))
        return error_wrap(err, "keys_file");
    if (s->keys_file[0] == '\0' || strchr(s->keys_file, '/') != NULL ||
        strcmp(s->keys_file, ".") == 0 || strcmp(s->keys_file, "..") == 0)
        return snapshot_bad(err, "keys_file");
    return true;
}

/* ---- the whole --------------------------------------------------------------------------------
 */

static bool want_head(struct snapshot *s, struct error *err)
{
    const json_t *options = get(s->doc, "options");

    return snapshot_want_text(s->doc, "id", &s->arena, &s->id, err) &&
           snapshot_want_text(s->doc, "run_id", &s->arena, &s->run_id, err) &&
           snapshot_want_text(s->doc, "env", &s->arena, &s->env, err) &&
           snapshot_want_text(s->doc, "mode", &s->arena, &s->mode, err) &&
           want_flag(s->doc, "complete", &s->complete, err) &&
           take_text(s->doc, "reason", &s->arena, &s->reason, err) &&
           want_flag(s->doc, "filtered", &s->filtered, err) &&
           want_texts(options, "match", &s->arena, &s->match, &s->match_count, err) &&
           want_texts(options, "types", &s->arena, &s->types, &s->type_count, err) &&
           take_text(options, "slots", &s->arena, &s->slots, err) &&
           want_time(s->doc, "started_at", &s->started_ms, err) &&
           want_time(s->doc, "finished_at", &s->finished_ms, err) &&
           want_slots(s->doc, "covered", &s->covered, err);
}

static bool fill(struct snapshot *s, struct error *err)
{
    const json_t *prefixes = get(s->doc, "prefixes");

    return snapshot_check_kind(s->doc, SNAPSHOT_KIND, err) && want_head(s, err) &&
           want_sums(s, err) && check_totals(s, err) &&
           want_rows(get(s->doc, "types"), "type", &s->arena, &s->by_type, &s->by_type_count,
                     err) &&
           want_rows(get(prefixes, "list"), "prefix", &s->arena, &s->by_prefix, &s->by_prefix_count,
                     err) &&
           want_row(get(prefixes, "other"), NULL, &s->arena, &s->other, err) &&
           want_nodes(s, err) && want_sample(s, err) && want_keys_file(s, err);
}

bool snapshot_is_report(const json_t *doc)
{
    return strcmp(json_text(doc, "kind", ""), SNAPSHOT_KIND) == 0;
}

bool snapshot_parse(struct str text, const char *name, struct snapshot **out, struct error *err)
{
    json_t *doc = json_parse(text, name, err);
    struct snapshot *s;

    if (doc == NULL)
        return false;
    s = mem_zero(1, sizeof(*s));
    s->doc = doc;
    s->sums = slot_sums_new();
    if (!fill(s, err)) {
        snapshot_free(s);
        return error_wrap(err, "%s", name);
    }
    *out = s;
    return true;
}

bool snapshot_load(const char *path, struct snapshot **out, struct error *err)
{
    struct buf text;
    bool ok;

    buf_init(&text, SNAPSHOT_BYTES_MAX);
    ok = file_read(path, &text, err) && snapshot_parse(buf_str(&text), path, out, err);
    buf_release(&text);
    return ok;
}

void snapshot_free(struct snapshot *s)
{
    if (s == NULL)
        return;
    json_decref(s->doc);
    slot_sums_free(s->sums);
    arena_release(&s->arena);
    free(s);
}

char *snapshot_keys_path(const struct snapshot *s, const char *report_path)
{
    const char *slash = strrchr(report_path, '/');

    if (s->keys_file == NULL)
        return NULL;
    if (slash == NULL)
        return mem_copy_text(s->keys_file);
    return mem_format("%.*s/%s", (int)(slash - report_path), report_path, s->keys_file);
}
