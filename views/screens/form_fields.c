#include "views/screens/form_fields.h"

#include "core/redis/slot.h"

const char *form_check_slots(struct str value)
{
    struct slot_set set = {0};
    struct error ignored;

    return slot_set_parse(&set, value, &ignored) ? NULL : "want such as 0-5460,9000";
}

const char *form_check_types(struct str value)
{
    static const char *const types[] = {"string", "hash", "list", "set", "zset", "stream"};
    struct str word;

    while (value.len > 0 && str_split(&value, ' ', &word)) {
        bool known = word.len == 0;

        for (size_t i = 0; i < COUNT_OF(types) && !known; i++)
            known = str_is(word, types[i]);
        if (!known)
            return "want string, hash, list, set, zset, stream";
    }
    return NULL;
}

const char *form_check_rate(struct str value)
{
    uint64_t n;

    return str_is(value, "auto") || str_is(value, "none") ||
                   (str_to_u64(value, &n) && n > 0 && n <= 100000000)
               ? NULL
               : "want auto, none or keys a second";
}
