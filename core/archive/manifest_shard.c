#include <stdio.h>
#include <string.h>

#include "core/archive/manifest.h"

/* ---- shards by their slots --------------------------------------------------------------------
 */

/* Is this range the first one of its owner? */
static bool is_first_of_owner(const struct manifest *m, size_t range)
{
    for (size_t i = 0; i < range; i++)
        if (strcmp(m->slots[i].owner, m->slots[range].owner) == 0)
            return false;
    return true;
}

static const char *owner_of(const struct manifest *m, unsigned shard, unsigned *count)
{
    const char *owner = NULL;

    *count = 0;
    for (size_t i = 0; i < m->slot_count; i++)
        if (is_first_of_owner(m, i) && ++*count == shard)
            owner = m->slots[i].owner;
    return owner;
}

bool manifest_shard(const struct manifest *m, unsigned shard, struct slot_set *slots, char *shown,
                    size_t size, struct error *err)
{
    unsigned count;
    const char *owner = owner_of(m, shard, &count);
    struct buf text;

    if (count == 0)
        return error_set(err, ERROR_USAGE, 0, "the backup is not of a cluster: it has no shards");
    if (owner == NULL)
        return error_set(err, ERROR_USAGE, 0, "the backup has %u shards, there is no shard %u",
                         count, shard);
    *slots = (struct slot_set){0};
    for (size_t i = 0; i < m->slot_count; i++)
        if (strcmp(m->slots[i].owner, owner) == 0)
            slot_set_add_range(slots, m->slots[i].first, m->slots[i].last);
    buf_init(&text, size);
    if (slot_set_format(slots, 8, &text, err))
        (void)str_copy(buf_str(&text), shown, size);
    buf_release(&text);
    return true;
}
