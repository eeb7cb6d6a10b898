/*
 * verify_search.h - what the cluster holds besides the keys of the backup: keys that the backup
 * lacks, and copies on primaries that do not own their slot. Private to core/verify/verify*.
 *
 * In a cluster every primary counts the keys of each slot. The forward pass knows how many keys of
 * the backup were there; they are among those counted, so where both numbers are equal there is no
 * other key, whatever is missing. Only the other slots are listed and compared by name. A key that
 * the archive holds twice would be counted twice: such slots are listed as well, and so are those
 * of keys that were there and may have expired, or lost their last field, before they were counted,
 * and those that held another number of keys before the forward pass: a key that a client deletes
 * after it was found makes room in the count for one that the backup lacks.
 */
#ifndef CORE_VERIFY_VERIFY_SEARCH_H
#define CORE_VERIFY_VERIFY_SEARCH_H

#include "core/record/fingerprints.h"
#include "core/verify/verify_worker.h"

#define VERIFY_LISTED_MAX 10000 /* keys of a slot that one GETKEYSINSLOT may give */

/* Keys of a slot on a primary that does not own it. */
struct verify_foreign {
    char id[CLUSTER_ID_MAX];
    uint32_t db;
    uint16_t slot;
    uint32_t count;
    bool importing; /* they are on their way to it */
};

struct verify_look {
    struct verify_shared *s;
    struct cluster *cluster;
    struct filter backed_up; /* what the backup was about */
    uint32_t databases[VERIFY_DATABASES_MAX];
    size_t database_count;
    uint32_t db; /* at work */
    /* Counts. */
    char (*primaries)[CLUSTER_ID_MAX]; /* all of them, also those without slots */
    size_t primary_count;
    uint16_t owner[SLOT_COUNT]; /* index into primaries; SLOT_NONE: nobody */
    uint32_t live[SLOT_COUNT];  /* keys on the owner, all databases */
    uint32_t counted[SLOT_COUNT];
    size_t node;   /* at work: index into primaries */
    bool restless; /* slots kept moving: live says nothing */
    struct verify_foreign *foreign;
    size_t foreign_count, foreign_cap;
    /* Names. */
    struct slot_set wanted; /* slots to be listed */
    bool by_slot;           /* else by scanning every node */
    bool overfull;          /* a slot holds more than one command may list */
    struct fingerprints *names;
    struct fingerprints *told;  /* extra keys that were named */
    uint32_t first_slot, slots; /* that are looked at now */
    struct pipeline *types;     /* asks the owner of the slot */
    struct arena arena;         /* candidates of one page */
    struct str *candidates;
    size_t count, cap;
    const struct verify_foreign *stray; /* whose keys the candidates are; NULL: extra ones */
    struct error failed;
};

/* The keys of each slot into s->before, before the workers begin. It stays NULL where the user may
 * not count them, and where slots kept moving. */
bool verify_count_before(struct verify_shared *s, struct cluster *c, struct error *err) MUST_CHECK;
/* All of it, after the workers have ended. */
bool verify_search(struct verify_shared *s, struct cluster *c, struct error *err) MUST_CHECK;

/* Run a step on a connection of its own, again and again while the node is away. */
typedef bool (*verify_step)(struct verify_look *x, struct conn *conn, struct error *err);
bool verify_on_node(struct verify_look *x, const char *id, verify_step step,
                    struct error *err) MUST_CHECK;
/* Does this key belong to what is compared? */
bool verify_is_ours(const struct verify_look *x, struct str key);

/* verify_count.c: who owns what now; the slots that have another owner since. */
void verify_read_map(struct verify_look *x);
void verify_moved_slots(const struct verify_look *x, struct slot_set *out);
/* verify_count.c: fill live, owner and foreign under a map that holds still. */
bool verify_count(struct verify_look *x, struct error *err) MUST_CHECK;
/* verify_extra.c: list the wanted slots, by slot or by scanning, and name what is new. */
bool verify_list_extra(struct verify_look *x, bool by_slot, struct error *err) MUST_CHECK;
/* verify_extra.c: name the keys of x->foreign that are not on their way. */
bool verify_list_strays(struct verify_look *x, struct error *err) MUST_CHECK;
void verify_extra_init(struct verify_look *x);
void verify_extra_release(struct verify_look *x);

/* What the node says of itself: slots that it is importing, and whether it is a primary. */
bool verify_read_view(struct conn *conn, struct slot_set *importing, bool *primary,
                      struct error *err) MUST_CHECK;

#endif
