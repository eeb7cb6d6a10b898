#include "core/redis/glob.h"

#include "core/redis/slot.h"

/* The server compares signed chars: a range such as [a-\xff] therefore runs downwards. */
static int byte_at(struct str s, size_t i, bool nocase)
{
    int c = (unsigned char)s.ptr[i];

    c = c > 127 ? c - 256 : c;

    return nocase && c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static bool in_range(int c, int from, int to)
{
    return from <= to ? c >= from && c <= to : c >= to && c <= from;
}

/* `at` is the byte after '['. Returns the offset after the class, and whether c is in it. */
static size_t match_class(struct str p, size_t at, int c, bool nocase, bool *hit)
{
    bool negated = at < p.len && p.ptr[at] == '^';
    bool found = false;

    at += negated ? 1 : 0;
    while (at < p.len && p.ptr[at] != ']') {
        if (p.ptr[at] == '\\' && at + 1 < p.len) {
            at++;
            found |= byte_at(p, at, nocase) == c;
            at++;
        } else if (at + 2 < p.len && p.ptr[at + 1] == '-') {
            found |= in_range(c, byte_at(p, at, nocase), byte_at(p, at + 2, nocase));
            at += 3;
        } else {
            found |= byte_at(p, at, nocase) == c;
            at++;
        }
    }
    *hit = found != negated;
    return at < p.len ? at + 1 : at;
}

/* One pattern item other than '*' against one byte of text. Returns the offset after the item, 0
 * when it does not match. */
static size_t match_one(struct str p, size_t at, struct str t, size_t i, bool nocase)
{
    int c = byte_at(t, i, nocase);
    bool hit = false;
    size_t next;

    if (p.ptr[at] == '?')
        return at + 1;
    if (p.ptr[at] == '[') {
        next = match_class(p, at + 1, c, nocase, &hit);
        return hit ? next : 0;
    }
    if (p.ptr[at] == '\\' && at + 1 < p.len)
        at++;
    return byte_at(p, at, nocase) == c ? at + 1 : 0;
}

/* Every item but '*' takes exactly one byte, so going back to the last '*' alone is enough: an
 * earlier one could only match a longer text, which the last one can do as well. */
static bool match(struct str p, struct str t, bool nocase)
{
    size_t at = 0;
    size_t i = 0;
    size_t star = 0; /* offset after the last star */
    size_t star_i = 0;
    bool has_star = false;

    while (i < t.len) {
        size_t next = 0;

        if (at < p.len && p.ptr[at] == '*') {
            has_star = true;
            star = ++at;
            star_i = i;
            continue;
        }
        if (at < p.len)
            next = match_one(p, at, t, i, nocase);
        if (next != 0) {
            at = next;
            i++;
        } else if (has_star) {
            at = star;
            i = ++star_i;
        } else {
            return false;
        }
    }
    while (at < p.len && p.ptr[at] == '*')
        at++;
    return at == p.len;
}

bool glob_match(struct str pattern, struct str text)
{
    return match(pattern, text, false);
}

bool glob_match_nocase(struct str pattern, struct str text)
{
    return match(pattern, text, true);
}

static bool is_special(char c)
{
    return c == '*' || c == '?' || c == '[' || c == '\\';
}

bool glob_is_literal(struct str pattern)
{
    for (size_t i = 0; i < pattern.len; i++)
        if (is_special(pattern.ptr[i]))
            return false;
    return true;
}

uint16_t glob_slot(struct str pattern)
{
    size_t open = str_find(pattern, '{');
    struct str rest = str_slice(pattern, open + 1, pattern.len);
    size_t close = str_find(rest, '}');

    if (glob_is_literal(pattern))
        return slot_of_key(pattern);
    if (open >= pattern.len || close >= rest.len || close == 0)
        return SLOT_NONE;
    if (!glob_is_literal(str_slice(pattern, 0, open)) ||
        !glob_is_literal(str_slice(rest, 0, close)))
        return SLOT_NONE;
    return slot_crc16(str_slice(rest, 0, close)) & (SLOT_COUNT - 1);
}
