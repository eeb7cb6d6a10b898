#include "core/value/value_sum.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/value/value_sum_private.h"

#define KEPT_ITEMS 256

struct value_sum *value_sum_new(void)
{
    struct value_sum *s = mem_zero(1, sizeof(*s));

    s->stream = XXH3_createState();
    if (s->stream == NULL)
        abort();
    s->limit = SIZE_MAX;
    value_sum_clear(s);
    return s;
}

void value_sum_free(struct value_sum *s)
{
    if (s == NULL)
        return;
    XXH3_freeState(s->stream);
    free(s->items);
    free(s->ranges);
    free(s->groups);
    free(s);
}

void value_sum_clear(struct value_sum *s)
{
    s->filled = false;
    s->held = false;
    if (s->cap > KEPT_ITEMS) { /* a rare large value does not hold its memory */
        free(s->items);
        s->items = NULL;
        s->cap = 0;
    }
    free(s->ranges);
    s->ranges = NULL;
    s->count = 0;
    s->group_count = 0;
    s->length = 0;
    s->untimed = 0;
    s->last_deadline = INT64_MIN;
    s->has_state = false;
    XXH3_128bits_reset(s->stream);
}

void value_sum_limit(struct value_sum *s, size_t items)
{
    s->limit = items;
}

void value_sum_focus(struct value_sum *s, const struct value_focus *f)
{
    s->focus = f;
    value_sum_clear(s);
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

XXH128_hash_t value_item_print(const struct value_item *item)
{
    struct {
        XXH128_hash_t content;
        int64_t deadline;
    } timed = {item->content, item->deadline};

    return item->deadline == RECORD_NO_TIME ? item->content : XXH3_128bits(&timed, sizeof(timed));
}

static void fold_item(struct value_sum *s, const struct value_item *item)
{
    struct value_range *range = &s->ranges[value_range_of(item->name)];

    value_hash_add(&range->sum, value_item_print(item));
    range->count++;
}

void value_sum_fold(struct value_sum *s)
{
    if (s->ranges == NULL)
        s->ranges = mem_zero(VALUE_RANGES, sizeof(*s->ranges));
    for (size_t i = 0; i < s->count; i++)
        fold_item(s, &s->items[i]);
    s->count = 0;
}

static void note_time(struct value_sum *s, int64_t deadline)
{
    if (deadline == RECORD_NO_TIME)
        s->untimed++;
    else if (deadline > s->last_deadline)
        s->last_deadline = deadline;
}

static void put_item(struct value_sum *s, XXH128_hash_t name, XXH128_hash_t content, int64_t at)
{
    struct value_item item = {name, content, at, s->length++};

    note_time(s, at);
    if (s->focus != NULL && !value_focus_has(s->focus, value_range_of(name)))
        return;
    if (s->count >= s->limit && !s->held && s->focus == NULL)
        value_sum_fold(s);
    if (s->ranges != NULL && !s->held)
        fold_item(s, &item);
    else
        ARRAY_PUSH(s->items, s->count, s->cap) = item;
}

/* A pair's hash hangs on its name, so that no value can slide to another one. */
static XXH128_hash_t hash_under(XXH128_hash_t name, const void *value, size_t len)
{
    XXH128_hash_t hash =
        XXH3_128bits_withSeed(len == 0 ? "" : value, len, name.low64 ^ (name.high64 << 1));

    hash.high64 ^= name.high64;
    return hash;
}

void value_sum_start(struct value_sum *s, enum record_type type)
{
    s->type = type;
    s->filled = true;
}

void value_sum_pair(struct value_sum *s, struct str field, struct str value)
{
    value_sum_pair_until(s, field, value, RECORD_NO_TIME);
}

void value_sum_pair_until(struct value_sum *s, struct str field, struct str value, int64_t at)
{
    XXH128_hash_t name = hash_of(field);

    put_item(s, name, hash_under(name, value.ptr, value.len), at);
}

void value_sum_member(struct value_sum *s, struct str member, double score)
{
    XXH128_hash_t name = hash_of(member);

    score = score + 0.0; /* -0 becomes 0 */
    put_item(s, name, hash_under(name, &score, sizeof(score)), RECORD_NO_TIME);
}

void value_sum_element(struct value_sum *s, struct str element)
{
    if (s->type == RECORD_SET) {
        XXH128_hash_t name = hash_of(element);

        put_item(s, name, name, RECORD_NO_TIME);
        return;
    }
    feed_piece(s->stream, element);
    s->length++;
}

/* Deadlines are written in the order of the fields, so one walk finds them all. */
static bool add_pairs(struct value_sum *s, const struct record *r)
{
    size_t timed = record_deadlines(r);
    struct str field = {"", 0};
    int64_t at = RECORD_NO_TIME;
    size_t next = 0;

    if (timed > 0)
        record_deadline(r, 0, &field, &at);
    for (size_t i = 0; i < record_count(r); i++) {
        struct str name;
        struct str value;

        record_pair(r, i, &name, &value);
        if (s->type == RECORD_ZSET) {
            value_sum_member(s, name, record_score(r, i));
        } else if (next < timed && str_equal(name, field)) {
            value_sum_pair_until(s, name, value, at);
            if (++next < timed)
                record_deadline(r, next, &field, &at);
        } else {
            value_sum_pair(s, name, value);
        }
    }
    return next == timed;
}

/* In any other order each is looked for behind the one before. */
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
            struct value_item *item = &s->items[from + at % count];

            if (!XXH128_isEqual(item->name, name))
                continue;
            if (item->deadline == RECORD_NO_TIME)
                s->untimed--;
            item->deadline = millis;
            note_time(s, millis);
            break;
        }
    }
}

/* Fields whose deadlines come in another order stay in the table until all of them are known. */
static void add_fields(struct value_sum *s, const struct record *r)
{
    size_t from = s->count;

    s->held = record_deadlines(r) > 0;
    if (!add_pairs(s, r))
        add_deadlines(s, r, from);
    s->held = false;
    if (s->focus == NULL && (s->ranges != NULL || s->count > s->limit))
        value_sum_fold(s);
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

static struct value_group *find_group(struct value_sum *s, struct str name)
{
    XXH128_hash_t wanted = hash_of(name);

    for (size_t i = 0; i < s->group_count; i++)
        if (XXH128_isEqual(s->groups[i].name, wanted))
            return &s->groups[i];
    ARRAY_PUSH(s->groups, s->group_count, s->group_cap) = (struct value_group){.name = wanted};
    return &s->groups[s->group_count - 1];
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

/* Its time is an item of its own, because it may be off by a little. */
static void add_pending(struct value_sum *s, struct value_group *sum, const struct stream_group *g,
                        const struct stream_pending *p)
{
    XXH128_hash_t name = hash_under(sum->name, &p->id, sizeof(p->id));

    value_hash_add(&sum->content, hash_pending(g, p));
    put_item(s, name, name, p->delivered_ms);
}

/* A group may come in several lines, so its parts are summed and its consumers are items. */
void value_sum_group(struct value_sum *s, const struct stream_group *g)
{
    struct value_group *sum = find_group(s, g->name);
    uint64_t length = s->length; /* of a stream: its entries only */

    if (!sum->placed)
        value_hash_add(&sum->content, XXH3_128bits(&g->last_delivered, sizeof(g->last_delivered)));
    sum->placed = true;
    if (g->has_entries_read) {
        sum->has_read = true;
        sum->entries_read = g->entries_read;
    }
    for (size_t i = 0; i < g->pending_count; i++)
        add_pending(s, sum, g, &g->pending[i]);
    for (size_t i = 0; i < g->consumer_count; i++) {
        XXH128_hash_t name = hash_of(g->consumers[i]);

        name = hash_under(sum->name, &name, sizeof(name));
        put_item(s, name, name, RECORD_NO_TIME);
    }
    s->length = length;
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
    value_sum_start(s, record_head(r)->type);
    switch (s->type) {
    case RECORD_STRING:
        value_sum_bytes(s, record_string(r), record_head(r)->hyperloglog);
        return;
    case RECORD_HASH:
    case RECORD_ZSET:
        add_fields(s, r);
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

uint64_t value_sum_print(const struct value_sum *s)
{
    XXH128_hash_t sum = XXH3_128bits_digest(s->stream);

    for (size_t i = 0; i < s->count; i++)
        value_hash_add(&sum, value_item_print(&s->items[i]));
    for (size_t i = 0; s->ranges != NULL && i < VALUE_RANGES; i++)
        value_hash_add(&sum, s->ranges[i].sum);
    for (size_t i = 0; i < s->group_count; i++)
        value_hash_add(&sum, s->groups[i].content);
    return sum.low64 ^ s->length;
}
