#include "core/backup/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/json.h"

struct checkpoint {
    int fd; /* -1: goes nowhere */
    char *path;
    bool torn;             /* the newest line is not whole */
    pthread_mutex_t mutex; /* one line after the other */
};

/* A job's directory that its group shares lets the group read and write what is in it. */
static mode_t mode_like(const char *dir)
{
    struct stat st;

    return stat(dir, &st) == 0 && (st.st_mode & S_IWGRP) != 0 ? 0660 : 0600;
}

/* What a killed run left half written becomes a line of its own, which no reader takes. */
static bool close_torn_line(int fd)
{
    off_t end = lseek(fd, 0, SEEK_END);
    char last = '\n';

    return end <= 0 ||
           (pread(fd, &last, 1, end - 1) == 1 && (last == '\n' || write(fd, "\n", 1) == 1));
}

bool checkpoint_open(const char *dir, struct checkpoint **out, struct error *err)
{
    struct checkpoint *c = mem_zero(1, sizeof(*c));

    c->fd = -1;
    (void)pthread_mutex_init(&c->mutex, NULL);
    *out = NULL;
    if (dir != NULL) {
        c->path = file_join(dir, CHECKPOINT_NAME);
        c->fd = open(c->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, mode_like(dir));
        if (c->fd < 0 || !close_torn_line(c->fd)) {
            (void)error_set_errno(err, ERROR_STORAGE, errno, "%s", c->path);
            checkpoint_close(c);
            return false;
        }
    }
    *out = c;
    return true;
}

void checkpoint_close(struct checkpoint *c)
{
    if (c == NULL)
        return;
    if (c->fd >= 0)
        (void)close(c->fd);
    (void)pthread_mutex_destroy(&c->mutex);
    free(c->path);
    free(c);
}

bool checkpoint_is_kept(const struct checkpoint *c)
{
    return c != NULL && c->fd >= 0;
}

/* A full disk may have taken half of a line: the next one must not be glued to it. */
static bool write_line(struct checkpoint *c, struct str line, struct error *err)
{
    bool ok = !c->torn || file_write_all(c->fd, STR("\n"), err);

    c->torn = !ok || !file_write_all(c->fd, line, err);
    return !c->torn;
}

bool checkpoint_add(struct checkpoint *c, const char *kind, json_t *doc, struct error *err)
{
    json_t *line = json_object();
    struct buf text;
    bool ok = true;

    json_put_text(line, "line", kind);
    (void)json_object_update_missing(line, doc);
    json_decref(doc);
    buf_init(&text, CHECKPOINT_LINE_MAX);
    if (checkpoint_is_kept(c)) {
        ok = json_print(line, false, &text, err) && buf_byte(&text, '\n', err);
        pthread_mutex_lock(&c->mutex);
        ok = ok && (write_line(c, buf_str(&text), err) || error_wrap(err, "%s", c->path));
        pthread_mutex_unlock(&c->mutex);
    }
    buf_release(&text);
    json_decref(line);
    return ok;
}

bool checkpoint_sync(struct checkpoint *c, struct error *err)
{
    return !checkpoint_is_kept(c) || fdatasync(c->fd) == 0 ||
           error_set_errno(err, ERROR_STORAGE, errno, "%s", c->path);
}

static bool hand_out(struct str text, checkpoint_reader reader, void *arg, struct error *err)
{
    struct error ignored = {0};
    json_t *line = json_parse(text, CHECKPOINT_NAME, &ignored);
    const char *kind = json_text(line, "line", NULL);
    bool ok = kind == NULL || reader(arg, kind, line, err);

    json_decref(line);
    return ok;
}

bool checkpoint_read(const char *dir, checkpoint_reader reader, void *arg, struct error *err)
{
    char *path = file_join(dir, CHECKPOINT_NAME);
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    bool ok = true;

    if (file == NULL)
        ok = error_set_errno(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_STORAGE, errno, "%s",
                             path);
    while (ok && (len = getline(&line, &room, file)) > 0)
        if (line[len - 1] == '\n' && (size_t)len <= CHECKPOINT_LINE_MAX)
            ok = hand_out((struct str){line, (size_t)len - 1}, reader, arg, err);
    if (ok && ferror(file) != 0)
        ok = error_set_errno(err, ERROR_STORAGE, errno, "%s", path);
    if (file != NULL)
        (void)fclose(file);
    free(line);
    free(path);
    return ok;
}
