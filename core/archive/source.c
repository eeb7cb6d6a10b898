#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/archive/archive_hint.h"
#include "core/archive/source_private.h"
#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/codec/gzip.h"
#include "core/codec/tar.h"

#define SUFFIX ".tar.gz"
#define HMAC_MAX 256
#define UNPACK_BYTES ((size_t)1 << 20)

/* ---- manifest of a tree -----------------------------------------------------------------------
 */

static bool read_tree_manifest(struct source *s, struct error *err)
{
    char *manifest = file_join(s->o.path, MANIFEST_NAME);
    char *hmac = file_join(s->o.path, MANIFEST_HMAC_NAME);
    bool ok = file_read_plain(manifest, &s->text, err);

    if (!ok && err->code == ERROR_NOT_FOUND)
        (void)error_set(err, ERROR_CORRUPT, 0,
                        "%s has no " MANIFEST_NAME ": the backup was not finished, or is none",
                        s->o.path);
    ok = ok && (!file_exists(hmac) || file_read_plain(hmac, &s->hmac, err));
    free(hmac);
    free(manifest);
    return ok;
}

static bool read_object(struct source *s, const char *name, struct buf *out, bool *found,
                        struct error *err)
{
    *found = store_read_all(s->o.store, name, out, err);
    if (*found || err->code != ERROR_NOT_FOUND)
        return *found;
    *err = (struct error){0};
    buf_clear(out);
    return true;
}

static bool read_store_tree_manifest(struct source *s, struct error *err)
{
    char *manifest = mem_format("%s/" MANIFEST_NAME, s->o.name);
    char *hmac = mem_format("%s/" MANIFEST_HMAC_NAME, s->o.name);
    bool found = false;
    bool ok = read_object(s, manifest, &s->text, &found, err);

    if (ok && !found)
        ok = error_set(err, ERROR_CORRUPT, 0, "%s has no " MANIFEST_NAME, s->name);
    ok = ok && read_object(s, hmac, &s->hmac, &found, err);
    free(hmac);
    free(manifest);
    return ok;
}

/* ---- manifest of an archive -------------------------------------------------------------------
 */

/* A stretch of the archive, piece by piece. */
struct stretch {
    struct source *s;
    struct store_reader *reader; /* NULL: s->fd */
    uint64_t at;
    uint64_t left;
};

static bool open_stretch(struct source *s, uint64_t offset, uint64_t length, struct stretch *out,
                         struct error *err)
{
    *out = (struct stretch){.s = s, .at = offset, .left = length};
    if (length > s->total || offset > s->total - length)
        return error_set(err, ERROR_CORRUPT, 0, "the archive is shorter than its manifest says");
    return s->kind == SOURCE_FILE || store_open_read(s->o.store, s->o.name, (int64_t)offset,
                                                     (int64_t)length, &out->reader, err);
}

static bool pull_stretch(void *arg, void *out, size_t size, size_t *got, struct error *err)
{
    struct stretch *st = arg;
    size_t want = size < st->left ? size : (size_t)st->left;
    ssize_t n = 0;

    *got = 0;
    if (want == 0)
        return true;
    if (st->reader != NULL) {
        if (!store_read(st->reader, out, want, got, err))
            return false;
    } else {
        do
            n = pread(st->s->fd, out, want, (off_t)st->at);
        while (n < 0 && errno == EINTR);
        if (n < 0)
            return error_set_errno(err, ERROR_STORAGE, errno, "cannot read the archive");
        *got = (size_t)n;
    }
    if (*got == 0)
        return error_set(err, ERROR_CORRUPT, 0, "the archive is shorter than its manifest says");
    st->at += *got;
    st->left -= *got;
    return true;
}

bool source_read_range(struct source *s, uint64_t offset, uint64_t length, struct buf *out,
                       struct error *err)
{
    struct stretch st;
    bool ok = open_stretch(s, offset, length, &st, err) && buf_reserve(out, (size_t)length, err);

    while (ok && st.left > 0) {
        size_t got;

        ok = pull_stretch(&st, out->data + out->len, (size_t)st.left, &got, err);
        out->len += ok ? got : 0;
    }
    store_reader_free(st.reader);
    return ok;
}

/* All that a stretch unpacks to; never more than out may hold. */
static bool unpack_stretch(struct source *s, uint64_t offset, uint64_t length, struct buf *out,
                           struct error *err)
{
    struct stretch st;
    struct gunzip *z = NULL;
    size_t got = 1;
    bool ok = open_stretch(s, offset, length, &st, err);

    if (ok)
        z = gunzip_new(pull_stretch, &st, out->max);
    while (ok && got > 0) {
        size_t room = out->max - out->len;
        char extra; /* when out is full only the end may follow */

        if (room == 0) {
            ok = gunzip_read(z, &extra, 1, &got, err);
            continue;
        }
        room = room < UNPACK_BYTES ? room : UNPACK_BYTES;
        ok = buf_reserve(out, room, err) && gunzip_read(z, out->data + out->len, room, &got, err);
        out->len += ok ? got : 0;
    }
    gunzip_free(z);
    store_reader_free(st.reader);
    return ok;
}

/* The top folder is taken from the first member that is read. */
static bool check_member_name(struct source *s, const char *full, const char *name,
                              struct error *err)
{
    struct str path = str_from(full);
    size_t slash = str_find(path, '/');

    if (!tar_name_is_safe(full) || slash == path.len ||
        !str_is(str_slice(path, slash + 1, path.len), name))
        return error_set(err, ERROR_CORRUPT, 0, "the archive has another member where %s should be",
                         name);
    if (s->top == NULL)
        s->top = mem_copy_str(str_slice(path, 0, slash));
    return str_is(str_slice(path, 0, slash), s->top) ||
           error_set(err, ERROR_CORRUPT, 0, "the archive has more than one top folder");
}

bool source_read_member(struct source *s, uint64_t offset, uint64_t length, const char *name,
                        uint64_t size, struct buf *out, struct error *err)
{
    char full[TAR_NAME_MAX + 2];
    uint64_t real;

    if (!unpack_stretch(s, offset, length, out, err))
        return false;
    if (out->len < TAR_BLOCK)
        return error_set(err, ERROR_CORRUPT, 0, "%s is cut off", name);
    if (!tar_header_parse(out->data, full, &real, err) || !check_member_name(s, full, name, err))
        return false;
    if ((size != UINT64_MAX && real != size) || out->len != TAR_BLOCK + real + tar_padding(real))
        return error_set(err, ERROR_CORRUPT, 0, "%s has another size than it should", name);
    buf_drop_front(out, TAR_BLOCK);
    out->len = (size_t)real;
    out->data[out->len] = '\0';
    return true;
}

/* *found false: no trailer of ours; the archive must be read as a whole. */
static bool read_hinted_manifest(struct source *s, bool *found, struct error *err)
{
    struct archive_hint hint;
    struct buf tail;
    size_t size = archive_trailer_size();
    bool ok;

    *found = false;
    if (s->total < size)
        return true;
    buf_init(&tail, size);
    ok = source_read_range(s, s->total - size, size, &tail, err);
    *found = ok && archive_trailer_get(buf_str(&tail), s->total, &hint);
    buf_release(&tail);
    if (!ok || !*found)
        return ok;
    s->text.max = MANIFEST_BYTES_MAX + 2 * TAR_BLOCK;
    s->hmac.max = HMAC_MAX + 3 * TAR_BLOCK;
    return source_read_member(s, hint.manifest_offset, hint.manifest_length, MANIFEST_NAME,
                              UINT64_MAX, &s->text, err) &&
           (hint.hmac_length == 0 ||
            source_read_member(s, hint.hmac_offset, hint.hmac_length, MANIFEST_HMAC_NAME,
                               UINT64_MAX, &s->hmac, err));
}

/* <id>.metadata.json beside <id>.tar.gz. */
static bool read_sidecar(struct source *s, bool *found, struct error *err)
{
    size_t len = strlen(s->o.name);
    char *manifest;
    char *hmac;
    bool signed_too;
    bool ok;

    *found = false;
    if (!str_ends(str_from(s->o.name), SUFFIX))
        return true;
    len -= strlen(SUFFIX);
    manifest = mem_format("%.*s.metadata.json", (int)len, s->o.name);
    hmac = mem_format("%.*s.metadata.hmac", (int)len, s->o.name);
    ok = read_object(s, manifest, &s->text, found, err) &&
         (!*found || read_object(s, hmac, &s->hmac, &signed_too, err));
    free(hmac);
    free(manifest);
    return ok;
}

static bool read_archive_manifest(struct source *s, struct error *err)
{
    bool found = false;

    if (s->kind == SOURCE_OBJECT && !read_sidecar(s, &found, err))
        return false;
    if (!found && !read_hinted_manifest(s, &found, err))
        return false;
    return found || source_scan(s, err);
}

/* ---- open -------------------------------------------------------------------------------------
 */

static bool open_path(struct source *s, struct error *err)
{
    struct stat st;

    s->name = mem_copy_text(s->o.path);
    s->fd = open(s->o.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is refused, not read */
    if (s->fd < 0 || fstat(s->fd, &st) != 0)
        return error_set_errno(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_STORAGE, errno, "%s",
                               s->o.path);
    if (S_ISDIR(st.st_mode)) {
        s->kind = SOURCE_TREE;
        return read_tree_manifest(s, err);
    }
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERROR_STORAGE, 0, "%s is neither a directory nor a file", s->o.path);
    s->kind = SOURCE_FILE;
    s->total = (uint64_t)st.st_size;
    return read_archive_manifest(s, err);
}

static bool open_object(struct source *s, struct error *err)
{
    struct store_info info;

    s->name = store_uri(s->o.store, s->o.name);
    if (!str_ends(str_from(s->o.name), SUFFIX)) {
        s->kind = SOURCE_STORE_TREE;
        return read_store_tree_manifest(s, err);
    }
    s->kind = SOURCE_OBJECT;
    if (!store_stat(s->o.store, s->o.name, &info, err))
        return false;
    s->total = (uint64_t)info.size_bytes;
    return read_archive_manifest(s, err);
}

static bool check_signature(struct source *s, struct error *err)
{
    if (s->o.verify_key == NULL || !secret_is_set(s->o.verify_key))
        return true;
    if (s->hmac.len == 0)
        return error_set(err, ERROR_CORRUPT, 0, "the backup is not signed, but a key was given");
    s->is_signed = manifest_check_sign(buf_str(&s->text), s->o.verify_key, buf_str(&s->hmac), err);
    return s->is_signed;
}

/* Every part must be reachable, and all of them together no larger than allowed. */
static bool check_parts(struct source *s, struct error *err)
{
    uint64_t left = s->o.max_unpacked;

    for (size_t i = 0; i < s->manifest->part_count; i++) {
        const struct manifest_part *p = &s->manifest->parts[i];

        if (p->bytes > left)
            return error_set(err, ERROR_LIMIT, 0, "the backup unpacks to more than is allowed");
        left -= p->bytes;
        if ((s->kind == SOURCE_FILE || s->kind == SOURCE_OBJECT) && !p->has_range)
            return error_set(err, ERROR_CORRUPT, 0, "%s does not say where %s lies", MANIFEST_NAME,
                             p->name);
        if (s->kind == SOURCE_SPOOL && source_find_member(s, p->name) == NULL)
            return error_set(err, ERROR_CORRUPT, 0, "%s is missing in the archive", p->name);
    }
    return true;
}

bool source_open(const struct source_options *options, struct source **out, struct error *err)
{
    struct source *s = mem_zero(1, sizeof(*s));
    bool ok;

    s->o = *options;
    if (s->o.max_unpacked == 0)
        s->o.max_unpacked = SOURCE_UNPACKED;
    s->fd = -1;
    buf_init(&s->text, MANIFEST_BYTES_MAX);
    buf_init(&s->hmac, HMAC_MAX);
    ok = s->o.path != NULL ? open_path(s, err) : open_object(s, err);
    ok = ok && check_signature(s, err) && manifest_parse(buf_str(&s->text), &s->manifest, err) &&
         (s->manifest->format_version > 0 || source_adopt_parts(s, err)) && check_parts(s, err);
    if (ok && s->top == NULL) /* settled before threads read parts */
        s->top = mem_copy_text(s->manifest->backup_id);
    if (!ok && s->name != NULL && strstr(err->text, s->name) == NULL)
        (void)error_wrap(err, "%s", s->name);
    *out = ok ? s : NULL;
    if (!ok)
        source_close(s);
    return ok;
}

void source_close(struct source *s)
{
    if (s == NULL)
        return;
    if (s->fd >= 0)
        (void)close(s->fd);
    for (size_t i = 0; i < s->member_count; i++)
        free(s->members[i].name);
    free(s->members);
    manifest_free(s->manifest);
    buf_release(&s->text);
    buf_release(&s->hmac);
    free(s->name);
    free(s->top);
    free(s);
}

const struct manifest *source_manifest(const struct source *s)
{
    return s->manifest;
}

struct str source_manifest_text(const struct source *s)
{
    return buf_str(&s->text);
}

const char *source_name(const struct source *s)
{
    return s->name;
}

bool source_signed(const struct source *s)
{
    return s->is_signed;
}
