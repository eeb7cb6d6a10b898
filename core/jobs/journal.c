#include "core/jobs/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/attr.h"
#include "core/base/escape.h"
#include "core/base/format.h"
#include "core/base/json.h"

#define PIECE 32768
#define TEXT_MAX 8192

struct journal {
    char *path;
    int fd; /* -1 while the file does not exist */
    off_t offset;
    struct buf pending; /* bytes read; those before `at` are used up */
    size_t at;
    bool discarding; /* inside a line that is too long */
    uint64_t skipped;
};

/* Count newlines backwards until `tail` lines lie behind; a last line without newline counts. */
static bool find_tail(int fd, size_t tail, off_t *start, struct error *err)
{
    char piece[PIECE];
    struct stat st;
    if (fstat(fd, &st) != 0)
        return error_set_errno(err, ERROR_STORAGE, errno, "look at the journal");
    off_t end = st.st_size;
    size_t seen = 0;
    *start = tail == 0 ? end : 0;
    for (off_t to = end; to > 0 && tail > 0 && tail != SIZE_MAX;) {
        off_t from = to > PIECE ? to - PIECE : 0;
        ssize_t got = pread(fd, piece, (size_t)(to - from), from);
        if (got != to - from)
            return error_set_errno(err, ERROR_STORAGE, got < 0 ? errno : EIO, "read the journal");
        for (ssize_t i = got; i > 0; i--) {
            if (piece[i - 1] == '\n' && from + i != end && ++seen == tail) {
                *start = from + i;
                return true;
            }
        }
        to = from;
    }
    return true;
}

static bool open_file(struct journal *j, struct error *err)
{
    j->fd = open(j->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (j->fd < 0 && errno != ENOENT)
        return error_set_errno(err, ERROR_STORAGE, errno, "open %s", j->path);
    return true;
}

struct journal *journal_open(const char *path, size_t tail, struct error *err)
{
    struct journal *j = mem_zero(1, sizeof(*j));
    j->path = mem_copy_text(path);
    buf_init(&j->pending, JOURNAL_LINE_MAX + 2 * (size_t)PIECE);
    if (!open_file(j, err) || (j->fd >= 0 && !find_tail(j->fd, tail, &j->offset, err))) {
        journal_free(j);
        return NULL;
    }
    return j;
}

void journal_free(struct journal *j)
{
    if (j == NULL)
        return;
    if (j->fd >= 0)
        (void)close(j->fd);
    buf_release(&j->pending);
    free(j->path);
    free(j);
}

uint64_t journal_skipped(const struct journal *j)
{
    return j->skipped;
}

/* Read one more piece; false when there is nothing now. */
static bool read_more(struct journal *j)
{
    struct error ignored = {0};
    if (j->fd < 0 && (!open_file(j, &ignored) || j->fd < 0))
        return false;
    if (j->at > 0) {
        buf_drop_front(&j->pending, j->at);
        j->at = 0;
    }
    if (j->pending.len > JOURNAL_LINE_MAX) {
        buf_clear(&j->pending);
        j->skipped += j->discarding ? 0 : 1;
        j->discarding = true;
    }
    if (!buf_reserve(&j->pending, PIECE, &ignored))
        return false;
    ssize_t got = pread(j->fd, j->pending.data + j->pending.len, PIECE, j->offset);
    if (got <= 0)
        return false;
    j->pending.len += (size_t)got;
    j->pending.data[j->pending.len] = '\0';
    j->offset += got;
    return true;
}

/* ---- lines ------------------------------------------------------------------------------------
 */

/* "restore-parts written=5000": the step and what of its detail says something in a word. */
static char *shown_step(json_t *doc, const char *step)
{
    static const char *const known[] = {"time", "level", "step", "run_id"};
    struct buf out;
    const char *name;
    json_t *value;

    buf_init(&out, TEXT_MAX);
    buf_put(&out, "%s", step);
    json_object_foreach(doc, name, value)
    {
        bool shown = true;

        for (size_t i = 0; i < COUNT_OF(known); i++)
            shown = shown && strcmp(name, known[i]) != 0;
        if (shown && json_is_integer(value) && json_integer_value(value) != 0)
            buf_put(&out, " %s=%lld", name, (long long)json_integer_value(value));
        else if (shown && json_is_string(value) && json_string_length(value) > 0)
            buf_put(&out, " %s=%s", name, json_string_value(value));
    }
    return buf_take(&out, NULL);
}

static char *shown_text(json_t *doc)
{
    char *shown = mem_alloc(TEXT_MAX);
    char *raw = NULL;
    const char *step = json_text(doc, "step", NULL);
    const char *reason = json_text(doc, "reason", NULL);
    if (step != NULL) {
        raw = shown_step(doc, step);
    } else if (reason != NULL) {
        const char *key = json_text(doc, "key", json_text(doc, "key_b64", "?"));
        const char *detail = json_text(doc, "detail", "");
        raw = mem_format("%s: %s%s%s", key, reason, detail[0] != '\0' ? ": " : "", detail);
    } else {
        raw = mem_copy_text(json_text(doc, "text", ""));
    }
    (void)escape_text(shown, TEXT_MAX, str_from(raw));
    free(raw);
    return shown;
}

static bool parse_line(struct str raw, struct journal_line *line)
{
    struct error ignored = {0};
    json_t *doc = json_parse(raw, "journal line", &ignored);
    if (!json_is_object(doc)) {
        json_decref(doc);
        return false;
    }
    *line = (struct journal_line){.doc = doc, .text = shown_text(doc)};
    (void)str_copy(str_from(json_text(doc, "level", "info")), line->level, sizeof(line->level));
    if (!format_parse_utc(str_from(json_text(doc, "time", "")), &line->real_ms))
        line->real_ms = 0;
    return true;
}

bool journal_next(struct journal *j, struct journal_line *line)
{
    for (;;) {
        struct str rest = str_slice(buf_str(&j->pending), j->at, j->pending.len);
        size_t end = str_find(rest, '\n');
        if (end == rest.len) {
            if (!read_more(j))
                return false;
            continue;
        }
        j->at += end + 1;
        if (j->discarding) {
            j->discarding = false;
            continue;
        }
        if (end > 0 && end <= JOURNAL_LINE_MAX && parse_line(str_slice(rest, 0, end), line))
            return true;
        j->skipped += end > 0 ? 1 : 0;
    }
}

void journal_line_release(struct journal_line *line)
{
    free(line->text);
    json_decref(line->doc);
    *line = (struct journal_line){0};
}
