#include "core/value/stream_read.h"

#include "core/base/map.h"

static bool bad(struct error *err, const char *what)
{
    return error_set(err, ERROR_REPLY, 0, "the server's answer about a stream lacks %s", what);
}

static bool want_id(const struct reply *r, struct stream_id *out, const char *what,
                    struct error *err)
{
    return (r != NULL && (r->type == REPLY_STRING || r->type == REPLY_STATUS) &&
            stream_id_parse(r->str, out)) ||
           bad(err, what);
}

static bool want_u64(const struct reply *r, uint64_t *out, const char *what, struct error *err)
{
    if (r != NULL && r->type == REPLY_INTEGER) { /* counters are unsigned in the server */
        *out = (uint64_t)r->integer;
        return true;
    }
    return bad(err, what);
}

bool stream_read_state(const struct reply *r, struct stream_state *out, struct error *err)
{
    const struct reply *added;

    *out = (struct stream_state){0};
    if (r->type != REPLY_ARRAY)
        return bad(err, "its members");
    if (!want_id(reply_member(r, "last-generated-id"), &out->last_id, "last-generated-id", err))
        return false;
    added = reply_member(r, "entries-added");
    if (added == NULL) /* before 7.0 */
        return true;
    out->has_counters = true;
    return want_u64(added, &out->entries_added, "entries-added", err) &&
           want_id(reply_member(r, "max-deleted-entry-id"), &out->max_deleted,
                   "max-deleted-entry-id", err);
}

bool stream_read_group(const struct reply *r, struct arena *arena, struct stream_group *out,
                       struct error *err)
{
    const struct reply *name;
    const struct reply *read;

    *out = (struct stream_group){0};
    name = r->type == REPLY_ARRAY ? reply_member(r, "name") : NULL;
    if (name == NULL || name->type != REPLY_STRING)
        return bad(err, "a group's name");
    out->name = arena_str(arena, name->str);
    if (!want_id(reply_member(r, "last-delivered-id"), &out->last_delivered, "last-delivered-id",
                 err))
        return false;
    read = reply_member(r, "entries-read");
    out->has_entries_read = read != NULL && read->type == REPLY_INTEGER;
    if (out->has_entries_read)
        out->entries_read = (uint64_t)read->integer;
    return true;
}

static bool read_consumers(const struct reply *list, struct arena *arena,
                           struct stream_group *group, struct error *err)
{
    if (list == NULL || list->type != REPLY_ARRAY)
        return bad(err, "a group's consumers");
    group->consumers = arena_array(arena, list->count + 1, sizeof(*group->consumers));
    for (size_t i = 0; i < list->count; i++) {
        const struct reply *one = &list->elements[i];
        const struct reply *name = one->type == REPLY_ARRAY ? reply_member(one, "name") : NULL;

        if (name == NULL || name->type != REPLY_STRING)
            return bad(err, "a consumer's name");
        group->consumers[group->consumer_count++] = name->str;
    }
    return true;
}

static bool read_one_pending(const struct reply *r, int64_t now_ms, struct stream_pending *out,
                             struct error *err)
{
    if (r->type != REPLY_ARRAY || r->count < 4 || r->elements[1].type != REPLY_STRING ||
        r->elements[2].type != REPLY_INTEGER)
        return bad(err, "a pending entry");
    out->delivered_ms = r->elements[2].integer;
    if (now_ms != 0)
        out->delivered_ms = now_ms - r->elements[2].integer;
    return want_id(&r->elements[0], &out->id, "a pending entry's id", err) &&
           want_u64(&r->elements[3], &out->deliveries, "a pending entry's count", err);
}

bool stream_read_pending(const struct reply *list, int64_t now_ms, struct arena *arena,
                         struct stream_group *group, struct error *err)
{
    struct map *names;
    bool ok = true;

    if (list == NULL || list->type != REPLY_ARRAY)
        return bad(err, "a group's pending entries");
    group->pending = arena_array(arena, list->count + 1, sizeof(*group->pending));
    group->pending_count = 0;
    names = map_new();
    for (size_t i = 0; i < group->consumer_count; i++)
        (void)map_put(names, group->consumers[i], &group->consumers[i]);
    for (size_t i = 0; ok && i < list->count; i++) {
        struct stream_pending *p = &group->pending[group->pending_count++];
        const struct str *consumer;

        ok = read_one_pending(&list->elements[i], now_ms, p, err);
        consumer = ok ? map_get(names, list->elements[i].elements[1].str) : NULL;
        p->consumer = consumer != NULL ? (size_t)(consumer - group->consumers) : STREAM_UNOWNED;
        if (ok && consumer == NULL && list->elements[i].elements[1].str.len > 0)
            ok = bad(err, "the consumer of a pending entry");
    }
    map_free(names, NULL);
    return ok;
}

/* Servers say "pending", their documentation "pel". */
static const struct reply *pending_of(const struct reply *group)
{
    const struct reply *list = reply_member(group, "pending");

    return list != NULL && list->type == REPLY_ARRAY ? list : reply_member(group, "pel");
}

bool stream_read_groups(const struct reply *list, struct arena *arena, struct stream_group **out,
                        size_t *count, struct error *err)
{
    if (list == NULL || list->type != REPLY_ARRAY)
        return bad(err, "its groups");
    *out = arena_array(arena, list->count + 1, sizeof(**out));
    *count = list->count;
    for (size_t i = 0; i < list->count; i++) {
        const struct reply *r = &list->elements[i];

        if (!stream_read_group(r, arena, &(*out)[i], err) ||
            !read_consumers(reply_member(r, "consumers"), arena, &(*out)[i], err) ||
            !stream_read_pending(pending_of(r), 0, arena, &(*out)[i], err))
            return false;
    }
    return true;
}

bool stream_read_entry(const struct reply *r, struct arena *arena, struct stream_id *id,
                       struct str **fields, size_t *count, struct error *err)
{
    const struct reply *list;

    if (r->type != REPLY_ARRAY || r->count != 2 || r->elements[1].type != REPLY_ARRAY)
        return bad(err, "an entry");
    list = &r->elements[1];
    *fields = arena_array(arena, list->count + 1, sizeof(**fields));
    *count = list->count;
    for (size_t i = 0; i < list->count; i++) {
        if (list->elements[i].type != REPLY_STRING)
            return bad(err, "a field of an entry");
        (*fields)[i] = list->elements[i].str;
    }
    return want_id(&r->elements[0], id, "an entry's id", err);
}
