/*
 * slot_sums.h - the state of a key space, slot by slot: how many keys of which type, and two sums
 * that do not depend on the order of the keys, of their contents and of their deadlines.
 *
 * Equal keys give equal sums; a change of one key changes the sums of its slot. Every key is added
 * once: who reads from a source that may repeat keys passes them through a key_spool first. Memory
 * is taken for the slots that hold keys only. One thread while it is filled, any number after.
 * Source: docs/format, "Digests".
 */
#ifndef CORE_VALUE_SLOT_SUMS_H
#define CORE_VALUE_SLOT_SUMS_H

#include "core/redis/slot.h"
#include "core/value/key_facts.h"

struct slot_sum {
    uint64_t keys;
    uint64_t with_ttl;
    uint64_t bytes;
    uint64_t hyperloglog;
    uint64_t fuzzy;
    uint64_t types[RECORD_TYPES];    /* keys */
    uint64_t type_ttl[RECORD_TYPES]; /* this and the next are 0 in a report's slots */
    uint64_t type_bytes[RECORD_TYPES];
    struct digest128 content;
    struct digest128 deadlines;
};

struct slot_sums;

struct slot_sums *slot_sums_new(void);
void slot_sums_free(struct slot_sums *s); /* NULL is fine */
/* Never NULL: a slot without keys is all zero. */
const struct slot_sum *slot_sums_at(const struct slot_sums *s, uint16_t slot);
void slot_sums_add(struct slot_sums *s, const struct key_facts *k);
/* Put a sum in place of what is there: for readers of reports. */
void slot_sums_set(struct slot_sums *s, uint16_t slot, const struct slot_sum *sum);
/* In `into`, what `from` has of this slot replaces what was there; `from` is left as it is. */
void slot_sums_take(struct slot_sums *into, const struct slot_sums *from, uint16_t slot);
/* The sum over all slots. */
struct slot_sum slot_sums_total(const struct slot_sums *s);
void slot_sum_merge(struct slot_sum *into, const struct slot_sum *more);
/* Same number of keys, same contents. Deadlines are apart: slot_sum_same_deadlines. */
bool slot_sum_same_content(const struct slot_sum *a, const struct slot_sum *b);
bool slot_sum_same_deadlines(const struct slot_sum *a, const struct slot_sum *b);
/* Slots whose content differs; out may be NULL. Returns how many. */
uint32_t slot_sums_differ(const struct slot_sums *a, const struct slot_sums *b,
                          struct slot_set *out);

#endif
