/*
 * diff_table.h - the keys of some slots of two backups, side by side, in memory of fixed size.
 *
 * Open addressing over 128-bit fingerprints of (database, key): 64 bytes a key, whatever its
 * length. A full table says so and takes nothing more; the caller then comes back with fewer slots.
 * Entries move only when the table is cleared. One thread.
 */
#ifndef CORE_DIFF_DIFF_TABLE_H
#define CORE_DIFF_DIFF_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/value/key_digest.h"

#define DIFF_NO_TYPE UINT8_MAX

enum {
    DIFF_IN_A = 1,
    DIFF_IN_B = 2,
    DIFF_SAME_VALUE = 4,
    DIFF_SAME_TTL = 8,
    DIFF_FUZZY = 16 /* one of them changed while it was read */
};

struct diff_print {
    uint64_t high, low; /* both 0: no key */
};

struct diff_entry {
    struct diff_print print;
    struct digest128 content; /* in A; in B when only there */
    int64_t deadline_ms;      /* likewise */
    uint32_t part[2];         /* where the record begins, in A and in B */
    uint32_t offset[2];
    uint16_t prefix;
    uint16_t slot;
    uint8_t type[2]; /* enum record_type, or DIFF_NO_TYPE */
    uint8_t flags;
    uint8_t again; /* how often the key came once more: low half in A, high half in B */
};

/* Never {0, 0}. The same key gives the same fingerprint in every run: which keys are named when
 * there are too many does not change from run to run. */
struct diff_print diff_print_of(uint32_t db, struct str key);
int diff_print_compare(struct diff_print a, struct diff_print b);

struct diff_table;

/* Room for this many keys, and not one more. */
struct diff_table *diff_table_new(size_t keys);
void diff_table_free(struct diff_table *t); /* NULL is fine */
void diff_table_clear(struct diff_table *t);
size_t diff_table_capacity(const struct diff_table *t);
size_t diff_table_count(const struct diff_table *t);
/* How many keys fit in so many bytes. */
size_t diff_table_keys(uint64_t bytes);
/* The entry, or NULL when there is none. */
struct diff_entry *diff_table_find(const struct diff_table *t, struct diff_print print);
/* The entry, new ones zeroed but for the fingerprint and types; NULL: the table is full. */
struct diff_entry *diff_table_add(struct diff_table *t, struct diff_print print);
/* Walk in no order: start with *at = 0; NULL at the end. */
struct diff_entry *diff_table_next(const struct diff_table *t, size_t *at);

#endif
