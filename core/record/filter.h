/*
 * filter.h - which keys a backup, restore or verification is about: patterns, types, slots, db.
 *
 * Zeroed memory lets everything through. Patterns and type words are borrowed and must outlive it;
 * several of one kind mean any of them, kinds are joined by "and". Our own temporary keys never
 * pass. Immutable after it was filled; any thread.
 */
#ifndef CORE_RECORD_FILTER_H
#define CORE_RECORD_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/str.h"
#include "core/redis/slot.h"

struct filter {
    const char *const *match; /* the server's own glob rules */
    size_t match_count;
    const char *const *types; /* TYPE words */
    size_t type_count;
    bool by_slot;
    struct slot_set slots;
};

/* "0-5460,9000". ERROR_USAGE names the piece that is wrong. */
bool filter_set_slots(struct filter *f, const char *text, struct error *err) MUST_CHECK;
bool filter_is_open(const struct filter *f); /* lets everything through */
/* By name and slot: what can be said before TYPE is known. Outside cluster mode slot is SLOT_NONE
 * and the key's own slot is computed when slots are asked for. */
bool filter_takes_key(const struct filter *f, struct str key, uint16_t slot);
bool filter_takes_type(const struct filter *f, struct str type);

#endif
