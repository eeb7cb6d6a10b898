#include "core/store/catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/log.h"
#include "core/store/catalog_impl.h"

#define ARCHIVE_SUFFIX ".tar.gz"
#define SIDECAR_SUFFIX ".metadata.json"
#define SIGNATURE_SUFFIX ".metadata.hmac"
#define MANIFEST "metadata.json"
#define PAGES_MAX 20000 /* a listing that goes in circles ends here */

const char *backup_state_name(enum backup_state state)
{
    static const char *const names[BACKUP_STATES] = {"unread",  "complete", "incomplete",
                                                     "corrupt", "foreign",  "unknown"};
    return names[state];
}

struct catalog *catalog_new(struct store *store)
{
    struct catalog *c = mem_zero(1, sizeof(*c));
    c->store = store;
    c->by_id = map_new();
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void catalog_free(struct catalog *c)
{
    if (c == NULL)
        return;
    map_free(c->by_id, NULL);
    free(c->rows);
    free(c->next);
    arena_release(&c->arena);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static struct catalog_row *row_for(struct catalog *c, const struct backup_id *id)
{
    struct str key = str_from(id->text);
    struct catalog_row *row = map_get(c->by_id, key);
    if (row != NULL)
        return row;
    row = arena_alloc(&c->arena, sizeof(*row));
    row->id = *id;
    row->archive_bytes = -1;
    map_put(c->by_id, key, row);
    ARRAY_PUSH(c->rows, c->count, c->cap) = row; /* NOLINT(bugprone-sizeof-expression) */
    return row;
}

enum kind {
    KIND_NONE,
    KIND_ARCHIVE,
    KIND_VOLUME, /* ".tar.gz.001": an archive that needs more than one object */
    KIND_SIDECAR,
    KIND_SIGNATURE,
    KIND_DIRECTORY
};

static bool is_volume(struct str name, struct backup_id *id)
{
    const size_t suffix = strlen(".001");
    int number;
    if (name.len < suffix || name.ptr[name.len - suffix] != '.' ||
        !str_to_int(str_slice(name, name.len - 3, name.len), 1, 999, &number))
        return false;
    struct str archive = str_slice(name, 0, name.len - suffix);
    return str_ends(archive, ARCHIVE_SUFFIX) &&
           backup_id_parse(str_slice(archive, 0, archive.len - strlen(ARCHIVE_SUFFIX)), id);
}

static enum kind kind_of(const struct store_entry *entry, struct backup_id *id)
{
    struct str name = str_from(entry->name);
    if (entry->is_dir)
        return backup_id_parse(name, id) ? KIND_DIRECTORY : KIND_NONE;
    if (str_ends(name, ARCHIVE_SUFFIX) &&
        backup_id_parse(str_slice(name, 0, name.len - strlen(ARCHIVE_SUFFIX)), id))
        return KIND_ARCHIVE;
    if (str_ends(name, SIDECAR_SUFFIX) &&
        backup_id_parse(str_slice(name, 0, name.len - strlen(SIDECAR_SUFFIX)), id))
        return KIND_SIDECAR;
    if (str_ends(name, SIGNATURE_SUFFIX) &&
        backup_id_parse(str_slice(name, 0, name.len - strlen(SIGNATURE_SUFFIX)), id))
        return KIND_SIGNATURE;
    return is_volume(name, id) ? KIND_VOLUME : KIND_NONE;
}

static void add_entry(struct catalog *c, const struct store_entry *entry)
{
    struct backup_id id;
    enum kind kind = kind_of(entry, &id);
    if (kind == KIND_NONE) {
        c->ignored++;
        return;
    }
    if (kind == KIND_SIGNATURE)
        return;
    struct catalog_row *row = row_for(c, &id);
    row->has_archive = row->has_archive || kind == KIND_ARCHIVE;
    row->has_sidecar = row->has_sidecar || kind == KIND_SIDECAR;
    row->has_directory = row->has_directory || kind == KIND_DIRECTORY;
    if (kind == KIND_ARCHIVE || kind == KIND_VOLUME) {
        int64_t before = row->archive_bytes > 0 ? row->archive_bytes : 0;
        row->archive_bytes = before + entry->size_bytes;
        row->volumes++;
    }
    if (entry->modified_ms > row->modified_ms)
        row->modified_ms = entry->modified_ms;
}

static int newest_first(const void *a, const void *b)
{
    const struct catalog_row *x = *(struct catalog_row *const *)a;
    const struct catalog_row *y = *(struct catalog_row *const *)b;
    if (x->id.time_ms != y->id.time_ms)
        return x->id.time_ms < y->id.time_ms ? 1 : -1;
    return -strcmp(x->id.text, y->id.text);
}

bool catalog_next_page(struct catalog *c, bool *more, struct error *err)
{
    struct store_page page;
    *more = false;
    if (c->complete)
        return true;
    if (++c->pages > PAGES_MAX)
        return error_set(err, ERROR_CORRUPT, 0, "the list of backups does not end");
    if (!store_list(c->store, c->next, 0, &page, err))
        return false;
    for (size_t i = 0; i < page.count; i++)
        add_entry(c, &page.items[i]);
    c->ignored += page.skipped;
    free(c->next);
    c->next = mem_copy_text(page.next);
    c->complete = page.next == NULL;
    store_page_release(&page);
    if (c->count > 0)
        qsort(c->rows, c->count, sizeof(struct catalog_row *), newest_first);
    if (c->count > CATALOG_ROWS_MAX)
        return error_set(err, ERROR_LIMIT, 0,
                         "more than %d backups in one place: prune, or use "
                         "another prefix",
                         CATALOG_ROWS_MAX);
    *more = !c->complete;
    return true;
}

bool catalog_load(struct catalog *c, struct error *err)
{
    bool more = true;
    while (more)
        if (!catalog_next_page(c, &more, err))
            return false;
    return true;
}

size_t catalog_count(const struct catalog *c)
{
    return c->count;
}

struct catalog_row *catalog_row(const struct catalog *c, size_t i)
{
    return c->rows[i];
}

struct catalog_row *catalog_find(const struct catalog *c, const char *id)
{
    return map_get(c->by_id, str_from(id));
}

size_t catalog_ignored(const struct catalog *c)
{
    return c->ignored;
}

char *catalog_object_name(const struct catalog_row *row, char out[static CATALOG_NAME_MAX])
{
    (void)snprintf(out, CATALOG_NAME_MAX, "%s%s", row->id.text,
                   row->has_archive ? ARCHIVE_SUFFIX : "");
    return out;
}

char *catalog_manifest_name(const struct catalog_row *row, char out[static CATALOG_NAME_MAX])
{
    out[0] = '\0';
    if (row->has_sidecar)
        (void)snprintf(out, CATALOG_NAME_MAX, "%s" SIDECAR_SUFFIX, row->id.text);
    else if (row->has_directory)
        (void)snprintf(out, CATALOG_NAME_MAX, "%s/" MANIFEST, row->id.text);
    return out;
}

static bool remove_name(struct catalog *c, const char *id, const char *suffix, struct error *err)
{
    char name[CATALOG_NAME_MAX];
    (void)snprintf(name, sizeof(name), "%s%s", id, suffix);
    return store_remove(c->store, name, err);
}

/* Whoever may not see unfinished uploads can delete the backup all the same. */
static bool remove_uploads(struct catalog *c, const char *id, struct error *err)
{
    char name[CATALOG_NAME_MAX];
    struct error why;
    (void)snprintf(name, sizeof(name), "%s" ARCHIVE_SUFFIX, id);
    if (store_remove_uploads(c->store, name, &why))
        return true;
    if (why.code == ERROR_AUTH || why.code == ERROR_UNSUPPORTED) {
        log_write(LOG_LEVEL_WARN, "store", "uploads of %s may be left: %s", id, why.text);
        return true;
    }
    *err = why;
    return false;
}

bool catalog_remove(struct catalog *c, const struct catalog_row *row, struct error *err)
{
    const char *id = row->id.text;
    return (!row->has_sidecar || remove_name(c, id, SIDECAR_SUFFIX, err)) &&
           (!row->has_sidecar || remove_name(c, id, SIGNATURE_SUFFIX, err)) &&
           (!row->has_directory || remove_name(c, id, "/" MANIFEST, err)) &&
           ((!row->has_archive && row->volumes == 0) || remove_name(c, id, ARCHIVE_SUFFIX, err)) &&
           (!row->has_directory || remove_name(c, id, "", err)) && remove_uploads(c, id, err);
}
