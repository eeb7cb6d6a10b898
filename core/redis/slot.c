#include "core/redis/slot.h"

#include <string.h>

/* CRC-16/XMODEM, polynomial 0x1021, of each byte: every key of every run passes here. */
static const uint16_t crc_of_byte[256] = {
    0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7, 0x8108, 0x9129, 0xa14a, 0xb16b,
    0xc18c, 0xd1ad, 0xe1ce, 0xf1ef, 0x1231, 0x0210, 0x3273, 0x2252, 0x52b5, 0x4294, 0x72f7, 0x62d6,
    0x9339, 0x8318, 0xb37b, 0xa35a, 0xd3bd, 0xc39c, 0xf3ff, 0xe3de, 0x2462, 0x3443, 0x0420, 0x1401,
    0x64e6, 0x74c7, 0x44a4, 0x5485, 0xa56a, 0xb54b, 0x8528, 0x9509, 0xe5ee, 0xf5cf, 0xc5ac, 0xd58d,
    0x3653, 0x2672, 0x1611, 0x0630, 0x76d7, 0x66f6, 0x5695, 0x46b4, 0xb75b, 0xa77a, 0x9719, 0x8738,
    0xf7df, 0xe7fe, 0xd79d, 0xc7bc, 0x48c4, 0x58e5, 0x6886, 0x78a7, 0x0840, 0x1861, 0x2802, 0x3823,
    0xc9cc, 0xd9ed, 0xe98e, 0xf9af, 0x8948, 0x9969, 0xa90a, 0xb92b, 0x5af5, 0x4ad4, 0x7ab7, 0x6a96,
    0x1a71, 0x0a50, 0x3a33, 0x2a12, 0xdbfd, 0xcbdc, 0xfbbf, 0xeb9e, 0x9b79, 0x8b58, 0xbb3b, 0xab1a,
    0x6ca6, 0x7c87, 0x4ce4, 0x5cc5, 0x2c22, 0x3c03, 0x0c60, 0x1c41, 0xedae, 0xfd8f, 0xcdec, 0xddcd,
    0xad2a, 0xbd0b, 0x8d68, 0x9d49, 0x7e97, 0x6eb6, 0x5ed5, 0x4ef4, 0x3e13, 0x2e32, 0x1e51, 0x0e70,
    0xff9f, 0xefbe, 0xdfdd, 0xcffc, 0xbf1b, 0xaf3a, 0x9f59, 0x8f78, 0x9188, 0x81a9, 0xb1ca, 0xa1eb,
    0xd10c, 0xc12d, 0xf14e, 0xe16f, 0x1080, 0x00a1, 0x30c2, 0x20e3, 0x5004, 0x4025, 0x7046, 0x6067,
    0x83b9, 0x9398, 0xa3fb, 0xb3da, 0xc33d, 0xd31c, 0xe37f, 0xf35e, 0x02b1, 0x1290, 0x22f3, 0x32d2,
    0x4235, 0x5214, 0x6277, 0x7256, 0xb5ea, 0xa5cb, 0x95a8, 0x8589, 0xf56e, 0xe54f, 0xd52c, 0xc50d,
    0x34e2, 0x24c3, 0x14a0, 0x0481, 0x7466, 0x6447, 0x5424, 0x4405, 0xa7db, 0xb7fa, 0x8799, 0x97b8,
    0xe75f, 0xf77e, 0xc71d, 0xd73c, 0x26d3, 0x36f2, 0x0691, 0x16b0, 0x6657, 0x7676, 0x4615, 0x5634,
    0xd94c, 0xc96d, 0xf90e, 0xe92f, 0x99c8, 0x89e9, 0xb98a, 0xa9ab, 0x5844, 0x4865, 0x7806, 0x6827,
    0x18c0, 0x08e1, 0x3882, 0x28a3, 0xcb7d, 0xdb5c, 0xeb3f, 0xfb1e, 0x8bf9, 0x9bd8, 0xabbb, 0xbb9a,
    0x4a75, 0x5a54, 0x6a37, 0x7a16, 0x0af1, 0x1ad0, 0x2ab3, 0x3a92, 0xfd2e, 0xed0f, 0xdd6c, 0xcd4d,
    0xbdaa, 0xad8b, 0x9de8, 0x8dc9, 0x7c26, 0x6c07, 0x5c64, 0x4c45, 0x3ca2, 0x2c83, 0x1ce0, 0x0cc1,
    0xef1f, 0xff3e, 0xcf5d, 0xdf7c, 0xaf9b, 0xbfba, 0x8fd9, 0x9ff8, 0x6e17, 0x7e36, 0x4e55, 0x5e74,
    0x2e93, 0x3eb2, 0x0ed1, 0x1ef0,
};

uint16_t slot_crc16(struct str bytes)
{
    unsigned crc = 0;

    for (size_t i = 0; i < bytes.len; i++)
        crc = ((crc << 8) ^ crc_of_byte[(crc >> 8) ^ (unsigned char)bytes.ptr[i]]) & 0xffff;
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
