#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/format.h"
#include "views/connect.h"
#include "views/verbs/backups.h"

#define CHUNK ((size_t)256 << 10)

static const struct option_row options[] = {
    {"s3-uri", 0, OPTION_TEXT, "URI", "Where in S3 backups are.", .config_key = "storage.s3_uri"},
    {"backup-dir", 0, OPTION_DIR, "DIR", "Directory to write into.",
     .config_key = "storage.backup_dir"},
    {"overwrite", 0, OPTION_FLAG, .help = "Replace a file that is already there."},
    {NULL},
};

static bool copy_stream(struct store_reader *from, struct store_writer *to, int64_t *total,
                        struct error *err)
{
    char *chunk = mem_alloc(CHUNK);
    bool ok = true;
    size_t got = 1;
    *total = 0;
    while (ok && got > 0) {
        ok = store_read(from, chunk, CHUNK, &got, err) &&
             store_write(to, (struct str){chunk, got}, err);
        *total += ok ? (int64_t)got : 0;
    }
    if (ok && *total != store_reader_size(from))
        ok = error_set(err, ERROR_CORRUPT, 0, "the download ended early");
    free(chunk);
    return ok;
}

static bool copy_file(struct store *from, struct store *to, const char *name, int64_t *total,
                      struct error *err)
{
    struct store_reader *reader = NULL;
    struct store_writer *writer = NULL;
    bool ok = store_open_read(from, name, 0, -1, &reader, err) &&
              store_open_write(to, name, store_reader_size(reader), &writer, err) &&
              copy_stream(reader, writer, total, err) && store_commit(writer, err);
    store_writer_free(writer);
    store_reader_free(reader);
    return ok;
}

static bool refuse_existing(struct store *to, const char *name, bool overwrite, struct error *err)
{
    struct store_info info;
    struct error why;
    if (overwrite)
        return true;
    if (store_stat(to, name, &info, &why))
        return error_set(err, ERROR_CONFLICT, 0, "%s is already there: give --overwrite", name);
    if (why.code == ERROR_NOT_FOUND)
        return true;
    *err = why;
    return false;
}

static bool download(const struct invocation *inv, struct backups *b, struct catalog_row *row,
                     struct error *err)
{
    struct store *from = b->places[PLACE_S3].store;
    struct store *to = NULL;
    char name[BACKUP_ID_MAX + 16];
    int64_t total = 0;
    int64_t sidecar = 0;
    if (!row->has_archive)
        return error_set(err, ERROR_NOT_FOUND, 0, "%s has no archive in S3", row->id.text);
    const char *dir = config_text(inv->config, inv->env, "storage.backup_dir");
    bool ok =
        connect_store(&b->scope, dir, &to, err) &&
        refuse_existing(to, catalog_object_name(row, name), option_flag(inv, "overwrite"), err) &&
        copy_file(from, to, name, &total, err);
    char *path = ok ? store_uri(to, name) : NULL;
    /* Manifest last, here as well: without it the copy does not count as complete. */
    if (ok && row->has_sidecar)
        ok = copy_file(from, to, catalog_manifest_name(row, name), &sidecar, err);
    if (ok && inv->json) {
        json_t *doc = json_object();
        json_put_text(doc, "path", path);
        json_put_int(doc, "size_bytes", total);
        backups_print_json(doc);
    } else if (ok) {
        char size[FORMAT_MAX];
        printf("Downloaded: %s (%s)\n", path, format_size(size, sizeof(size), total));
    }
    free(path);
    store_free(to);
    return ok;
}

static int run(const struct invocation *inv, struct error *err)
{
    struct backups b = {.scope = {inv->config, inv->env}};
    struct catalog_row *rows[PLACES] = {NULL, NULL};
    struct place *s3 = &b.places[PLACE_S3];
    bool ok = connect_store(&b.scope, NULL, &s3->store, err);
    if (ok) {
        s3->catalog = catalog_new(s3->store);
        ok = catalog_load(s3->catalog, err) && backups_find(&b, inv->operands[0], rows, err) &&
             download(inv, &b, rows[PLACE_S3], err);
    }
    backups_release(&b);
    return ok ? 0 : verb_fail(err);
}

const struct verb verb_download = {
    .name = "download",
    .summary = "Copy a backup's archive and manifest from S3 to disk.",
    .operands = "ID",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .notes = "The file appears whole or not at all. A connection that breaks is taken up where it "
             "broke.",
    .examples = "rbconsole download redis-backup-local-20250818T060635Z-28e5\n",
    .run = run,
};
