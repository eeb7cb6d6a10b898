#include "core/backup/backup_private.h"

struct tally_slot *tally_of(struct tally *t, uint16_t slot)
{
    return &t->slots[slot == SLOT_NONE ? 0 : slot];
}

void tally_key(struct tally *t, const struct record_head *head)
{
    struct tally_slot *s = tally_of(t, head->slot);

    s->types[head->type]++;
    s->with_ttl += head->expire_at_millis != RECORD_NO_TIME;
    s->hyperloglog += head->hyperloglog;
    s->fuzzy += head->fuzzy;
}

uint64_t tally_slot_keys(const struct tally_slot *s)
{
    uint64_t keys = 0;

    for (size_t i = 0; i < RECORD_TYPES; i++)
        keys += s->types[i];
    return keys;
}
