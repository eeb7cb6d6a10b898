#include "core/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/array.h"

static bool fail(struct error *err, const char *what, const char *path)
{
    enum error_code code = errno == ENOENT ? ERROR_NOT_FOUND : ERROR_STORAGE;

    return error_set_errno(err, code, errno, "%s %s", what, path);
}

/* Closes fd. */
static bool read_all(int fd, const char *path, struct buf *out, struct error *err)
{
    bool ok = false;

    for (;;) {
        char piece[16 * 1024];
        ssize_t n = read(fd, piece, sizeof(piece));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            fail(err, "read", path);
            break;
        }
        if (n == 0) {
            ok = true;
            break;
        }
        if (!buf_append(out, (struct str){piece, (size_t)n}, err)) {
            error_wrap(err, "read %s", path);
            break;
        }
    }
    close(fd);
    return ok;
}

bool file_read(const char *path, struct buf *out, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    return fd < 0 ? fail(err, "open", path) : read_all(fd, path, out, err);
}

bool file_read_plain(const char *path, struct buf *out, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;

    if (fd < 0 && errno != ELOOP)
        return fail(err, "open", path);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return read_all(fd, path, out, err);
    if (fd >= 0)
        close(fd);
    return error_set(err, ERROR_CORRUPT, 0, "%s is no file", path);
}

bool file_write_all(int fd, struct str data, struct error *err)
{
    size_t at = 0;

    while (at < data.len) {
        ssize_t n = write(fd, data.ptr + at, data.len - at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, ERROR_STORAGE, errno, "write");
        at += (size_t)n;
    }
    return true;
}

static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return mem_copy_text(".");
    if (slash == path)
        return mem_copy_text("/");
    return mem_copy_str((struct str){path, (size_t)(slash - path)});
}

bool file_sync_dir(const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = true;

    if (fd < 0)
        return fail(err, "open", path);
    /* Some file systems refuse fsync on a directory; their renames are as durable as they get. */
    if (fsync(fd) != 0 && errno != EINVAL && errno != EROFS)
        ok = fail(err, "sync", path);
    close(fd);
    return ok;
}

static bool replace(const char *path, struct str data, bool sync, struct error *err)
{
    char *dir = parent_of(path);
    char *temp = mem_format("%s.tmp.XXXXXX", path);
    bool ok = false;
    int fd = mkostemp(temp, O_CLOEXEC);

    if (fd < 0) {
        fail(err, "create", temp);
        goto out;
    }
    if (!file_write_all(fd, data, err)) {
        error_wrap(err, "%s", path);
        goto out;
    }
    if (sync && fsync(fd) != 0) {
        fail(err, "sync", path);
        goto out;
    }
    if (rename(temp, path) != 0) {
        fail(err, "rename to", path);
        goto out;
    }
    ok = !sync || file_sync_dir(dir, err);
out:
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && !ok)
        (void)unlink(temp);
    free(temp);
    free(dir);
    return ok;
}

bool file_write_atomic(const char *path, struct str data, struct error *err)
{
    return replace(path, data, true, err);
}

bool file_replace(const char *path, struct str data, struct error *err)
{
    return replace(path, data, false, err);
}

bool file_append(const char *path, struct str data, bool sync, struct error *err)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok;

    if (fd < 0)
        return fail(err, "open", path);
    ok = file_write_all(fd, data, err) || error_wrap(err, "%s", path);
    if (ok && sync && fdatasync(fd) != 0)
        ok = fail(err, "sync", path);
    close(fd);
    return ok;
}

bool file_make_dirs(const char *path, struct error *err)
{
    char *copy = mem_copy_text(path);
    bool ok = true;

    for (char *p = copy; ok && *p != '\0';) {
        char was;

        p += strspn(p, "/");
        p += strcspn(p, "/");
        was = *p;
        *p = '\0';
        if (mkdir(copy, 0700) != 0 && errno != EEXIST)
            ok = fail(err, "create directory", copy);
        *p = was;
    }
    free(copy);
    return ok;
}

static int remove_one(const char *path, const struct stat *st UNUSED, int kind UNUSED,
                      struct FTW *at UNUSED)
{
    return remove(path);
}

bool file_remove_tree(const char *path, struct error *err)
{
    /* Without FTW_CHDIR nftw shares nothing. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        return fail(err, "remove", path);
    return true;
}

bool file_exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

int64_t file_size(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

char *file_join(const char *dir, const char *name)
{
    size_t len = strlen(dir);

    while (len > 1 && dir[len - 1] == '/')
        len--;
    return mem_format("%.*s%s%s", (int)len, dir, len == 1 && dir[0] == '/' ? "" : "/", name);
}

static int by_name(const void *a, const void *b)
{
    const char *const *x = a;
    const char *const *y = b;

    return strcmp(*x, *y);
}

bool file_list(const char *dir, char ***names, size_t *count, struct error *err)
{
    DIR *d = opendir(dir);
    char **list = NULL;
    size_t n = 0;
    size_t cap = 0;

    if (d == NULL)
        return fail(err, "open directory", dir);
    for (;;) {
        /* One stream per call, so readdir is safe here. NOLINTNEXTLINE(concurrency-mt-unsafe) */
        const struct dirent *e = readdir(d);

        if (e == NULL)
            break;
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            ARRAY_PUSH(list, n, cap) = mem_copy_text(e->d_name);
    }
    closedir(d);
    if (n > 1)
        qsort(list, n, sizeof(*list), by_name);
    *names = list;
    *count = n;
    return true;
}

void file_list_free(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}
