#include "core/codec/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/alloc.h"
#include "core/base/map.h"

#define PULL_BYTES 65536

struct ustar {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6];
    char version[2];
    char user[32];
    char group[32];
    char major[8];
    char minor[8];
    char prefix[155];
    char rest[12];
};
_Static_assert(sizeof(struct ustar) == TAR_BLOCK, "a tar header is one block");

static unsigned sum_of(const struct ustar *h)
{
    const unsigned char *p = (const unsigned char *)h;
    unsigned sum = 0;

    for (size_t i = 0; i < TAR_BLOCK; i++) {
        bool in_sum = i >= offsetof(struct ustar, checksum) && i < offsetof(struct ustar, type);

        sum += in_sum ? ' ' : p[i];
    }
    return sum;
}

static void octal(char *field, size_t digits, uint64_t value)
{
    for (size_t i = digits; i > 0; i--) {
        field[i - 1] = (char)('0' + (value & 7));
        value >>= 3;
    }
    field[digits] = '\0';
}

bool tar_header(char out[TAR_BLOCK], const char *dir, const char *name, uint64_t size,
                int64_t mtime_s, struct error *err)
{
    struct ustar h = {0};

    if (strlen(dir) > sizeof(h.prefix) || strlen(name) > sizeof(h.name) ||
        size >= (uint64_t)8 << 30)
        return error_set(err, ERROR_LIMIT, 0, "%s/%s does not fit into a tar header", dir, name);
    memcpy(h.name, name, strlen(name));
    memcpy(h.prefix, dir, strlen(dir));
    octal(h.mode, 7, 0600);
    octal(h.uid, 7, 0);
    octal(h.gid, 7, 0);
    octal(h.size, 11, size);
    octal(h.mtime, 11, mtime_s < 0 ? 0 : (uint64_t)mtime_s);
    h.type = '0';
    memcpy(h.magic, "ustar", 6);
    memcpy(h.version, "00", 2);
    memcpy(h.user, "root", 4);
    memcpy(h.group, "root", 4);
    octal(h.major, 7, 0);
    octal(h.minor, 7, 0);
    octal(h.checksum, 6, sum_of(&h));
    h.checksum[7] = ' ';
    memcpy(out, &h, sizeof(h));
    return true;
}

size_t tar_padding(uint64_t size)
{
    return (size_t)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}

/* Digits up to a NUL or space; anything else is no number. */
static bool parse_octal(const char *field, size_t len, uint64_t *out)
{
    uint64_t value = 0;
    size_t i = 0;

    for (; i < len && field[i] >= '0' && field[i] <= '7'; i++)
        value = value << 3 | (uint64_t)(field[i] - '0');
    *out = value;
    return i > 0 && (i == len || field[i] == '\0' || field[i] == ' ');
}

bool tar_header_parse(const char block[TAR_BLOCK], char name[TAR_NAME_MAX + 2], uint64_t *size,
                      struct error *err)
{
    struct ustar h;
    uint64_t sum = 0;

    memcpy(&h, block, sizeof(h));
    if (memcmp(h.magic, "ustar", 6) != 0 || h.type != '0' ||
        !parse_octal(h.checksum, sizeof(h.checksum), &sum) || sum != sum_of(&h) ||
        !parse_octal(h.size, sizeof(h.size), size))
        return error_set(err, ERROR_CORRUPT, 0, "no header of a regular tar member");
    (void)snprintf(name, TAR_NAME_MAX + 2, "%.155s%s%.100s", h.prefix,
                   h.prefix[0] != '\0' ? "/" : "", h.name);
    return true;
}

bool tar_name_is_safe(const char *name)
{
    struct str rest = str_from(name);
    struct str piece;

    if (rest.len == 0 || rest.len > TAR_NAME_MAX || !str_is_text(rest))
        return false;
    for (size_t i = 0; i < rest.len; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f || name[i] == '\\')
            return false;
    while (str_split(&rest, '/', &piece))
        if (piece.len == 0 || str_is(piece, ".") || str_is(piece, ".."))
            return false;
    return true;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

struct tar_reader {
    struct archive *archive;
    gzip_pull pull;
    void *arg;
    struct error cause; /* set by pull, told through libarchive */
    struct map *names;
    bool opened;
    char buffer[PULL_BYTES];
};

static la_ssize_t read_block(struct archive *a, void *client, const void **block)
{
    struct tar_reader *r = client;
    size_t got;

    *block = r->buffer;
    if (!r->pull(r->arg, r->buffer, sizeof(r->buffer), &got, &r->cause)) {
        archive_set_error(a, EIO, "cannot read");
        return -1;
    }
    return (la_ssize_t)got;
}

struct tar_reader *tar_reader_new(gzip_pull pull, void *arg)
{
    struct tar_reader *r = mem_zero(1, sizeof(*r));

    r->pull = pull;
    r->arg = arg;
    r->names = map_new();
    r->archive = archive_read_new();
    if (r->archive == NULL)
        abort(); /* only for want of memory */
    (void)archive_read_support_format_tar(r->archive);
    return r;
}

void tar_reader_free(struct tar_reader *r)
{
    if (r == NULL)
        return;
    (void)archive_read_free(r->archive);
    map_free(r->names, NULL);
    free(r);
}

static bool fail(struct tar_reader *r, struct error *err)
{
    const char *text = archive_error_string(r->archive);

    if (r->cause.code != ERROR_NONE) {
        *err = r->cause;
        return false;
    }
    return error_set(err, ERROR_CORRUPT, 0, "not a sound tar archive: %s",
                     text != NULL ? text : "unknown fault");
}

static bool open_stream(struct tar_reader *r, struct error *err)
{
    if (r->opened)
        return true;
    r->opened = true;
    return archive_read_open(r->archive, r, NULL, read_block, NULL) == ARCHIVE_OK || fail(r, err);
}

/* NULL when the entry may be used, else what is wrong with it. */
static const char *fault_of(struct archive_entry *e, const char *name)
{
    mode_t kind = archive_entry_filetype(e);

    if (name == NULL)
        return "a member has a name that cannot be read";
    if (archive_entry_hardlink(e) != NULL || archive_entry_symlink(e) != NULL)
        return "a member is a link";
    if (kind != AE_IFREG && kind != AE_IFDIR)
        return "a member is neither a file nor a directory";
    if (kind == AE_IFREG && !tar_name_is_safe(name))
        return "a member has a forbidden name";
    if (kind == AE_IFREG && (!archive_entry_size_is_set(e) || archive_entry_size(e) < 0))
        return "a member has no size";
    if (archive_entry_sparse_count(e) > 0)
        return "a member is a sparse file";
    return NULL;
}

bool tar_next(struct tar_reader *r, const char **name, uint64_t *size, struct error *err)
{
    struct archive_entry *e = NULL;
    const char *fault;

    *name = NULL;
    if (!open_stream(r, err))
        return false;
    for (;; *name = NULL) { /* a directory's name dies with its header */
        int status = archive_read_next_header(r->archive, &e);

        if (status == ARCHIVE_EOF)
            return true;
        if (status != ARCHIVE_OK)
            return fail(r, err);
        *name = archive_entry_pathname(e);
        fault = fault_of(e, *name);
        if (fault != NULL)
            return error_set(err, ERROR_CORRUPT, 0, "archive refused: %s", fault);
        if (archive_entry_filetype(e) == AE_IFREG)
            break;
    }
    if (map_put(r->names, str_from(*name), r) != NULL)
        return error_set(err, ERROR_CORRUPT, 0, "archive refused: %s stands in it twice", *name);
    if (map_count(r->names) > TAR_MEMBERS_MAX)
        return error_set(err, ERROR_LIMIT, 0, "archive refused: too many members");
    *size = (uint64_t)archive_entry_size(e);
    return true;
}

bool tar_read(struct tar_reader *r, void *out, size_t size, size_t *got, struct error *err)
{
    la_ssize_t n = archive_read_data(r->archive, out, size);

    if (n < 0)
        return fail(r, err);
    *got = (size_t)n;
    return true;
}
