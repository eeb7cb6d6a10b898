#include "views/verbs/key_filter.h"

#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/json.h"

bool key_filter_check_slots(struct str value, struct error *err)
{
    struct slot_set set = {0};

    return slot_set_parse(&set, value, err);
}

static const char *const *collect(const struct invocation *inv, const char *name, size_t *count)
{
    const char **list;

    *count = option_count(inv, name);
    list = mem_zero(*count, sizeof(*list));
    for (size_t i = 0; i < *count; i++)
        list[i] = option_text_at(inv, name, i);
    return list;
}

bool key_filter_read(const struct invocation *inv, struct filter *out, struct error *err)
{
    const char *slots = option_text(inv, "slots");

    out->match = collect(inv, "match", &out->match_count);
    out->types = collect(inv, "type", &out->type_count);
    return slots == NULL || filter_set_slots(out, slots, err);
}

void key_filter_release(struct filter *f)
{
    free((void *)(uintptr_t)f->match); /* NOLINT(performance-no-int-to-ptr) */
    free((void *)(uintptr_t)f->types); /* NOLINT(performance-no-int-to-ptr) */
    *f = (struct filter){0};
}

static json_t *texts(const struct invocation *inv, const char *name)
{
    json_t *list = json_array();

    for (size_t i = 0; i < option_count(inv, name); i++)
        json_push(list, json_string(option_text_at(inv, name, i)));
    return list;
}

void key_filter_options(const struct invocation *inv, json_t *options)
{
    json_put(options, "match", texts(inv, "match"));
    json_put(options, "type", texts(inv, "type"));
    if (option_text(inv, "slots") != NULL)
        json_put_text(options, "slots", option_text(inv, "slots"));
}
