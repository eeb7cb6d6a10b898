#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/escape.h"
#include "core/diff/diff_private.h"

#define NAME_MAX_SHOWN 200

void diff_names_init(struct diff_names *n, size_t max)
{
    *n = (struct diff_names){.index = map_new(), .max = max};
    ARRAY_PUSH(n->rows, n->count, n->cap) = (struct diff_row){.name = NULL};
}

void diff_names_release(struct diff_names *n)
{
    map_free(n->index, free);
    for (size_t i = 0; i < n->count; i++)
        free(n->rows[i].name);
    free(n->rows);
    *n = (struct diff_names){0};
}

size_t diff_names_of(struct diff_names *n, struct str name)
{
    char shown[NAME_MAX_SHOWN];
    size_t *row = map_get(n->index, name);

    if (row != NULL)
        return *row;
    if (n->count > n->max)
        return 0;
    row = mem_alloc(sizeof(*row));
    *row = n->count;
    (void)map_put(n->index, name, row);
    ARRAY_PUSH(n->rows, n->count, n->cap) =
        (struct diff_row){.name = mem_copy_text(escape_text(shown, sizeof(shown), name))};
    return *row;
}
