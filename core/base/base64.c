#include "core/base/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Three bytes (or the last one or two) become four characters. */
static void encode_group(const unsigned char *in, size_t n, char *out)
{
    uint32_t word = (uint32_t)in[0] << 16;

    if (n > 1)
        word |= (uint32_t)in[1] << 8;
    if (n > 2)
        word |= in[2];
    out[0] = alphabet[word >> 18];
    out[1] = alphabet[word >> 12 & 63];
    out[2] = n > 1 ? alphabet[word >> 6 & 63] : '=';
    out[3] = n > 2 ? alphabet[word & 63] : '=';
}

bool base64_encode(struct buf *out, struct str raw, struct error *err)
{
    const unsigned char *in = (const unsigned char *)raw.ptr;

    if (raw.len == 0)
        return true;
    if (!buf_reserve(out, (raw.len + 2) / 3 * 4, err))
        return false;
    for (size_t at = 0; at < raw.len; at += 3) {
        size_t left = raw.len - at;

        encode_group(in + at, left > 3 ? 3 : left, out->data + out->len);
        out->len += 4;
    }
    out->data[out->len] = '\0';
    return true;
}

/* 0 to 63, or 64 for a byte outside the alphabet. */
static uint32_t value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0') + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : 64;
}

/* Four characters, `pad` of them '=', become 3 - pad bytes at out. */
static bool decode_group(const char *in, size_t pad, char *out)
{
    uint32_t word = 0;

    for (size_t i = 0; i < 4; i++) {
        uint32_t value = i < 4 - pad ? value_of(in[i]) : 0;

        if (value > 63)
            return false;
        word = word << 6 | value;
    }
    if ((pad == 1 && (word & 0xff) != 0) || (pad == 2 && (word & 0xffff) != 0))
        return false; /* bits that no encoder sets */
    for (size_t i = 0; i < 3 - pad; i++)
        out[i] = (char)(word >> (16 - 8 * i) & 0xff);
    return true;
}

bool base64_decode(struct buf *out, struct str text, struct error *err)
{
    size_t before = out->len;

    if (text.len == 0)
        return true;
    if (text.len % 4 != 0)
        return error_set(err, ERROR_CORRUPT, 0, "base64 text of %zu characters", text.len);
    if (!buf_reserve(out, text.len / 4 * 3, err))
        return false;
    for (size_t at = 0; at < text.len; at += 4) {
        size_t pad = 0;

        if (at + 4 == text.len && text.ptr[at + 3] == '=')
            pad = text.ptr[at + 2] == '=' ? 2 : 1;
        if (!decode_group(text.ptr + at, pad, out->data + out->len)) {
            out->len = before;
            out->data[before] = '\0';
            return error_set(err, ERROR_CORRUPT, 0, "bad base64 at character %zu", at);
        }
        out->len += 3 - pad;
    }
    out->data[out->len] = '\0';
    return true;
}
