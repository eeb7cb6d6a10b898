#include "core/base/array.h"

#include "core/base/alloc.h"

void *array_reserve(void *items, size_t *cap, size_t need, size_t size)
{
    size_t grown = *cap < 8 ? 8 : *cap;

    if (need <= *cap)
        return items;
    while (grown < need)
        grown += grown / 2;
    items = mem_resize(items, grown, size);
    *cap = grown;
    return items;
}
