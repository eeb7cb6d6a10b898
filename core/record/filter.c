#include "core/record/filter.h"

#include "core/record/record.h"
#include "core/redis/glob.h"

bool filter_set_slots(struct filter *f, const char *text, struct error *err)
{
    struct slot_set set = {0};

    if (!slot_set_parse(&set, str_from(text), err))
        return false;
    f->slots = set;
    f->by_slot = true;
    return true;
}

bool filter_is_open(const struct filter *f)
{
    return f->match_count == 0 && f->type_count == 0 && !f->by_slot;
}

bool filter_takes_key(const struct filter *f, struct str key, uint16_t slot)
{
    bool wanted = f->match_count == 0;

    if (record_is_temp(key))
        return false;
    for (size_t i = 0; i < f->match_count && !wanted; i++)
        wanted = glob_match(str_from(f->match[i]), key);
    if (!wanted || !f->by_slot)
        return wanted;
    return slot_set_has(&f->slots, slot == SLOT_NONE ? slot_of_key(key) : slot);
}

bool filter_takes_type(const struct filter *f, struct str type)
{
    for (size_t i = 0; i < f->type_count; i++)
        if (str_is(type, f->types[i]))
            return true;
    return f->type_count == 0;
}
