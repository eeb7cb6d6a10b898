#include "views/screens/backups_args.h"

#include <stdlib.h>

#include "core/base/alloc.h"

static void push(struct arg_list *a, char *word)
{
    if (a->count == ARGS_MAX) {
        a->full = true;
        free(word);
        return;
    }
    a->items[a->count++] = word;
}

void args_release(struct arg_list *a)
{
    for (size_t i = 0; i < a->count; i++)
        free(a->items[i]);
    *a = (struct arg_list){0};
}

void args_add(struct arg_list *a, const char *word)
{
    push(a, mem_copy_text(word));
}

/* As one word, so that a value that begins with "-" stays a value. */
void args_option(struct arg_list *a, const char *name, struct str value)
{
    if (value.len > 0)
        push(a, mem_format("--%s=%.*s", name, (int)value.len, value.ptr));
}

void args_number(struct arg_list *a, const char *name, long long value)
{
    push(a, mem_format("--%s=%lld", name, value));
}

void args_each(struct arg_list *a, const char *name, struct str value)
{
    struct str word;

    while (value.len > 0 && str_split(&value, ' ', &word))
        args_option(a, name, str_trim(word));
}

void args_list(struct arg_list *a, const char *name, const json_t *list)
{
    size_t i;
    json_t *item;

    if (!json_is_array(list))
        return;
    json_array_foreach(list, i, item)
    {
        if (json_is_string(item))
            args_option(a, name, str_from(json_string_value(item)));
    }
}

const char *const *args_words(const struct arg_list *a)
{
    return (const char *const *)a->items;
}
