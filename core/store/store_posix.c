#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/rng.h"
#include "core/store/store_impl.h"

#define TEMP_NAME_MAX 300

struct posix_store {
    struct store base;
    char *root;
};

struct posix_object {
    struct store_object base;
    int fd;
};

struct posix_writer {
    struct store_writer base;
    int dir_fd;
    int fd;
    char temp[TEMP_NAME_MAX];
    char *name; /* last component */
    char *shown;
    _Atomic int64_t sent_bytes;
};

static const struct posix_store *self(const struct store *s)
{
    return (const struct posix_store *)s;
}

static enum error_code code_of(int number)
{
    return number == ENOENT || number == ENOTDIR ? ERROR_NOT_FOUND : ERROR_STORAGE;
}

static bool fail(struct error *err, int number, const char *what, const char *shown)
{
    return error_set_errno(err, code_of(number), number, "%s %s", what, shown);
}

static char *posix_uri(const struct store *s, const char *name)
{
    return name[0] != '\0' ? file_join(self(s)->root, name) : mem_copy_text(self(s)->root);
}

static void posix_free(struct store *s)
{
    free(((struct posix_store *)s)->root);
    free(s);
}

/* The directory that holds the last component, which is returned too. No link below the root is
 * followed. make: create what is missing. -1: *err is set. */
static int open_parent(const struct posix_store *p, const char *name, bool make, const char **last,
                       struct error *err)
{
    if (make && !file_make_dirs(p->root, err))
        return -1;
    int dir = open(p->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        fail(err, errno, "open", p->root);
        return -1;
    }
    const char *slash;
    while ((slash = strchr(name, '/')) != NULL) {
        char piece[256];
        str_copy((struct str){name, (size_t)(slash - name)}, piece, sizeof(piece));
        if (make && mkdirat(dir, piece, 0700) != 0 && errno != EEXIST) {
            fail(err, errno, "make directory", piece);
            close(dir);
            return -1;
        }
        int next = openat(dir, piece, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int number = errno;
        close(dir);
        if (next < 0) {
            fail(err, number, "open", piece);
            return -1;
        }
        dir = next;
        name = slash + 1;
    }
    *last = name;
    return dir;
}

static int64_t modified_ms(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
}

static bool posix_list(struct store *s, const char *after, size_t max, struct store_page *out,
                       struct error *err)
{
    const struct posix_store *p = self(s);
    char **names = NULL;
    size_t count = 0;
    struct error why;
    if (!file_list(p->root, &names, &count, &why)) {
        if (why.code != ERROR_NOT_FOUND)
            *err = why;
        return why.code == ERROR_NOT_FOUND;
    }
    int dir = open(p->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = dir >= 0 || fail(err, errno, "open", p->root);
    const char *last = NULL;
    for (size_t i = 0; ok && i < count; i++) {
        struct stat st;
        if ((after != NULL && strcmp(names[i], after) <= 0) || names[i][0] == '.')
            continue;
        if (out->count == max) {
            out->next = arena_text(&out->arena, str_from(last));
            break;
        }
        bool known = fstatat(dir, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                     (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
        if (!known || !store_name_is_safe(str_from(names[i]))) {
            out->skipped++;
            continue;
        }
        const struct store_entry entry = {.size_bytes = S_ISREG(st.st_mode) ? st.st_size : 0,
                                          .modified_ms = modified_ms(&st),
                                          .is_dir = S_ISDIR(st.st_mode)};
        store_page_add(out, str_from(names[i]), &entry);
        last = names[i];
    }
    if (dir >= 0)
        close(dir);
    file_list_free(names, count);
    return ok;
}

/* An open regular file, or -1 with *err set. */
static int open_file(struct store *s, const char *name, struct stat *st, struct error *err)
{
    const char *last;
    int dir = open_parent(self(s), name, false, &last, err);
    if (dir < 0)
        return -1;
    int fd = openat(dir, last, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int number = errno;
    close(dir);
    if (fd < 0) {
        fail(err, number, "open", name);
        return -1;
    }
    if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
        return fd;
    error_set(err, ERROR_STORAGE, 0, "%s is no regular file", name);
    close(fd);
    return -1;
}

static bool posix_stat(struct store *s, const char *name, struct store_info *out, struct error *err)
{
    struct stat st;
    int fd = open_file(s, name, &st, err);
    if (fd < 0)
        return false;
    close(fd);
    *out = (struct store_info){st.st_size, modified_ms(&st)};
    return true;
}

static bool posix_read(const struct store_object *o, int64_t from, char *out, size_t size,
                       struct error *err)
{
    const struct posix_object *p = (const struct posix_object *)o;
    while (size > 0) {
        ssize_t got = pread(p->fd, out, size, from);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(err, ERROR_STORAGE, errno, "read backup file");
        if (got == 0)
            return error_set(err, ERROR_CORRUPT, 0, "the backup file became shorter");
        out += got;
        from += got;
        size -= (size_t)got;
    }
    return true;
}

static void posix_object_free(struct store_object *o)
{
    close(((struct posix_object *)o)->fd);
    free(o->version);
    free(o);
}

static bool posix_open_object(struct store *s, const char *name, struct store_object **out,
                              struct error *err)
{
    struct stat st;
    int fd = open_file(s, name, &st, err);
    if (fd < 0)
        return false;
    struct posix_object *p = mem_zero(1, sizeof(*p));
    char *version =
        mem_format("%llu-%lld", (unsigned long long)st.st_ino, (long long)modified_ms(&st));
    p->base = (struct store_object){posix_read, posix_object_free, st.st_size, version};
    p->fd = fd;
    *out = &p->base;
    return true;
}

static bool posix_read_small(struct store *s, const char *name, bool whole, struct buf *out,
                             struct error *err)
{
    struct stat st;
    int fd = open_file(s, name, &st, err);
    if (fd < 0)
        return false;
    bool ok = true;
    ssize_t got = 1;
    while (ok && got > 0) {
        char chunk[16384];
        size_t room = out->max - out->len;
        size_t want = !whole && room < sizeof(chunk) ? room : sizeof(chunk);
        got = want > 0 ? read(fd, chunk, want) : 0;
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got < 0)
            ok = fail(err, errno, "read", name);
        else
            ok = buf_append(out, (struct str){chunk, (size_t)got}, err);
    }
    close(fd);
    return ok;
}

static bool posix_write(struct store_writer *w, struct str bytes, struct error *err)
{
    struct posix_writer *p = (struct posix_writer *)w;
    if (!file_write_all(p->fd, bytes, err))
        return error_wrap(err, "%s", p->shown);
    atomic_fetch_add(&p->sent_bytes, (int64_t)bytes.len);
    return true;
}

static bool posix_commit(struct store_writer *w, struct error *err)
{
    struct posix_writer *p = (struct posix_writer *)w;
    if (fsync(p->fd) != 0)
        return fail(err, errno, "write", p->shown);
    if (renameat(p->dir_fd, p->temp, p->dir_fd, p->name) != 0)
        return fail(err, errno, "rename into", p->shown);
    p->base.committed = true;
    if (fsync(p->dir_fd) != 0)
        return fail(err, errno, "write the directory of", p->shown);
    return true;
}

static void posix_writer_free(struct store_writer *w)
{
    struct posix_writer *p = (struct posix_writer *)w;
    if (!p->base.committed)
        unlinkat(p->dir_fd, p->temp, 0);
    close(p->fd);
    close(p->dir_fd);
    free(p->name);
    free(p->shown);
    free(p);
}

static int64_t posix_sent(const struct store_writer *w)
{
    return atomic_load(&((const struct posix_writer *)w)->sent_bytes);
}

static bool posix_open_write(struct store *s, const char *name, const struct store_write *how,
                             struct store_writer **out, struct error *err)
{
    const char *last;
    char digits[17];
    (void)how;
    int dir = open_parent(self(s), name, true, &last, err);
    if (dir < 0)
        return false;
    struct posix_writer *p = mem_zero(1, sizeof(*p));
    p->base = (struct store_writer){posix_write, posix_commit, posix_writer_free,
                                    posix_sent,  false,        false};
    p->dir_fd = dir;
    (void)snprintf(p->temp, sizeof(p->temp), ".%.255s.%s", last, rng_hex(digits, 16));
    p->temp[255] = '\0';
    p->name = mem_copy_text(last);
    p->shown = posix_uri(s, name);
    p->fd = openat(dir, p->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (p->fd < 0) {
        fail(err, errno, "create", p->shown);
        p->base.committed = true;
        posix_writer_free(&p->base);
        return false;
    }
    *out = &p->base;
    return true;
}

static bool posix_put(struct store *s, const char *name, struct str bytes, struct error *err)
{
    struct store_writer *w;
    if (!posix_open_write(s, name, NULL, &w, err))
        return false;
    bool ok = posix_write(w, bytes, err) && posix_commit(w, err);
    posix_writer_free(w);
    return ok;
}

static bool posix_remove(struct store *s, const char *name, struct error *err)
{
    const char *last;
    struct error why;
    struct stat st;
    int dir = open_parent(self(s), name, false, &last, &why);
    if (dir < 0) {
        if (why.code != ERROR_NOT_FOUND)
            *err = why;
        return why.code == ERROR_NOT_FOUND;
    }
    char *path = posix_uri(s, name);
    bool ok = true;
    if (fstatat(dir, last, &st, AT_SYMLINK_NOFOLLOW) != 0)
        ok = errno == ENOENT || fail(err, errno, "remove", path);
    else if (S_ISDIR(st.st_mode))
        ok = file_remove_tree(path, err);
    else if (unlinkat(dir, last, 0) != 0 && errno != ENOENT)
        ok = fail(err, errno, "remove", path);
    if (ok && fsync(dir) != 0)
        ok = fail(err, errno, "write the directory of", path);
    close(dir);
    free(path);
    return ok;
}

struct store *store_posix_new(const char *root)
{
    static const struct store_ops ops = {
        .free = posix_free,
        .uri = posix_uri,
        .list = posix_list,
        .stat = posix_stat,
        .open_object = posix_open_object,
        .read_small = posix_read_small,
        .put = posix_put,
        .open_write = posix_open_write,
        .remove = posix_remove,
    };
    struct posix_store *p = mem_zero(1, sizeof(*p));
    p->base.ops = &ops;
    p->root = mem_copy_text(root);
    return &p->base;
}
