#include "core/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"

#define SECRET_MAX ((size_t)64 * 1024)

void secret_wipe(void *p, size_t len)
{
    if (len > 0)
        explicit_bzero(p, len);
}

void secret_set(struct secret *s, struct str value)
{
    char *copy = mem_copy_str(value);

    secret_release(s);
    s->data = copy;
    s->len = value.len;
}

void secret_copy(struct secret *to, const struct secret *from)
{
    if (from->data == NULL)
        secret_release(to);
    else
        secret_set(to, (struct str){from->data, from->len});
}

void secret_release(struct secret *s)
{
    if (s->data != NULL)
        secret_wipe(s->data, s->len);
    free(s->data);
    *s = (struct secret){0};
}

bool secret_is_set(const struct secret *s)
{
    return s->data != NULL;
}

struct str secret_reveal(const struct secret *s)
{
    return (struct str){s->data, s->len};
}

static ssize_t read_up_to(int fd, char *out, size_t max)
{
    size_t len = 0;

    while (len < max) {
        ssize_t n = read(fd, out + len, max - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

bool secret_load(struct secret *s, const char *path, bool *loose, struct error *err)
{
    char *text = NULL;
    struct stat st;
    ssize_t n;
    bool ok = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return error_set_errno(err, ERROR_CONFIG, errno, "password file %s", path);
    if (fstat(fd, &st) != 0) {
        error_set_errno(err, ERROR_CONFIG, errno, "password file %s", path);
        goto out;
    }
    if (S_ISREG(st.st_mode) && (st.st_mode & S_IWOTH) != 0) {
        error_set(err, ERROR_CONFIG, 0, "password file %s is writable by everyone: chmod 600 it",
                  path);
        goto out;
    }
    text = mem_alloc(SECRET_MAX + 1);
    n = read_up_to(fd, text, SECRET_MAX + 1);
    if (n < 0) {
        error_set_errno(err, ERROR_CONFIG, errno, "read password file %s", path);
        goto out;
    }
    if ((size_t)n > SECRET_MAX) {
        error_set(err, ERROR_CONFIG, 0, "password file %s is larger than 64 KiB", path);
        goto out;
    }
    if (n > 0 && text[n - 1] == '\n')
        n--;
    if (n > 0 && text[n - 1] == '\r')
        n--;
    if (n == 0) {
        error_set(err, ERROR_CONFIG, 0, "password file %s is empty", path);
        goto out;
    }
    *loose = S_ISREG(st.st_mode) && (st.st_mode & (S_IRGRP | S_IROTH)) != 0;
    secret_set(s, (struct str){text, (size_t)n});
    ok = true;
out:
    if (text != NULL)
        secret_wipe(text, SECRET_MAX + 1);
    free(text);
    close(fd);
    return ok;
}
