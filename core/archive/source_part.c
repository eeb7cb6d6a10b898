#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/archive/source_private.h"
#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/codec/digest.h"
#include "core/codec/jsonl.h"
#include "core/codec/tar.h"

static bool map_file(int fd, uint64_t offset, uint64_t bytes, struct source_part *out,
                     struct error *err)
{
    if (bytes == 0)
        return true;
    out->map = mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE, fd, (off_t)offset);
    if (out->map == MAP_FAILED) {
        out->map = NULL;
        return error_set_errno(err, ERROR_STORAGE, errno, "cannot map %" PRIu64 " bytes", bytes);
    }
    out->map_len = (size_t)bytes;
    out->text = (struct str){out->map, (size_t)bytes};
    return true;
}

static bool read_tree_part(struct source *s, struct source_part *out, struct error *err)
{
    char *path = file_join(s->o.path, out->info->name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st = {0};
    bool ok = true;

    if ((fd < 0 && errno == ELOOP) || (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)))
        ok = error_set(err, ERROR_CORRUPT, 0, "%s is no file", path);
    else if (fd < 0 || st.st_mode == 0)
        ok = error_set_errno(err, errno == ENOENT ? ERROR_CORRUPT : ERROR_STORAGE, errno, "%s",
                             path);
    else if ((uint64_t)st.st_size != out->info->bytes)
        ok = error_set(err, ERROR_CORRUPT, 0, "%s has another size than the manifest says", path);
    ok = ok && map_file(fd, 0, out->info->bytes, out, err);
    if (fd >= 0)
        (void)close(fd);
    free(path);
    return ok;
}

static bool read_store_tree_part(struct source *s, struct source_part *out, struct error *err)
{
    char *name = mem_format("%s/%s", s->o.name, out->info->name);
    bool ok = store_read_all(s->o.store, name, &out->memory, err);

    if (!ok && err->code == ERROR_NOT_FOUND)
        (void)error_set(err, ERROR_CORRUPT, 0, "%s is missing", name);
    if (ok && out->memory.len != out->info->bytes)
        ok = error_set(err, ERROR_CORRUPT, 0, "%s has another size than the manifest says", name);
    out->text = buf_str(&out->memory);
    free(name);
    return ok;
}

static bool read_ranged_part(struct source *s, struct source_part *out, struct error *err)
{
    const struct manifest_part *p = out->info;

    out->memory.max = (size_t)p->bytes + 2 * TAR_BLOCK;
    if (!source_read_member(s, p->offset, p->length, p->name, p->bytes, &out->memory, err))
        return false;
    out->text = buf_str(&out->memory);
    return true;
}

static bool read_spooled_part(struct source *s, struct source_part *out, struct error *err)
{
    const struct source_member *m = source_find_member(s, out->info->name);

    if (m == NULL)
        return error_set(err, ERROR_CORRUPT, 0, "%s is missing in the archive", out->info->name);
    if (m->bytes != out->info->bytes)
        return error_set(err, ERROR_CORRUPT, 0, "%s has another size than the manifest says",
                         out->info->name);
    return map_file(s->fd, m->offset, m->bytes, out, err);
}

static bool check_digest(const struct source_part *part, struct error *err)
{
    unsigned char real[SHA256_SIZE];

    if (!part->info->has_sha256)
        return true;
    sha256_of(part->text, real);
    return sha256_equal(real, part->info->sha256) ||
           error_set(err, ERROR_CORRUPT, 0,
                     "%s is damaged: its SHA-256 is not the one in the manifest", part->info->name);
}

static bool read_part(struct source *s, struct source_part *out, struct error *err)
{
    static bool (*const readers[])(struct source * s, struct source_part * out,
                                   struct error * err) = {
        [SOURCE_TREE] = read_tree_part,     [SOURCE_STORE_TREE] = read_store_tree_part,
        [SOURCE_FILE] = read_ranged_part,   [SOURCE_OBJECT] = read_ranged_part,
        [SOURCE_SPOOL] = read_spooled_part,
    };

    buf_init(&out->memory, SOURCE_PART_MEMORY);
    out->text = (struct str){"", 0};
    /* An older tool's parts may be of any size: they are mapped, and have no sum to check. */
    if (out->info->bytes > SOURCE_PART_MEMORY - 2 * TAR_BLOCK &&
        (s->manifest->format_version > 0 || s->kind == SOURCE_STORE_TREE))
        return error_set(err, ERROR_LIMIT, 0, "%s is larger than %zu MiB", out->info->name,
                         SOURCE_PART_MEMORY >> 20);
    if (readers[s->kind](s, out, err) && check_digest(out, err))
        return true;
    source_part_release(out);
    if (strstr(err->text, out->info->name) == NULL)
        (void)error_wrap(err, "%s", out->info->name);
    return false;
}

bool source_read_part(struct source *s, size_t index, struct source_part *out, struct error *err)
{
    *out = (struct source_part){.info = &s->manifest->parts[index], .index = index};
    return read_part(s, out, err);
}

bool source_read_functions(struct source *s, struct source_part *out, struct error *err)
{
    *out = (struct source_part){.info = &s->manifest->function_part, .index = SIZE_MAX};
    if (!s->manifest->functions)
        return error_set(err, ERROR_NOT_FOUND, 0, "the backup holds no functions");
    return read_part(s, out, err);
}

void source_part_release(struct source_part *part)
{
    if (part->map != NULL)
        (void)munmap(part->map, part->map_len);
    part->map = NULL;
    buf_release(&part->memory);
    part->text = (struct str){"", 0};
}

bool source_next_line(struct str *rest, struct str *line)
{
    return jsonl_next(rest, line);
}

bool source_check(struct source *s, struct error *err)
{
    const struct manifest *m = s->manifest;
    struct source_part part;
    uint64_t bytes = 0;

    for (size_t i = 0; i < m->part_count; i++) {
        if (s->o.task != NULL && !task_checkpoint(s->o.task, err))
            return false;
        if (!source_read_part(s, i, &part, err))
            return false;
        bytes += part.text.len;
        source_part_release(&part);
    }
    if (m->functions) {
        if (!source_read_functions(s, &part, err))
            return false;
        bytes += part.text.len;
        source_part_release(&part);
    }
    return m->format_version == 0 || bytes == m->totals.bytes ||
           error_set(err, ERROR_CORRUPT, 0,
                     "the parts hold %" PRIu64 " bytes, the manifest says %" PRIu64, bytes,
                     m->totals.bytes);
}
