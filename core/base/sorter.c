#include "core/base/sorter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/file.h"
#include "core/base/sorter_run.h"

#define RUNS_MAX 256
#define DATA_KEPT ((size_t)1 << 20) /* sorter_clear keeps no more than that */
#define WRITE_BYTES ((size_t)256 << 10)
#define READ_BYTES ((size_t)64 << 10)
#define READ_LEAST ((size_t)4 << 10)

/* A record in memory: where it is, and the first bytes of its key as a number. */
struct place {
    uint64_t front;
    size_t at;
};

struct sorter {
    char *dir;
    size_t memory;
    struct buf data; /* records: head, key, data */
    struct place *places;
    size_t count, cap;
    size_t next; /* in memory: the one to return */
    bool sorted;
    uint64_t added;
    uint64_t spilled;

    int fd; /* of the runs; -1: nothing was spilt */
    uint64_t size;
    struct sorter_run *runs; /* the older ones first */
    size_t run_count, run_cap;
    struct sorter_merge *merge;
    struct buf last; /* key that was returned, while merging */
    bool has_last;
};

struct sorter *sorter_new(const char *dir, size_t memory)
{
    struct sorter *s = mem_zero(1, sizeof(*s));

    s->dir = mem_copy_text(dir);
    s->memory = memory < SORTER_MEMORY_LEAST ? SORTER_MEMORY_LEAST : memory;
    buf_init(&s->data, SIZE_MAX / 2);
    buf_init(&s->last, SORTER_RECORD_MAX);
    s->fd = -1;
    return s;
}

static void drop_runs(struct sorter *s)
{
    sorter_merge_free(s->merge);
    s->merge = NULL;
    s->run_count = 0;
    s->size = 0;
    if (s->fd >= 0)
        (void)close(s->fd);
    s->fd = -1;
}

static void drop_memory(struct sorter *s)
{
    buf_release(&s->data);
    buf_init(&s->data, SIZE_MAX / 2);
    free(s->places);
    s->places = NULL;
    s->count = s->cap = 0;
}

void sorter_clear(struct sorter *s)
{
    if (s->data.cap > DATA_KEPT)
        drop_memory(s);
    if (s->last.cap > DATA_KEPT) {
        buf_release(&s->last);
        buf_init(&s->last, SORTER_RECORD_MAX);
    }
    buf_clear(&s->data);
    s->count = 0;
    s->next = 0;
    s->added = 0;
    s->sorted = false;
    s->has_last = false;
    if (s->fd >= 0 || s->merge != NULL)
        drop_runs(s);
}

void sorter_free(struct sorter *s)
{
    if (s == NULL)
        return;
    drop_runs(s);
    drop_memory(s);
    buf_release(&s->data);
    buf_release(&s->last);
    free(s->runs);
    free(s->dir);
    free(s);
}

uint64_t sorter_count(const struct sorter *s)
{
    return s->added;
}

uint64_t sorter_spilled(const struct sorter *s)
{
    return s->spilled;
}

/* ---- in memory -------------------------------------------------------------------------------
 */

static uint64_t front_of(struct str key)
{
    uint64_t front = 0;

    for (size_t i = 0; i < sizeof(front); i++)
        front = front << 8 | (i < key.len ? (unsigned char)key.ptr[i] : 0);
    return front;
}

static void record_at(const struct sorter *s, size_t i, struct str *key, struct str *data)
{
    sorter_record(s->data.data + s->places[i].at, key, data);
}

static int compare_places(const void *a, const void *b, void *arg)
{
    const struct place *x = a;
    const struct place *y = b;
    const char *base = arg;
    struct str keys[2];
    struct str data;
    int order;

    if (x->front != y->front)
        return x->front < y->front ? -1 : 1;
    sorter_record(base + x->at, &keys[0], &data);
    sorter_record(base + y->at, &keys[1], &data);
    order = str_compare(keys[0], keys[1]);
    return order != 0 ? order : (x->at < y->at) - (x->at > y->at); /* newest first */
}

static void sort_memory(struct sorter *s)
{
    if (s->count > 1)
        qsort_r(s->places, s->count, sizeof(*s->places), compare_places, s->data.data);
}

static size_t memory_used(const struct sorter *s)
{
    return s->data.len + s->count * sizeof(*s->places);
}

/* ---- on disk ---------------------------------------------------------------------------------
 */

static bool open_file(struct sorter *s, int *fd, struct error *err)
{
    char *path;

    *fd = open(s->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*fd >= 0)
        return true;
    path = file_join(s->dir, "sort-XXXXXX"); /* a file system without nameless files */
    *fd = mkostemp(path, O_CLOEXEC);
    if (*fd >= 0)
        (void)unlink(path);
    else
        (void)error_set_errno(err, ERROR_STORAGE, errno, "a temporary file in %s", s->dir);
    free(path);
    return *fd >= 0;
}

static bool flush(int fd, struct buf *out, struct error *err)
{
    bool ok = file_write_all(fd, buf_str(out), err);

    buf_clear(out);
    return ok;
}

/* A large record is not copied. */
static bool put(int fd, struct buf *out, struct str key, struct str data, uint64_t *size,
                struct error *err)
{
    size_t bytes = SORTER_HEAD + key.len + data.len;
    bool ok;

    *size += bytes;
    if (bytes >= WRITE_BYTES)
        ok = sorter_head_put(out, key, data, err) && flush(fd, out, err) &&
             file_write_all(fd, key, err) && file_write_all(fd, data, err);
    else
        ok = sorter_record_put(out, key, data, err);
    return ok && (out->len < WRITE_BYTES || flush(fd, out, err));
}

static void add_run(struct sorter *s, uint64_t from)
{
    ARRAY_PUSH(s->runs, s->run_count, s->run_cap) = (struct sorter_run){from, s->size};
}

/* What is in memory becomes a run; of equal keys the newest. */
static bool write_run(struct sorter *s, struct error *err)
{
    uint64_t from = s->size;
    struct str before = {NULL, 0};
    struct buf out;
    bool ok = s->fd >= 0 || open_file(s, &s->fd, err);

    buf_init(&out, SIZE_MAX / 2);
    sort_memory(s);
    for (size_t i = 0; ok && i < s->count; i++) {
        struct str key;
        struct str data;

        record_at(s, i, &key, &data);
        if (i == 0 || !str_equal(key, before))
            ok = put(s->fd, &out, key, data, &s->size, err);
        before = key;
    }
    ok = ok && flush(s->fd, &out, err);
    buf_release(&out);
    s->spilled += s->size - from;
    add_run(s, from);
    if (s->data.cap > s->memory)
        drop_memory(s); /* a large record was held alone */
    buf_clear(&s->data);
    s->count = 0;
    return ok || error_wrap(err, "sort in %s", s->dir);
}

static bool next_merged(struct sorter *s, struct str *key, struct str *data, bool *end,
                        struct error *err)
{
    do {
        if (!sorter_merge_next(s->merge, key, data, end, err))
            return false;
        if (*end)
            return true;
    } while (s->has_last && str_equal(*key, buf_str(&s->last)));
    buf_clear(&s->last);
    s->has_last = true;
    return buf_append(&s->last, *key, err);
}

static void begin_merge(struct sorter *s, size_t memory)
{
    size_t each = s->run_count > 0 ? memory / s->run_count : 0;

    each = each < READ_LEAST ? READ_LEAST : each > READ_BYTES ? READ_BYTES : each;
    s->merge = sorter_merge_new(s->fd, s->runs, s->run_count, each);
    s->has_last = false;
}

/* So many runs that reading them side by side would take much memory: all become one. */
static bool collapse(struct sorter *s, struct error *err)
{
    uint64_t size = 0;
    bool end = false;
    struct buf out;
    bool ok;
    int fd = -1;

    buf_init(&out, SIZE_MAX / 2);
    ok = open_file(s, &fd, err);
    begin_merge(s, s->memory / 2);
    while (ok && !end) {
        struct str key;
        struct str data;

        ok =
            next_merged(s, &key, &data, &end, err) && (end || put(fd, &out, key, data, &size, err));
    }
    ok = ok && flush(fd, &out, err);
    buf_release(&out);
    drop_runs(s);
    s->fd = fd;
    s->size = size;
    s->spilled += size;
    s->has_last = false;
    add_run(s, 0);
    return ok || error_wrap(err, "sort in %s", s->dir);
}

/* ---- adding and reading ------------------------------------------------------------------------
 */

static bool spill(struct sorter *s, struct error *err)
{
    return s->count == 0 || (write_run(s, err) && (s->run_count < RUNS_MAX || collapse(s, err)));
}

/* One record that is larger than the memory, behind others: it goes to disk uncopied. */
static bool add_alone(struct sorter *s, struct str key, struct str data, struct error *err)
{
    uint64_t from = s->size;
    struct buf out;
    bool ok;

    buf_init(&out, SIZE_MAX / 2);
    ok = put(s->fd, &out, key, data, &s->size, err) && flush(s->fd, &out, err);
    buf_release(&out);
    s->spilled += s->size - from;
    add_run(s, from);
    s->added++;
    if (!ok)
        return error_wrap(err, "sort in %s", s->dir);
    return s->run_count < RUNS_MAX || collapse(s, err);
}

bool sorter_add(struct sorter *s, struct str key, struct str data, struct error *err)
{
    size_t need = SORTER_HEAD + key.len + data.len + sizeof(struct place);
    size_t at;

    if (key.len + data.len > SORTER_RECORD_MAX)
        return error_set(err, ERROR_LIMIT, 0, "a record of %zu bytes is too large to be sorted",
                         key.len + data.len);
    if (memory_used(s) + need > s->memory && !spill(s, err))
        return false;
    if (need > s->memory && s->run_count > 0)
        return add_alone(s, key, data, err);
    at = s->data.len;
    if (!sorter_record_put(&s->data, key, data, err))
        return false;
    ARRAY_PUSH(s->places, s->count, s->cap) = (struct place){front_of(key), at};
    s->added++;
    return true;
}

bool sorter_sort(struct sorter *s, size_t keep, struct error *err)
{
    s->sorted = true;
    s->next = 0;
    if (s->run_count == 0 && memory_used(s) <= keep) {
        sort_memory(s);
        return true;
    }
    if (s->count > 0 && !write_run(s, err))
        return false;
    drop_memory(s);
    return true;
}

bool sorter_next(struct sorter *s, struct str *key, struct str *data, bool *end, struct error *err)
{
    struct str before;

    *end = false;
    if (s->run_count > 0) {
        if (s->merge == NULL)
            begin_merge(s, s->memory);
        return next_merged(s, key, data, end, err);
    }
    for (;; s->next++) {
        if (s->next >= s->count) {
            *end = true;
            return true;
        }
        record_at(s, s->next, key, data);
        if (s->next == 0)
            break;
        record_at(s, s->next - 1, &before, data);
        if (!str_equal(*key, before))
            break;
    }
    record_at(s, s->next++, key, data);
    return true;
}
