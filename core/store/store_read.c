#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/store/store_impl.h"

#define CHUNK_FIRST ((size_t)1 << 20) /* small reads must not wait for a large range */
#define CHUNK ((size_t)8 << 20)

/* Reads an object in order, one piece in memory at a time. */
struct store_reader {
    struct store_object *object;
    int64_t at; /* of the next piece */
    int64_t end;
    size_t chunk;
    char *piece; /* CHUNK bytes once used */
    size_t len;
    size_t taken;
};

bool store_open_read(struct store *s, const char *name, int64_t from, int64_t length,
                     struct store_reader **out, struct error *err)
{
    struct store_object *object;
    if (from < 0 || length < -1)
        return error_set(err, ERROR_INTERNAL, 0, "a range of negative bytes");
    if (!store_open_object(s, name, &object, err))
        return false;
    int64_t size = store_object_size(object);
    struct store_reader *r = mem_zero(1, sizeof(*r));
    r->object = object;
    r->at = from < size ? from : size;
    r->end = length < 0 || length > size - r->at ? size : r->at + length;
    r->chunk = CHUNK_FIRST;
    *out = r;
    return true;
}

static bool fill(struct store_reader *r, struct error *err)
{
    size_t want = (uint64_t)(r->end - r->at) < r->chunk ? (size_t)(r->end - r->at) : r->chunk;
    if (r->piece == NULL)
        r->piece = mem_alloc(CHUNK);
    if (!store_object_read(r->object, r->at, r->piece, want, err))
        return false;
    r->at += (int64_t)want;
    r->len = want;
    r->taken = 0;
    r->chunk = CHUNK;
    return true;
}

bool store_read(struct store_reader *r, void *out, size_t size, size_t *got, struct error *err)
{
    *got = 0;
    if (r->taken == r->len && r->at < r->end && !fill(r, err))
        return false;
    size_t left = r->len - r->taken;
    *got = left < size ? left : size;
    if (*got > 0)
        memcpy(out, r->piece + r->taken, *got);
    r->taken += *got;
    return true;
}

int64_t store_reader_size(const struct store_reader *r)
{
    return store_object_size(r->object);
}

void store_reader_free(struct store_reader *r)
{
    if (r == NULL)
        return;
    store_object_free(r->object);
    free(r->piece);
    free(r);
}
