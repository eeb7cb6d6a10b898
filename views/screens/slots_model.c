#include "views/screens/slots_model.h"

#include <stdio.h>
#include <string.h>

#include "core/base/escape.h"

static const struct {
    unsigned state;
    enum slotmap_mark mark;
} marks[] = {
    /* the worst first */
    {SLOT_UNCOVERED, SLOTMAP_UNOWNED},
    {SLOT_FAIL, SLOTMAP_FAILED},
    {SLOT_DISPUTED, SLOTMAP_DISPUTED},
    {SLOT_PFAIL, SLOTMAP_SUSPECT},
    {SLOT_MIGRATING | SLOT_IMPORTING, SLOTMAP_MOVING},
};

void slots_model_fill(struct slots_model *m, const struct snapshot *s)
{
    for (uint32_t slot = 0; slot < SLOT_COUNT; slot++) {
        uint16_t owner = s->slots->owner[slot];
        uint16_t shard = owner < s->node_count ? s->nodes[owner].shard : SNAPSHOT_NONE;

        m->group[slot] = shard < s->shard_count ? s->shards[shard].number : SLOTMAP_NONE;
        m->mark[slot] = SLOTMAP_OK;
        for (size_t i = 0; i < COUNT_OF(marks) && m->mark[slot] == SLOTMAP_OK; i++)
            if ((s->slots->state[slot] & marks[i].state) != 0)
                m->mark[slot] = (uint8_t)marks[i].mark;
    }
}

struct slotmap slots_model_map(const struct slots_model *m)
{
    return (struct slotmap){.group = m->group, .mark = m->mark, .count = SLOT_COUNT};
}

static const struct {
    unsigned state;
    const char *word;
} words[] = {
    {SLOT_UNCOVERED, "without owner"}, {SLOT_FAIL, "FAIL"},           {SLOT_PFAIL, "PFAIL"},
    {SLOT_DISPUTED, "disputed"},       {SLOT_MIGRATING, "migrating"}, {SLOT_IMPORTING, "importing"},
};

char *slots_model_summary(char *out, size_t size, const struct snapshot *s)
{
    size_t len = (size_t)snprintf(out, size, "%s%u/%d ok", s->views == 0 ? "~" : "",
                                  (unsigned)s->slots->ok, SLOT_COUNT);

    for (size_t i = 0; i < COUNT_OF(words) && len < size; i++) {
        struct slot_set set;
        struct error ignored;
        struct buf ranges;
        uint32_t count = snapshot_slots_in(s, words[i].state, &set);

        if (count == 0)
            continue;
        buf_init(&ranges, 200);
        if (!slot_set_format(&set, 3, &ranges, &ignored))
            buf_clear(&ranges);
        len += (size_t)snprintf(out + len, size - len, ", %u %s: %s", (unsigned)count,
                                words[i].word, ranges.data);
        buf_release(&ranges);
    }
    return out;
}

char *slots_model_describe(char *out, size_t size, const struct snapshot *s, uint16_t slot)
{
    uint16_t owner = s->slots->owner[slot];
    char address[128] = "nobody";
    char name[8] = "-";
    size_t len;

    if (owner < s->node_count) {
        (void)escape_text(address, sizeof(address), s->nodes[owner].address);
        if (s->nodes[owner].shard < s->shard_count)
            (void)events_shard_name(name, s->shards[s->nodes[owner].shard].number);
    }
    len = (size_t)snprintf(out, size, "slot %u: shard %s, owner %s", (unsigned)slot, name, address);
    for (size_t i = 0; i < COUNT_OF(words) && len < size; i++)
        if ((s->slots->state[slot] & words[i].state) != 0)
            len += (size_t)snprintf(out + len, size - len, ", %s", words[i].word);
    return out;
}
