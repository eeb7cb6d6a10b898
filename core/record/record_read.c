#include "core/record/record_read.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"

static const char *const type_names[RECORD_TYPES] = {
    [RECORD_STRING] = "string", [RECORD_HASH] = "hash", [RECORD_LIST] = "list",
    [RECORD_SET] = "set",       [RECORD_ZSET] = "zset", [RECORD_STREAM] = "stream",
};

const char *record_type_name(enum record_type type)
{
    return type_names[type];
}

enum record_type record_type_of(struct str word)
{
    for (size_t i = 0; i < RECORD_OPAQUE; i++)
        if (str_is(word, type_names[i]))
            return (enum record_type)i;
    return RECORD_OPAQUE;
}

bool record_is_temp(struct str key)
{
    return key.len >= RECORD_TEMP_PREFIX_LEN &&
           memcmp(key.ptr, RECORD_TEMP_PREFIX, RECORD_TEMP_PREFIX_LEN) == 0;
}

void record_head_init(struct record_head *h)
{
    *h = (struct record_head){
        .ttl_millis = RECORD_NO_TIME, .expire_at_millis = RECORD_NO_TIME, .slot = SLOT_NONE};
}

uint16_t record_slot(const struct record_head *h)
{
    return h->slot != SLOT_NONE ? h->slot : slot_of_key(h->key);
}

struct record *record_new(void)
{
    struct record *r = mem_zero(1, sizeof(*r));

    record_head_init(&r->head);
    return r;
}

void record_free(struct record *r)
{
    if (r == NULL)
        return;
    free(r->line);
    free(r->items);
    free(r->deadlines);
    free(r->entries);
    free(r->groups);
    free(r->spans);
    free(r->consumers);
    free(r->pending);
    free(r);
}

static void forget(struct record *r)
{
    record_head_init(&r->head);
    r->item_count = 0;
    r->deadline_count = 0;
    r->entry_count = 0;
    r->group_count = 0;
    r->consumer_count = 0;
    r->pending_count = 0;
    r->has_state = false;
    r->state = (struct stream_state){0};
    r->dump = (struct str){NULL, 0};
}

/* ---- members ----------------------------------------------------------------------------------
 */

enum member {
    MEMBER_KEY,
    MEMBER_TYPE,
    MEMBER_TTL,
    MEMBER_VALUE,
    MEMBER_DEADLINE,
    MEMBER_SLOT,
    MEMBER_DB,
    MEMBER_SUBTYPE,
    MEMBER_FIELD_DEADLINES,
    MEMBER_CONSISTENCY,
    MEMBER_CHUNK,
    MEMBER_RDB_VERSION,
    MEMBERS
};

/* What is known of the line so far. */
struct line {
    struct record *r;
    struct scan scan;
    uint32_t seen;   /* bits of enum member */
    bool binary;     /* value_b64 */
    bool dumped;     /* dump_b64 stands for the value */
    char *value;     /* put off: its type is not known yet */
    char *deadlines; /* put off to the end */
};

static bool read_key(struct line *l, struct error *err)
{
    return scan_data(&l->scan, false, &l->r->head.key, err);
}

static bool read_key_b64(struct line *l, struct error *err)
{
    return scan_data(&l->scan, true, &l->r->head.key, err);
}

static bool read_type(struct line *l, struct error *err)
{
    struct record_head *h = &l->r->head;

    if (!scan_string(&l->scan, &h->type_name, err))
        return false;
    h->type = record_type_of(h->type_name);
    return h->type_name.len > 0 || scan_fail(&l->scan, err, "empty type");
}

static bool read_ttl(struct line *l, struct error *err)
{
    struct record_head *h = &l->r->head;

    if (scan_null(&l->scan))
        return true;
    if (!scan_i64(&l->scan, &h->ttl_millis, err))
        return false;
    if (h->ttl_millis == -1) /* as PTTL says it: no TTL */
        h->ttl_millis = RECORD_NO_TIME;
    return h->ttl_millis >= 0 || h->ttl_millis == RECORD_NO_TIME ||
           scan_fail(&l->scan, err, "negative TTL");
}

static bool read_value_as(struct line *l, bool binary, struct error *err)
{
    l->binary = binary;
    if ((l->seen & 1u << MEMBER_TYPE) != 0 && l->r->head.type != RECORD_OPAQUE)
        return record_read_value(l->r, &l->scan, binary, err);
    (void)scan_peek(&l->scan);
    l->value = l->scan.at;
    return scan_skip(&l->scan, err);
}

static bool read_value(struct line *l, struct error *err)
{
    return read_value_as(l, false, err);
}

static bool read_value_b64(struct line *l, struct error *err)
{
    return read_value_as(l, true, err);
}

static bool read_dump(struct line *l, struct error *err)
{
    l->dumped = true;
    return scan_data(&l->scan, true, &l->r->dump, err);
}

static bool read_deadline(struct line *l, struct error *err)
{
    if (scan_null(&l->scan))
        return true;
    return scan_i64(&l->scan, &l->r->head.expire_at_millis, err) &&
           (l->r->head.expire_at_millis >= 0 || scan_fail(&l->scan, err, "negative deadline"));
}

static bool read_slot(struct line *l, struct error *err)
{
    int64_t n;

    if (!scan_i64(&l->scan, &n, err))
        return false;
    if (n < 0 || n >= SLOT_COUNT)
        return scan_fail(&l->scan, err, "slot out of range");
    l->r->head.slot = (uint16_t)n;
    return true;
}

static bool read_u32(struct line *l, uint32_t *out, struct error *err)
{
    int64_t n;

    if (!scan_i64(&l->scan, &n, err))
        return false;
    if (n < 0 || n > INT32_MAX)
        return scan_fail(&l->scan, err, "number out of range");
    *out = (uint32_t)n;
    return true;
}

static bool read_db(struct line *l, struct error *err)
{
    return read_u32(l, &l->r->head.db, err);
}

static bool read_rdb_version(struct line *l, struct error *err)
{
    return read_u32(l, &l->r->head.rdb_version, err);
}

static bool read_subtype(struct line *l, struct error *err)
{
    struct str word;

    if (!scan_string(&l->scan, &word, err))
        return false;
    l->r->head.hyperloglog = str_is(word, "hyperloglog");
    return true;
}

static bool read_field_deadlines(struct line *l, struct error *err)
{
    (void)scan_peek(&l->scan);
    l->deadlines = l->scan.at;
    return scan_skip(&l->scan, err);
}

static bool read_consistency(struct line *l, struct error *err)
{
    struct str word;

    if (!scan_string(&l->scan, &word, err))
        return false;
    l->r->head.fuzzy = str_is(word, "fuzzy");
    return l->r->head.fuzzy || str_is(word, "exact") ||
           scan_fail(&l->scan, err, "unknown consistency");
}

static bool read_chunk(struct line *l, struct error *err)
{
    struct record_head *h = &l->r->head;
    bool more;
    unsigned seen = 0;
    struct str name;

    if (!scan_open(&l->scan, '{', '}', &more, err))
        return false;
    for (more = !more; more;) {
        unsigned bit;
        bool ok;

        if (!scan_name(&l->scan, &name, err))
            return false;
        bit = str_is(name, "seq") ? 1 : str_is(name, "last") ? 2 : str_is(name, "count") ? 4 : 0;
        if ((seen & bit) != 0)
            return scan_fail(&l->scan, err, "a member of chunk stands twice");
        seen |= bit;
        if (bit == 1)
            ok = scan_u64(&l->scan, &h->chunk_seq, err);
        else if (bit == 2)
            ok = scan_bool(&l->scan, &h->chunk_last, err);
        else if (bit == 4)
            ok = scan_u64(&l->scan, &h->chunk_count, err);
        else
            ok = scan_skip(&l->scan, err);
        if (!ok || !scan_more(&l->scan, '}', &more, err))
            return false;
    }
    h->chunked = true;
    return seen == (h->chunk_last ? 7u : 3u) ||
           scan_fail(&l->scan, err, "chunk needs seq and last, and count when it is the last");
}

/* Two names may stand for one member: only one of them may be there. */
static const struct {
    const char *name;
    enum member member;
    bool (*read)(struct line *l, struct error *err);
} members[] = {
    {"key", MEMBER_KEY, read_key},
    {"key_b64", MEMBER_KEY, read_key_b64},
    {"type", MEMBER_TYPE, read_type},
    {"ttl_millis", MEMBER_TTL, read_ttl},
    {"value", MEMBER_VALUE, read_value},
    {"value_b64", MEMBER_VALUE, read_value_b64},
    {"dump_b64", MEMBER_VALUE, read_dump},
    {"expire_at_millis", MEMBER_DEADLINE, read_deadline},
    {"slot", MEMBER_SLOT, read_slot},
    {"db", MEMBER_DB, read_db},
    {"subtype", MEMBER_SUBTYPE, read_subtype},
    {"field_expire_at_millis", MEMBER_FIELD_DEADLINES, read_field_deadlines},
    {"consistency", MEMBER_CONSISTENCY, read_consistency},
    {"chunk", MEMBER_CHUNK, read_chunk},
    {"rdb_version", MEMBER_RDB_VERSION, read_rdb_version},
};

/* Members come in this order as a rule: *guess is where to look first. */
static bool read_member(struct line *l, size_t *guess, struct error *err)
{
    struct str name;

    if (!scan_name(&l->scan, &name, err))
        return false;
    for (size_t n = 0; n < COUNT_OF(members); n++) {
        size_t i = (*guess + n) % COUNT_OF(members);

        if (!str_is(name, members[i].name))
            continue;
        if ((l->seen & 1u << members[i].member) != 0)
            return scan_fail(&l->scan, err, "a member stands twice");
        *guess = i + 1;
        if (!members[i].read(l, err))
            return false;
        l->seen |= 1u << members[i].member;
        return true;
    }
    return scan_skip(&l->scan, err); /* of a newer version: not ours to judge */
}

static bool read_members(struct line *l, struct error *err)
{
    size_t guess = 0;
    bool more;

    if (!scan_open(&l->scan, '{', '}', &more, err))
        return false;
    for (more = !more; more;)
        if (!read_member(l, &guess, err) || !scan_more(&l->scan, '}', &more, err))
            return false;
    (void)scan_peek(&l->scan);
    return l->scan.at == l->scan.end || scan_fail(&l->scan, err, "bytes behind the record");
}

/* What needs the whole line: put off values, and rules between members. */
static bool settle(struct line *l, struct error *err)
{
    struct record_head *h = &l->r->head;
    const uint32_t need = 1u << MEMBER_KEY | 1u << MEMBER_TYPE | 1u << MEMBER_VALUE;
    char *end = l->scan.at;
    bool ok = true;

    if ((l->seen & need) != need)
        return scan_fail(&l->scan, err, "key, type or value is missing");
    if (l->dumped != (h->type == RECORD_OPAQUE))
        return scan_fail(&l->scan, err,
                         l->dumped ? "a dump instead of a typed value"
                                   : "unknown type without a dump");
    if (h->hyperloglog && h->type != RECORD_STRING)
        return scan_fail(&l->scan, err, "hyperloglog that is not a string");
    if (h->slot != SLOT_NONE && h->slot != slot_of_key(h->key))
        return scan_fail(&l->scan, err, "slot is not the key's");
    if (h->ttl_millis == RECORD_NO_TIME && h->expire_at_millis != RECORD_NO_TIME)
        return scan_fail(&l->scan, err, "a deadline without a TTL");
    if (l->value != NULL) {
        l->scan.at = l->value;
        ok = record_read_value(l->r, &l->scan, l->binary, err);
    }
    if (ok && l->deadlines != NULL) {
        l->scan.at = l->deadlines;
        ok = h->type == RECORD_HASH ? record_read_deadlines(l->r, &l->scan, l->binary, err)
                                    : scan_fail(&l->scan, err, "field deadlines outside a hash");
    }
    l->scan.at = end;
    return ok;
}

bool record_parse(struct record *r, struct str line, struct error *err)
{
    struct line l = {.r = r};

    forget(r);
    if (line.len > RECORD_LINE_MAX)
        return error_set(err, ERROR_LIMIT, 0, "a record of %zu bytes is too long", line.len);
    r->line = array_reserve(r->line, &r->line_cap, line.len + 1, 1);
    if (line.len > 0)
        memcpy(r->line, line.ptr, line.len);
    r->line[line.len] = '\0';
    l.scan = (struct scan){r->line, r->line, r->line + line.len};
    if (read_members(&l, err) && settle(&l, err))
        return true;
    forget(r);
    return false;
}

/* ---- accessors --------------------------------------------------------------------------------
 */

static struct str slice(const struct record *r, size_t i)
{
    return (struct str){r->line + r->items[i].off, r->items[i].len};
}

const struct record_head *record_head(const struct record *r)
{
    return &r->head;
}

size_t record_count(const struct record *r)
{
    switch (r->head.type) {
    case RECORD_HASH:
    case RECORD_ZSET:
        return r->item_count / 2;
    case RECORD_STREAM:
        return r->entry_count;
    case RECORD_STRING:
    case RECORD_LIST:
    case RECORD_SET:
    case RECORD_OPAQUE:
    case RECORD_TYPES:
        break;
    }
    return r->item_count;
}

struct str record_string(const struct record *r)
{
    return slice(r, 0);
}

struct str record_item(const struct record *r, size_t i)
{
    return slice(r, i);
}

void record_pair(const struct record *r, size_t i, struct str *first, struct str *second)
{
    *first = slice(r, 2 * i);
    *second = slice(r, 2 * i + 1);
}

double record_score(const struct record *r, size_t i)
{
    double score = 0;

    if (!str_to_double(slice(r, 2 * i + 1), &score))
        abort(); /* checked when the line was read */
    return score;
}

size_t record_deadlines(const struct record *r)
{
    return r->deadline_count;
}

void record_deadline(const struct record *r, size_t i, struct str *field, int64_t *millis)
{
    const struct record_deadline_item *d = &r->deadlines[i];

    *field = (struct str){r->line + d->field.off, d->field.len};
    *millis = d->millis;
}

struct str record_dump(const struct record *r)
{
    return r->dump;
}

void record_entry(const struct record *r, size_t i, struct record_entry *out)
{
    *out = r->entries[i];
}

struct str record_entry_item(const struct record *r, const struct record_entry *e, size_t i)
{
    return slice(r, e->first + i);
}

bool record_has_state(const struct record *r)
{
    return r->has_state;
}

struct stream_state record_state(const struct record *r)
{
    return r->state;
}

const struct stream_group *record_groups(const struct record *r, size_t *count)
{
    *count = r->group_count;
    return r->groups;
}
