#include "core/base/sorter_run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"

#define PIECE ((size_t)4 << 10) /* of two long keys, compared on disk */

/* One run being read. Of a record that is larger than the buffer only its front is held. */
struct reader {
    uint64_t at; /* of the file: behind what is in the buffer */
    uint64_t to;
    char *data;
    size_t cap, from, len;    /* the record at hand stands at data[from] */
    size_t key_len, data_len; /* of the record */
    struct str key;           /* as much of it as is held */
    size_t number;            /* of the run */
    bool started;
};

struct sorter_merge {
    int fd;
    struct reader *readers;
    size_t count;
    struct reader **heap; /* the smallest key first */
    size_t heap_count;
    struct buf large; /* the record to return, where its reader holds only its front */
    struct error failed;
    bool started;
};

bool sorter_head_put(struct buf *out, struct str key, struct str data, struct error *err)
{
    uint32_t head[2] = {(uint32_t)key.len, (uint32_t)data.len};

    return buf_append(out, (struct str){(const char *)head, sizeof(head)}, err);
}

bool sorter_record_put(struct buf *out, struct str key, struct str data, struct error *err)
{
    return sorter_head_put(out, key, data, err) && buf_append(out, key, err) &&
           buf_append(out, data, err);
}

void sorter_record(const char *at, struct str *key, struct str *data)
{
    uint32_t head[2];

    memcpy(head, at, sizeof(head));
    *key = (struct str){at + sizeof(head), head[0]};
    *data = (struct str){at + sizeof(head) + head[0], head[1]};
}

struct sorter_merge *sorter_merge_new(int fd, const struct sorter_run *runs, size_t count,
                                      size_t buffer)
{
    struct sorter_merge *m = mem_zero(1, sizeof(*m));

    m->fd = fd;
    m->count = count;
    m->readers = mem_zero(count + 1, sizeof(*m->readers));
    m->heap = mem_zero(count + 1, sizeof(*m->heap)); /* NOLINT(bugprone-sizeof-expression) */
    buf_init(&m->large, SIZE_MAX / 2);
    for (size_t i = 0; i < count; i++)
        m->readers[i] = (struct reader){.at = runs[i].from,
                                        .to = runs[i].to,
                                        .data = mem_zero(1, buffer),
                                        .cap = buffer,
                                        .number = i};
    return m;
}

void sorter_merge_free(struct sorter_merge *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->count; i++)
        free(m->readers[i].data);
    buf_release(&m->large);
    free(m->readers);
    free(m->heap); /* NOLINT(bugprone-multi-level-implicit-pointer-conversion) */
    free(m);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static bool read_at(int fd, uint64_t at, char *out, size_t len, struct error *err)
{
    while (len > 0) {
        ssize_t got = pread(fd, out, len, (off_t)at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return error_set_errno(err, ERROR_STORAGE, got < 0 ? errno : EIO,
                                   "read a temporary file");
        out += got;
        len -= (size_t)got;
        at += (uint64_t)got;
    }
    return true;
}

/* At least `need` bytes of the run, not more than the buffer takes, from data[from] on. */
static bool fill(struct sorter_merge *m, struct reader *r, size_t need, struct error *err)
{
    uint64_t left = r->to - r->at;
    size_t want;

    if (r->len - r->from >= need)
        return true;
    memmove(r->data, r->data + r->from, r->len - r->from);
    r->len -= r->from;
    r->from = 0;
    want = left < r->cap - r->len ? (size_t)left : r->cap - r->len;
    if (r->len + want < need)
        return error_set(err, ERROR_STORAGE, 0, "a temporary file is cut off");
    if (!read_at(m->fd, r->at, r->data + r->len, want, err))
        return false;
    r->len += want;
    r->at += want;
    return true;
}

static size_t record_size(const struct reader *r)
{
    return SORTER_HEAD + r->key_len + r->data_len;
}

/* Where in the file the record at hand begins. */
static uint64_t record_place(const struct reader *r)
{
    return r->at - (r->len - r->from);
}

static bool is_whole(const struct reader *r)
{
    return r->len - r->from >= record_size(r);
}

static void leave_record(struct reader *r)
{
    if (is_whole(r)) {
        r->from += record_size(r);
        return;
    }
    r->at = record_place(r) + record_size(r);
    r->from = 0;
    r->len = 0;
}

/* The record at hand is done with; *end when it was the last one of its run. */
static bool advance(struct sorter_merge *m, struct reader *r, bool *end, struct error *err)
{
    uint32_t head[2];
    size_t front;

    if (r->started)
        leave_record(r);
    r->started = true;
    *end = r->from == r->len && r->at >= r->to;
    if (*end)
        return true;
    if (!fill(m, r, SORTER_HEAD, err))
        return false;
    memcpy(head, r->data + r->from, sizeof(head));
    r->key_len = head[0];
    r->data_len = head[1];
    front = record_size(r) < r->cap ? record_size(r) : r->cap;
    if (!fill(m, r, front, err))
        return false;
    r->key.ptr = r->data + r->from + SORTER_HEAD;
    r->key.len = r->key_len < front - SORTER_HEAD ? r->key_len : front - SORTER_HEAD;
    return true;
}

/* ---- the heap ---------------------------------------------------------------------------------
 */

/* Two keys that are equal as far as both are held; the rest is on disk. */
static int compare_rest(struct sorter_merge *m, const struct reader *a, const struct reader *b)
{
    size_t least = a->key_len < b->key_len ? a->key_len : b->key_len;
    size_t at = a->key.len < b->key.len ? a->key.len : b->key.len;

    while (at < least) {
        size_t len = least - at < PIECE ? least - at : PIECE;
        char pieces[2][PIECE];
        int order;

        if (!read_at(m->fd, record_place(a) + SORTER_HEAD + at, pieces[0], len, &m->failed) ||
            !read_at(m->fd, record_place(b) + SORTER_HEAD + at, pieces[1], len, &m->failed))
            return 0;
        order = memcmp(pieces[0], pieces[1], len);
        if (order != 0)
            return order;
        at += len;
    }
    return (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

static bool is_before(struct sorter_merge *m, const struct reader *a, const struct reader *b)
{
    size_t held = a->key.len < b->key.len ? a->key.len : b->key.len;
    int order = memcmp(a->key.ptr, b->key.ptr, held);

    if (order == 0)
        order = compare_rest(m, a, b);
    return order != 0 ? order < 0 : a->number > b->number; /* the newer run first */
}

static void sink(struct sorter_merge *m, size_t i)
{
    for (;;) {
        size_t least = i;

        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < m->heap_count; child++)
            if (is_before(m, m->heap[child], m->heap[least]))
                least = child;
        if (least == i)
            return;
        struct reader *moved = m->heap[i];

        m->heap[i] = m->heap[least];
        m->heap[least] = moved;
        i = least;
    }
}

static bool start(struct sorter_merge *m, struct error *err)
{
    m->started = true;
    for (size_t i = 0; i < m->count; i++) {
        bool end;

        if (!advance(m, &m->readers[i], &end, err))
            return false;
        if (!end)
            m->heap[m->heap_count++] = &m->readers[i];
    }
    for (size_t i = m->heap_count / 2; i-- > 0;)
        sink(m, i);
    return true;
}

static bool give(struct sorter_merge *m, const struct reader *r, struct str *key, struct str *data,
                 struct error *err)
{
    size_t size = record_size(r);

    if (is_whole(r)) {
        sorter_record(r->data + r->from, key, data);
        return true;
    }
    buf_clear(&m->large);
    if (!buf_reserve(&m->large, size, err) ||
        !read_at(m->fd, record_place(r), m->large.data, size, err))
        return false;
    sorter_record(m->large.data, key, data);
    return true;
}

bool sorter_merge_next(struct sorter_merge *m, struct str *key, struct str *data, bool *end,
                       struct error *err)
{
    bool empty = false;

    if (!m->started) {
        if (!start(m, err))
            return false;
    } else if (m->heap_count > 0) {
        if (!advance(m, m->heap[0], &empty, err))
            return false;
        if (empty)
            m->heap[0] = m->heap[--m->heap_count];
        sink(m, 0);
    }
    if (m->failed.code != ERROR_NONE) {
        *err = m->failed;
        return false;
    }
    *end = m->heap_count == 0;
    return *end || give(m, m->heap[0], key, data, err);
}
