#include "core/monitor/event_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/file.h"
#include "core/base/json.h"

#define FILE_MAX ((int64_t)8 << 20) /* bytes: then a new file begins */
#define READ_MAX ((size_t)32 << 20)
#define LINE_MAX_BYTES ((size_t)16 << 10)

char *event_log_path(const char *state_dir, const char *env)
{
    struct buf path;

    buf_init(&path, 4096 + 3 * 256);
    buf_put(&path, "%.4000s/events/", state_dir);
    for (size_t i = 0; i < 200 && env[i] != '\0'; i++) {
        unsigned char c = (unsigned char)env[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '_' || c == '-' || (c == '.' && i > 0);

        if (plain)
            buf_put(&path, "%c", c);
        else
            buf_put(&path, "%%%02X", c);
    }
    buf_put(&path, ".jsonl");
    return buf_take(&path, NULL);
}

/* "x.jsonl" -> "x.1.jsonl"; freed by the caller. */
static char *older_path(const char *path)
{
    size_t len = strlen(path);
    size_t stem = str_ends(str_from(path), ".jsonl") ? len - strlen(".jsonl") : len;

    return mem_format("%.*s.1.jsonl", (int)stem, path);
}

static void roll_over(const char *path)
{
    char *kept;

    if (file_size(path) < FILE_MAX)
        return;
    kept = older_path(path);
    (void)rename(path, kept); /* when it fails the file only grows further */
    free(kept);
}

static bool make_parent(const char *path, struct error *err)
{
    size_t slash = str_find_last(str_from(path), '/');
    char *dir;
    bool ok;

    if (path[slash] == '\0' || slash == 0)
        return true;
    dir = mem_format("%.*s", (int)slash, path);
    ok = file_make_dirs(dir, err);
    free(dir);
    return ok;
}

bool event_log_append(const char *path, const struct event *events, size_t count, struct error *err)
{
    struct buf text;
    bool ok = true;

    if (count == 0)
        return true;
    buf_init(&text, (count + 1) * LINE_MAX_BYTES);
    for (size_t i = 0; i < count && ok; i++) {
        json_t *doc = event_to_json(&events[i]);

        ok = json_print(doc, false, &text, err) && buf_byte(&text, '\n', err);
        json_decref(doc);
    }
    roll_over(path);
    ok = ok && make_parent(path, err) && file_append(path, buf_str(&text), false, err);
    buf_release(&text);
    return ok;
}

/* ---- reading ---- */

static bool parse_line(struct str line, struct event_list *out)
{
    struct error ignored;
    struct event e = {0};
    json_t *doc;
    bool ok;

    if (line.len > LINE_MAX_BYTES)
        return false;
    doc = json_parse(line, "event", &ignored);
    ok = doc != NULL && event_from_json(&e, doc, &ignored);
    json_decref(doc);
    if (ok)
        ARRAY_PUSH(out->items, out->count, out->cap) = e;
    return ok;
}

/* Takes the whole lines of text; returns the bytes used. */
static size_t take_lines(struct str text, struct event_list *out, size_t *skipped)
{
    size_t used = 0;

    while (used < text.len) {
        struct str rest = str_slice(text, used, text.len);
        size_t end = str_find(rest, '\n');
        struct str line = str_trim(str_slice(rest, 0, end));

        if (end == rest.len)
            break;
        if (line.len > 0 && !parse_line(line, out) && skipped != NULL)
            (*skipped)++;
        used += end + 1;
    }
    return used;
}

static bool read_one(const char *path, struct event_list *out, size_t *skipped, struct error *err)
{
    struct buf text;
    bool ok;

    if (!file_exists(path))
        return true;
    buf_init(&text, READ_MAX);
    ok = file_read(path, &text, err);
    if (ok && take_lines(buf_str(&text), out, skipped) < text.len && skipped != NULL)
        (*skipped)++;
    buf_release(&text);
    return ok;
}

bool event_log_read(const char *path, size_t limit, struct event_list *out, size_t *skipped,
                    struct error *err)
{
    char *older = older_path(path);
    bool ok;

    if (skipped != NULL)
        *skipped = 0;
    ok = read_one(older, out, skipped, err) && read_one(path, out, skipped, err);
    free(older);
    if (ok && limit > 0 && out->count > limit) {
        memmove(out->items, &out->items[out->count - limit], limit * sizeof(*out->items));
        out->count = limit;
    }
    return ok;
}

struct event_follow {
    char *path;
    int fd; /* -1: not there yet */
    struct buf text;
};

static void open_at(struct event_follow *f, int whence)
{
    f->fd = open(f->path, O_RDONLY | O_CLOEXEC);
    if (f->fd >= 0 && lseek(f->fd, 0, whence) < 0) {
        (void)close(f->fd);
        f->fd = -1;
    }
}

struct event_follow *event_follow_new(const char *path)
{
    struct event_follow *f = mem_zero(1, sizeof(*f));

    f->path = mem_copy_text(path);
    buf_init(&f->text, READ_MAX);
    open_at(f, SEEK_END);
    return f;
}

void event_follow_free(struct event_follow *f)
{
    if (f == NULL)
        return;
    if (f->fd >= 0)
        (void)close(f->fd);
    buf_release(&f->text);
    free(f->path);
    free(f);
}

static bool read_more(struct event_follow *f, struct error *err)
{
    char bytes[16384];
    ssize_t got;

    while ((got = read(f->fd, bytes, sizeof(bytes))) > 0)
        if (!buf_append(&f->text, (struct str){bytes, (size_t)got}, err))
            return false;
    return got == 0 || error_set_errno(err, ERROR_STORAGE, errno, "read %s", f->path);
}

/* Another file stands at the path: the one we read was rolled over. */
static bool was_replaced(const struct event_follow *f)
{
    struct stat ours;
    struct stat there;

    return fstat(f->fd, &ours) == 0 && stat(f->path, &there) == 0 &&
           (ours.st_ino != there.st_ino || ours.st_dev != there.st_dev);
}

bool event_follow_next(struct event_follow *f, struct event_list *out, struct error *err)
{
    if (f->fd < 0)
        open_at(f, SEEK_SET);
    if (f->fd < 0)
        return true;
    if (!read_more(f, err))
        return false;
    if (was_replaced(f)) {
        (void)close(f->fd);
        open_at(f, SEEK_SET);
        if (f->fd >= 0 && !read_more(f, err))
            return false;
    }
    buf_drop_front(&f->text, take_lines(buf_str(&f->text), out, NULL));
    return true;
}
