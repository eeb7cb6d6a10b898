#include "core/codec/gzip.h"

#include <libdeflate.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/base/alloc.h"

#define INPUT_BYTES 65536
#define STORED_MAX 65535 /* bytes of one stored deflate block */
#define EXTRA_MAX 256
#define FIXED_HEAD 10
#define FLAG_EXTRA 4

struct gzip {
    struct libdeflate_compressor *compressor;
};

struct gzip *gzip_new(int level)
{
    struct gzip *z = mem_zero(1, sizeof(*z));

    if (level < GZIP_LEVEL_MIN)
        level = GZIP_LEVEL_MIN;
    if (level > GZIP_LEVEL_MAX)
        level = GZIP_LEVEL_MAX;
    z->compressor = libdeflate_alloc_compressor(level);
    if (z->compressor == NULL)
        abort(); /* as any other allocation that fails */
    return z;
}

void gzip_free(struct gzip *z)
{
    if (z == NULL)
        return;
    libdeflate_free_compressor(z->compressor);
    free(z);
}

bool gzip_member(struct gzip *z, struct str raw, struct buf *out, struct error *err)
{
    size_t bound = libdeflate_gzip_compress_bound(z->compressor, raw.len);
    size_t made;

    if (!buf_reserve(out, bound, err))
        return false;
    made = libdeflate_gzip_compress(z->compressor, raw.len > 0 ? raw.ptr : "", raw.len,
                                    out->data + out->len, bound);
    if (made == 0)
        return error_set(err, ERROR_INTERNAL, 0, "cannot compress %zu bytes", raw.len);
    out->len += made;
    out->data[out->len] = '\0';
    return true;
}

size_t gzip_stored_size(size_t raw_len, size_t extra_len)
{
    return FIXED_HEAD + 2 + 4 + extra_len + 5 + raw_len + 8;
}

static void put_u16(struct buf *out, size_t value)
{
    out->data[out->len++] = (char)(value & 0xff);
    out->data[out->len++] = (char)(value >> 8 & 0xff);
}

bool gzip_stored(struct str raw, const char *id, struct str extra, struct buf *out,
                 struct error *err)
{
    static const char head[FIXED_HEAD] = {'\x1f', '\x8b', 8, FLAG_EXTRA, 0, 0, 0, 0, 0, '\xff'};
    uLong crc;

    if (raw.len > STORED_MAX || extra.len > EXTRA_MAX)
        return error_set(err, ERROR_INTERNAL, 0, "a stored member of %zu bytes", raw.len);
    if (!buf_reserve(out, gzip_stored_size(raw.len, extra.len), err))
        return false;
    crc = crc32(0, (const Bytef *)(raw.len > 0 ? raw.ptr : ""), (uInt)raw.len);
    memcpy(out->data + out->len, head, sizeof(head));
    out->len += sizeof(head);
    put_u16(out, 4 + extra.len);
    out->data[out->len++] = id[0];
    out->data[out->len++] = id[1];
    put_u16(out, extra.len);
    if (extra.len > 0)
        memcpy(out->data + out->len, extra.ptr, extra.len);
    out->len += extra.len;
    out->data[out->len++] = 1; /* last block, stored */
    put_u16(out, raw.len);
    put_u16(out, ~raw.len & 0xffff);
    if (raw.len > 0)
        memcpy(out->data + out->len, raw.ptr, raw.len);
    out->len += raw.len;
    put_u16(out, crc & 0xffff);
    put_u16(out, crc >> 16 & 0xffff);
    put_u16(out, raw.len);
    put_u16(out, 0);
    out->data[out->len] = '\0';
    return true;
}

struct str gzip_stored_extra(struct str member, const char *id)
{
    const unsigned char *p = (const unsigned char *)member.ptr;
    size_t len;

    if (member.len < FIXED_HEAD + 6 || p[0] != 0x1f || p[1] != 0x8b || p[2] != 8 ||
        p[3] != FLAG_EXTRA || member.ptr[FIXED_HEAD + 2] != id[0] ||
        member.ptr[FIXED_HEAD + 3] != id[1])
        return (struct str){NULL, 0};
    len = (size_t)p[FIXED_HEAD + 4] | (size_t)p[FIXED_HEAD + 5] << 8;
    return str_slice(member, FIXED_HEAD + 6, FIXED_HEAD + 6 + len);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

struct gunzip {
    z_stream z;
    gzip_pull pull;
    void *arg;
    uint64_t left; /* unpacked bytes that may still come */
    bool between;  /* at the start of a member */
    bool any;      /* at least one member was read */
    bool input_ended;
    bool ended;
    unsigned char input[INPUT_BYTES];
};

struct gunzip *gunzip_new(gzip_pull pull, void *arg, uint64_t max)
{
    struct gunzip *g = mem_zero(1, sizeof(*g));

    g->pull = pull;
    g->arg = arg;
    g->left = max;
    g->between = true;
    if (inflateInit2(&g->z, 15 + 16) != Z_OK)
        abort(); /* only for want of memory */
    return g;
}

void gunzip_free(struct gunzip *g)
{
    if (g == NULL)
        return;
    (void)inflateEnd(&g->z);
    free(g);
}

static bool fill(struct gunzip *g, struct error *err)
{
    size_t got;

    if (g->z.avail_in > 0 || g->input_ended)
        return true;
    if (!g->pull(g->arg, g->input, sizeof(g->input), &got, err))
        return false;
    g->input_ended = got == 0;
    g->z.next_in = g->input;
    g->z.avail_in = (uInt)got;
    return true;
}

/* Between members: zeros are padding, the end of the input is the end. */
static bool begin_member(struct gunzip *g, struct error *err)
{
    for (;;) {
        if (!fill(g, err))
            return false;
        if (g->z.avail_in == 0) {
            g->ended = true;
            return g->any || error_set(err, ERROR_CORRUPT, 0, "empty instead of gzip data");
        }
        if (!g->any || *g->z.next_in != 0)
            break;
        g->z.next_in++;
        g->z.avail_in--;
    }
    g->between = false;
    (void)inflateReset(&g->z);
    return true;
}

static bool step(struct gunzip *g, struct error *err)
{
    int status;

    if (!fill(g, err))
        return false;
    if (g->z.avail_in == 0)
        return error_set(err, ERROR_CORRUPT, 0, "gzip data is cut off");
    status = inflate(&g->z, Z_NO_FLUSH);
    if (status == Z_STREAM_END) {
        g->between = true;
        g->any = true;
        return true;
    }
    if (status == Z_OK || status == Z_BUF_ERROR)
        return true;
    if (status == Z_MEM_ERROR)
        abort();
    return error_set(err, ERROR_CORRUPT, 0, "gzip data is damaged: %s",
                     g->z.msg != NULL ? g->z.msg : "a dictionary is asked for");
}

bool gunzip_read(struct gunzip *g, void *out, size_t size, size_t *got, struct error *err)
{
    size_t want = size < INT_MAX ? size : INT_MAX;

    g->z.next_out = out;
    g->z.avail_out = (uInt)want;
    while (!g->ended && g->z.avail_out == want)
        if (g->between ? !begin_member(g, err) : !step(g, err))
            return false;
    *got = want - g->z.avail_out;
    if (*got > g->left)
        return error_set(err, ERROR_LIMIT, 0, "gzip data unpacks to more than is allowed");
    g->left -= *got;
    return true;
}

struct memory {
    struct str rest;
};

static bool pull_memory(void *arg, void *out, size_t size, size_t *got, struct error *err)
{
    struct memory *m = arg;

    (void)err;
    *got = m->rest.len < size ? m->rest.len : size;
    if (*got > 0)
        memcpy(out, m->rest.ptr, *got);
    m->rest = str_slice(m->rest, *got, m->rest.len);
    return true;
}

bool gunzip_all(struct str packed, struct buf *out, struct error *err)
{
    struct memory m = {packed};
    uint64_t room = out->max - out->len;
    struct gunzip *g = gunzip_new(pull_memory, &m, room);
    size_t got = 1;
    bool ok = true;

    while (ok && got > 0) {
        size_t chunk = INPUT_BYTES;

        if (chunk > out->max - out->len)
            chunk = out->max - out->len;
        if (chunk == 0) { /* full: only the end may follow */
            char extra;

            ok = gunzip_read(g, &extra, 1, &got, err);
            break;
        }
        ok = buf_reserve(out, chunk, err) && gunzip_read(g, out->data + out->len, chunk, &got, err);
        if (ok) {
            out->len += got;
            out->data[out->len] = '\0';
        }
    }
    gunzip_free(g);
    return ok;
}
