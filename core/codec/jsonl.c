#include "core/codec/jsonl.h"

#include <string.h>

bool jsonl_next(struct str *rest, struct str *line)
{
    while (rest->len > 0) {
        const char *end = memchr(rest->ptr, '\n', rest->len);
        size_t len = end != NULL ? (size_t)(end - rest->ptr) : rest->len;

        *line = (struct str){rest->ptr, len};
        rest->ptr += end != NULL ? len + 1 : len;
        rest->len -= end != NULL ? len + 1 : len;
        if (line->len > 0 && line->ptr[line->len - 1] == '\r')
            line->len--;
        if (line->len > 0)
            return true;
    }
    return false;
}
