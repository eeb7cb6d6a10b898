#include "views/screens/backups_load.h"

#include <stdlib.h>
#include <string.h>

#include "core/archive/manifest.h"
#include "core/base/alloc.h"
#include "core/base/json.h"
#include "core/jobs/audit.h"
#include "views/connect.h"

#define JSON_MAX ((size_t)256 << 20)

/* store and catalog are made by the first request and belong to whoever works on it. */
struct backups_source {
    int refs; /* UI thread only */
    int place;
    const char *uri;
    struct config_scope scope;
    struct store *store;
    struct catalog *catalog;
};

static const char *const uri_keys[PLACES] = {
    [PLACE_S3] = "storage.s3_uri", [PLACE_LOCAL] = "storage.backup_dir"};

struct backups_source *backups_source_new(struct app *app, int place)
{
    struct backups_source *s = mem_zero(1, sizeof(*s));

    s->refs = 1;
    s->place = place;
    s->scope = app_scope(app);
    s->uri = config_text(app->config, app->env, uri_keys[place]);
    return s;
}

struct backups_source *backups_source_ref(struct backups_source *s)
{
    s->refs++;
    return s;
}

void backups_source_unref(struct backups_source *s)
{
    if (s == NULL || --s->refs > 0)
        return;
    catalog_free(s->catalog);
    store_free(s->store);
    free(s);
}

const char *backups_source_uri(const struct backups_source *s)
{
    return s->uri;
}

/* ---- names, page by page ---- */

static bool next_page(struct backups_source *s, bool *more, struct error *err)
{
    if (s->store == NULL && !connect_store(&s->scope, s->uri, &s->store, err))
        return false;
    if (s->catalog == NULL)
        s->catalog = catalog_new(s->store);
    return catalog_next_page(s->catalog, more, err);
}

static void page_work(void *data, const _Atomic(bool) *stale)
{
    struct backups_page *page = data;
    const struct catalog *c;

    (void)stale;
    if (!next_page(page->source, &page->more, &page->err))
        page->more = false;
    c = page->source->catalog;
    if (c == NULL)
        return;
    page->count = catalog_count(c);
    page->left_out = page->count > BACKUPS_ROWS_MAX ? page->count - BACKUPS_ROWS_MAX : 0;
    page->count -= page->left_out;
    page->rows = mem_zero(page->count, sizeof(*page->rows));
    for (size_t i = 0; i < page->count; i++)
        page->rows[i] = *catalog_row(c, i);
    page->ignored = catalog_ignored(c);
}

static void page_release(void *data)
{
    struct backups_page *page = data;

    backups_source_unref(page->source);
    free(page->rows);
    free(page);
}

void backups_ask_page(struct app *app, struct backups_source *source, void *owner, int channel,
                      void (*done)(void *owner, void *page))
{
    struct backups_page *page = mem_zero(1, sizeof(*page));

    page->source = backups_source_ref(source);
    page->place = source->place;
    app_ask(app, &(struct app_request){.work = page_work,
                                       .done = done,
                                       .release = page_release,
                                       .data = page,
                                       .owner = owner,
                                       .channel = channel});
}

/* ---- summaries of the rows in sight ---- */

static void heads_work(void *data, const _Atomic(bool) *stale)
{
    struct backups_heads *heads = data;
    struct catalog *c = heads->source->catalog;
    struct error why;

    for (size_t i = 0; i < heads->wanted && !*stale && c != NULL; i++) {
        struct catalog_row *row = catalog_find(c, heads->ids[i]);

        if (row == NULL)
            continue;
        /* What could not be asked says so in its state and reason. */
        if (!catalog_read_summary(c, row, &why))
            row->state = BACKUP_UNKNOWN;
        heads->rows[heads->count++] = *row;
    }
}

static void heads_release(void *data)
{
    struct backups_heads *heads = data;

    backups_source_unref(heads->source);
    free(heads);
}

void backups_ask_heads(struct app *app, struct backups_source *source,
                       const struct backups_heads *want, void *owner, int channel,
                       void (*done)(void *owner, void *heads))
{
    struct backups_heads *heads = mem_zero(1, sizeof(*heads));

    memcpy(heads->ids, want->ids, sizeof(heads->ids));
    heads->wanted = want->wanted;
    heads->source = backups_source_ref(source);
    heads->place = source->place;
    app_ask(app, &(struct app_request){.work = heads_work,
                                       .done = done,
                                       .release = heads_release,
                                       .data = heads,
                                       .owner = owner,
                                       .channel = channel});
}

/* ---- one backup in full: looked up afresh, so that an old list misleads nobody ---- */

static bool open_place(const struct config_scope *scope, int which, struct place *place,
                       struct error *err)
{
    const char *uri = config_text(scope->config, scope->env, uri_keys[which]);

    *place = (struct place){NULL, NULL};
    if (!connect_store(scope, uri, &place->store, err))
        return false;
    place->catalog = catalog_new(place->store);
    return catalog_load(place->catalog, err);
}

static void close_place(struct place *place)
{
    catalog_free(place->catalog);
    store_free(place->store);
}

static bool find_row(const struct place *place, const char *id, struct catalog_row **row,
                     struct error *err)
{
    *row = catalog_find(place->catalog, id);
    return *row != NULL ||
           error_set(err, ERROR_NOT_FOUND, 0, "%s is not there any more: r lists again", id);
}

static json_t *read_manifest(const struct place *place, const struct catalog_row *row,
                             struct backups_manifest *m)
{
    char name[CATALOG_NAME_MAX];
    struct buf text;
    json_t *doc = NULL;

    if (catalog_manifest_name(row, name)[0] == '\0') {
        (void)error_set(&m->why, ERROR_NOT_FOUND, 0, "%s", row->summary.reason);
        return NULL;
    }
    buf_init(&text, MANIFEST_BYTES_MAX);
    if (store_read_all(place->store, name, &text, &m->why)) {
        if (!manifest_parse(buf_str(&text), &m->manifest, &m->why))
            m->manifest = NULL;
        doc = json_parse(buf_str(&text), name, &m->why);
    }
    buf_release(&text);
    return doc;
}

static void put_text(struct backups_manifest *m, json_t *entry)
{
    struct error ignored = {0};
    json_t *doc = json_object();
    json_t *list = json_array();
    struct buf out;

    json_push(list, entry);
    json_put(doc, "backups", list);
    buf_init(&out, JSON_MAX);
    if (json_print(doc, true, &out, &ignored))
        m->text = buf_take(&out, NULL);
    buf_release(&out);
    json_decref(doc);
}

static void manifest_work(void *data, const _Atomic(bool) *stale)
{
    struct backups_manifest *m = data;
    struct catalog_row *row;
    struct place place;
    json_t *doc;
    json_t *entry;

    (void)stale;
    if (open_place(&m->scope, m->place, &place, &m->err) &&
        find_row(&place, m->id, &row, &m->err) &&
        catalog_read_summary(place.catalog, row, &m->err)) {
        m->uri = backups_uri(&place, row);
        doc = read_manifest(&place, row, m);
        entry = backups_json(&place, row);
        json_put(entry, "manifest", doc != NULL ? doc : json_null());
        put_text(m, entry);
        m->row = *row;
        m->row.summary.cluster_ids = NULL;
        m->row.summary.cluster_id_count = 0;
    }
    close_place(&place);
}

static void manifest_release(void *data)
{
    struct backups_manifest *m = data;

    manifest_free(m->manifest);
    free(m->uri);
    free(m->text);
    free(m);
}

void backups_ask_manifest(struct app *app, int place, const char *id, void *owner, int channel,
                          void (*done)(void *owner, void *manifest))
{
    struct backups_manifest *m = mem_zero(1, sizeof(*m));

    m->place = place;
    m->scope = app_scope(app);
    (void)str_copy(str_from(id), m->id, sizeof(m->id));
    app_ask(app, &(struct app_request){.work = manifest_work,
                                       .done = done,
                                       .release = manifest_release,
                                       .data = m,
                                       .owner = owner,
                                       .channel = channel});
}

/* ---- delete ---- */

static bool audit(const struct backups_removal *r, const char *phase, const char *result,
                  struct error *err)
{
    struct audit_entry entry = {
        .action = "delete",
        .phase = phase,
        .env = r->scope.env->name,
        .target = r->uri,
        .reason = r->reason[0] != '\0' ? r->reason : NULL,
        .who = {.user = r->who.user, .sudo_user = r->who.sudo_user, .ssh = r->who.ssh},
        .confirmed = r->scope.env->name,
        .result = result,
        .duration_ms = -1};

    return audit_append(r->state_dir, &entry, err);
}

static void remove_work(void *data, const _Atomic(bool) *stale)
{
    struct backups_removal *r = data;
    struct catalog_row *row;
    struct place place;
    struct error late = {0};
    bool ok;

    (void)stale;
    if (open_place(&r->scope, r->place, &place, &r->err) &&
        find_row(&place, r->id, &row, &r->err)) {
        r->uri = backups_uri(&place, row);
        if (audit(r, "begin", NULL, &r->err)) {
            ok = catalog_remove(place.catalog, row, &r->err);
            if (!audit(r, "end", ok ? "ok" : "failed", &late) && ok)
                r->err = late;
        }
    }
    close_place(&place);
}

static void remove_release(void *data)
{
    struct backups_removal *r = data;

    free(r->uri);
    free(r);
}

void backups_ask_remove(struct app *app, int place, const char *id, struct str reason, void *owner,
                        int channel, void (*done)(void *owner, void *removal))
{
    struct backups_removal *r = mem_zero(1, sizeof(*r));

    r->place = place;
    r->scope = app_scope(app);
    r->who = app->who;
    r->state_dir = app->state_dir;
    (void)str_copy(str_from(id), r->id, sizeof(r->id));
    (void)str_copy(reason, r->reason, sizeof(r->reason));
    app_ask(app, &(struct app_request){.work = remove_work,
                                       .done = done,
                                       .release = remove_release,
                                       .data = r,
                                       .owner = owner,
                                       .channel = channel});
}

/* ---- what leaves the screen ---- */

char *backups_row_uri(const struct app *app, const struct backups_row *r)
{
    const char *root = config_text(app->config, app->env, uri_keys[r->place]);
    size_t len = root != NULL ? strlen(root) : 0;
    char name[CATALOG_NAME_MAX];

    while (len > 1 && root[len - 1] == '/')
        len--;
    return mem_format("%.*s/%s", (int)len, root != NULL ? root : "",
                      catalog_object_name(&r->row, name));
}

json_t *backups_list_json(const struct app *app, const struct backups_model *m)
{
    json_t *doc = json_object();
    json_t *list = json_array();

    for (size_t i = 0; i < m->shown_count; i++) {
        char *uri = backups_row_uri(app, m->shown[i]);

        json_push(list, backups_row_json(&m->shown[i]->row, uri, m->shown[i]->place == PLACE_S3));
        free(uri);
    }
    json_put(doc, "backups", list);
    return doc;
}
