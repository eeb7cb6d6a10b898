#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/archive/source_private.h"
#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/file.h"
#include "core/codec/digest.h"
#include "core/codec/gzip.h"
#include "core/codec/tar.h"
#include "core/record/record.h"

#define COPY_BYTES 65536

/* The archive as a stream, whatever it comes from. */
struct stream {
    struct source *s;
    struct store_reader *reader; /* NULL: s->fd */
    uint64_t at;
    struct gunzip *gunzip;
};

static bool pull_packed(void *arg, void *out, size_t size, size_t *got, struct error *err)
{
    struct stream *in = arg;
    ssize_t n;

    if (in->s->o.task != NULL && task_cancelled(in->s->o.task))
        return error_set(err, ERROR_CANCELLED, 0, "cancelled");
    if (in->reader != NULL)
        return store_read(in->reader, out, size, got, err);
    do
        n = pread(in->s->fd, out, size, (off_t)in->at);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return error_set_errno(err, ERROR_STORAGE, errno, "cannot read the archive");
    in->at += (uint64_t)n;
    *got = (size_t)n;
    return true;
}

static bool pull_tar(void *arg, void *out, size_t size, size_t *got, struct error *err)
{
    struct stream *in = arg;

    return gunzip_read(in->gunzip, out, size, got, err);
}

/* "keys/NAME.jsonl", "functions.jsonl" or the manifest and its signature. */
static bool is_known_name(struct str name)
{
    if (str_is(name, MANIFEST_NAME) || str_is(name, MANIFEST_HMAC_NAME) ||
        str_is(name, "functions.jsonl"))
        return true;
    return str_starts(name, "keys/") && str_ends(name, ".jsonl") && str_find_last(name, '/') == 4 &&
           name.len > strlen("keys/.jsonl");
}

static bool split_name(struct source *s, const char *full, struct str *name, struct error *err)
{
    struct str path = str_from(full);
    size_t slash = str_find(path, '/');
    struct str top = str_slice(path, 0, slash);

    *name = str_slice(path, slash + 1, path.len);
    if (slash == path.len || !is_known_name(*name))
        return error_set(err, ERROR_CORRUPT, 0, "archive refused: %s does not belong into a backup",
                         full);
    if (s->top == NULL)
        s->top = mem_copy_str(top);
    return str_is(top, s->top) ||
           error_set(err, ERROR_CORRUPT, 0, "archive refused: more than one top folder");
}

static bool read_small(struct tar_reader *tar, struct buf *out, struct error *err)
{
    size_t got = 1;

    while (got > 0) {
        if (!buf_reserve(out, 1, err))
            return false;
        if (!tar_read(tar, out->data + out->len, out->cap - 1 - out->len, &got, err))
            return false;
        out->len += got;
    }
    out->data[out->len] = '\0';
    return true;
}

/* A line that no reader would take ends it here, before a disk is full of it. */
static bool check_lines(struct str piece, uint64_t *line, struct error *err)
{
    size_t last = str_find_last(piece, '\n');

    if (last == piece.len)
        *line += piece.len;
    else
        *line = piece.len - last - 1;
    return *line <= RECORD_LINE_MAX ||
           error_set(err, ERROR_LIMIT, 0, "archive refused: a line is longer than %zu MiB",
                     RECORD_LINE_MAX >> 20);
}

static bool spool_member(int fd, uint64_t *end, struct tar_reader *tar, struct source_member *m,
                         struct error *err)
{
    struct sha256 *hash = sha256_new();
    char *copy = mem_alloc(COPY_BYTES);
    uint64_t line = 0;
    size_t got = 1;
    bool ok = true;

    m->offset = (*end + SPOOL_ALIGN - 1) / SPOOL_ALIGN * SPOOL_ALIGN;
    if (lseek(fd, (off_t)m->offset, SEEK_SET) < 0)
        ok = error_set_errno(err, ERROR_STORAGE, errno, "spool file");
    while (ok && got > 0) {
        ok = tar_read(tar, copy, COPY_BYTES, &got, err) &&
             check_lines((struct str){copy, got}, &line, err) &&
             (got == 0 || file_write_all(fd, (struct str){copy, got}, err));
        if (ok) {
            sha256_add(hash, (struct str){copy, got});
            m->bytes += got;
        }
    }
    sha256_end(hash, m->sha256);
    *end = m->offset + m->bytes;
    free(copy);
    sha256_free(hash);
    return ok;
}

static bool take_member(struct source *s, struct tar_reader *tar, const char *full, int spool,
                        uint64_t *end, struct error *err)
{
    struct source_member m = {0};
    struct str name;

    if (!split_name(s, full, &name, err))
        return false;
    if (str_is(name, MANIFEST_NAME))
        return read_small(tar, &s->text, err);
    if (str_is(name, MANIFEST_HMAC_NAME))
        return read_small(tar, &s->hmac, err);
    m.name = mem_copy_str(name);
    ARRAY_PUSH(s->members, s->member_count, s->member_cap) = m;
    return spool_member(spool, end, tar, &s->members[s->member_count - 1], err);
}

static int open_spool(const char *dir, struct error *err)
{
    char *path = file_join(dir != NULL ? dir : "/tmp", "rbconsole-spool-XXXXXX");
    int fd = mkostemp(path, O_CLOEXEC);

    if (fd >= 0)
        (void)unlink(path);
    else
        (void)error_set_errno(err, ERROR_STORAGE, errno, "spool file %s", path);
    free(path);
    return fd;
}

static bool read_stream(struct source *s, struct stream *in, int spool, struct error *err)
{
    struct tar_reader *tar = tar_reader_new(pull_tar, in);
    const char *full = NULL;
    uint64_t end = 0;
    uint64_t size;
    bool ok;

    do {
        ok = tar_next(tar, &full, &size, err);
        if (ok && full != NULL)
            ok = take_member(s, tar, full, spool, &end, err);
    } while (ok && full != NULL);
    tar_reader_free(tar);
    if (ok && s->text.len == 0)
        ok = error_set(err, ERROR_CORRUPT, 0,
                       "the archive has no " MANIFEST_NAME ": it was cut off, or is no backup");
    return ok;
}

bool source_scan(struct source *s, struct error *err)
{
    struct stream in = {.s = s};
    int spool;
    bool ok = true;

    if (s->kind == SOURCE_OBJECT && !store_open_read(s->o.store, s->o.name, 0, -1, &in.reader, err))
        return false;
    spool = open_spool(s->o.spool_dir, err);
    in.gunzip = gunzip_new(pull_packed, &in, s->o.max_unpacked);
    ok = spool >= 0 && read_stream(s, &in, spool, err);
    gunzip_free(in.gunzip);
    store_reader_free(in.reader);
    if (s->fd >= 0)
        (void)close(s->fd);
    s->fd = spool;
    s->kind = SOURCE_SPOOL;
    return ok;
}

const struct source_member *source_find_member(const struct source *s, const char *name)
{
    for (size_t i = 0; i < s->member_count; i++)
        if (strcmp(s->members[i].name, name) == 0)
            return &s->members[i];
    return NULL;
}

/* ---- an older tool's parts --------------------------------------------------------------------
 */

static int by_name(const void *x, const void *y)
{
    const struct source_member *a = x;
    const struct source_member *b = y;

    return strcmp(a->name, b->name);
}

static bool list_tree(struct source *s, struct error *err)
{
    char *dir = file_join(s->o.path, "keys");
    char **names = NULL;
    size_t count = 0;
    bool ok = file_list(dir, &names, &count, err);

    for (size_t i = 0; ok && i < count; i++) {
        struct source_member m = {0};
        char *path;

        m.name = mem_format("keys/%s", names[i]);
        path = file_join(s->o.path, m.name);
        m.bytes = file_size(path) > 0 ? (uint64_t)file_size(path) : 0;
        free(path);
        if (is_known_name(str_from(m.name)))
            ARRAY_PUSH(s->members, s->member_count, s->member_cap) = m;
        else
            free(m.name);
    }
    file_list_free(names, count);
    free(dir);
    return ok;
}

bool source_adopt_parts(struct source *s, struct error *err)
{
    struct manifest *m = s->manifest;

    if (s->kind == SOURCE_TREE && !list_tree(s, err))
        return false;
    if (s->kind != SOURCE_TREE && s->kind != SOURCE_SPOOL)
        return error_set(err, ERROR_UNSUPPORTED, 0,
                         "an older tool's backup is read from a directory or an archive");
    if (s->member_count > 0)
        qsort(s->members, s->member_count, sizeof(*s->members), by_name);
    m->parts = arena_array(&m->arena, s->member_count + 1, sizeof(*m->parts));
    for (size_t i = 0; i < s->member_count; i++) {
        struct manifest_part *p = &m->parts[m->part_count];

        if (!str_starts(str_from(s->members[i].name), "keys/"))
            continue;
        p->name = s->members[i].name;
        p->shard = "";
        p->bytes = s->members[i].bytes;
        m->part_count++;
    }
    return m->part_count > 0 ||
           error_set(err, ERROR_CORRUPT, 0, "no keys/*.jsonl: this is no backup");
}
