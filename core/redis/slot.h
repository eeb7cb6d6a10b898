/*
 * slot.h - hash slots: which slot a key belongs to, and sets of slots.
 *
 * Pure functions, any thread. A slot is 0 to 16383; SLOT_NONE stands for "no slot". A struct
 * slot_set is plain data: zeroed memory is the empty set, assignment copies.
 * Source: Redis cluster specification, "Key distribution model" and "Hash tags".
 */
#ifndef CORE_REDIS_SLOT_H
#define CORE_REDIS_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/str.h"

#define SLOT_COUNT 16384
#define SLOT_NONE UINT16_MAX

struct slot_set {
    uint64_t bits[SLOT_COUNT / 64];
};

/* CRC16 as Redis uses it (XMODEM: polynomial 0x1021, start 0). */
uint16_t slot_crc16(struct str bytes);
/* The hash tag's slot when the key has a non-empty one: the bytes between the first '{' and the
 * first '}' after it. The key may hold any bytes and be empty. */
uint16_t slot_of_key(struct str key);

void slot_set_add(struct slot_set *set, uint16_t slot);
void slot_set_add_range(struct slot_set *set, uint16_t first, uint16_t last); /* both included */
void slot_set_remove(struct slot_set *set, uint16_t slot);
void slot_set_fill(struct slot_set *set); /* all 16384 */
void slot_set_merge(struct slot_set *set, const struct slot_set *other);
bool slot_set_has(const struct slot_set *set, uint16_t slot);
uint32_t slot_set_count(const struct slot_set *set);
bool slot_set_equal(const struct slot_set *a, const struct slot_set *b);
/* The next run of slots at or after *at: sets *first and *last, and *at past them. Start with
 * *at = 0; false when there is none. */
bool slot_set_next_range(const struct slot_set *set, uint32_t *at, uint16_t *first, uint16_t *last);
/* "0-5460,9000": numbers and ranges, comma-separated, spaces around pieces allowed. ERROR_USAGE
 * names the piece that is wrong; the set is untouched then. */
bool slot_set_parse(struct slot_set *set, struct str text, struct error *err) MUST_CHECK;
/* The same form appended to out; "-" for the empty set. At most `ranges` ranges are written, then
 * ",+N more" where N counts the ranges left out; 0 means all. */
bool slot_set_format(const struct slot_set *set, size_t ranges, struct buf *out,
                     struct error *err) MUST_CHECK;

#endif
