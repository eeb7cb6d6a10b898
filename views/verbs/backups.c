#include "views/verbs/backups.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/format.h"
#include "views/connect.h"

static bool open_place(struct backups *b, int which, const char *uri, struct error *err)
{
    struct place *place = &b->places[which];
    if (!connect_store(&b->scope, uri, &place->store, err))
        return false;
    place->catalog = catalog_new(place->store);
    return catalog_load(place->catalog, err);
}

bool backups_open(const struct invocation *inv, struct backups *b, struct error *err)
{
    *b = (struct backups){.scope = {inv->config, inv->env}};
    bool only_s3 = option_flag(inv, "s3");
    bool only_local = option_flag(inv, "local");
    const char *s3_uri = config_text(inv->config, inv->env, "storage.s3_uri");
    const char *dir = config_text(inv->config, inv->env, "storage.backup_dir");
    if (!only_s3 && !open_place(b, PLACE_LOCAL, dir, err))
        return false;
    if (only_local || (s3_uri == NULL && !only_s3))
        return true;
    if (only_s3)
        return open_place(b, PLACE_S3, s3_uri, err);
    if (!open_place(b, PLACE_S3, s3_uri, &b->s3_error)) {
        catalog_free(b->places[PLACE_S3].catalog);
        b->places[PLACE_S3].catalog = NULL;
    }
    return true;
}

void backups_release(struct backups *b)
{
    for (int i = 0; i < PLACES; i++) {
        catalog_free(b->places[i].catalog);
        store_free(b->places[i].store);
    }
}

/* An operator may paste a whole URI or file name. */
static struct str id_of(const char *text)
{
    struct str id = str_from(text);
    id = str_slice(id, str_find_last(id, '/') < id.len ? str_find_last(id, '/') + 1 : 0, id.len);
    if (str_ends(id, ".tar.gz"))
        id.len -= strlen(".tar.gz");
    return id;
}

bool backups_find(const struct backups *b, const char *id, struct catalog_row *rows[PLACES],
                  struct error *err)
{
    struct backup_id parsed;
    bool found = false;
    if (!backup_id_parse(id_of(id), &parsed))
        return error_set(err, ERROR_USAGE, 0,
                         "that is no backup id; they look like "
                         "redis-backup-<env>-<YYYYMMDDTHHMMSSZ>-<4 hex>: see rbconsole list");
    for (int i = 0; i < PLACES; i++) {
        struct catalog *c = b->places[i].catalog;
        rows[i] = c != NULL ? catalog_find(c, parsed.text) : NULL;
        found = found || rows[i] != NULL;
    }
    if (found)
        return true;
    if (b->s3_error.code != ERROR_NONE) {
        *err = b->s3_error;
        return error_wrap(err, "%s is not in the backup directory, and S3 cannot be asked",
                          parsed.text);
    }
    return error_set(err, ERROR_NOT_FOUND, 0, "there is no backup %s", parsed.text);
}

char *backups_uri(const struct place *place, const struct catalog_row *row)
{
    char name[CATALOG_NAME_MAX];
    return store_uri(place->store, catalog_object_name(row, name));
}

static json_t *summary_json(const struct backup_summary *s)
{
    char text[FORMAT_MAX];
    json_t *doc = json_object();
    json_put_flag(doc, "complete", s->complete);
    json_put_flag(doc, "filtered", s->filtered);
    json_put_text(doc, "started_at",
                  s->started_ms > 0 ? format_rfc3339(text, sizeof(text), s->started_ms) : NULL);
    json_put_text(doc, "finished_at",
                  s->finished_ms > 0 ? format_rfc3339(text, sizeof(text), s->finished_ms) : NULL);
    json_put(doc, "keys", s->keys >= 0 ? json_integer(s->keys) : json_null());
    json_put(doc, "bytes", s->bytes >= 0 ? json_integer(s->bytes) : json_null());
    json_put(doc, "with_ttl", s->with_ttl >= 0 ? json_integer(s->with_ttl) : json_null());
    json_put(doc, "unreadable", s->unreadable >= 0 ? json_integer(s->unreadable) : json_null());
    json_t *types = json_object();
    for (size_t i = 0; i < s->type_count; i++)
        json_put_int(types, s->types[i].name, s->types[i].keys);
    json_put(doc, "by_type", types);
    json_put_text(doc, "mode", s->mode);
    json_put_text(doc, "server", s->server);
    json_put_text(doc, "tool_version", s->tool_version);
    return doc;
}

json_t *backups_row_json(const struct catalog_row *row, const char *uri, bool in_s3)
{
    char text[FORMAT_MAX];
    json_t *doc = json_object();
    json_put_text(doc, "id", row->id.text);
    json_put_text(doc, "env", row->id.env);
    json_put_text(doc, "time", format_rfc3339(text, sizeof(text), row->id.time_ms));
    json_put_text(doc, "place", in_s3 ? "s3" : "local");
    json_put_text(doc, "uri", uri);
    json_put(doc, "size_bytes",
             row->archive_bytes >= 0 ? json_integer(row->archive_bytes) : json_null());
    json_put_flag(doc, "archive", row->has_archive);
    json_put_flag(doc, "directory", row->has_directory);
    json_put_text(doc, "state", backup_state_name(row->state));
    if (row->state != BACKUP_UNREAD) {
        json_put_text(doc, "reason", row->summary.reason);
        json_put(doc, "summary", summary_json(&row->summary));
    }
    return doc;
}

json_t *backups_json(const struct place *place, const struct catalog_row *row)
{
    char *uri = backups_uri(place, row);
    json_t *doc = backups_row_json(row, uri, store_is_s3(place->store));

    free(uri);
    return doc;
}

void backups_print_json(json_t *doc)
{
    struct buf out;
    struct error ignored;
    buf_init(&out, (size_t)256 << 20);
    if (json_print(doc, true, &out, &ignored))
        (void)fwrite(out.data, 1, out.len, stdout);
    buf_release(&out);
    json_decref(doc);
}
