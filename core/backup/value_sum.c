#include "core/backup/value_sum.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "core/base/alloc.h"
#include "core/base/array.h"

/* One field, member or element of an unordered type. */
struct item {
    XXH128_hash_t name;
    XXH128_hash_t content; /* of the whole pair */
    int64_t deadline;      /* RECORD_NO_TIME: none */
    uint64_t order;        /* of arrival: the later one wins */
};

struct value_sum {
    bool filled;
    enum record_type type;
    struct item *items;
    size_t count, cap;
    XXH3_state_t *stream; /* lists, strings, entries, dumps: hashed in order */
    uint64_t length;      /* elements; bytes of a string */
    struct item *groups;  /* name, hash of everything in the group */
    size_t group_count, group_cap;
    bool has_state;
    struct stream_state state;
};

struct value_sum *value_sum_new(void)
{
    struct value_sum *s = mem_zero(1, sizeof(*s));

    s->stream = XXH3_createState();
    if (s->stream == NULL)
        abort();
    value_sum_clear(s);
    return s;
}

void value_sum_free(struct value_sum *s)
{
    if (s == NULL)
        return;
    XXH3_freeState(s->stream);
    free(s->items);
    free(s->groups);
    free(s);
}

void value_sum_clear(struct value_sum *s)
{
    s->filled = false;
    s->count = 0;
    s->group_count = 0;
    s->length = 0;
    s->has_state = false;
    XXH3_128bits_reset(s->stream);
}

/* ---- adding ---------------------------------------------------------------------------------- */

static void feed(XXH3_state_t *state, const void *data, size_t len)
{
    XXH3_128bits_update(state, len == 0 ? "" : data, len);
}

/* With its length in front, so that no two lists of pieces look alike. */
static void feed_piece(XXH3_state_t *state, struct str piece)
{
    uint64_t len = piece.len;

    feed(state, &len, sizeof(len));
    feed(state, piece.ptr, piece.len);
}

static XXH128_hash_t hash_of(struct str bytes)
{
    return XXH3_128bits(bytes.len == 0 ? "" : bytes.ptr, bytes.len);
}

static XXH128_hash_t hash_pair(struct str name, const void *value, size_t len)
{
    XXH128_hash_t first = hash_of(name);
    XXH128_hash_t both[2] = {first, XXH3_128bits(len == 0 ? "" : value, len)};

    return XXH3_128bits(both, sizeof(both));
}

static void add_item(struct value_sum *s, struct str name, const void *value, size_t len)
{
    ARRAY_PUSH(s->items, s->count, s->cap) = (struct item){.name = hash_of(name),
                                                           .content = hash_pair(name, value, len),
                                                           .deadline = RECORD_NO_TIME,
                                                           .order = s->length++};
}

void value_sum_start(struct value_sum *s, enum record_type type)
{
    s->type = type;
    s->filled = true;
}

void value_sum_pair(struct value_sum *s, struct str field, struct str value)
{
    add_item(s, field, value.ptr, value.len);
}

void value_sum_pair_until(struct value_sum *s, struct str field, struct str value, int64_t at)
{
    value_sum_pair(s, field, value);
    s->items[s->count - 1].deadline = at;
}

void value_sum_member(struct value_sum *s, struct str member, double score)
{
    score = score + 0.0; /* -0 becomes 0 */
    add_item(s, member, &score, sizeof(score));
}

void value_sum_element(struct value_sum *s, struct str element)
{
    if (s->type == RECORD_SET) {
        add_item(s, element, NULL, 0);
        return;
    }
    feed_piece(s->stream, element);
    s->length++;
}

static void add_pairs(struct value_sum *s, const struct record *r)
{
    for (size_t i = 0; i < record_count(r); i++) {
        struct str name;
        struct str value;

        record_pair(r, i, &name, &value);
        if (s->type == RECORD_ZSET)
            value_sum_member(s, name, record_score(r, i));
        else
            value_sum_pair(s, name, value);
    }
}

/* Deadlines come in the order of the fields, so each is looked for behind the one before. */
static void add_deadlines(struct value_sum *s, const struct record *r, size_t from)
{
    size_t count = s->count - from;
    size_t at = 0;

    for (size_t i = 0; i < record_deadlines(r); i++) {
        struct str field;
        XXH128_hash_t name;
        int64_t millis;

        record_deadline(r, i, &field, &millis);
        name = hash_of(field);
        for (size_t tried = 0; tried < count; tried++, at++) {
            struct item *item = &s->items[from + at % count];

            if (!XXH128_isEqual(item->name, name))
                continue;
            item->deadline = millis;
            break;
        }
    }
}

void value_sum_bytes(struct value_sum *s, struct str piece, bool hyperloglog)
{
    static const char zero[8];

    /* Bytes 8 to 15 of a HyperLogLog hold its cached count, which PFCOUNT rewrites. */
    if (hyperloglog && s->length == 0 && piece.len >= 16) {
        feed(s->stream, piece.ptr, 8);
        feed(s->stream, zero, sizeof(zero));
        feed(s->stream, piece.ptr + 16, piece.len - 16);
    } else {
        feed(s->stream, piece.ptr, piece.len);
    }
    s->length += piece.len;
}

static void feed_id(XXH3_state_t *state, struct stream_id id)
{
    feed(state, &id.ms, sizeof(id.ms));
    feed(state, &id.seq, sizeof(id.seq));
}

static void begin_entry(struct value_sum *s, struct stream_id id, uint64_t count)
{
    feed_id(s->stream, id);
    feed(s->stream, &count, sizeof(count));
    s->length++;
}

void value_sum_entry(struct value_sum *s, struct stream_id id, const struct str *fields,
                     size_t count)
{
    begin_entry(s, id, count);
    for (size_t i = 0; i < count; i++)
        feed_piece(s->stream, fields[i]);
}

static void add_entries(struct value_sum *s, const struct record *r)
{
    for (size_t i = 0; i < record_count(r); i++) {
        struct record_entry e;

        record_entry(r, i, &e);
        begin_entry(s, e.id, e.count);
        for (size_t k = 0; k < e.count; k++)
            feed_piece(s->stream, record_entry_item(r, &e, k));
    }
}

static struct item *find_group(struct value_sum *s, struct str name)
{
    XXH128_hash_t wanted = hash_of(name);

    for (size_t i = 0; i < s->group_count; i++)
        if (XXH128_isEqual(s->groups[i].name, wanted))
            return &s->groups[i];
    ARRAY_PUSH(s->groups, s->group_count, s->group_cap) = (struct item){.name = wanted};
    return &s->groups[s->group_count - 1];
}

static void add_hash(XXH128_hash_t *sum, XXH128_hash_t more)
{
    sum->low64 += more.low64;
    sum->high64 += more.high64 + (sum->low64 < more.low64 ? 1 : 0);
}

/* A pending entry with its owner and count, but not its time. */
static XXH128_hash_t hash_pending(const struct stream_group *g, const struct stream_pending *p)
{
    struct str owner = p->consumer == STREAM_UNOWNED ? STR("") : g->consumers[p->consumer];
    struct {
        struct stream_id id;
        uint64_t deliveries;
        XXH128_hash_t owner;
    } all = {p->id, p->deliveries, hash_of(owner)};

    return XXH3_128bits(&all, sizeof(all));
}

/* A group may come in several lines, so its parts are summed and its consumers are items. */
void value_sum_group(struct value_sum *s, const struct stream_group *g)
{
    struct item *sum = find_group(s, g->name);
    XXH128_hash_t name = sum->name;

    if (sum->order == 0)
        add_hash(&sum->content, XXH3_128bits(&g->last_delivered, sizeof(g->last_delivered)));
    sum->order++;
    for (size_t i = 0; i < g->pending_count; i++)
        add_hash(&sum->content, hash_pending(g, &g->pending[i]));
    for (size_t i = 0; i < g->consumer_count; i++) {
        XXH128_hash_t both[2] = {name, hash_of(g->consumers[i])};

        ARRAY_PUSH(s->items, s->count, s->cap) =
            (struct item){.name = XXH3_128bits(both, sizeof(both)), .deadline = RECORD_NO_TIME};
    }
}

static void add_groups(struct value_sum *s, const struct record *r)
{
    size_t count;
    const struct stream_group *groups = record_groups(r, &count);

    for (size_t i = 0; i < count; i++)
        value_sum_group(s, &groups[i]);
}

void value_sum_dump(struct value_sum *s, struct str payload)
{
    feed_piece(s->stream, payload);
}

void value_sum_state(struct value_sum *s, const struct stream_state *state)
{
    s->state = *state;
    s->has_state = true;
}

void value_sum_add(struct value_sum *s, const struct record *r, bool keep_groups)
{
    size_t from = s->count;

    value_sum_start(s, record_head(r)->type);
    switch (s->type) {
    case RECORD_STRING:
        value_sum_bytes(s, record_string(r), record_head(r)->hyperloglog);
        return;
    case RECORD_HASH:
    case RECORD_ZSET:
        add_pairs(s, r);
        add_deadlines(s, r, from);
        return;
    case RECORD_SET:
    case RECORD_LIST:
        for (size_t i = 0; i < record_count(r); i++)
            value_sum_element(s, record_item(r, i));
        return;
    case RECORD_STREAM:
        add_entries(s, r);
        if (keep_groups)
            add_groups(s, r);
        if (record_has_state(r)) {
            struct stream_state state = record_state(r);

            value_sum_state(s, &state);
        }
        return;
    case RECORD_OPAQUE:
        value_sum_dump(s, record_dump(r));
        return;
    case RECORD_TYPES:
        break;
    }
}

/* ---- comparing ------------------------------------------------------------------------------- */

static struct value_difference differ(const char *fmt, ...) PRINTF_LIKE(1, 2);

static struct value_difference differ(const char *fmt, ...)
{
    struct value_difference d = {.same = false};
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(d.what, sizeof(d.what), fmt, ap);
    va_end(ap);
    return d;
}

static int by_hash(const void *a, const void *b)
{
    const struct item *x = a;
    const struct item *y = b;
    int order = XXH128_cmp(&x->name, &y->name);

    return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

/* Sort by name, then keep the last of each. */
static void sort_items(struct item *items, size_t *count)
{
    size_t out = 0;

    if (*count > 1)
        qsort(items, *count, sizeof(*items), by_hash);
    for (size_t i = 0; i < *count; i++)
        if (i + 1 == *count || !XXH128_isEqual(items[i].name, items[i + 1].name))
            items[out++] = items[i];
    *count = out;
}

struct tally {
    uint64_t changed, only_saved, only_live, deadlines;
};

static bool deadline_fits(int64_t saved, int64_t live, int64_t latest, int64_t tolerance)
{
    if (saved == RECORD_NO_TIME || live == RECORD_NO_TIME)
        return saved == live;
    return live >= saved - tolerance && live <= saved + latest + tolerance;
}

static struct tally tally_items(const struct value_sum *a, const struct value_sum *b,
                                int64_t latest, int64_t tolerance)
{
    struct tally t = {0};
    size_t i = 0;
    size_t k = 0;

    while (i < a->count || k < b->count) {
        int order = i == a->count   ? 1
                    : k == b->count ? -1
                                    : XXH128_cmp(&a->items[i].name, &b->items[k].name);

        if (order < 0) {
            t.only_saved++;
            i++;
        } else if (order > 0) {
            t.only_live++;
            k++;
        } else {
            if (!XXH128_isEqual(a->items[i].content, b->items[k].content))
                t.changed++;
            else if (!deadline_fits(a->items[i].deadline, b->items[k].deadline, latest, tolerance))
                t.deadlines++;
            i++;
            k++;
        }
    }
    return t;
}

static struct value_difference compare_items(struct value_sum *a, struct value_sum *b,
                                             int64_t latest, int64_t tolerance)
{
    const char *word = a->type == RECORD_HASH     ? "fields"
                       : a->type == RECORD_STREAM ? "consumers"
                                                  : "members";
    struct value_difference d = {.same = true};
    struct tally t;

    sort_items(a->items, &a->count);
    sort_items(b->items, &b->count);
    t = tally_items(a, b, latest, tolerance);
    if (t.changed + t.only_saved + t.only_live > 0)
        d = differ("%zu %s saved: %" PRIu64 " differ, %" PRIu64 " missing, %" PRIu64 " added",
                   a->count, word, t.changed, t.only_saved, t.only_live);
    d.deadlines = t.deadlines;
    return d;
}

static struct value_difference compare_groups(struct value_sum *a, struct value_sum *b)
{
    sort_items(a->groups, &a->group_count);
    sort_items(b->groups, &b->group_count);
    if (a->group_count != b->group_count)
        return differ("%zu consumer groups saved, %zu there", a->group_count, b->group_count);
    for (size_t i = 0; i < a->group_count; i++)
        if (!XXH128_isEqual(a->groups[i].name, b->groups[i].name) ||
            !XXH128_isEqual(a->groups[i].content, b->groups[i].content))
            return differ("a consumer group differs");
    return (struct value_difference){.same = true};
}

static struct value_difference compare_streams(struct value_sum *a, struct value_sum *b)
{
    struct value_difference d = compare_groups(a, b);

    if (d.same)
        d = compare_items(a, b, 0, 0);
    if (!d.same || !a->has_state || !b->has_state)
        return d;
    if (stream_id_compare(a->state.last_id, b->state.last_id) != 0)
        return differ("the last id differs");
    if (a->state.has_counters && b->state.has_counters &&
        (a->state.entries_added != b->state.entries_added ||
         stream_id_compare(a->state.max_deleted, b->state.max_deleted) != 0))
        return differ("entries-added or max-deleted-entry-id differs");
    return d;
}

struct value_difference value_sum_compare(struct value_sum *saved, struct value_sum *live,
                                          int64_t latest_shift_ms, int64_t tolerance_ms)
{
    XXH128_hash_t a = XXH3_128bits_digest(saved->stream);
    XXH128_hash_t b = XXH3_128bits_digest(live->stream);

    if (saved->type != live->type) {
        const char *x = record_type_name(saved->type);
        const char *y = record_type_name(live->type);

        return differ("type %s saved, %s there", x == NULL ? "other" : x, y == NULL ? "other" : y);
    }
    if (saved->type == RECORD_HASH || saved->type == RECORD_SET || saved->type == RECORD_ZSET)
        return compare_items(saved, live, latest_shift_ms, tolerance_ms);
    if (saved->length != live->length)
        return differ("%" PRIu64 " %s saved, %" PRIu64 " there", saved->length,
                      saved->type == RECORD_STRING ? "bytes" : "elements", live->length);
    if (!XXH128_isEqual(a, b))
        return differ("the %s differ", saved->type == RECORD_STRING ? "bytes" : "elements");
    if (saved->type == RECORD_STREAM)
        return compare_streams(saved, live);
    return (struct value_difference){.same = true};
}
