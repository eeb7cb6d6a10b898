#include "core/redis/slot.h"

#include <string.h>

/* One byte at a time by nibbles: 32 bytes of table instead of 512, and fast enough for key names.
 */
static const uint16_t nibble[16] = {0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
                                    0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef};

uint16_t slot_crc16(struct str bytes)
{
    unsigned crc = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        unsigned byte = (unsigned char)bytes.ptr[i];

        crc = ((crc << 4) ^ nibble[((crc >> 12) ^ (byte >> 4)) & 15]) & 0xffff;
        crc = ((crc << 4) ^ nibble[((crc >> 12) ^ byte) & 15]) & 0xffff;
    }
    return (uint16_t)crc;
}

uint16_t slot_of_key(struct str key)
{
    size_t open = str_find(key, '{');
    struct str rest = str_slice(key, open + 1, key.len);
    size_t close = str_find(rest, '}');

    if (open < key.len && close < rest.len && close > 0)
        key = str_slice(rest, 0, close);
    return slot_crc16(key) & (SLOT_COUNT - 1);
}

void slot_set_add(struct slot_set *set, uint16_t slot)
{
    if (slot < SLOT_COUNT)
        set->bits[slot / 64] |= UINT64_C(1) << (slot % 64);
}

void slot_set_add_range(struct slot_set *set, uint16_t first, uint16_t last)
{
    for (uint32_t slot = first; slot <= last && slot < SLOT_COUNT; slot++)
        slot_set_add(set, (uint16_t)slot);
}

void slot_set_remove(struct slot_set *set, uint16_t slot)
{
    if (slot < SLOT_COUNT)
        set->bits[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
}

void slot_set_fill(struct slot_set *set)
{
    memset(set->bits, 0xff, sizeof(set->bits));
}

void slot_set_merge(struct slot_set *set, const struct slot_set *other)
{
    for (size_t i = 0; i < COUNT_OF(set->bits); i++)
        set->bits[i] |= other->bits[i];
}

bool slot_set_has(const struct slot_set *set, uint16_t slot)
{
    return slot < SLOT_COUNT && (set->bits[slot / 64] >> (slot % 64) & 1) != 0;
}

uint32_t slot_set_count(const struct slot_set *set)
{
    uint32_t count = 0;

    for (size_t i = 0; i < COUNT_OF(set->bits); i++)
        count += (uint32_t)__builtin_popcountll(set->bits[i]);
    return count;
}

bool slot_set_equal(const struct slot_set *a, const struct slot_set *b)
{
    return memcmp(a->bits, b->bits, sizeof(a->bits)) == 0;
}

bool slot_set_next_range(const struct slot_set *set, uint32_t *at, uint16_t *first, uint16_t *last)
{
    uint32_t slot = *at;
    uint32_t end;

    while (slot < SLOT_COUNT && !slot_set_has(set, (uint16_t)slot))
        slot++;
    *at = SLOT_COUNT;
    if (slot >= SLOT_COUNT)
        return false;
    end = slot;
    while (end + 1 < SLOT_COUNT && slot_set_has(set, (uint16_t)(end + 1)))
        end++;
    *first = (uint16_t)slot;
    *last = (uint16_t)end;
    *at = end + 1;
    return true;
}

static bool parse_piece(struct str piece, struct slot_set *set)
{
    size_t dash = str_find(piece, '-');
    int first;
    int last;

    if (!str_to_int(str_trim(str_slice(piece, 0, dash)), 0, SLOT_COUNT - 1, &first))
        return false;
    last = first;
    if (dash < piece.len &&
        !str_to_int(str_trim(str_slice(piece, dash + 1, piece.len)), 0, SLOT_COUNT - 1, &last))
        return false;
    if (last < first)
        return false;
    slot_set_add_range(set, (uint16_t)first, (uint16_t)last);
    return true;
}

bool slot_set_parse(struct slot_set *set, struct str text, struct error *err)
{
    struct slot_set found = {0};
    struct str rest = text;
    struct str piece;

    while (str_split(&rest, ',', &piece)) {
        int shown = piece.len < 40 ? (int)piece.len : 40;

        if (!parse_piece(str_trim(piece), &found))
            return error_set(err, ERROR_USAGE, 0,
                             "\"%.*s\" is no slot and no range of slots (0-16383)", shown,
                             piece.ptr == NULL ? "" : piece.ptr);
    }
    if (slot_set_count(&found) == 0)
        return error_set(err, ERROR_USAGE, 0, "no slots given; for example 0-5460,9000");
    *set = found;
    return true;
}

bool slot_set_format(const struct slot_set *set, size_t ranges, struct buf *out, struct error *err)
{
    uint32_t at = 0;
    uint16_t first;
    uint16_t last;
    size_t written = 0;
    size_t left_out = 0;

    while (slot_set_next_range(set, &at, &first, &last)) {
        if (ranges != 0 && written == ranges) {
            left_out++;
            continue;
        }
        if (!buf_format(out, err, "%s%u", written > 0 ? "," : "", (unsigned)first))
            return false;
        if (last > first && !buf_format(out, err, "-%u", (unsigned)last))
            return false;
        written++;
    }
    if (left_out > 0)
        return buf_format(out, err, ",+%zu more", left_out);
    return written > 0 || buf_text(out, "-", err);
}
