#include <stdio.h>
#include <string.h>

#include "core/base/escape.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/store/catalog_impl.h"

#define IDS_MAX 4096
#define ID_TEXT_MAX 256

/* Where the last member that is whole ends, at depth 1 of an object that is cut off somewhere:
 * the text up to there and a brace is a whole object again. 0: none. */
static size_t last_whole_member(struct str text)
{
    size_t depth = 0;
    size_t end = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
            continue;
        }
        if (c == '"')
            in_string = true;
        else if (c == '{' || c == '[')
            depth++;
        else if (c == '}' || c == ']')
            depth -= depth > 0;
        else if (c == ',' && depth == 1)
            end = i;
    }
    return end;
}

static json_t *parse_head(struct str head, bool whole, struct error *err)
{
    if (whole)
        return json_parse(head, "manifest", err);
    struct buf text;
    buf_init(&text, CATALOG_HEAD_BYTES + 2);
    json_t *doc = NULL;
    size_t end = last_whole_member(head);
    if (end == 0)
        error_set(err, ERROR_CORRUPT, 0, "manifest: no JSON object");
    else if (buf_append(&text, str_slice(head, 0, end), err) && buf_byte(&text, '}', err))
        doc = json_parse(buf_str(&text), "manifest", err);
    buf_release(&text);
    return doc;
}

static void copy_escaped(char *out, size_t size, const char *text)
{
    escape_text(out, size, str_from(text));
}

static int64_t time_of(const json_t *doc, const char *name)
{
    int64_t ms;
    return format_parse_utc(str_from(json_text(doc, name, "")), &ms) ? ms : 0;
}

static void take_types(const json_t *totals, struct backup_summary *out)
{
    json_t *types = json_object_get(totals, "by_type");
    const char *name;
    json_t *value;
    json_object_foreach(types, name, value)
    {
        if (out->type_count == BACKUP_TYPES_MAX || !json_is_integer(value))
            continue;
        struct backup_type_count *type = &out->types[out->type_count++];
        copy_escaped(type->name, sizeof(type->name), name);
        type->keys = json_integer_value(value);
    }
}

static void take_totals(const json_t *doc, struct backup_summary *out)
{
    const json_t *totals = json_object_get(doc, "totals");
    out->has_totals = totals != NULL;
    out->archive_bytes = json_int(totals, "archive_bytes", -1);
    out->keys = json_int(totals, "keys", json_int(doc, "keys", -1));
    out->bytes = json_int(totals, "bytes", -1);
    out->with_ttl = json_int(totals, "with_ttl", -1);
    out->unreadable = json_int(totals, "unreadable", -1);
    take_types(totals, out);
}

/* The cluster's identity: {"names": [...]}, {"ids": [...]} or the list itself. */
static void take_cluster(const json_t *doc, struct arena *arena, struct backup_summary *out)
{
    const json_t *cluster = json_object_get(doc, "cluster");
    const json_t *list = cluster;
    if (json_is_object(cluster)) {
        list = json_object_get(cluster, "names");
        if (list == NULL)
            list = json_object_get(cluster, "ids");
    }
    size_t count = json_array_size(list);
    if (count > IDS_MAX)
        count = IDS_MAX;
    if (count == 0)
        return;
    out->cluster_ids = arena_array(arena, count, sizeof(*out->cluster_ids));
    for (size_t i = 0; i < count; i++) {
        const char *id = json_string_value(json_array_get(list, i));
        if (id != NULL && strlen(id) <= ID_TEXT_MAX)
            out->cluster_ids[out->cluster_id_count++] = arena_text(arena, str_from(id));
    }
}

static void take_server(const json_t *doc, struct backup_summary *out)
{
    const json_t *first = json_array_get(json_object_get(doc, "servers"), 0);
    char text[80];
    const char *version = json_text(first, "version", "");
    if (version[0] == '\0')
        return;
    (void)snprintf(text, sizeof(text), "%.30s %.30s", json_text(first, "flavour", "server"),
                   version);
    copy_escaped(out->server, sizeof(out->server), text);
}

bool backup_summary_parse(struct str head, bool whole, struct arena *arena,
                          struct backup_summary *out, struct error *err)
{
    json_t *doc = parse_head(head, whole, err);
    *out = (struct backup_summary){
        .keys = -1, .bytes = -1, .with_ttl = -1, .unreadable = -1, .archive_bytes = -1};
    if (doc == NULL)
        return false;
    bool ok = json_is_object(doc) && json_is_boolean(json_object_get(doc, "complete"));
    if (ok) {
        out->complete = json_flag(doc, "complete", false);
        out->filtered = json_flag(doc, "filtered", false);
        out->started_ms = time_of(doc, "started_at");
        out->finished_ms = time_of(doc, "finished_at");
        copy_escaped(out->reason, sizeof(out->reason), json_text(doc, "reason", ""));
        copy_escaped(out->id, sizeof(out->id), json_text(doc, "backup_id", ""));
        copy_escaped(out->env, sizeof(out->env), json_text(doc, "env", ""));
        copy_escaped(out->mode, sizeof(out->mode), json_text(doc, "mode", ""));
        copy_escaped(out->tool_version, sizeof(out->tool_version),
                     json_text(doc, "tool_version", ""));
        take_totals(doc, out);
        take_cluster(doc, arena, out);
        take_server(doc, out);
    }
    json_decref(doc);
    if (!ok)
        return error_set(err, ERROR_CORRUPT, 0,
                         "the manifest does not say whether the backup is complete");
    return true;
}
