#include "core/redis/stream_value.h"

#include <inttypes.h>
#include <stdio.h>

bool stream_id_parse(struct str text, struct stream_id *out)
{
    size_t dash = str_find(text, '-');
    struct stream_id id = {0};

    if (!str_to_u64(str_slice(text, 0, dash), &id.ms))
        return false;
    if (dash < text.len && !str_to_u64(str_slice(text, dash + 1, text.len), &id.seq))
        return false;
    *out = id;
    return true;
}

char *stream_id_format(char *out, size_t size, struct stream_id id)
{
    (void)snprintf(out, size, "%" PRIu64 "-%" PRIu64, id.ms, id.seq);
    return out;
}

int stream_id_compare(struct stream_id a, struct stream_id b)
{
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    if (a.seq != b.seq)
        return a.seq < b.seq ? -1 : 1;
    return 0;
}

bool stream_id_next(struct stream_id id, struct stream_id *out)
{
    if (id.seq < UINT64_MAX) {
        *out = (struct stream_id){id.ms, id.seq + 1};
        return true;
    }
    if (id.ms == UINT64_MAX)
        return false;
    *out = (struct stream_id){id.ms + 1, 0};
    return true;
}
