#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/archive/archive_hint.h"
#include "core/archive/archive_private.h"
#include "core/base/alloc.h"
#include "core/base/file.h"

#define SMALL_MEMBER_MAX (MANIFEST_BYTES_MAX + (1 << 20))

static int by_number(const void *x, const void *y)
{
    const struct part *a = *(struct part *const *)x;
    const struct part *b = *(struct part *const *)y;

    return a->number < b->number ? -1 : a->number > b->number;
}

static struct manifest_part copy_info(struct arena *arena, const struct part *p)
{
    struct manifest_part info = p->info;

    info.name = arena_text(arena, str_from(p->name));
    info.shard = arena_text(arena, str_from(p->shard));
    return info;
}

static void fill_parts(struct archiver *a, struct manifest *m)
{
    if (a->done_count > 0)
        qsort(a->done, a->done_count, sizeof(struct part *), by_number);
    m->parts = arena_array(&m->arena, a->done_count + 1, sizeof(*m->parts));
    m->part_count = 0;
    m->totals.bytes = 0;
    for (size_t i = 0; i < a->done_count; i++) {
        struct manifest_part info = copy_info(&m->arena, a->done[i]);

        m->totals.bytes += info.bytes;
        m->functions = m->functions || a->done[i]->functions;
        if (a->done[i]->functions)
            m->function_part = info;
        else
            m->parts[m->part_count++] = info;
    }
}

/* One small member of our own, straight to the places that are streams. */
static bool put_member(struct archiver *a, struct gzip *z, const char *name, struct str text,
                       uint64_t range[2], struct error *err)
{
    struct part *p = part_new("", 0, SMALL_MEMBER_MAX);
    struct buf packed;
    bool ok;

    buf_init(&packed, SIZE_MAX / 2);
    ok = buf_append(&p->text, text, err) && archiver_pack(a, z, name, &p->text, &packed, err);
    range[0] = archiver_bytes(a);
    range[1] = packed.len;
    ok = ok && archiver_append(a, buf_str(&packed), err);
    buf_release(&packed);
    part_free(p);
    return ok;
}

static bool close_streams(struct archiver *a, struct str text, struct str hmac, struct error *err)
{
    struct gzip *z = gzip_new(a->o.level != 0 ? a->o.level : 6);
    struct archive_hint hint = {0};
    uint64_t range[2];
    struct buf trailer;
    bool ok = true;

    buf_init(&trailer, 4 * TAR_TRAILER);
    if (hmac.len > 0) {
        ok = put_member(a, z, MANIFEST_HMAC_NAME, hmac, range, err);
        hint.hmac_offset = range[0];
        hint.hmac_length = range[1];
    }
    ok = ok && put_member(a, z, MANIFEST_NAME, text, range, err);
    hint.manifest_offset = range[0];
    hint.manifest_length = range[1];
    ok = ok && archive_trailer_put(&hint, &trailer, err) &&
         archiver_append(a, buf_str(&trailer), err);
    buf_release(&trailer);
    gzip_free(z);
    return ok;
}

static void tell(const struct archiver *a, enum archive_place place, const char *where)
{
    if (a->o.written != NULL)
        a->o.written(a->o.written_arg, place, where);
}

static bool finish_tree(struct archiver *a, struct str text, struct str hmac, struct error *err)
{
    char *keys = file_join(a->tree, "keys");
    char *manifest = file_join(a->tree, MANIFEST_NAME);
    bool ok = file_sync_dir(keys, err) &&
              (hmac.len == 0 || archiver_write_tree(a, MANIFEST_HMAC_NAME, hmac, err)) &&
              file_write_atomic(manifest, text, err);

    if (ok && rename(a->tree, a->tree_end) != 0)
        ok = error_set_errno(err, ERROR_STORAGE, errno, "%s", a->tree_end);
    ok = ok && file_sync_dir(a->o.dir, err);

    free(manifest);
    free(keys);
    if (ok) {
        a->tree_made = false; /* it is whole: stays whatever follows */
        tell(a, ARCHIVE_TREE, a->tree_end);
    }
    return ok;
}

/* Beside an archive that has no unpacked tree: lists read it there. */
static bool put_sidecars(struct archiver *a, struct str text, struct str hmac, struct error *err)
{
    char *manifest = mem_format("%s/%s.metadata.json", a->o.dir, a->o.id);
    char *signature = mem_format("%s/%s.metadata.hmac", a->o.dir, a->o.id);
    bool ok = (hmac.len == 0 || file_write_atomic(signature, hmac, err)) &&
              file_write_atomic(manifest, text, err);

    free(signature);
    free(manifest);
    return ok;
}

static bool finish_file(struct archiver *a, struct str text, struct str hmac, struct error *err)
{
    bool ok = fsync(a->fd) == 0 || error_set_errno(err, ERROR_STORAGE, errno, "%s", a->file_tmp);

    if (close(a->fd) != 0 && ok)
        ok = error_set_errno(err, ERROR_STORAGE, errno, "%s", a->file_tmp);
    a->fd = -1;
    if (ok && link(a->file_tmp, a->file) != 0) /* unlike rename it never replaces another */
        ok = error_set_errno(err, ERROR_STORAGE, errno, "%s", a->file);
    ok =
        ok && (a->tree != NULL || put_sidecars(a, text, hmac, err)) && file_sync_dir(a->o.dir, err);
    if (ok) {
        (void)unlink(a->file_tmp);
        tell(a, ARCHIVE_FILE, a->file);
    }
    return ok;
}

static bool finish_upload(struct archiver *a, struct str text, struct str hmac, struct error *err)
{
    char *name = mem_format("%s.tar.gz", a->o.id);
    char *manifest = mem_format("%s.metadata.json", a->o.id);
    char *signature = mem_format("%s.metadata.hmac", a->o.id);
    char *uri = store_uri(a->o.store, name);
    bool ok = a->upload != NULL;

    if (!ok)
        *err = a->upload_error;
    ok = ok && store_commit(a->upload, err);
    ok = ok && (hmac.len == 0 || store_put(a->o.store, signature, hmac, err)) &&
         store_put(a->o.store, manifest, text, err);
    if (!ok)
        archiver_blame_store(err);
    if (ok) {
        if (a->o.task != NULL)
            task_counter(a->o.task, "uploaded_bytes", (int64_t)archiver_bytes(a));
        tell(a, ARCHIVE_UPLOAD, uri);
    } else if (a->tree != NULL || a->file != NULL) {
        (void)error_wrap(err, "the local backup is complete, its upload is not");
    }
    free(uri);
    free(signature);
    free(manifest);
    free(name);
    return ok;
}

bool archiver_finish(struct archiver *a, struct manifest *m, struct error *err)
{
    struct buf text;
    char hex[65] = "";
    struct str hmac = {hex, 0};
    bool ok;

    archiver_join(a);
    if (archiver_failed(a, err))
        return false;
    fill_parts(a, m);
    buf_init(&text, MANIFEST_BYTES_MAX);
    ok = manifest_encode(m, &text, err);
    if (ok && a->o.sign_key != NULL && secret_is_set(a->o.sign_key)) {
        manifest_sign(buf_str(&text), a->o.sign_key, hex);
        hmac.len = strlen(hex);
    }
    ok = ok && close_streams(a, buf_str(&text), hmac, err);
    ok = ok && (a->tree == NULL || finish_tree(a, buf_str(&text), hmac, err));
    ok = ok && (a->file == NULL || finish_file(a, buf_str(&text), hmac, err));
    a->finished = ok; /* from here on the local places stay */
    a->local = ok && (a->tree != NULL || a->file != NULL);
    ok = ok && (a->o.store == NULL || finish_upload(a, buf_str(&text), hmac, err));
    buf_release(&text);
    return ok;
}
