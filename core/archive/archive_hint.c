#include "core/archive/archive_hint.h"

#include "core/codec/gzip.h"
#include "core/codec/tar.h"

#define HINT_ID "RB"

size_t archive_trailer_size(void)
{
    return gzip_stored_size(TAR_TRAILER, ARCHIVE_HINT_BYTES);
}

static void put_u64(char *out, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (char)(value >> (8 * i) & 0xff);
}

static uint64_t get_u64(const char *in)
{
    uint64_t value = 0;

    for (int i = 7; i >= 0; i--)
        value = value << 8 | (unsigned char)in[i];
    return value;
}

bool archive_trailer_put(const struct archive_hint *hint, struct buf *out, struct error *err)
{
    static const char zeros[TAR_TRAILER];
    char extra[ARCHIVE_HINT_BYTES];

    put_u64(extra, hint->manifest_offset);
    put_u64(extra + 8, hint->manifest_length);
    put_u64(extra + 16, hint->hmac_offset);
    put_u64(extra + 24, hint->hmac_length);
    return gzip_stored((struct str){zeros, sizeof(zeros)}, HINT_ID,
                       (struct str){extra, sizeof(extra)}, out, err);
}

static bool lies_within(uint64_t offset, uint64_t length, uint64_t total)
{
    return length <= total && offset <= total - length;
}

bool archive_trailer_get(struct str tail, uint64_t total, struct archive_hint *out)
{
    struct str extra = gzip_stored_extra(tail, HINT_ID);

    if (tail.len != archive_trailer_size() || extra.len != ARCHIVE_HINT_BYTES)
        return false;
    out->manifest_offset = get_u64(extra.ptr);
    out->manifest_length = get_u64(extra.ptr + 8);
    out->hmac_offset = get_u64(extra.ptr + 16);
    out->hmac_length = get_u64(extra.ptr + 24);
    return out->manifest_length > 0 &&
           lies_within(out->manifest_offset, out->manifest_length, total) &&
           lies_within(out->hmac_offset, out->hmac_length, total);
}
