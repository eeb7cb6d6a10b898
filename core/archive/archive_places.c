#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/archive/archive_again.h"
#include "core/archive/archive_private.h"
#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/file.h"

#define COPY_BYTES ((size_t)1 << 20)

char *archive_tree_path(const char *dir, const char *id, bool whole)
{
    char *name = mem_format("%s%s", id, whole ? "" : ".partial");
    char *path = file_join(dir, name);

    free(name);
    return path;
}

char *archive_file_path(const char *dir, const char *id, bool whole)
{
    char *name = mem_format("%s.tar.gz%s", id, whole ? "" : ".partial");
    char *path = file_join(dir, name);

    free(name);
    return path;
}

/* ---- opening ----------------------------------------------------------------------------------
 */

static bool open_tree(struct archiver *a, struct error *err)
{
    const struct archive_options *o = &a->o;
    char *keys;
    bool ok;

    a->tree = archive_tree_path(o->dir, o->id, false);
    a->tree_end = archive_tree_path(o->dir, o->id, true);
    keys = file_join(a->tree, "keys");
    ok = (!file_exists(a->tree_end) ||
          error_set(err, ERROR_CONFLICT, 0, "%s exists", a->tree_end)) &&
         (o->again != NULL || !file_exists(a->tree) ||
          error_set(err, ERROR_CONFLICT, 0, "%s exists", a->tree));
    a->tree_made = ok;
    ok = ok && file_make_dirs(keys, err);
    free(keys);
    return ok;
}

/* What stands behind the parts that are kept was never finished: it goes. */
static bool go_on_behind(struct archiver *a, uint64_t bytes, const char *name, struct error *err)
{
    a->offset = bytes;
    return (ftruncate(a->fd, (off_t)bytes) == 0 && lseek(a->fd, (off_t)bytes, SEEK_SET) >= 0) ||
           error_set_errno(err, ERROR_STORAGE, errno, "%s", name);
}

static bool open_file(struct archiver *a, struct error *err)
{
    const struct archive_options *o = &a->o;
    int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (o->again == NULL ? O_EXCL : 0);
    char *name = archive_file_path(o->dir, o->id, false);
    bool ok;

    a->file = archive_file_path(o->dir, o->id, true);
    a->fd = open(name, flags, 0600);
    ok = a->fd >= 0 || error_set_errno(err, ERROR_STORAGE, errno, "%s", name);
    if (ok && o->again != NULL)
        ok = go_on_behind(a, o->again->file_bytes, name, err);
    if (a->fd >= 0)
        a->file_tmp = name;
    else
        free(name);
    return ok;
}

static bool open_upload(struct archiver *a, struct error *err)
{
    const struct store_write how = {.memory = a->o.uploads, .again = a->o.again != NULL};
    char *name = mem_format("%s.tar.gz", a->o.id);
    bool ok = store_open_write_as(a->o.store, name, &how, &a->upload, err);

    free(name);
    return ok;
}

/* Parts that stand in the file are as good as written. */
static void take_kept(struct archiver *a)
{
    for (size_t i = 0; i < a->o.again->count; i++) {
        struct archive_kept *k = &a->o.again->parts[i];

        if (k->part->number > a->next_number)
            a->next_number = k->part->number;
        if (!k->good || !k->in_file)
            continue;
        /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
        ARRAY_PUSH(a->done, a->done_count, a->done_cap) = k->part;
        k->part = NULL;
    }
}

bool archiver_open_places(struct archiver *a, struct error *err)
{
    const struct archive_options *o = &a->o;

    if (o->dir != NULL && (o->tree || o->file) && !file_make_dirs(o->dir, err))
        return false;
    if (o->again != NULL)
        a->leave = true; /* a failure to open takes nothing away */
    if (o->dir != NULL && o->tree && !open_tree(a, err))
        return false;
    if (o->dir != NULL && o->file && !open_file(a, err))
        return false;
    if (o->store != NULL && !open_upload(a, err))
        return false;
    if (o->again != NULL)
        take_kept(a);
    return true;
}

/* Is there anything that a later run could go on with? */
static bool has_parts(const struct archiver *a)
{
    return a->done_count > 0 || (a->o.again != NULL && a->o.again->count > 0);
}

void archiver_remove_places(struct archiver *a)
{
    struct error err;

    if (a->leave && has_parts(a))
        return;
    if (a->file_tmp != NULL)
        (void)unlink(a->file_tmp);
    if (!a->finished && a->tree_made && !file_remove_tree(a->tree, &err) && a->o.task != NULL)
        task_note(a->o.task, TASK_WARN, "%s", err.text);
}

/* ---- what an earlier run wrote ----------------------------------------------------------------
 */

bool archiver_send_kept(struct archiver *a, struct error *err)
{
    uint64_t end = archiver_bytes(a);
    uint64_t at = 0;
    char *chunk;
    bool ok = true;

    if (a->upload == NULL || end == 0)
        return true;
    chunk = mem_alloc(COPY_BYTES);
    while (ok && at < end) {
        size_t want = end - at < COPY_BYTES ? (size_t)(end - at) : COPY_BYTES;
        ssize_t got = pread(a->fd, chunk, want, (off_t)at);

        if (got <= 0)
            ok = error_set_errno(err, ERROR_STORAGE, got < 0 ? errno : EIO, "%s", a->file_tmp);
        else
            ok = archiver_send_up(a, (struct str){chunk, (size_t)got}, err);
        at += got > 0 ? (uint64_t)got : 0;
    }
    free(chunk);
    return ok;
}

static bool load_from_tree(struct archiver *a, struct part *p, struct error *err)
{
    char *path = file_join(a->tree, p->name);
    struct buf text;
    bool ok;

    buf_init(&text, (size_t)p->info.bytes);
    p->text.max = (size_t)p->info.bytes + PART_HEAD + 2 * TAR_BLOCK;
    ok = file_read(path, &text, err) &&
         (text.len == p->info.bytes ||
          error_set(err, ERROR_CORRUPT, 0, "%s changed while it was looked at", path)) &&
         buf_append(&p->text, buf_str(&text), err);
    buf_release(&text);
    free(path);
    return ok;
}

bool archiver_pack_kept(struct archiver *a, struct error *err)
{
    struct archive_again *again = a->o.again;

    for (size_t i = 0; again != NULL && i < again->count; i++) {
        struct part *p = again->parts[i].part;

        if (p == NULL || !again->parts[i].good)
            continue;
        again->parts[i].part = NULL;
        p->in_tree = true;
        if (!load_from_tree(a, p, err)) {
            part_free(p);
            return false;
        }
        if (!archiver_add(a, p, err))
            return false;
    }
    return true;
}
