#include "core/base/sorter_run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"

/* One run being read. */
struct reader {
    uint64_t at; /* of the file: behind what is in the buffer */
    uint64_t to;
    char *data;
    size_t cap, from, len; /* the record at hand stands at data[from] */
    struct str key;
    struct str value;
    size_t number; /* of the run */
};

struct sorter_merge {
    int fd;
    struct reader *readers;
    size_t count;
    struct reader **heap; /* the smallest key first */
    size_t heap_count;
    bool started;
};

bool sorter_record_put(struct buf *out, struct str key, struct str data, struct error *err)
{
    uint32_t head[2] = {(uint32_t)key.len, (uint32_t)data.len};

    return buf_append(out, (struct str){(const char *)head, sizeof(head)}, err) &&
           buf_append(out, key, err) && buf_append(out, data, err);
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
    free(m->readers);
    free(m->heap); /* NOLINT(bugprone-multi-level-implicit-pointer-conversion) */
    free(m);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

/* At least `need` bytes of the run from data[from] on. */
static bool fill(struct sorter_merge *m, struct reader *r, size_t need, struct error *err)
{
    if (r->len - r->from >= need)
        return true;
    memmove(r->data, r->data + r->from, r->len - r->from);
    r->len -= r->from;
    r->from = 0;
    if (need > r->cap) {
        r->data = mem_resize(r->data, need, 1);
        r->cap = need;
    }
    while (r->len < need && r->at < r->to) {
        uint64_t left = r->to - r->at;
        size_t want = left < r->cap - r->len ? (size_t)left : r->cap - r->len;
        ssize_t got = pread(m->fd, r->data + r->len, want, (off_t)r->at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return error_set_errno(err, ERROR_STORAGE, got < 0 ? errno : EIO,
                                   "read a temporary file");
        r->len += (size_t)got;
        r->at += (uint64_t)got;
    }
    return r->len >= need || error_set(err, ERROR_STORAGE, 0, "a temporary file is cut off");
}

/* The record at hand is done with; *end when it was the last one of its run. */
static bool advance(struct sorter_merge *m, struct reader *r, bool *end, struct error *err)
{
    if (r->key.ptr != NULL)
        r->from += SORTER_HEAD + r->key.len + r->value.len;
    *end = r->from == r->len && r->at == r->to;
    if (*end)
        return true;
    if (!fill(m, r, SORTER_HEAD, err))
        return false;
    sorter_record(r->data + r->from, &r->key, &r->value);
    if (!fill(m, r, SORTER_HEAD + r->key.len + r->value.len, err))
        return false;
    sorter_record(r->data + r->from, &r->key, &r->value);
    return true;
}

/* ---- the heap ---------------------------------------------------------------------------------
 */

static bool is_before(const struct reader *a, const struct reader *b)
{
    int order = str_compare(a->key, b->key);

    return order != 0 ? order < 0 : a->number > b->number; /* the newer run first */
}

static void sink(struct sorter_merge *m, size_t i)
{
    for (;;) {
        size_t least = i;

        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < m->heap_count; child++)
            if (is_before(m->heap[child], m->heap[least]))
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
    *end = m->heap_count == 0;
    if (*end)
        return true;
    *key = m->heap[0]->key;
    *data = m->heap[0]->value;
    return true;
}
