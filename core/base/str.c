#include "core/base/str.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct str str_from(const char *text)
{
    return (struct str){text, text == NULL ? 0 : strlen(text)};
}

bool str_equal(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool str_is(struct str a, const char *text)
{
    return str_equal(a, str_from(text));
}

int str_compare(struct str a, struct str b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, common);

    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool str_starts(struct str a, const char *prefix)
{
    size_t len = strlen(prefix);

    return a.len >= len && (len == 0 || memcmp(a.ptr, prefix, len) == 0);
}

bool str_ends(struct str a, const char *suffix)
{
    size_t len = strlen(suffix);

    return a.len >= len && (len == 0 || memcmp(a.ptr + a.len - len, suffix, len) == 0);
}

size_t str_find(struct str a, char byte)
{
    const char *at = a.len == 0 ? NULL : memchr(a.ptr, byte, a.len);

    return at == NULL ? a.len : (size_t)(at - a.ptr);
}

size_t str_find_last(struct str a, char byte)
{
    const char *at = a.len == 0 ? NULL : memrchr(a.ptr, byte, a.len);

    return at == NULL ? a.len : (size_t)(at - a.ptr);
}

struct str str_slice(struct str a, size_t from, size_t to)
{
    if (to > a.len)
        to = a.len;
    if (from > to)
        from = to;
    if (a.ptr == NULL)
        return a;
    return (struct str){a.ptr + from, to - from};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str a)
{
    while (a.len > 0 && is_blank(a.ptr[a.len - 1]))
        a.len--;
    while (a.len > 0 && is_blank(a.ptr[0])) {
        a.ptr++;
        a.len--;
    }
    return a;
}

bool str_split(struct str *rest, char byte, struct str *piece)
{
    size_t at;

    if (rest->ptr == NULL)
        return false;
    at = str_find(*rest, byte);
    *piece = str_slice(*rest, 0, at);
    if (at == rest->len)
        *rest = (struct str){NULL, 0};
    else
        *rest = str_slice(*rest, at + 1, rest->len);
    return true;
}

bool str_to_u64(struct str a, uint64_t *out)
{
    uint64_t value = 0;

    if (a.len == 0)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        uint64_t digit = (uint64_t)(unsigned char)a.ptr[i] - '0';

        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

bool str_to_i64(struct str a, int64_t *out)
{
    bool negative = a.len > 0 && a.ptr[0] == '-';
    uint64_t size;

    if (!str_to_u64(negative ? str_slice(a, 1, a.len) : a, &size))
        return false;
    if (size > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    *out = negative ? (int64_t)(0 - size) : (int64_t)size;
    return true;
}

bool str_to_u32(struct str a, uint32_t *out)
{
    uint64_t value;

    if (!str_to_u64(a, &value) || value > UINT32_MAX)
        return false;
    *out = (uint32_t)value;
    return true;
}

bool str_to_int(struct str a, int min, int max, int *out)
{
    int64_t value;

    if (!str_to_i64(a, &value) || value < min || value > max)
        return false;
    *out = (int)value;
    return true;
}

bool str_to_double(struct str a, double *out)
{
    char text[64];
    char *end;
    double value;

    if (a.len == 0 || !str_copy(a, text, sizeof(text)) || strlen(text) != a.len)
        return false;
    if (is_blank(text[0]) || strpbrk(text, "xXpP(") != NULL)
        return false;
    value = strtod(text, &end);
    if (*end != '\0' || isnan(value))
        return false;
    *out = value;
    return true;
}

/* Length of the valid sequence at p, 0 when it is not one. */
static size_t utf8_length(const unsigned char *p, size_t len)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        return len >= 2 && (p[1] & 0xc0) == 0x80 ? 2 : 0;
    if (p[0] >= 0xe0 && p[0] <= 0xef) {
        unsigned low = p[0] == 0xe0 ? 0xa0 : 0x80;
        unsigned high = p[0] == 0xed ? 0x9f : 0xbf;

        return len >= 3 && p[1] >= low && p[1] <= high && (p[2] & 0xc0) == 0x80 ? 3 : 0;
    }
    if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        unsigned low = p[0] == 0xf0 ? 0x90 : 0x80;
        unsigned high = p[0] == 0xf4 ? 0x8f : 0xbf;

        return len >= 4 && p[1] >= low && p[1] <= high && (p[2] & 0xc0) == 0x80 &&
                       (p[3] & 0xc0) == 0x80
                   ? 4
                   : 0;
    }
    return 0;
}

/* Eight plain bytes at once: no high bit, and none of them zero. */
static bool is_plain_word(const unsigned char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    return ((word | (word - 0x0101010101010101u)) & 0x8080808080808080u) == 0;
}

bool str_is_text(struct str a)
{
    const unsigned char *p = (const unsigned char *)a.ptr;
    size_t at = 0;

    while (at < a.len) {
        size_t n;

        if (a.len - at >= 8 && is_plain_word(p + at)) {
            at += 8;
            continue;
        }
        n = p[at] == 0 ? 0 : utf8_length(p + at, a.len - at);
        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

size_t str_distance(struct str a, struct str b, size_t limit)
{
    size_t row[64];
    size_t gap = a.len > b.len ? a.len - b.len : b.len - a.len;

    if (gap > limit || a.len >= COUNT_OF(row) || b.len >= COUNT_OF(row))
        return limit + 1;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t best = corner + (a.ptr[i - 1] == b.ptr[j - 1] ? 0 : 1);

            corner = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b.len] > limit ? limit + 1 : row[b.len];
}

bool str_copy(struct str a, char *out, size_t size)
{
    size_t n = a.len < size ? a.len : size - 1;

    if (n > 0)
        memcpy(out, a.ptr, n);
    out[n] = '\0';
    return n == a.len;
}
