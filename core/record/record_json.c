#include "core/record/record_json.h"

#include <endian.h>
#include <stddef.h>
#include <string.h>

#include "core/base/hex.h"
#include "core/record/record.h"

#define ONES 0x0101010101010101u
#define HIGHS 0x8080808080808080u

bool scan_fail(const struct scan *s, struct error *err, const char *what)
{
    return error_set(err, ERROR_CORRUPT, 0, "byte %zu: %s", (size_t)(s->at - s->base), what);
}

char scan_peek(struct scan *s)
{
    while (*s->at == ' ' || *s->at == '\t')
        s->at++;
    return *s->at;
}

bool scan_take(struct scan *s, char byte)
{
    if (scan_peek(s) != byte || s->at == s->end)
        return false;
    s->at++;
    return true;
}

bool scan_byte(struct scan *s, char byte, struct error *err)
{
    char text[] = "' ' expected";

    if (scan_take(s, byte))
        return true;
    text[1] = byte;
    return scan_fail(s, err, text);
}

bool scan_more(struct scan *s, char close, bool *more, struct error *err)
{
    *more = scan_take(s, ',');
    return *more || scan_byte(s, close, err);
}

bool scan_open(struct scan *s, char open, char close, bool *empty, struct error *err)
{
    if (!scan_byte(s, open, err))
        return false;
    *empty = scan_take(s, close);
    return true;
}

/* How many bytes of w, first byte lowest, come before the lowest mark in `stop`: only that one is
 * sure to be no borrow of another. */
static size_t passed_over(uint64_t w, uint64_t stop, uint64_t seen, bool *high)
{
    unsigned bits = (unsigned)__builtin_ctzll(stop & HIGHS) & ~7u;

    seen |= w & (((uint64_t)1 << bits) - 1);
    *high = *high || (seen & HIGHS) != 0;
    return bits / 8;
}

/* The first byte that ends a run: a quote, a backslash, a control byte. *high: a byte >= 0x80 was
 * among those passed over. */
static char *run_end(char *p, const char *end, bool *high)
{
    uint64_t seen = 0;

    while (end - p >= 8) {
        uint64_t w;
        uint64_t quote;
        uint64_t slash;
        uint64_t stop;

        memcpy(&w, p, sizeof(w));
        w = le64toh(w);
        quote = w ^ (ONES * '"');
        slash = w ^ (ONES * '\\');
        stop = ((quote - ONES) & ~quote) | ((slash - ONES) & ~slash) | ((w - ONES * 0x20) & ~w);
        if ((stop & HIGHS) != 0)
            return p + passed_over(w, stop, seen, high);
        seen |= w;
        p += 8;
    }
    for (; (unsigned char)*p >= 0x20 && *p != '"' && *p != '\\'; p++)
        seen |= (unsigned char)*p;
    *high = *high || (seen & HIGHS) != 0;
    return p;
}

/* Four hex digits at p (the NUL at the end stops it). */
static bool read_hex4(const char *p, uint32_t *out)
{
    uint32_t value = 0;

    for (int i = 0; i < 4; i++) {
        int digit = hex_value(p[i]);

        if (digit < 0)
            return false;
        value = value << 4 | (uint32_t)digit;
    }
    *out = value;
    return true;
}

static char *put_utf8(char *to, uint32_t point)
{
    if (point < 0x80) {
        *to++ = (char)point;
    } else if (point < 0x800) {
        *to++ = (char)(0xc0 | point >> 6);
        *to++ = (char)(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        *to++ = (char)(0xe0 | point >> 12);
        *to++ = (char)(0x80 | (point >> 6 & 0x3f));
        *to++ = (char)(0x80 | (point & 0x3f));
    } else {
        *to++ = (char)(0xf0 | point >> 18);
        *to++ = (char)(0x80 | (point >> 12 & 0x3f));
        *to++ = (char)(0x80 | (point >> 6 & 0x3f));
        *to++ = (char)(0x80 | (point & 0x3f));
    }
    return to;
}

/* At "\u": the code point, with the second half of a surrogate pair. */
static bool unescape_unicode(struct scan *s, char **to, struct error *err)
{
    uint32_t point;
    uint32_t low;

    if (!read_hex4(s->at + 2, &point))
        return scan_fail(s, err, "four hex digits expected behind \\u");
    s->at += 6;
    if (point >= 0xdc00 && point <= 0xdfff)
        return scan_fail(s, err, "lone surrogate");
    if (point >= 0xd800 && point <= 0xdbff) {
        if (s->at[0] != '\\' || s->at[1] != 'u' || !read_hex4(s->at + 2, &low) || low < 0xdc00 ||
            low > 0xdfff)
            return scan_fail(s, err, "lone surrogate");
        s->at += 6;
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
    *to = put_utf8(*to, point);
    return true;
}

static bool unescape(struct scan *s, char **to, struct error *err)
{
    static const char from[] = "\"\\/bfnrt";
    static const char into[] = "\"\\/\b\f\n\r\t";
    const char *hit;

    if (s->at[1] == 'u')
        return unescape_unicode(s, to, err);
    hit = s->at[1] != '\0' ? strchr(from, s->at[1]) : NULL;
    if (hit == NULL)
        return scan_fail(s, err, "unknown escape");
    *(*to)++ = into[hit - from];
    s->at += 2;
    return true;
}

bool scan_string(struct scan *s, struct str *out, struct error *err)
{
    char *start;
    char *to;

    if (!scan_byte(s, '"', err))
        return false;
    start = s->at;
    to = s->at;
    for (;;) {
        bool high = false;
        char *stop = run_end(s->at, s->end, &high);
        size_t run = (size_t)(stop - s->at);

        if (high && !str_is_text((struct str){s->at, run}))
            return scan_fail(s, err, "invalid UTF-8");
        if (to != s->at)
            memmove(to, s->at, run);
        to += run;
        s->at = stop;
        if (*stop == '"')
            break;
        if (*stop != '\\')
            return scan_fail(s, err,
                             stop == s->end ? "the line ends inside a string"
                                            : "control character in a string");
        if (!unescape(s, &to, err))
            return false;
    }
    s->at++;
    *out = (struct str){start, (size_t)(to - start)};
    return true;
}

static int base64_value(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* Decode n whole groups of 4 without padding; false on a byte outside the alphabet. */
static bool decode_groups(char *to, const char *from, size_t groups)
{
    for (size_t i = 0; i < groups; i++, from += 4, to += 3) {
        int a = base64_value((unsigned char)from[0]);
        int b = base64_value((unsigned char)from[1]);
        int c = base64_value((unsigned char)from[2]);
        int d = base64_value((unsigned char)from[3]);

        if ((a | b | c | d) < 0)
            return false;
        to[0] = (char)(a << 2 | b >> 4);
        to[1] = (char)((b & 15) << 4 | c >> 2);
        to[2] = (char)((c & 3) << 6 | d);
    }
    return true;
}

/* In place: what is written never passes what is still to be read. */
static bool decode_base64(char *start, struct str *text)
{
    size_t pad = 0;
    size_t groups = text->len / 4;
    char *to;
    const char *from;
    int a;
    int b;
    int c = 0;

    if (text->len % 4 != 0)
        return false;
    while (pad < 2 && text->len > pad && start[text->len - 1 - pad] == '=')
        pad++;
    if (pad > 0)
        groups--;
    if (!decode_groups(start, start, groups))
        return false;
    to = start + groups * 3;
    if (pad > 0) {
        from = start + groups * 4;
        a = base64_value((unsigned char)from[0]);
        b = base64_value((unsigned char)from[1]);
        if (pad == 1)
            c = base64_value((unsigned char)from[2]);
        if ((a | b | c) < 0 || (pad == 2 ? (b & 15) != 0 : (c & 3) != 0))
            return false;
        *to++ = (char)(a << 2 | b >> 4);
        if (pad == 1)
            *to++ = (char)((b & 15) << 4 | c >> 2);
    }
    text->len = (size_t)(to - start);
    return true;
}

bool scan_data(struct scan *s, bool binary, struct str *out, struct error *err)
{
    if (!scan_string(s, out, err))
        return false;
    if (binary && !decode_base64(s->base + (out->ptr - s->base), out))
        return scan_fail(s, err, "the string before is not base64");
    return true;
}

bool scan_name(struct scan *s, struct str *out, struct error *err)
{
    return scan_string(s, out, err) && scan_byte(s, ':', err);
}

/* A number by JSON's grammar; its text. */
static bool number_text(struct scan *s, struct str *out, struct error *err)
{
    char *start;
    char *p;

    (void)scan_peek(s);
    start = p = s->at;
    if (*p == '-')
        p++;
    if (*p == '0' && p[1] >= '0' && p[1] <= '9')
        return scan_fail(s, err, "number with a leading zero");
    if (*p < '0' || *p > '9')
        return scan_fail(s, err, "number expected");
    while (*p >= '0' && *p <= '9')
        p++;
    if (*p == '.') {
        if (p[1] < '0' || p[1] > '9')
            return scan_fail(s, err, "digits expected behind the point");
        for (p++; *p >= '0' && *p <= '9';)
            p++;
    }
    if (*p == 'e' || *p == 'E') {
        p += p[1] == '+' || p[1] == '-' ? 2 : 1;
        if (*p < '0' || *p > '9')
            return scan_fail(s, err, "digits expected in the exponent");
        while (*p >= '0' && *p <= '9')
            p++;
    }
    s->at = p;
    *out = (struct str){start, (size_t)(p - start)};
    return true;
}

bool scan_i64(struct scan *s, int64_t *out, struct error *err)
{
    struct str text = {NULL, 0};

    return number_text(s, &text, err) &&
           (str_to_i64(text, out) || scan_fail(s, err, "whole number of 64 bits expected"));
}

bool scan_u64(struct scan *s, uint64_t *out, struct error *err)
{
    struct str text = {NULL, 0};

    return scan_text_or_number(s, &text, err) &&
           (str_to_u64(text, out) || scan_fail(s, err, "number from 0 to 2^64-1 expected"));
}

static bool take_word(struct scan *s, const char *word)
{
    size_t len = strlen(word);

    (void)scan_peek(s);
    if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
        return false;
    s->at += len;
    return true;
}

bool scan_bool(struct scan *s, bool *out, struct error *err)
{
    *out = take_word(s, "true");
    return *out || take_word(s, "false") || scan_fail(s, err, "true or false expected");
}

bool scan_null(struct scan *s)
{
    return take_word(s, "null");
}

bool scan_text_or_number(struct scan *s, struct str *out, struct error *err)
{
    return scan_peek(s) == '"' ? scan_string(s, out, err) : number_text(s, out, err);
}

/* Over a string without decoding it: what is skipped may be read again later. */
static bool skip_string(struct scan *s, struct error *err)
{
    if (!scan_byte(s, '"', err))
        return false;
    for (;;) {
        bool high = false;

        s->at = run_end(s->at, s->end, &high);
        if (*s->at == '"')
            break;
        if (*s->at != '\\')
            return scan_fail(s, err,
                             s->at == s->end ? "the line ends inside a string"
                                             : "control character in a string");
        s->at += s->at[1] != '\0' ? 2 : 1;
    }
    s->at++;
    return true;
}

static bool skip_name(struct scan *s, struct error *err)
{
    return skip_string(s, err) && scan_byte(s, ':', err);
}

static bool skip_scalar(struct scan *s, struct error *err)
{
    struct str text;
    bool flag;

    switch (scan_peek(s)) {
    case '"':
        return skip_string(s, err);
    case 't':
    case 'f':
        return scan_bool(s, &flag, err);
    case 'n':
        return scan_null(s) || scan_fail(s, err, "unknown word");
    default:
        return number_text(s, &text, err);
    }
}

/* Behind a value: close what ends here. *at_value: a value must follow. */
static bool skip_behind(struct scan *s, const char *closers, size_t *depth, bool *at_value,
                        struct error *err)
{
    *at_value = false;
    while (*depth > 0) {
        char close = closers[*depth - 1];
        bool more;

        if (!scan_more(s, close, &more, err))
            return false;
        if (more) {
            *at_value = true;
            return close != '}' || skip_name(s, err);
        }
        (*depth)--;
    }
    return true;
}

bool scan_skip(struct scan *s, struct error *err)
{
    char closers[RECORD_DEPTH_MAX];
    size_t depth = 0;
    bool at_value = true;

    while (at_value) {
        char c = scan_peek(s);

        if (c == '[' || c == '{') {
            if (depth == COUNT_OF(closers))
                return scan_fail(s, err, "nested too deep");
            s->at++;
            closers[depth++] = c == '[' ? ']' : '}';
            if (scan_take(s, closers[depth - 1]))
                depth--;
            else if (c == '{' && !skip_name(s, err))
                return false;
            else
                continue;
        } else if (!skip_scalar(s, err)) {
            return false;
        }
        if (!skip_behind(s, closers, &depth, &at_value, err))
            return false;
    }
    return true;
}
