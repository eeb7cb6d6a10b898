#include "core/archive/archive_again.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/archive/archive_private.h"
#include "core/archive/source.h"
#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/map.h"
#include "core/codec/digest.h"

/* The places of one run, as it is looked at. */
struct places {
    const struct archive_options *o;
    char *tree; /* NULL: not asked for */
    int fd;     /* of the file; -1: not asked for, or not there */
    bool file;
};

/* ---- an interrupted finish --------------------------------------------------------------------
 */

/* The manifest came last but nobody was told: what has its final name gets the other one back. */
static bool take_back(const char *whole, const char *partial, struct error *err)
{
    if (!file_exists(whole))
        return true;
    if (file_exists(partial))
        return unlink(whole) == 0 || error_set_errno(err, ERROR_STORAGE, errno, "%s", whole);
    return rename(whole, partial) == 0 || error_set_errno(err, ERROR_STORAGE, errno, "%s", whole);
}

static void remove_sidecar(const struct archive_options *o, const char *what)
{
    char *path = mem_format("%s/%s.%s", o->dir, o->id, what);

    (void)unlink(path);
    free(path);
}

static bool take_names_back(const struct archive_options *o, struct error *err)
{
    char *tree = archive_tree_path(o->dir, o->id, true);
    char *tree_partial = archive_tree_path(o->dir, o->id, false);
    char *file = archive_file_path(o->dir, o->id, true);
    char *file_partial = archive_file_path(o->dir, o->id, false);
    bool ok = (!o->tree || take_back(tree, tree_partial, err)) &&
              (!o->file || take_back(file, file_partial, err));

    remove_sidecar(o, "metadata.json");
    remove_sidecar(o, "metadata.hmac");
    free(file_partial);
    free(file);
    free(tree_partial);
    free(tree);
    return ok;
}

/* ---- one part ---------------------------------------------------------------------------------
 */

static bool has_digest(const struct part *p, struct str text)
{
    unsigned char real[SHA256_SIZE];

    sha256_of(text, real);
    return text.len == p->info.bytes && sha256_equal(real, p->info.sha256);
}

static bool is_in_tree(const struct places *at, const struct part *p)
{
    char *path = file_join(at->tree, p->name);
    struct error ignored = {0};
    struct buf text;
    bool ok;

    buf_init(&text, (size_t)p->info.bytes);
    ok = file_size(path) == (int64_t)p->info.bytes && file_read(path, &text, &ignored) &&
         has_digest(p, buf_str(&text));
    buf_release(&text);
    free(path);
    return ok;
}

/* The member of the part, unpacked: header, text, padding. */
static bool unpack(const struct places *at, const struct part *p, struct buf *out)
{
    struct error ignored = {0};
    char *packed = mem_alloc((size_t)p->info.length + 1);
    size_t have = 0;
    ssize_t got = 1;
    bool ok;

    while (have < p->info.length && got > 0) {
        got = pread(at->fd, packed + have, (size_t)p->info.length - have,
                    (off_t)(p->info.offset + have));
        have += got > 0 ? (size_t)got : 0;
    }
    ok = have == p->info.length && gunzip_all((struct str){packed, have}, out, &ignored);
    free(packed);
    return ok;
}

/* *text is the part's, inside `memory`. */
static bool is_in_file(const struct places *at, const struct part *p, struct buf *memory,
                       struct str *text)
{
    char name[TAR_NAME_MAX + 2];
    struct error ignored = {0};
    size_t tail = strlen(p->name);
    uint64_t size;

    if (at->fd < 0 || !p->info.has_range || p->info.length > SIZE_MAX / 2 ||
        !unpack(at, p, memory) || memory->len < TAR_BLOCK ||
        !tar_header_parse(memory->data, name, &size, &ignored) || size != p->info.bytes ||
        strlen(name) <= tail || strcmp(name + strlen(name) - tail, p->name) != 0)
        return false;
    *text = str_slice(buf_str(memory), TAR_BLOCK, TAR_BLOCK + (size_t)size);
    return has_digest(p, *text);
}

static bool mend_tree(const struct places *at, const struct part *p, struct str text,
                      struct error *err)
{
    char *path = file_join(at->tree, p->name);
    bool ok = file_write_atomic(path, text, err);

    free(path);
    return ok;
}

/* *end: where the next part of the file must stand; UINT64_MAX behind a gap. */
static bool check_part(const struct places *at, struct archive_kept *k, uint64_t *end,
                       struct error *err)
{
    struct part *p = k->part;
    struct str text = {"", 0};
    struct buf memory;
    bool in_tree = at->tree != NULL && is_in_tree(at, p);
    bool packed;
    bool ok = true;

    buf_init(&memory, (size_t)p->info.bytes + 3 * TAR_BLOCK);
    packed = at->file && is_in_file(at, p, &memory, &text);
    k->in_file = packed && p->info.offset == *end;
    *end = k->in_file ? *end + p->info.length : *end;
    k->good = at->tree != NULL ? in_tree || packed : k->in_file;
    if (k->good && at->tree != NULL && !in_tree)
        ok = mend_tree(at, p, text, err);
    if (!k->good)
        (void)snprintf(k->why, sizeof(k->why), "%s: its size or SHA-256 is not the one written",
                       p->name);
    buf_release(&memory);
    return ok;
}

/* ---- all of them ------------------------------------------------------------------------------
 */

static int by_offset(const void *x, const void *y)
{
    const struct archive_kept *a = x;
    const struct archive_kept *b = y;

    return a->part->info.offset < b->part->info.offset
               ? -1
               : a->part->info.offset > b->part->info.offset;
}

/* Files of the tree that are no kept part: begun, damaged, or a manifest that nobody saw. */
static bool remove_others(const struct places *at, const char *folder, const struct map *kept,
                          struct error *err)
{
    char *dir = folder[0] != '\0' ? file_join(at->tree, folder) : mem_copy_text(at->tree);
    char **names = NULL;
    size_t count = 0;
    bool ok = !file_exists(dir) || file_list(dir, &names, &count, err);

    for (size_t i = 0; ok && i < count; i++) {
        char *name = folder[0] != '\0' ? file_join(folder, names[i]) : mem_copy_text(names[i]);
        char *path = file_join(at->tree, name);

        if (strcmp(name, "keys") != 0 && map_get(kept, str_from(name)) == NULL && unlink(path) != 0)
            ok = error_set_errno(err, ERROR_STORAGE, errno, "%s", path);
        free(path);
        free(name);
    }
    file_list_free(names, count);
    free(dir);
    return ok;
}

static bool clean_tree(const struct places *at, const struct archive_again *again,
                       struct error *err)
{
    struct map *kept = map_new();
    bool ok;

    for (size_t i = 0; i < again->count; i++)
        if (again->parts[i].good)
            (void)map_put(kept, str_from(again->parts[i].part->name), again->parts[i].part);
    ok = at->tree == NULL ||
         (remove_others(at, "", kept, err) && remove_others(at, "keys", kept, err));
    map_free(kept, NULL);
    return ok;
}

static bool check_all(const struct places *at, struct archive_again *again, struct error *err)
{
    uint64_t end = 0;

    if (again->count > 0)
        qsort(again->parts, again->count, sizeof(*again->parts), by_offset);
    for (size_t i = 0; i < again->count; i++) {
        if (at->o->task != NULL && !task_checkpoint(at->o->task, err))
            return false;
        part_name(again->parts[i].part);
        if (!check_part(at, &again->parts[i], &end, err))
            return false;
    }
    again->file_bytes = end;
    return clean_tree(at, again, err);
}

bool archive_again_check(const struct archive_options *o, struct archive_again *again,
                         struct error *err)
{
    struct places at = {.o = o, .fd = -1, .file = o->file};
    char *path;
    bool ok;

    if (!take_names_back(o, err))
        return false;
    at.tree = o->tree ? archive_tree_path(o->dir, o->id, false) : NULL;
    path = archive_file_path(o->dir, o->id, false);
    if (o->file)
        at.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ok = check_all(&at, again, err);
    if (at.fd >= 0)
        (void)close(at.fd);
    free(path);
    free(at.tree);
    return ok;
}

void archive_again_release(struct archive_again *again)
{
    for (size_t i = 0; i < again->count; i++)
        part_free(again->parts[i].part);
    free(again->parts);
    *again = (struct archive_again){0};
}

bool archive_remove_partial(const char *dir, const char *id, struct error *err)
{
    char *tree = archive_tree_path(dir, id, false);
    char *file = archive_file_path(dir, id, false);
    bool ok = !file_exists(tree) || file_remove_tree(tree, err);

    if (ok && unlink(file) != 0 && errno != ENOENT)
        ok = error_set_errno(err, ERROR_STORAGE, errno, "%s", file);
    free(file);
    free(tree);
    return ok;
}

/* ---- the upload alone -------------------------------------------------------------------------
 */

/* Every part by its SHA-256, the totals, and the HMAC where there is a key. */
static bool check_archive(const struct archive_options *o, const char *path, struct buf *manifest,
                          struct error *err)
{
    struct source_options how = {.path = path, .task = o->task};
    struct source *s = NULL;
    bool ok = source_open(&how, &s, err) && source_check(s, err) &&
              buf_append(manifest, source_manifest_text(s), err);

    source_close(s);
    return ok;
}

static bool send_file(const struct archive_options *o, const char *path, struct error *err)
{
    const struct store_write how = {
        .estimate_bytes = file_size(path), .memory = o->uploads, .again = true};
    char *name = mem_format("%s.tar.gz", o->id);
    struct store_writer *w = NULL;
    size_t room = (size_t)1 << 20;
    char *chunk = mem_alloc(room);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t got = 1;
    bool ok = fd >= 0 || error_set_errno(err, ERROR_STORAGE, errno, "%s", path);

    ok = ok && store_open_write_as(o->store, name, &how, &w, err);
    while (ok && (got = read(fd, chunk, room)) > 0) {
        ok = store_write(w, (struct str){chunk, (size_t)got}, err);
        if (ok && o->task != NULL)
            task_total(o->task, (uint64_t)store_writer_sent(w), (uint64_t)file_size(path));
    }
    if (ok && got < 0)
        ok = error_set_errno(err, ERROR_STORAGE, errno, "%s", path);
    ok = ok && store_commit(w, err);
    if (upload_memory_keeps(o->uploads))
        store_writer_leave(w);
    store_writer_free(w);
    if (fd >= 0)
        (void)close(fd);
    free(chunk);
    free(name);
    return ok;
}

static bool put_copies(const struct archive_options *o, struct str manifest, struct error *err)
{
    char *name = mem_format("%s.metadata.json", o->id);
    char *signature = mem_format("%s.metadata.hmac", o->id);
    char hex[65];
    bool ok = true;

    if (o->sign_key != NULL && secret_is_set(o->sign_key)) {
        manifest_sign(manifest, o->sign_key, hex);
        ok = store_put(o->store, signature, str_from(hex), err);
    }
    ok = ok && store_put(o->store, name, manifest, err);
    free(signature);
    free(name);
    return ok;
}

bool archive_upload_again(const struct archive_options *o, struct buf *manifest, struct error *err)
{
    char *path = archive_file_path(o->dir, o->id, true);
    char *name = mem_format("%s.tar.gz", o->id);
    char *uri = o->store != NULL ? store_uri(o->store, name) : NULL;
    bool ok = check_archive(o, path, manifest, err);

    if (ok && uri != NULL) {
        ok = send_file(o, path, err) && put_copies(o, buf_str(manifest), err);
        if (!ok)
            archiver_blame_store(err);
    }
    if (ok && uri != NULL && o->written != NULL)
        o->written(o->written_arg, ARCHIVE_UPLOAD, uri);
    free(uri);
    free(name);
    free(path);
    return ok;
}
