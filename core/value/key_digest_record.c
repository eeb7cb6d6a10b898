#include "core/value/key_digest_private.h"

/* Lines whose fields have deadlines: field -> where its deadline stands. */
static struct map *map_deadlines(struct key_digest *d, const struct record *r)
{
    struct map *map = map_new();

    for (size_t i = 0; i < record_deadlines(r); i++) {
        int64_t *at = arena_alloc(&d->scratch, sizeof(*at));
        struct str field;

        record_deadline(r, i, &field, at);
        (void)map_put(map, field, at);
    }
    return map;
}

static bool add_hash(struct key_digest *d, const struct record *r, struct error *err)
{
    struct map *deadlines = record_deadlines(r) > 0 ? map_deadlines(d, r) : NULL;
    bool ok = true;

    for (size_t i = 0; ok && i < record_count(r); i++) {
        const int64_t *at;
        struct str field;
        struct str value;

        record_pair(r, i, &field, &value);
        at = deadlines != NULL ? map_get(deadlines, field) : NULL;
        ok = key_digest_field(d, field, value, at != NULL ? *at : RECORD_NO_TIME, err);
    }
    if (deadlines != NULL)
        map_free(deadlines, NULL);
    arena_clear(&d->scratch);
    return ok;
}

static bool add_zset(struct key_digest *d, const struct record *r, struct error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < record_count(r); i++) {
        struct str member;
        struct str score;

        record_pair(r, i, &member, &score);
        ok = key_digest_member(d, member, record_score(r, i), err);
    }
    return ok;
}

static bool add_items(struct key_digest *d, const struct record *r, struct error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < record_count(r); i++)
        ok = key_digest_element(d, record_item(r, i), err);
    return ok;
}

static void add_entries(struct key_digest *d, const struct record *r)
{
    for (size_t i = 0; i < record_count(r); i++) {
        struct record_entry e;
        struct str *fields;

        record_entry(r, i, &e);
        fields = arena_array(&d->scratch, e.count + 1, sizeof(*fields));
        for (size_t k = 0; k < e.count; k++)
            fields[k] = record_entry_item(r, &e, k);
        key_digest_entry(d, e.id, fields, e.count);
        if (d->scratch.total > ((size_t)1 << 20))
            arena_clear(&d->scratch);
    }
    arena_clear(&d->scratch);
}

static void add_stream(struct key_digest *d, const struct record *r)
{
    size_t count;
    const struct stream_group *groups = record_groups(r, &count);

    add_entries(d, r);
    for (size_t i = 0; i < count; i++)
        key_digest_group(d, &groups[i]);
    if (record_has_state(r)) {
        struct stream_state state = record_state(r);

        key_digest_state(d, &state);
    }
}

bool key_digest_record(struct key_digest *d, const struct record *r, struct error *err)
{
    switch (record_head(r)->type) {
    case RECORD_STRING:
        return key_digest_bytes(d, record_string(r), err);
    case RECORD_HASH:
        return add_hash(d, r, err);
    case RECORD_ZSET:
        return add_zset(d, r, err);
    case RECORD_LIST:
    case RECORD_SET:
        return add_items(d, r, err);
    case RECORD_STREAM:
        add_stream(d, r);
        return true;
    case RECORD_OPAQUE:
        key_digest_dump(d, record_dump(r));
        return true;
    case RECORD_TYPES:
        break;
    }
    return true;
}
