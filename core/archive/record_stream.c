#include "core/archive/record_stream.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"

struct record_stream {
    struct source *source;
    const struct part_group *group;
    const struct filter *filter;
    struct record *record;
    size_t at; /* part of the group that is loaded or comes next */
    bool loaded;
    struct source_part part;
    struct str rest; /* of the loaded part */
    struct record_position last;
    size_t skip_to; /* offset to start at in the part that is loaded next */
    uint64_t left_out;
};

struct part_group *part_groups(const struct manifest *m, size_t *count)
{
    struct part_group *groups = NULL;
    size_t n = 0;
    size_t cap = 0;

    for (size_t i = 0; i < m->part_count; i++) {
        size_t g = 0;

        while (g < n && strcmp(groups[g].shard, m->parts[i].shard) != 0)
            g++;
        if (g == n)
            ARRAY_PUSH(groups, n, cap) = (struct part_group){.shard = m->parts[i].shard};
        groups[g].parts = mem_resize(groups[g].parts, groups[g].count + 1, sizeof(size_t));
        groups[g].parts[groups[g].count++] = i;
    }
    *count = n;
    return groups;
}

void part_groups_free(struct part_group *groups, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(groups[i].parts);
    free(groups);
}

struct record_stream *record_stream_new(struct source *source, const struct part_group *group,
                                        const struct filter *filter)
{
    struct record_stream *s = mem_zero(1, sizeof(*s));

    s->source = source;
    s->group = group;
    s->filter = filter;
    s->record = record_new();
    return s;
}

static void unload(struct record_stream *s)
{
    if (s->loaded)
        source_part_release(&s->part);
    s->loaded = false;
}

void record_stream_free(struct record_stream *s)
{
    if (s == NULL)
        return;
    unload(s);
    record_free(s->record);
    free(s);
}

struct record_position record_stream_position(const struct record_stream *s)
{
    return s->last;
}

void record_stream_seek(struct record_stream *s, struct record_position p)
{
    if (s->loaded && s->at == p.part) {
        s->rest = str_slice(s->part.text, p.offset, s->part.text.len);
        return;
    }
    unload(s);
    s->at = p.part;
    s->skip_to = p.offset;
}

uint64_t record_stream_left_out(const struct record_stream *s)
{
    return s->left_out;
}

static bool load(struct record_stream *s, struct error *err)
{
    if (!source_read_part(s->source, s->group->parts[s->at], &s->part, err))
        return false;
    s->loaded = true;
    s->rest = str_slice(s->part.text, s->skip_to, s->part.text.len);
    s->skip_to = 0;
    return true;
}

static bool counts(struct record_stream *s)
{
    const struct record_head *h = record_head(s->record);
    const struct manifest *m = source_manifest(s->source);

    if (manifest_counts(m, s->part.info, h->slot) &&
        (s->filter == NULL || (filter_takes_key(s->filter, h->key, h->slot) &&
                               filter_takes_type(s->filter, h->type_name))))
        return true;
    if (!h->chunked || h->chunk_last)
        s->left_out++;
    return false;
}

bool record_stream_next(struct record_stream *s, const struct record **out, struct error *err)
{
    while (s->at < s->group->count) {
        struct str line;

        if (!s->loaded && !load(s, err))
            return false;
        if (!source_next_line(&s->rest, &line)) {
            unload(s);
            s->at++;
            continue;
        }
        s->last = (struct record_position){s->at, (size_t)(line.ptr - s->part.text.ptr)};
        if (!record_parse(s->record, line, err))
            return error_wrap(err, "%s", s->part.info->name);
        if (counts(s)) {
            *out = s->record;
            return true;
        }
    }
    *out = NULL;
    return true;
}
