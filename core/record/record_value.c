#include "core/record/record_read.h"

#include <stdlib.h>

#include "core/base/array.h"
#include "core/base/map.h"

#define MEMBER_NAME 1u
#define MEMBER_LAST_DELIVERED 2u
#define MEMBER_ENTRIES_READ 4u
#define MEMBER_CONSUMERS 8u
#define MEMBER_PENDING 16u

static struct record_slice to_slice(const struct record *r, struct str item)
{
    return (struct record_slice){(uint32_t)(item.ptr - r->line), (uint32_t)item.len};
}

bool record_keep(struct record *r, struct str item, struct error *err)
{
    if (r->item_count == RECORD_ITEMS_MAX)
        return error_set(err, ERROR_LIMIT, 0, "more than %zu elements in one line",
                         RECORD_ITEMS_MAX);
    ARRAY_PUSH(r->items, r->item_count, r->item_cap) = to_slice(r, item);
    return true;
}

static bool read_items(struct record *r, struct scan *s, bool binary, struct error *err)
{
    struct str item;
    bool more;

    if (!scan_open(s, '[', ']', &more, err))
        return false;
    for (more = !more; more;)
        if (!scan_data(s, binary, &item, err) || !record_keep(r, item, err) ||
            !scan_more(s, ']', &more, err))
            return false;
    return true;
}

static bool read_fields(struct record *r, struct scan *s, bool binary, struct error *err)
{
    struct str field;
    struct str value;
    bool more;

    if (!scan_open(s, '{', '}', &more, err))
        return false;
    for (more = !more; more;)
        if (!scan_data(s, binary, &field, err) || !scan_byte(s, ':', err) ||
            !scan_data(s, binary, &value, err) || !record_keep(r, field, err) ||
            !record_keep(r, value, err) || !scan_more(s, '}', &more, err))
            return false;
    return true;
}

static bool read_scores(struct record *r, struct scan *s, bool binary, struct error *err)
{
    struct str member;
    struct str score;
    double number;
    bool more;

    if (!scan_open(s, '[', ']', &more, err))
        return false;
    for (more = !more; more;) {
        if (!scan_byte(s, '[', err) || !scan_data(s, binary, &member, err) ||
            !scan_byte(s, ',', err) || !scan_text_or_number(s, &score, err))
            return false;
        if (!str_to_double(score, &number))
            return scan_fail(s, err, "score expected before this byte");
        if (!scan_byte(s, ']', err) || !record_keep(r, member, err) ||
            !record_keep(r, score, err) || !scan_more(s, ']', &more, err))
            return false;
    }
    return true;
}

bool record_read_value(struct record *r, struct scan *s, bool binary, struct error *err)
{
    struct str text;

    switch (r->head.type) {
    case RECORD_STRING:
        return scan_data(s, binary, &text, err) && record_keep(r, text, err);
    case RECORD_HASH:
        return read_fields(r, s, binary, err);
    case RECORD_LIST:
    case RECORD_SET:
        return read_items(r, s, binary, err);
    case RECORD_ZSET:
        return read_scores(r, s, binary, err);
    case RECORD_STREAM:
        return record_read_stream(r, s, binary, err);
    case RECORD_OPAQUE:
    case RECORD_TYPES:
        break;
    }
    return scan_fail(s, err, "unknown type without a dump");
}

bool record_read_deadlines(struct record *r, struct scan *s, bool binary, struct error *err)
{
    struct record_deadline_item d;
    struct str field;
    bool more;

    if (!scan_open(s, '{', '}', &more, err))
        return false;
    for (more = !more; more;) {
        if (!scan_data(s, binary, &field, err) || !scan_byte(s, ':', err) ||
            !scan_i64(s, &d.millis, err))
            return false;
        if (d.millis < 0)
            return scan_fail(s, err, "negative deadline");
        if (r->deadline_count == RECORD_ITEMS_MAX)
            return error_set(err, ERROR_LIMIT, 0, "too many field deadlines in one line");
        d.field = to_slice(r, field);
        ARRAY_PUSH(r->deadlines, r->deadline_count, r->deadline_cap) = d;
        if (!scan_more(s, '}', &more, err))
            return false;
    }
    return true;
}

/* ---- streams ----------------------------------------------------------------------------------
 */

static bool read_id(struct scan *s, struct stream_id *out, struct error *err)
{
    struct str text;

    return scan_string(s, &text, err) &&
           (stream_id_parse(text, out) || scan_fail(s, err, "stream id expected before this byte"));
}

static bool read_entry(struct record *r, struct scan *s, bool binary, struct error *err)
{
    struct record_entry e = {.first = r->item_count};

    if (!scan_byte(s, '[', err) || !read_id(s, &e.id, err) || !scan_byte(s, ',', err) ||
        !read_items(r, s, binary, err) || !scan_byte(s, ']', err))
        return false;
    e.count = r->item_count - e.first;
    if (e.count % 2 != 0)
        return scan_fail(s, err, "an entry has a field without a value");
    if (r->entry_count > 0 && stream_id_compare(r->entries[r->entry_count - 1].id, e.id) >= 0)
        return scan_fail(s, err, "entries are not in order of id");
    if (r->entry_count == RECORD_ITEMS_MAX / 4)
        return error_set(err, ERROR_LIMIT, 0, "too many entries in one line");
    ARRAY_PUSH(r->entries, r->entry_count, r->entry_cap) = e;
    return true;
}

static bool read_entries(struct record *r, struct scan *s, bool binary, struct error *err)
{
    bool more;

    if (!scan_open(s, '[', ']', &more, err))
        return false;
    for (more = !more; more;)
        if (!read_entry(r, s, binary, err) || !scan_more(s, ']', &more, err))
            return false;
    return true;
}

/* "text" or {"b64":"..."}. */
static bool read_binary_name(struct scan *s, struct str *out, struct error *err)
{
    struct str name;

    if (scan_peek(s) == '"')
        return scan_string(s, out, err);
    return scan_byte(s, '{', err) && scan_name(s, &name, err) &&
           (str_is(name, "b64") || scan_fail(s, err, "b64 expected before this byte")) &&
           scan_data(s, true, out, err) && scan_byte(s, '}', err);
}

/* One group while it is read. */
struct group_reader {
    struct record *r;
    struct scan *s;
    struct map *names; /* consumer -> an address in the line, whose distance is index + 1 */
    struct stream_group group;
    struct record_span span;
    unsigned seen;
};

static size_t add_consumer(struct group_reader *g, struct str name)
{
    struct record *r = g->r;
    size_t index = r->consumer_count - g->span.first_consumer;

    ARRAY_PUSH(r->consumers, r->consumer_count, r->consumer_cap) = name;
    /* every name takes more than one byte of the line, so this address lies in it */
    (void)map_put(g->names, name, r->line + index + 1);
    return index;
}

static bool find_consumer(struct group_reader *g, struct str name, size_t *index)
{
    char *mark = map_get(g->names, name);

    if (mark == NULL)
        return false;
    *index = (size_t)(mark - g->r->line) - 1;
    return true;
}

static bool read_consumer(struct group_reader *g, struct error *err)
{
    struct str member;
    struct str name = {NULL, 0};
    bool more;
    bool named = false;
    size_t index;

    if (!scan_open(g->s, '{', '}', &more, err))
        return false;
    for (more = !more; more;) {
        if (!scan_name(g->s, &member, err))
            return false;
        if (str_is(member, "name")) {
            if (named || !read_binary_name(g->s, &name, err))
                return named ? scan_fail(g->s, err, "a member stands twice") : false;
            named = true;
        } else if (!scan_skip(g->s, err)) {
            return false;
        }
        if (!scan_more(g->s, '}', &more, err))
            return false;
    }
    if (!named)
        return scan_fail(g->s, err, "a consumer without a name");
    if (find_consumer(g, name, &index))
        return scan_fail(g->s, err, "a consumer stands twice");
    (void)add_consumer(g, name);
    return true;
}

static bool read_consumers(struct group_reader *g, struct error *err)
{
    bool more;

    if ((g->seen & MEMBER_PENDING) != 0)
        return scan_fail(g->s, err, "consumers must stand before pending");
    if (!scan_open(g->s, '[', ']', &more, err))
        return false;
    for (more = !more; more;)
        if (!read_consumer(g, err) || !scan_more(g->s, ']', &more, err))
            return false;
    return true;
}

static bool read_pending_entry(struct group_reader *g, struct error *err)
{
    struct record *r = g->r;
    struct stream_pending p = {.consumer = STREAM_UNOWNED};
    struct str name;
    const struct stream_pending *last;

    if (!scan_byte(g->s, '[', err) || !read_id(g->s, &p.id, err) || !scan_byte(g->s, ',', err))
        return false;
    if (!scan_null(g->s)) {
        if (!read_binary_name(g->s, &name, err))
            return false;
        if (!find_consumer(g, name, &p.consumer))
            p.consumer = add_consumer(g, name);
    }
    if (!scan_byte(g->s, ',', err) || !scan_i64(g->s, &p.delivered_ms, err) ||
        !scan_byte(g->s, ',', err) || !scan_u64(g->s, &p.deliveries, err) ||
        !scan_byte(g->s, ']', err))
        return false;
    last = r->pending_count > g->span.first_pending ? &r->pending[r->pending_count - 1] : NULL;
    if (last != NULL && stream_id_compare(last->id, p.id) >= 0)
        return scan_fail(g->s, err, "pending entries are not in order of id");
    if (r->pending_count == RECORD_ITEMS_MAX / 4)
        return error_set(err, ERROR_LIMIT, 0, "too many pending entries in one line");
    ARRAY_PUSH(r->pending, r->pending_count, r->pending_cap) = p;
    return true;
}

static bool read_pending(struct group_reader *g, struct error *err)
{
    bool more;

    if (!scan_open(g->s, '[', ']', &more, err))
        return false;
    for (more = !more; more;)
        if (!read_pending_entry(g, err) || !scan_more(g->s, ']', &more, err))
            return false;
    return true;
}

static bool read_group_name(struct group_reader *g, struct error *err)
{
    return read_binary_name(g->s, &g->group.name, err);
}

static bool read_last_delivered(struct group_reader *g, struct error *err)
{
    return read_id(g->s, &g->group.last_delivered, err);
}

static bool read_entries_read(struct group_reader *g, struct error *err)
{
    if (scan_null(g->s))
        return true;
    g->group.has_entries_read = true;
    return scan_u64(g->s, &g->group.entries_read, err);
}

static const struct {
    const char *name;
    unsigned bit;
    bool (*read)(struct group_reader *g, struct error *err);
} group_members[] = {
    {"name", MEMBER_NAME, read_group_name},
    {"last_delivered_id", MEMBER_LAST_DELIVERED, read_last_delivered},
    {"entries_read", MEMBER_ENTRIES_READ, read_entries_read},
    {"consumers", MEMBER_CONSUMERS, read_consumers},
    {"pending", MEMBER_PENDING, read_pending},
};

static bool read_group_member(struct group_reader *g, struct error *err)
{
    struct str name;

    if (!scan_name(g->s, &name, err))
        return false;
    for (size_t i = 0; i < COUNT_OF(group_members); i++) {
        if (!str_is(name, group_members[i].name))
            continue;
        if ((g->seen & group_members[i].bit) != 0)
            return scan_fail(g->s, err, "a member stands twice");
        if (!group_members[i].read(g, err))
            return false;
        g->seen |= group_members[i].bit;
        return true;
    }
    return scan_skip(g->s, err);
}

static bool read_group(struct group_reader *g, struct error *err)
{
    bool more;

    if (!scan_open(g->s, '{', '}', &more, err))
        return false;
    for (more = !more; more;)
        if (!read_group_member(g, err) || !scan_more(g->s, '}', &more, err))
            return false;
    return (g->seen & (MEMBER_NAME | MEMBER_LAST_DELIVERED)) ==
               (MEMBER_NAME | MEMBER_LAST_DELIVERED) ||
           scan_fail(g->s, err, "a group without name or last_delivered_id");
}

static bool push_group(struct record *r, struct group_reader *g, struct map *groups,
                       struct error *err)
{
    if (map_put(groups, g->group.name, r) != NULL)
        return scan_fail(g->s, err, "a group stands twice");
    g->group.consumer_count = r->consumer_count - g->span.first_consumer;
    g->group.pending_count = r->pending_count - g->span.first_pending;
    r->spans = array_reserve(r->spans, &r->span_cap, r->group_count + 1, sizeof(*r->spans));
    r->spans[r->group_count] = g->span;
    ARRAY_PUSH(r->groups, r->group_count, r->group_cap) = g->group;
    return true;
}

static bool read_groups(struct record *r, struct scan *s, struct error *err)
{
    struct map *groups = map_new();
    bool more = false;
    bool ok = scan_open(s, '[', ']', &more, err);

    for (more = !more; ok && more;) {
        struct group_reader g = {.r = r, .s = s, .names = map_new()};

        g.span = (struct record_span){r->consumer_count, r->pending_count};
        ok = read_group(&g, err) && push_group(r, &g, groups, err) && scan_more(s, ']', &more, err);
        map_free(g.names, NULL);
    }
    map_free(groups, NULL);
    for (size_t i = 0; ok && i < r->group_count; i++) { /* the flat arrays move no more */
        r->groups[i].consumers = r->consumers + r->spans[i].first_consumer;
        r->groups[i].pending = r->pending + r->spans[i].first_pending;
    }
    return ok;
}

bool record_read_stream(struct record *r, struct scan *s, bool binary, struct error *err)
{
    static const char *const names[] = {"entries", "last_id", "entries_added", "max_deleted_id",
                                        "groups"};
    unsigned seen = 0;
    struct str name;
    bool more;
    bool ok;

    if (!scan_open(s, '{', '}', &more, err))
        return false;
    for (more = !more; more;) {
        size_t i = 0;

        if (!scan_name(s, &name, err))
            return false;
        while (i < COUNT_OF(names) && !str_is(name, names[i]))
            i++;
        if (i < COUNT_OF(names) && (seen & 1u << i) != 0)
            return scan_fail(s, err, "a member stands twice");
        seen |= 1u << i;
        if (i == 0)
            ok = read_entries(r, s, binary, err);
        else if (i == 1)
            ok = read_id(s, &r->state.last_id, err);
        else if (i == 2)
            ok = scan_u64(s, &r->state.entries_added, err);
        else if (i == 3)
            ok = read_id(s, &r->state.max_deleted, err);
        else
            ok = i == 4 ? read_groups(r, s, err) : scan_skip(s, err);
        if (!ok || !scan_more(s, '}', &more, err))
            return false;
    }
    r->has_state = (seen & 2u) != 0;
    r->state.has_counters = (seen & 12u) == 12u;
    return true;
}
