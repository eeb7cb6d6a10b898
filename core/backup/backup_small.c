#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/backup/backup_private.h"
#include "core/redis/command.h"
#include "core/value/value_read.h"

#define LARGE_BYTES ((uint64_t)1 << 20)
#define LARGE_ELEMENTS 5000
#define PIPELINE_BYTES ((uint64_t)8 << 20) /* of values asked for at once */
#define TTL_SLACK_MS 2000                  /* between two PTTL of one key (servers before 7.0) */
#define ALONE_TRIES 5

static bool send_raw(struct shard *s, bool ok, const struct error *err)
{
    struct error late = {0};

    if (!ok)
        return shard_failed(s, err);
    return conn_appended(s->conn, 1, 0, &late) || shard_broken(s, &late);
}

static bool send_read(struct shard *s, const struct item *item)
{
    struct error err = {0};
    bool ok = value_command(conn_out(s->conn), item->type, item->key, &err);

    return send_raw(s, ok, &err);
}

static bool send_expiry(struct shard *s, const struct item *item)
{
    struct str words[2];
    struct command c = shard_expiry_command(s, words);

    words[1] = item->key;
    return shard_send(s, c);
}

static void vanish(struct shard *s, struct item *item)
{
    tally_of(s->tally, item->slot)->vanished++;
    item->state = ITEM_DONE;
}

/* ---- first round trip: type, deadline, size ---------------------------------------------------
 */

static bool ask_first(struct shard *s, struct item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!shard_send(s, COMMAND(STR("TYPE"), items[i].key)) || !send_expiry(s, &items[i]))
            return false;
        if (s->memory_usage && !shard_send(s, COMMAND(STR("MEMORY"), STR("USAGE"), items[i].key)))
            return false;
    }
    return true;
}

static bool take_type(struct shard *s, struct item *item, const struct reply *r)
{
    if (r->type == REPLY_ERROR)
        return shard_error_reply(s, item, r);
    if (reply_is(r, "none")) {
        vanish(s, item);
        return true;
    }
    item->type = record_type_of(r->str);
    item->type_name = item->type == RECORD_OPAQUE ? arena_str(&s->keys, r->str)
                                                  : str_from(record_type_name(item->type));
    if (!filter_takes_type(&s->b->o->filter, item->type_name))
        item->state = ITEM_DONE;
    return true;
}

static bool take_expiry(struct shard *s, struct item *item, const struct reply *r)
{
    bool gone;

    if (item->state != ITEM_OPEN)
        return true;
    if (r->type == REPLY_ERROR)
        return shard_error_reply(s, item, r);
    if (!shard_deadline(s, r, &item->deadline, &gone))
        return shard_changed(s, "a TTL was answered with something else");
    if (gone)
        vanish(s, item);
    return true;
}

static void take_memory(struct shard *s, struct item *item, const struct reply *r)
{
    enum reply_error kind = reply_error_of(r);

    if (kind == REPLY_ERROR_NOPERM || kind == REPLY_ERROR_UNKNOWN_COMMAND)
        s->memory_usage = false; /* ask for lengths instead */
    if (r->type == REPLY_INTEGER && r->integer > 0)
        item->weight = (uint64_t)r->integer;
}

static bool first_pass(struct shard *s, struct item *items, size_t count)
{
    bool memory = s->memory_usage;
    const struct reply *r;

    if (!ask_first(s, items, count) || (s->scan.asked && !shard_scan_take(s)))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!shard_next(s, &r) || !take_type(s, &items[i], r) || !shard_next(s, &r) ||
            !take_expiry(s, &items[i], r))
            return false;
        if (memory) {
            if (!shard_next(s, &r))
                return false;
            take_memory(s, &items[i], r);
        }
    }
    return true;
}

/* Where MEMORY USAGE is not to be had: the length decides. */
static bool length_pass(struct shard *s, struct item *items, size_t count)
{
    static const char *const lengths[RECORD_TYPES] = {
        [RECORD_STRING] = "STRLEN", [RECORD_HASH] = "HLEN",  [RECORD_LIST] = "LLEN",
        [RECORD_SET] = "SCARD",     [RECORD_ZSET] = "ZCARD", [RECORD_STREAM] = "XLEN",
    };
    const struct reply *r;

    for (size_t i = 0; i < count; i++)
        if (items[i].state == ITEM_OPEN && items[i].type != RECORD_OPAQUE &&
            !shard_send(s, COMMAND(str_from(lengths[items[i].type]), items[i].key)))
            return false;
    for (size_t i = 0; i < count; i++) {
        if (items[i].state != ITEM_OPEN || items[i].type == RECORD_OPAQUE)
            continue;
        if (!shard_next(s, &r))
            return false;
        if (r->type != REPLY_INTEGER || r->integer <= 0)
            continue; /* the reading command will say what is wrong */
        items[i].weight = (uint64_t)r->integer;
        if (items[i].type != RECORD_STRING)
            items[i].weight =
                items[i].weight > LARGE_ELEMENTS ? LARGE_BYTES + 1 : items[i].weight * 64;
    }
    return true;
}

static void pick_large(struct shard *s, struct item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool fields = items[i].type == RECORD_HASH && s->field_ttl;

        if (items[i].state == ITEM_OPEN && items[i].type != RECORD_OPAQUE &&
            (items[i].weight > LARGE_BYTES || fields))
            items[i].state = ITEM_LARGE;
    }
}

/* ---- second round trip: the value, between two looks at the deadline --------------------------
 */

static bool same_deadline(const struct shard *s, int64_t a, int64_t b)
{
    if (a == b || s->capability.has[CAP_EXPIRETIME])
        return a == b;
    if (a == RECORD_NO_TIME || b == RECORD_NO_TIME)
        return false;
    return a > b ? a - b < TTL_SLACK_MS : b - a < TTL_SLACK_MS;
}

/* The sink has taken it but it does not count yet: what became of it. */
static enum value_outcome take_reply(struct shard *s, struct item *item, const struct reply *r,
                                     struct record_head *head)
{
    enum value_outcome outcome;
    struct error err = {0};

    shard_head(s, item, head);
    if (item->type == RECORD_STRING && r->type == REPLY_STRING)
        head->hyperloglog = value_is_hyperloglog(r->str);
    outcome = s->b->sink.ops->take(s->sink, head, r, &err);
    item->state = ITEM_DONE;
    if (outcome == VALUE_GONE)
        vanish(s, item);
    else if (outcome == VALUE_TOO_LARGE)
        shard_unreadable(s, item, "too_large", err.text);
    else if (outcome == VALUE_BAD)
        shard_unreadable(s, item, "unreadable", err.text);
    return outcome;
}

static bool keep_value(struct shard *s, const struct record_head *head)
{
    struct error err = {0};

    shard_count(s, head);
    return s->b->sink.ops->keep(s->sink, &err) || shard_failed(s, &err);
}

static bool take_value(struct shard *s, struct item *item)
{
    enum value_outcome outcome = VALUE_GONE;
    struct record_head head;
    const struct reply *r;
    int64_t deadline;
    bool gone;

    if (!shard_next(s, &r))
        return false;
    if (r->type != REPLY_ERROR)
        outcome = take_reply(s, item, r, &head);
    else if (!shard_error_reply(s, item, r))
        return false;
    if (!shard_next(s, &r))
        return false;
    if (outcome != VALUE_WRITTEN)
        return true;
    if (!shard_deadline(s, r, &deadline, &gone) || gone ||
        !same_deadline(s, deadline, item->deadline)) {
        s->b->sink.ops->drop(s->sink);
        item->state = ITEM_AGAIN;
        return true;
    }
    return keep_value(s, &head);
}

/* Items from *at on, as many as their weights allow at once. */
static bool value_pass(struct shard *s, struct item *items, size_t count, size_t *at)
{
    uint64_t weight = 0;
    size_t end = *at;

    for (; end < count && weight < PIPELINE_BYTES; end++) {
        if (items[end].state != ITEM_OPEN)
            continue;
        weight += items[end].weight;
        if (!send_read(s, &items[end]) || !send_expiry(s, &items[end]))
            return false;
    }
    for (size_t i = *at; i < end; i++)
        if (items[i].state == ITEM_OPEN && !take_value(s, &items[i]))
            return false;
    *at = end;
    return true;
}

/* ---- a key that would not hold still: alone, in a transaction ---------------------------------
 */

/* EXEC's results: TYPE, expiry, value. */
static bool take_transaction(struct shard *s, struct item *item, const struct reply *r)
{
    struct record_head head;
    bool gone;

    if (r->type == REPLY_ERROR)
        return shard_error_reply(s, item, r);
    if (r->type != REPLY_ARRAY || r->count != 3)
        return shard_changed(s, "EXEC was answered with something else");
    if (reply_is(&r->elements[0], "none")) {
        vanish(s, item);
        return true;
    }
    if (r->elements[0].type == REPLY_ERROR)
        return shard_error_reply(s, item, &r->elements[0]);
    if (!str_equal(r->elements[0].str, item->type_name) ||
        !shard_deadline(s, &r->elements[1], &item->deadline, &gone))
        return true; /* once more */
    if (gone) {
        vanish(s, item);
        return true;
    }
    if (r->elements[2].type == REPLY_ERROR)
        return shard_error_reply(s, item, &r->elements[2]);
    return take_reply(s, item, &r->elements[2], &head) != VALUE_WRITTEN || keep_value(s, &head);
}

static bool try_alone(struct shard *s, struct item *item)
{
    const struct reply *r;

    item->state = ITEM_OPEN;
    if (!shard_send(s, COMMAND(STR("TYPE"), item->key)) || !shard_send(s, COMMAND(STR("TIME"))) ||
        !shard_next(s, &r) || !take_type(s, item, r) || !shard_next(s, &r))
        return false;
    shard_take_time(s, r);
    if (item->state == ITEM_OPEN && item->type == RECORD_HASH && s->field_ttl)
        item->state = ITEM_LARGE;
    if (item->state != ITEM_OPEN)
        return true;
    if (!shard_send(s, COMMAND(STR("MULTI"))) || !shard_send(s, COMMAND(STR("TYPE"), item->key)) ||
        !send_expiry(s, item) || !send_read(s, item) || !shard_send(s, COMMAND(STR("EXEC"))))
        return false;
    for (int i = 0; i < 4; i++) /* OK and QUEUED; what is wrong shows in EXEC as well */
        if (!shard_next(s, &r))
            return false;
    if (!shard_next(s, &r))
        return false;
    item->state = ITEM_AGAIN;
    return take_transaction(s, item, r);
}

static bool is_settled(const struct item *item)
{
    return item->state == ITEM_DONE || item->state == ITEM_LATER;
}

/* A key that the pipeline could not settle. */
static bool read_alone(struct shard *s, struct item *item)
{
    for (int i = 0; i < ALONE_TRIES && !is_settled(item); i++)
        if (item->state == ITEM_LARGE ? !shard_read_large(s, item) : !try_alone(s, item))
            return false;
    if (is_settled(item))
        return true;
    shard_unreadable(s, item, "unreadable", "its type kept changing while it was read");
    item->state = ITEM_DONE;
    return true;
}

static bool read_once(struct shard *s, struct item *items, size_t count)
{
    if (!first_pass(s, items, count))
        return false;
    if (!s->memory_usage && !length_pass(s, items, count))
        return false;
    pick_large(s, items, count);
    for (size_t at = 0; at < count;)
        if (!value_pass(s, items, count, &at))
            return false;
    for (size_t i = 0; i < count; i++)
        if (!read_alone(s, &items[i]))
            return false;
    return true;
}

/* What was put off moves to the front, as if it had never been asked for. */
static size_t keep_later(struct item *items, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (items[i].state == ITEM_LATER)
            items[kept++] = (struct item){
                .key = items[i].key, .slot = items[i].slot, .deadline = RECORD_NO_TIME};
    }
    return kept;
}

bool shard_read_batch(struct shard *s, struct item *items, size_t count)
{
    if (count == 0)
        return !s->scan.asked || shard_scan_take(s);
    for (;;) {
        if (!read_once(s, items, count))
            return false;
        count = keep_later(items, count);
        if (count == 0)
            break;
        if (!shard_wait(s))
            return false;
    }
    shard_waited(s);
    return true;
}
