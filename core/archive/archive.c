#include "core/archive/archive_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/codec/digest.h"

#define MEMORY ((size_t)64 << 20)
#define QUEUE_ITEMS 64

static void fail(struct archiver *a, const struct error *err)
{
    pthread_mutex_lock(&a->mutex);
    if (a->error.code == ERROR_NONE)
        a->error = *err;
    pthread_mutex_unlock(&a->mutex);
    queue_abort(a->parts);
    queue_abort(a->members);
}

bool archiver_failed(struct archiver *a, struct error *err)
{
    bool is;

    pthread_mutex_lock(&a->mutex);
    is = a->error.code != ERROR_NONE;
    if (is)
        *err = a->error;
    pthread_mutex_unlock(&a->mutex);
    return is;
}

/* ---- compressors ------------------------------------------------------------------------------
 */

bool archiver_write_tree(struct archiver *a, const char *name, struct str text, struct error *err)
{
    char *path;
    int fd;
    bool ok;

    if (a->tree == NULL)
        return true;
    path = file_join(a->tree, name);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    ok = fd >= 0 || error_set_errno(err, ERROR_STORAGE, errno, "%s", path);
    if (ok && !file_write_all(fd, text, err))
        ok = error_wrap(err, "%s", path);
    if (ok && fsync(fd) != 0)
        ok = error_set_errno(err, ERROR_STORAGE, errno, "%s", path);
    if (fd >= 0 && close(fd) != 0 && ok)
        ok = error_set_errno(err, ERROR_STORAGE, errno, "%s", path);
    free(path);
    return ok;
}

bool archiver_pack(struct archiver *a, struct gzip *z, const char *name, struct buf *text,
                   struct buf *out, struct error *err)
{
    static const char zeros[TAR_BLOCK];
    const char *slash = strchr(name, '/');
    uint64_t size = text->len - PART_HEAD;
    char dir[160];

    (void)snprintf(dir, sizeof(dir), "%s%s%.*s", a->o.id, slash != NULL ? "/" : "",
                   slash != NULL ? (int)(slash - name) : 0, name);
    return tar_header(text->data, dir, slash != NULL ? slash + 1 : name, size,
                      clock_real_ms() / 1000, err) &&
           buf_append(text, (struct str){zeros, tar_padding(size)}, err) &&
           gzip_member(z, buf_str(text), out, err);
}

static bool compress_part(struct archiver *a, struct gzip *z, struct part *p, struct error *err)
{
    struct str text = part_text(p);
    struct member *m;
    bool ok;

    part_name(p);
    p->info.bytes = text.len;
    p->info.has_sha256 = true;
    sha256_of(text, p->info.sha256);
    m = mem_zero(1, sizeof(*m));
    m->part = p;
    buf_init(&m->packed, SIZE_MAX / 2);
    ok = (p->in_tree || archiver_write_tree(a, p->name, text, err)) &&
         archiver_pack(a, z, p->name, &p->text, &m->packed, err);
    buf_release(&p->text);
    if (ok && queue_push(a->members, m, m->packed.cap))
        return true;
    if (ok)
        ok = error_set(err, ERROR_CANCELLED, 0, "writing the archive was stopped");
    buf_release(&m->packed);
    part_free(p);
    free(m);
    return ok;
}

static void *run_compressor(void *arg)
{
    struct archiver *a = arg;
    struct gzip *z = gzip_new(a->o.level != 0 ? a->o.level : 6);
    struct part *p;
    struct error err;

    while ((p = queue_pop(a->parts)) != NULL) {
        if (!compress_part(a, z, p, &err))
            fail(a, &err);
    }
    gzip_free(z);
    return NULL;
}

/* ---- writer -----------------------------------------------------------------------------------
 */

/* The servers are well: what is out of reach is the bucket. */
void archiver_blame_store(struct error *err)
{
    if (err->code == ERROR_UNREACHABLE || err->code == ERROR_TIMEOUT)
        err->code = ERROR_STORAGE;
}

/* The upload may fail alone when something is written on disk as well. */
bool archiver_send_up(struct archiver *a, struct str bytes, struct error *err)
{
    struct error why;

    if (a->upload == NULL || store_write(a->upload, bytes, &why))
        return true;
    archiver_blame_store(&why);
    if (upload_memory_keeps(a->o.uploads))
        store_writer_leave(a->upload);
    store_writer_free(a->upload);
    a->upload = NULL;
    if ((a->tree == NULL && a->file == NULL) || why.code == ERROR_CANCELLED) {
        *err = why;
        return false;
    }
    pthread_mutex_lock(&a->mutex);
    a->upload_error = why;
    pthread_mutex_unlock(&a->mutex);
    if (a->o.task != NULL)
        task_note(a->o.task, TASK_ERROR, "upload given up, the local backup goes on: %s", why.text);
    return true;
}

bool archiver_append(struct archiver *a, struct str bytes, struct error *err)
{
    if (a->fd >= 0 && !file_write_all(a->fd, bytes, err))
        return error_wrap(err, "%s", a->file_tmp);
    if (!archiver_send_up(a, bytes, err))
        return false;
    pthread_mutex_lock(&a->mutex);
    a->offset += bytes.len;
    pthread_mutex_unlock(&a->mutex);
    if (a->o.task != NULL) {
        task_counter(a->o.task, "archive_bytes", (int64_t)archiver_bytes(a));
        if (a->upload != NULL)
            task_counter(a->o.task, "uploaded_bytes", store_writer_sent(a->upload));
    }
    return true;
}

static void *run_writer(void *arg)
{
    struct archiver *a = arg;
    struct member *m;
    struct error err;

    if (!archiver_send_kept(a, &err))
        fail(a, &err);
    while ((m = queue_pop(a->members)) != NULL) {
        struct part *p = m->part;

        p->info.has_range = true;
        p->info.offset = archiver_bytes(a);
        p->info.length = m->packed.len;
        if (!archiver_append(a, buf_str(&m->packed), &err) ||
            (a->o.part_done != NULL && !a->o.part_done(a->o.part_done_arg, p, &err)))
            fail(a, &err);
        buf_release(&m->packed);
        free(m);
        pthread_mutex_lock(&a->mutex);
        /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
        ARRAY_PUSH(a->done, a->done_count, a->done_cap) = p;
        pthread_mutex_unlock(&a->mutex);
    }
    return NULL;
}

bool archiver_is_local(const struct archiver *a)
{
    return a->local;
}

void archiver_leave(struct archiver *a)
{
    a->leave = true;
}

uint64_t archiver_bytes(struct archiver *a)
{
    uint64_t n;

    pthread_mutex_lock(&a->mutex);
    n = a->offset;
    pthread_mutex_unlock(&a->mutex);
    return n;
}

/* ---- begin ------------------------------------------------------------------------------------
 */

static bool start_threads(struct archiver *a, struct error *err)
{
    size_t want = a->o.threads != 0 ? a->o.threads : ARCHIVE_COMPRESSORS;
    int status = pthread_create(&a->writer, NULL, run_writer, a);

    if (status != 0)
        return error_set_errno(err, ERROR_INTERNAL, status, "cannot start a thread");
    a->running = true;
    if (want > ARCHIVE_COMPRESSORS_MAX)
        want = ARCHIVE_COMPRESSORS_MAX;
    for (; a->compressor_count < want; a->compressor_count++) {
        status = pthread_create(&a->compressors[a->compressor_count], NULL, run_compressor, a);
        if (status != 0)
            return error_set_errno(err, ERROR_INTERNAL, status, "cannot start a thread");
    }
    return true;
}

bool archiver_create(const struct archive_options *options, struct archiver **out,
                     struct error *err)
{
    struct archiver *a = mem_zero(1, sizeof(*a));
    size_t memory = options->memory != 0 ? options->memory : MEMORY;

    a->o = *options;
    a->fd = -1;
    (void)pthread_mutex_init(&a->mutex, NULL);
    a->parts = queue_new(QUEUE_ITEMS, memory / 4 * 3);
    a->members = queue_new(QUEUE_ITEMS, memory / 4);
    *out = NULL;
    if (!archiver_open_places(a, err) || !start_threads(a, err) || !archiver_pack_kept(a, err)) {
        archiver_free(a);
        return false;
    }
    *out = a;
    return true;
}

bool archiver_add(struct archiver *a, struct part *part, struct error *err)
{
    if (!part->functions && part->number == 0) {
        pthread_mutex_lock(&a->mutex);
        part->number = ++a->next_number;
        pthread_mutex_unlock(&a->mutex);
    }
    if (queue_push(a->parts, part, part->text.cap))
        return true;
    part_free(part);
    if (!archiver_failed(a, err))
        (void)error_set(err, ERROR_CANCELLED, 0, "writing the archive was stopped");
    return false;
}

/* ---- end --------------------------------------------------------------------------------------
 */

void archiver_join(struct archiver *a)
{
    queue_close(a->parts);
    for (size_t i = 0; i < a->compressor_count; i++)
        (void)pthread_join(a->compressors[i], NULL);
    a->compressor_count = 0;
    queue_close(a->members);
    if (a->running)
        (void)pthread_join(a->writer, NULL);
    a->running = false;
}

void archiver_free(struct archiver *a)
{
    struct part *p;
    struct member *m;

    if (a == NULL)
        return;
    queue_abort(a->parts);
    queue_abort(a->members);
    archiver_join(a);
    while ((p = queue_take(a->parts)) != NULL)
        part_free(p);
    while ((m = queue_take(a->members)) != NULL) {
        buf_release(&m->packed);
        part_free(m->part);
        free(m);
    }
    queue_free(a->parts);
    queue_free(a->members);
    if (a->leave && upload_memory_keeps(a->o.uploads))
        store_writer_leave(a->upload);
    store_writer_free(a->upload);
    if (a->fd >= 0)
        (void)close(a->fd);
    archiver_remove_places(a);
    for (size_t i = 0; i < a->done_count; i++)
        part_free(a->done[i]);
    free(a->done);
    free(a->tree);
    free(a->tree_end);
    free(a->file);
    free(a->file_tmp);
    (void)pthread_mutex_destroy(&a->mutex);
    free(a);
}
