#include <stdio.h>

#include "core/base/clock.h"
#include "core/redis/command.h"
#include "core/value/live_sum.h"
#include "core/value/value_read.h"
#include "core/verify/verify_worker.h"

/* ---- replies --------------------------------------------------------------------------------- */

/* TYPE, PTTL, and for types that have one the length. */
static void on_fact(void *arg, const struct pipeline_reply *r)
{
    struct verify_worker *w = arg;
    struct verify_check *c = &w->checks[r->tag];
    int64_t number;

    if (r->index < c->skip) { /* SELECT: where it fails, what follows is about other keys */
        c->nowhere = r->reply->type == REPLY_ERROR;
        return;
    }
    if (r->index == c->skip) {
        c->why = (struct error){0};
        c->length = -1;
        if (reply_check(r->reply, "TYPE", &c->why)) {
            c->there = !c->nowhere && !str_is(r->reply->str, "none");
            c->live_type = record_type_of(r->reply->str);
        }
        return;
    }
    if (r->index == c->skip + 2) { /* WRONGTYPE: the type says it already */
        c->length = r->reply->type == REPLY_INTEGER ? r->reply->integer : -1;
        return;
    }
    if (r->index != c->skip + 1 || !reply_want_i64(r->reply, "PTTL", &number, &c->why))
        return;
    if (number == -2)
        c->there = false;
    c->deadline_ms = number < 0 ? RECORD_NO_TIME : clock_real_ms() + w->s->clock_ahead_ms + number;
}

static bool wants_deadlines(const struct verify_shared *s, const struct verify_check *c)
{
    return c->head.type == RECORD_HASH && (c->timed || s->field_ttl);
}

/* Fields and values are kept until the deadlines come in. */
static void keep_fields(struct verify_worker *w, struct verify_check *c, const struct reply *r)
{
    size_t count = r->count / 2;

    c->fields = arena_array(&w->names, count, sizeof(*c->fields));
    c->values = arena_array(&w->names, count, sizeof(*c->values));
    c->field_count = count;
    for (size_t i = 0; i < count; i++) {
        c->fields[i] = arena_str(&w->names, r->elements[2 * i].str);
        c->values[i] = arena_str(&w->names, r->elements[2 * i + 1].str);
    }
}

static void on_value(void *arg, const struct pipeline_reply *r)
{
    struct verify_worker *w = arg;
    struct verify_check *c = &w->checks[r->tag];
    struct live_sum_ask ask = {
        .key = c->key, .type = c->head.type, .groups = !w->s->options->no_stream_groups};
    bool gone = false;

    if (r->index != c->skip)
        return;
    c->why = (struct error){0};
    c->has_value = false;
    c->field_count = 0;
    if (!reply_check(r->reply, "read", &c->why) ||
        !live_sum_reply(&ask, r->reply, &w->scratch, c->live, &gone, &c->why))
        return;
    c->there = c->there && !gone;
    c->has_value = !gone;
    if (!gone && wants_deadlines(w->s, c))
        keep_fields(w, c, r->reply);
}

/* HPEXPIRETIME of all fields; the value is summed up anew, now with them. */
static void on_deadlines(void *arg, const struct pipeline_reply *r)
{
    struct verify_worker *w = arg;
    struct verify_check *c = &w->checks[r->tag];

    if (r->index != c->skip)
        return;
    c->why = (struct error){0};
    c->has_value = reply_want_array(r->reply, "HPEXPIRETIME", &c->why);
    value_sum_clear(c->live);
    value_sum_start(c->live, RECORD_HASH);
    /* Empty: the key went meanwhile. */
    c->there = c->there && (!c->has_value || r->reply->count > 0);
    for (size_t i = 0; c->has_value && i < c->field_count && i < r->reply->count; i++) {
        int64_t at = r->reply->elements[i].integer;

        if (at != -2) /* gone meanwhile */
            value_sum_pair_until(c->live, c->fields[i], c->values[i], at < 0 ? RECORD_NO_TIME : at);
    }
}

/* ---- commands -------------------------------------------------------------------------------- */

static const char *length_command(enum record_type type)
{
    static const char *const names[RECORD_TYPES] = {
        [RECORD_STRING] = "STRLEN", [RECORD_HASH] = "HLEN",  [RECORD_LIST] = "LLEN",
        [RECORD_SET] = "SCARD",     [RECORD_ZSET] = "ZCARD", [RECORD_STREAM] = "XLEN",
    };

    return names[type];
}

static uint16_t slot_of(const struct verify_worker *w, struct str key)
{
    return w->s->cluster ? slot_of_key(key) : 0;
}

bool verify_append_select(struct buf *out, uint32_t key_db, uint32_t db, size_t *n,
                          struct error *err)
{
    if (key_db == 0)
        return true;
    ++*n;
    return command_begin(out, 2, err) && command_arg_text(out, "SELECT", err) &&
           command_arg_u64(out, db, err);
}

bool verify_read_facts(struct verify_worker *w, struct error *err)
{
    for (size_t i = 0; i < w->count; i++) {
        const struct verify_check *c = &w->checks[i];
        const char *length = length_command(c->head.type);
        struct buf *out = pipeline_begin(w->facts);
        size_t n = length != NULL ? 3 : 2;

        if (!verify_append_select(out, c->head.db, c->head.db, &n, err) ||
            !command_append(out, COMMAND(STR("TYPE"), c->key), err) ||
            !command_append(out, COMMAND(STR("PTTL"), c->key), err))
            return false;
        if (length != NULL && !command_append(out, COMMAND(str_from(length), c->key), err))
            return false;
        if (!verify_append_select(out, c->head.db, 0, &n, err))
            return false;
        pipeline_end(w->facts, slot_of(w, c->key), n, i);
    }
    return pipeline_flush(w->facts, err);
}

bool verify_worth_reading(const struct verify_check *c)
{
    return c->there && c->why.code == ERROR_NONE && c->live_type == c->head.type;
}

bool verify_is_large(const struct verify_check *c)
{
    int64_t limit = c->head.type == RECORD_STRING ? VERIFY_LARGE_BYTES : VERIFY_LARGE_ITEMS;

    return c->large || c->length > limit;
}

static bool append_deadlines(struct buf *out, const struct verify_check *c, struct error *err)
{
    if (!command_begin(out, 4 + c->field_count, err) ||
        !command_arg_text(out, "HPEXPIRETIME", err) || !command_arg(out, c->key, err) ||
        !command_arg_text(out, "FIELDS", err) || !command_arg_u64(out, c->field_count, err))
        return false;
    for (size_t i = 0; i < c->field_count; i++)
        if (!command_arg(out, c->fields[i], err))
            return false;
    return true;
}

/* Only where the server can have them: elsewhere nothing was asked to keep its fields. */
static bool read_deadlines(struct verify_worker *w, struct error *err)
{
    for (size_t i = 0; i < w->count; i++) {
        const struct verify_check *c = &w->checks[i];
        struct buf *out;
        size_t n = 1;

        if (!w->s->field_ttl || !c->has_value || c->field_count == 0)
            continue;
        out = pipeline_begin(w->deadlines);
        if (!verify_append_select(out, c->head.db, c->head.db, &n, err) ||
            !append_deadlines(out, c, err) || !verify_append_select(out, c->head.db, 0, &n, err))
            return false;
        pipeline_end(w->deadlines, slot_of(w, c->key), n, i);
    }
    return pipeline_flush(w->deadlines, err);
}

bool verify_read_values(struct verify_worker *w, struct error *err)
{
    for (size_t i = 0; i < w->count; i++) {
        const struct verify_check *c = &w->checks[i];
        struct buf *out;
        size_t n = 1;

        if (!verify_worth_reading(c) || verify_is_large(c))
            continue;
        out = pipeline_begin(w->values);
        if (!verify_append_select(out, c->head.db, c->head.db, &n, err) ||
            !value_command(out, c->head.type, c->key, err) ||
            !verify_append_select(out, c->head.db, 0, &n, err))
            return false;
        pipeline_end(w->values, slot_of(w, c->key), n, i);
    }
    return pipeline_flush(w->values, err) && read_deadlines(w, err);
}

/* ---- pipelines ------------------------------------------------------------------------------- */

static struct pipeline *new_pipeline(struct verify_worker *w,
                                     void (*reply)(void *, const struct pipeline_reply *))
{
    struct pipeline_handler handler = {reply, w};

    return pipeline_new(w->cluster, &handler, verify_outage_ms(w->s), &w->s->target->cancel);
}

void verify_read_init(struct verify_worker *w)
{
    w->facts = new_pipeline(w, on_fact);
    w->values = new_pipeline(w, on_value);
    w->deadlines = new_pipeline(w, on_deadlines);
}

void verify_read_release(struct verify_worker *w)
{
    pipeline_free(w->facts);
    pipeline_free(w->values);
    pipeline_free(w->deadlines);
}
