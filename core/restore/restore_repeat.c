#include "core/restore/restore_repeat.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/record/db_key.h"
#include "core/record/fingerprints.h"
#include "core/record/key_bloom.h"

#define MEMORY ((size_t)64 << 20) /* for each of the two sets */

struct restore_repeat {
    struct key_bloom *seen;
    struct fingerprints *several; /* constant once the survey is over, like whole */
    bool whole;
    pthread_mutex_t lock; /* guards ours, and during the survey several and whole */
    struct fingerprints *ours;
};

struct restore_repeat *restore_repeat_new(uint64_t keys)
{
    struct restore_repeat *r = mem_zero(1, sizeof(*r));

    r->seen = key_bloom_new(keys);
    r->several = fingerprints_new(MEMORY);
    r->ours = fingerprints_new(MEMORY);
    r->whole = true;
    (void)pthread_mutex_init(&r->lock, NULL);
    return r;
}

void restore_repeat_free(struct restore_repeat *r)
{
    if (r == NULL)
        return;
    key_bloom_free(r->seen);
    fingerprints_free(r->several);
    fingerprints_free(r->ours);
    (void)pthread_mutex_destroy(&r->lock);
    free(r);
}

void restore_repeat_note(struct restore_repeat *r, uint32_t db, struct str key)
{
    struct db_key name;

    if (!key_bloom_add(r->seen, db, key))
        return;
    db_key_init(&name, db, key);
    (void)pthread_mutex_lock(&r->lock);
    if (fingerprints_is_full(r->several))
        r->whole = false;
    else
        (void)fingerprints_add(r->several, name.text);
    (void)pthread_mutex_unlock(&r->lock);
    db_key_release(&name);
}

bool restore_repeat_is_whole(const struct restore_repeat *r)
{
    return r->whole;
}

bool restore_repeat_may(struct restore_repeat *r, uint32_t db, struct str key)
{
    struct db_key name;
    bool may;

    db_key_init(&name, db, key);
    may = fingerprints_has(r->several, name.text);
    db_key_release(&name);
    return may;
}

void restore_repeat_wrote(struct restore_repeat *r, uint32_t db, struct str key)
{
    struct db_key name;

    db_key_init(&name, db, key);
    if (fingerprints_has(r->several, name.text)) {
        (void)pthread_mutex_lock(&r->lock);
        (void)fingerprints_add(r->ours, name.text);
        (void)pthread_mutex_unlock(&r->lock);
    }
    db_key_release(&name);
}

bool restore_repeat_is_ours(struct restore_repeat *r, uint32_t db, struct str key)
{
    struct db_key name;
    bool ours;

    db_key_init(&name, db, key);
    (void)pthread_mutex_lock(&r->lock);
    ours = fingerprints_has(r->ours, name.text);
    (void)pthread_mutex_unlock(&r->lock);
    db_key_release(&name);
    return ours;
}
