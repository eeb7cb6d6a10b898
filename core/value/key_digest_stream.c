#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/value/key_digest_private.h"

#define NOBODY UINT64_MAX /* in place of a consumer's name: its length cannot be that */

void digest_stream_init(struct digest_stream *s)
{
    digest_feed_init(&s->entries);
}

void digest_stream_clear(struct digest_stream *s)
{
    for (size_t i = 0; i < s->group_count; i++) {
        digest_feed_release(&s->groups[i]->pending);
        free(s->groups[i]->consumers);
    }
    s->group_count = 0;
    if (s->by_name != NULL)
        map_free(s->by_name, NULL);
    s->by_name = NULL;
    if (s->names.total > 0)
        arena_clear(&s->names);
    digest_feed_clear(&s->entries);
    s->entry_count = 0;
    s->state = (struct stream_state){0};
}

void digest_stream_release(struct digest_stream *s)
{
    digest_stream_clear(s);
    digest_feed_release(&s->entries);
    arena_release(&s->names);
    free(s->groups); /* NOLINT(bugprone-multi-level-implicit-pointer-conversion) */
}

void key_digest_entry(struct key_digest *d, struct stream_id id, const struct str *fields,
                      size_t count)
{
    struct digest_feed *f = &d->stream.entries;

    digest_feed_id(f, id);
    digest_feed_u64(f, count);
    for (size_t i = 0; i < count; i++) {
        digest_feed_piece(f, fields[i]);
        d->bytes += fields[i].len;
    }
    d->bytes += sizeof(id);
    d->stream.entry_count++;
}

void key_digest_state(struct key_digest *d, const struct stream_state *state)
{
    d->stream.state = *state;
}

static struct digest_group *find_group(struct key_digest *d, struct str name)
{
    struct digest_stream *s = &d->stream;
    struct digest_group *g;

    if (s->by_name == NULL)
        s->by_name = map_new();
    g = map_get(s->by_name, name);
    if (g != NULL)
        return g;
    g = arena_alloc(&s->names, sizeof(*g));
    g->name = arena_str(&s->names, name);
    digest_feed_init(&g->pending);
    (void)map_put(s->by_name, name, g);
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    ARRAY_PUSH(s->groups, s->group_count, s->group_cap) = g;
    d->bytes += name.len;
    return g;
}

static void add_pending(struct digest_group *to, const struct stream_group *g,
                        const struct stream_pending *p)
{
    digest_feed_id(&to->pending, p->id);
    if (p->consumer == STREAM_UNOWNED)
        digest_feed_u64(&to->pending, NOBODY);
    else
        digest_feed_piece(&to->pending, g->consumers[p->consumer]);
    digest_feed_u64(&to->pending, p->deliveries);
    to->pending_count++;
}

void key_digest_group(struct key_digest *d, const struct stream_group *group)
{
    struct digest_group *g = find_group(d, group->name);

    g->last_delivered = group->last_delivered;
    g->has_entries_read = group->has_entries_read;
    g->entries_read = group->entries_read;
    for (size_t i = 0; i < group->consumer_count; i++)
        ARRAY_PUSH(g->consumers, g->consumer_count, g->consumer_cap) =
            arena_str(&d->stream.names, group->consumers[i]);
    for (size_t i = 0; i < group->pending_count; i++)
        add_pending(g, group, &group->pending[i]);
}

/* ---- the end ----------------------------------------------------------------------------------
 */

static int by_bytes(const void *a, const void *b)
{
    const struct str *x = a;
    const struct str *y = b;

    return str_compare(*x, *y);
}

static int by_name(const void *a, const void *b)
{
    const struct digest_group *const *x = a;
    const struct digest_group *const *y = b;

    return str_compare((*x)->name, (*y)->name);
}

static void feed_consumers(struct digest_group *g, struct digest_feed *content)
{
    size_t kept = 0;

    if (g->consumer_count > 1)
        qsort(g->consumers, g->consumer_count, sizeof(*g->consumers), by_bytes);
    for (size_t i = 0; i < g->consumer_count; i++)
        if (kept == 0 || !str_equal(g->consumers[kept - 1], g->consumers[i]))
            g->consumers[kept++] = g->consumers[i];
    g->consumer_count = kept;
    digest_feed_u64(content, kept);
    for (size_t i = 0; i < kept; i++)
        digest_feed_piece(content, g->consumers[i]);
}

static void feed_group(struct digest_group *g, struct digest_feed *content)
{
    digest_feed_piece(content, g->name);
    digest_feed_id(content, g->last_delivered);
    digest_feed_u64(content, g->has_entries_read ? 1 : 0);
    digest_feed_u64(content, g->has_entries_read ? g->entries_read : 0);
    feed_consumers(g, content);
    digest_feed_u64(content, g->pending_count);
    digest_feed_hash(content, &g->pending);
}

void digest_stream_end(struct digest_stream *s, struct digest_feed *content)
{
    const struct stream_state *state = &s->state;

    digest_feed_u64(content, s->entry_count);
    digest_feed_hash(content, &s->entries);
    digest_feed_id(content, state->last_id);
    digest_feed_u64(content, state->has_counters ? 1 : 0);
    digest_feed_u64(content, state->has_counters ? state->entries_added : 0);
    digest_feed_id(content, state->has_counters ? state->max_deleted : (struct stream_id){0, 0});
    if (s->group_count > 1)
        qsort(s->groups, s->group_count, sizeof(struct digest_group *), by_name);
    digest_feed_u64(content, s->group_count);
    for (size_t i = 0; i < s->group_count; i++)
        feed_group(s->groups[i], content);
}
