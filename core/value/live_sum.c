#include "core/value/live_sum.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/value/stream_read.h"
#include "core/value/value_read.h"

#define WINDOW_ITEMS 1000
#define WINDOW_BYTES ((int64_t)1 << 20)
#define TIMEOUT_MS CONN_TIMEOUT_LONG

struct read {
    struct conn *c;
    struct str key;
    struct value_sum *out;
    bool deadlines;
    bool asking;
    struct arena scratch;
};

struct number {
    char text[24];
};

static struct str number(struct number *n, int64_t value)
{
    int len = snprintf(n->text, sizeof(n->text), "%" PRId64, value);

    return (struct str){n->text, (size_t)len};
}

static bool call(struct read *d, struct command command, const struct reply **r, struct error *err)
{
    if (d->asking && !conn_call(d->c, COMMAND(STR("ASKING")), 0, r, err))
        return false;
    return conn_call(d->c, command, TIMEOUT_MS, r, err) && reply_check(*r, "read", err);
}

static bool read_string(struct read *d, struct error *err)
{
    for (int64_t at = 0;; at += WINDOW_BYTES) {
        struct number from;
        struct number to;
        const struct reply *r;

        if (!call(d,
                  COMMAND(STR("GETRANGE"), d->key, number(&from, at),
                          number(&to, at + WINDOW_BYTES - 1)),
                  &r, err))
            return false;
        if (r->str.len > 0)
            value_sum_bytes(d->out, r->str, at == 0 && value_is_hyperloglog(r->str));
        if ((int64_t)r->str.len < WINDOW_BYTES)
            return true;
    }
}

static bool read_list(struct read *d, struct error *err)
{
    for (int64_t at = 0;; at += WINDOW_ITEMS) {
        struct number from;
        struct number to;
        const struct reply *r;

        if (!call(d,
                  COMMAND(STR("LRANGE"), d->key, number(&from, at),
                          number(&to, at + WINDOW_ITEMS - 1)),
                  &r, err) ||
            !reply_want_array(r, "LRANGE", err))
            return false;
        for (size_t i = 0; i < r->count; i++)
            value_sum_element(d->out, r->elements[i].str);
        if (r->count < WINDOW_ITEMS)
            return true;
    }
}

static bool take_scanned(struct read *d, enum record_type type, const struct reply *list,
                         struct error *err)
{
    size_t width = type == RECORD_SET ? 1 : 2;

    if (!reply_want_array(list, "scan of a key", err))
        return false;
    for (size_t i = 0; i + width <= list->count; i += width) {
        struct str first = list->elements[i].str;
        double score = 0;

        if (type == RECORD_SET)
            value_sum_element(d->out, first);
        else if (type == RECORD_HASH)
            value_sum_pair(d->out, first, list->elements[i + 1].str);
        else if (str_to_double(list->elements[i + 1].str, &score))
            value_sum_member(d->out, first, score);
        else
            return error_set(err, ERROR_REPLY, 0, "a score that is no number");
    }
    return true;
}

/* The pairs of a window with the deadlines of their fields. */
static bool take_timed(struct read *d, const struct reply *list, struct error *err)
{
    size_t count = list->count / 2;
    const struct reply *r;
    struct str *argv;
    struct number n;

    if (count == 0)
        return true;
    list = reply_copy(&d->scratch, list); /* the next reply replaces it */
    argv = arena_array(&d->scratch, count + 4, sizeof(*argv));
    argv[0] = STR("HPEXPIRETIME");
    argv[1] = d->key;
    argv[2] = STR("FIELDS");
    argv[3] = number(&n, (int64_t)count);
    for (size_t i = 0; i < count; i++)
        argv[4 + i] = list->elements[2 * i].str;
    if (!call(d, (struct command){argv, count + 4}, &r, err) ||
        !reply_want_array(r, "HPEXPIRETIME", err))
        return false;
    if (r->count != count)
        return r->count == 0 || error_set(err, ERROR_REPLY, 0, "HPEXPIRETIME left fields out");
    for (size_t i = 0; i < count; i++) {
        int64_t at = r->elements[i].integer;

        if (at != -2) /* gone meanwhile */
            value_sum_pair_until(d->out, argv[4 + i], list->elements[2 * i + 1].str,
                                 at < 0 ? RECORD_NO_TIME : at);
    }
    arena_clear(&d->scratch);
    return true;
}

static bool read_scan(struct read *d, enum record_type type, struct error *err)
{
    const char *name = type == RECORD_SET ? "SSCAN" : type == RECORD_HASH ? "HSCAN" : "ZSCAN";
    char cursor[24] = "0";
    struct number window;

    do {
        const struct reply *r;

        if (!call(d,
                  COMMAND(str_from(name), d->key, str_from(cursor), STR("COUNT"),
                          number(&window, WINDOW_ITEMS)),
                  &r, err) ||
            !reply_want_array(r, name, err))
            return false;
        if (r->count != 2 || !str_copy(r->elements[0].str, cursor, sizeof(cursor)))
            return error_set(err, ERROR_REPLY, 0, "%s answered something else", name);
        if (type == RECORD_HASH && d->deadlines && r->elements[1].type == REPLY_ARRAY) {
            if (!take_timed(d, &r->elements[1], err))
                return false;
        } else if (!take_scanned(d, type, &r->elements[1], err)) {
            return false;
        }
    } while (strcmp(cursor, "0") != 0);
    return true;
}

/* ---- streams --------------------------------------------------------------------------------- */

static bool read_entries(struct read *d, struct stream_id last, struct error *err)
{
    struct stream_id next = {0, 0};
    bool more = true;

    while (more) {
        char from[STREAM_ID_TEXT];
        char to[STREAM_ID_TEXT];
        struct number window;
        const struct reply *r;

        if (!call(d,
                  COMMAND(STR("XRANGE"), d->key,
                          str_from(stream_id_format(from, sizeof(from), next)),
                          str_from(stream_id_format(to, sizeof(to), last)), STR("COUNT"),
                          number(&window, WINDOW_ITEMS)),
                  &r, err) ||
            !reply_want_array(r, "XRANGE", err))
            return false;
        for (size_t i = 0; i < r->count; i++) {
            struct str *fields;
            struct stream_id id;
            size_t count;

            if (!stream_read_entry(&r->elements[i], &d->scratch, &id, &fields, &count, err))
                return false;
            value_sum_entry(d->out, id, fields, count);
            more = stream_id_next(id, &next);
        }
        more = more && r->count == WINDOW_ITEMS;
        arena_clear(&d->scratch);
    }
    return true;
}

static bool read_consumers(struct read *d, struct stream_group *g, struct error *err)
{
    const struct reply *r;

    if (!call(d, COMMAND(STR("XINFO"), STR("CONSUMERS"), d->key, g->name), &r, err) ||
        !reply_want_array(r, "XINFO CONSUMERS", err))
        return false;
    g->consumers = arena_array(&d->scratch, r->count, sizeof(*g->consumers));
    for (size_t i = 0; i < r->count; i++) {
        const struct reply *name = reply_member(&r->elements[i], "name");

        if (name == NULL)
            return error_set(err, ERROR_REPLY, 0, "a consumer without a name");
        g->consumers[g->consumer_count++] = arena_str(&d->scratch, name->str);
    }
    value_sum_group(d->out, g);
    return true;
}

/* XPENDING tells for how long entries have been idle, by the server's clock. */
static bool read_now(struct read *d, int64_t *now_ms, struct error *err)
{
    const struct reply *r;
    int64_t seconds;
    int64_t micros;

    if (!call(d, COMMAND(STR("TIME")), &r, err) || !reply_want_array(r, "TIME", err))
        return false;
    if (r->count != 2 || !str_to_i64(r->elements[0].str, &seconds) ||
        !str_to_i64(r->elements[1].str, &micros))
        return error_set(err, ERROR_REPLY, 0, "TIME is not a time");
    *now_ms = seconds * 1000 + micros / 1000;
    return true;
}

/* Pending entries in pages; each page is added as one more piece of the group. */
static bool read_pending(struct read *d, struct stream_group *g, struct error *err)
{
    struct stream_id next = {0, 0};
    bool more = true;

    while (more) {
        struct arena page = {0};
        struct stream_group piece = *g;
        char from[STREAM_ID_TEXT];
        struct number window;
        const struct reply *r;
        int64_t now_ms = 0;
        bool ok = read_now(d, &now_ms, err) &&
                  call(d,
                       COMMAND(STR("XPENDING"), d->key, g->name,
                               str_from(stream_id_format(from, sizeof(from), next)), STR("+"),
                               number(&window, WINDOW_ITEMS)),
                       &r, err) &&
                  reply_want_array(r, "XPENDING", err);

        piece.pending_count = 0;
        ok = ok && stream_read_pending(r, now_ms, &page, &piece, err);
        more = ok && piece.pending_count == WINDOW_ITEMS &&
               stream_id_next(piece.pending[piece.pending_count - 1].id, &next);
        if (ok)
            value_sum_group(d->out, &piece);
        arena_release(&page);
        if (!ok)
            return false;
    }
    return true;
}

static bool read_groups(struct read *d, struct error *err)
{
    const struct reply *r;
    struct stream_group *groups;
    size_t count;

    if (!call(d, COMMAND(STR("XINFO"), STR("GROUPS"), d->key), &r, err) ||
        !reply_want_array(r, "XINFO GROUPS", err))
        return false;
    count = r->count;
    groups = arena_array(&d->scratch, count, sizeof(*groups));
    for (size_t i = 0; i < count; i++) {
        if (!stream_read_group(&r->elements[i], &d->scratch, &groups[i], err))
            return false;
        groups[i].name = arena_str(&d->scratch, groups[i].name);
    }
    for (size_t i = 0; i < count; i++)
        if (!read_consumers(d, &groups[i], err) || !read_pending(d, &groups[i], err))
            return false;
    return true;
}

static bool read_stream(struct read *d, bool groups, struct error *err)
{
    const struct reply *r;
    struct stream_state state;

    if (!call(d, COMMAND(STR("XINFO"), STR("STREAM"), d->key), &r, err) ||
        !stream_read_state(r, &state, err))
        return false;
    value_sum_state(d->out, &state);
    return read_entries(d, state.last_id, err) && (!groups || read_groups(d, err));
}

static bool read_dump(struct read *d, struct error *err)
{
    const struct reply *r;

    if (!call(d, COMMAND(STR("DUMP"), d->key), &r, err))
        return false;
    value_sum_dump(d->out, r->str);
    return true;
}

bool live_sum_read(struct conn *c, const struct live_sum_ask *ask, struct value_sum *out,
                   bool *gone, struct error *err)
{
    struct read d = {
        .c = c, .key = ask->key, .out = out, .deadlines = ask->deadlines, .asking = ask->asking};
    const struct reply *r;
    int64_t there = 0;
    bool ok = false;

    value_sum_clear(out);
    value_sum_start(out, ask->type);
    switch (ask->type) {
    case RECORD_STRING:
        ok = read_string(&d, err);
        break;
    case RECORD_LIST:
        ok = read_list(&d, err);
        break;
    case RECORD_HASH:
    case RECORD_SET:
    case RECORD_ZSET:
        ok = read_scan(&d, ask->type, err);
        break;
    case RECORD_STREAM:
        ok = read_stream(&d, ask->groups, err);
        break;
    case RECORD_OPAQUE:
    case RECORD_TYPES:
        ok = read_dump(&d, err);
        break;
    }
    ok = ok && call(&d, COMMAND(STR("EXISTS"), ask->key), &r, err) &&
         reply_want_i64(r, "EXISTS", &there, err);
    if (ok)
        *gone = there == 0;
    arena_release(&d.scratch);
    return ok;
}

/* ---- small keys, from one reply ---------------------------------------------------------------
 */

static bool take_list(const struct live_sum_ask *ask, const struct reply *r, struct value_sum *out,
                      struct error *err)
{
    bool pairs = ask->type == RECORD_HASH || ask->type == RECORD_ZSET;
    struct read d = {.out = out};

    if (r->type != REPLY_ARRAY || (pairs && r->count % 2 != 0))
        return error_set(err, ERROR_REPLY, 0, "the server's answer is no list of elements");
    for (size_t i = 0; i < r->count; i++)
        if (r->elements[i].type != REPLY_STRING)
            return error_set(err, ERROR_REPLY, 0, "an element is not a string");
    if (ask->type != RECORD_LIST)
        return take_scanned(&d, ask->type, r, err);
    for (size_t i = 0; i < r->count; i++)
        value_sum_element(out, r->elements[i].str);
    return true;
}

/* XINFO STREAM … FULL COUNT 0 */
static bool take_stream(const struct live_sum_ask *ask, const struct reply *r,
                        struct arena *scratch, struct value_sum *out, struct error *err)
{
    const struct reply *entries = r->type == REPLY_ARRAY ? reply_member(r, "entries") : NULL;
    struct stream_state state;
    struct stream_group *groups = NULL;
    size_t count = 0;

    if (entries == NULL || entries->type != REPLY_ARRAY)
        return error_set(err, ERROR_REPLY, 0, "the server's answer about a stream lacks entries");
    for (size_t i = 0; i < entries->count; i++) {
        struct stream_id id;
        struct str *fields;
        size_t n;

        if (!stream_read_entry(&entries->elements[i], scratch, &id, &fields, &n, err))
            return false;
        value_sum_entry(out, id, fields, n);
    }
    if (!stream_read_state(r, &state, err))
        return false;
    value_sum_state(out, &state);
    if (ask->groups &&
        !stream_read_groups(reply_member(r, "groups"), scratch, &groups, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        value_sum_group(out, &groups[i]);
    return true;
}

bool live_sum_reply(const struct live_sum_ask *ask, const struct reply *r, struct arena *scratch,
                    struct value_sum *out, bool *gone, struct error *err)
{
    bool ok = true;

    value_sum_clear(out);
    value_sum_start(out, ask->type);
    /* Fields of a hash may expire one by one and leave an empty shell. */
    *gone = r->type == REPLY_NIL ||
            (ask->type != RECORD_STREAM && r->type == REPLY_ARRAY && r->count == 0);
    if (*gone)
        return true;
    if (ask->type == RECORD_STREAM)
        ok = take_stream(ask, r, scratch, out, err);
    else if (ask->type != RECORD_STRING && ask->type != RECORD_OPAQUE)
        ok = take_list(ask, r, out, err);
    else if (r->type != REPLY_STRING)
        ok = error_set(err, ERROR_REPLY, 0, "the server's answer is not a string");
    else if (ask->type == RECORD_STRING)
        value_sum_bytes(out, r->str, value_is_hyperloglog(r->str));
    else
        value_sum_dump(out, r->str);
    arena_clear(scratch);
    return ok;
}
