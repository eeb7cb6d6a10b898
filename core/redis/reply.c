#include "core/redis/reply.h"

#include <hiredis/hiredis.h>
#include <hiredis/read.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/buf.h"
#include "core/base/escape.h"

/* What hiredis gets at once. Its reader moves all that is left after each 1024 bytes, so a small
 * piece is cheap and a large one is not. */
#define PIECE ((size_t)16 * 1024)

#if HIREDIS_MAJOR >= 1
typedef size_t element_count;
#else
typedef int element_count;
#endif

#define DEPTH_MAX 8

struct reply_parser {
    redisReader *reader;
    struct arena arena;
    struct buf held; /* fed by the caller, not yet given to the reader */
    size_t held_at;
    size_t max_elements;
    size_t max_bytes;
    size_t elements; /* of the reply being built */
    size_t bytes;    /* given to the reader since the last complete reply */
    bool returned;   /* the arena holds a reply that the caller has seen */
    bool too_many;
    bool dead;
};

/* ---- hiredis' reader functions: build struct reply in the arena --------------------------------
 */

/* The place of the value that is being read: in its parent's array, or a new root. */
static struct reply *place(const redisReadTask *task)
{
    struct reply_parser *p = task->privdata;
    if (task->parent != NULL) {
        struct reply *parent = task->parent->obj;
        return &parent->elements[task->idx];
    }
    return arena_alloc(&p->arena, sizeof(struct reply));
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the signature is hiredis' */
static void *create_string(const redisReadTask *task, char *text, size_t len)
{
    static const enum reply_type types[] = {
        [REDIS_REPLY_STRING] = REPLY_STRING,
        [REDIS_REPLY_STATUS] = REPLY_STATUS,
        [REDIS_REPLY_ERROR] = REPLY_ERROR,
    };
    struct reply_parser *p = task->privdata;
    if (task->type < 0 || (size_t)task->type >= COUNT_OF(types) || types[task->type] == REPLY_NIL)
        return NULL;
    struct reply *r = place(task);
    r->type = types[task->type];
    r->str = arena_str(&p->arena, (struct str){text, len});
    return r;
}

/* hiredis 1.x nests without end, 0.14 refuses a ninth array within the others by itself. */
static bool is_too_deep(const redisReadTask *task)
{
    size_t depth = 0;
    for (; task->parent != NULL; task = task->parent)
        depth++;
    return depth >= DEPTH_MAX;
}

static void *create_array(const redisReadTask *task, element_count wanted)
{
    struct reply_parser *p = task->privdata;
    size_t count = (size_t)wanted;
    if (task->type != REDIS_REPLY_ARRAY || is_too_deep(task))
        return NULL;
    if (count > p->max_elements - p->elements) {
        p->too_many = true;
        return NULL;
    }
    p->elements += count;
    struct reply *r = place(task);
    r->type = REPLY_ARRAY;
    r->count = count;
    r->elements = count == 0 ? NULL : arena_array(&p->arena, count, sizeof(struct reply));
    return r;
}

static void *create_integer(const redisReadTask *task, long long value)
{
    if (task->type != REDIS_REPLY_INTEGER)
        return NULL;
    struct reply *r = place(task);
    r->type = REPLY_INTEGER;
    r->integer = value;
    return r;
}

static void *create_nil(const redisReadTask *task)
{
    struct reply *r = place(task);
    r->type = REPLY_NIL;
    return r;
}

#if HIREDIS_MAJOR >= 1
/* RESP3 only: nothing that we asked for. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the signature is hiredis' */
static void *create_double(const redisReadTask *task, double value, char *text, size_t len)
{
    (void)task;
    (void)value;
    (void)text;
    (void)len;
    return NULL;
}

static void *create_bool(const redisReadTask *task, int value)
{
    (void)task;
    (void)value;
    return NULL;
}
#endif

static void free_object(void *object)
{
    (void)object; /* the arena owns it */
}

static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
#if HIREDIS_MAJOR >= 1
    .createDouble = create_double,
    .createBool = create_bool,
#endif
    .freeObject = free_object,
};

/* ---- parser ---------------------------------------------------------------------------------- */

struct reply_parser *reply_parser_new(size_t max_elements, size_t max_bytes)
{
    struct reply_parser *p = mem_zero(1, sizeof(*p));
    p->max_elements = max_elements != 0 ? max_elements : REPLY_MAX_ELEMENTS;
    p->max_bytes = max_bytes != 0 ? max_bytes : REPLY_MAX_BYTES;
    buf_init(&p->held, p->max_bytes + 2 * PIECE);
    p->reader = redisReaderCreateWithFunctions(&functions);
    if (p->reader == NULL)
        abort();
    p->reader->privdata = p;
    p->reader->maxbuf = 4 * PIECE;
    return p;
}

void reply_parser_free(struct reply_parser *p)
{
    if (p != NULL) {
        redisReaderFree(p->reader);
        arena_release(&p->arena);
        buf_release(&p->held);
        free(p);
    }
}

size_t reply_parser_waiting(const struct reply_parser *p)
{
    return p->held.len - p->held_at + (p->reader->len - p->reader->pos);
}

bool reply_parser_feed(struct reply_parser *p, struct str bytes, struct error *err)
{
    if (p->dead)
        return error_set(err, ERROR_CORRUPT, 0, "the replies before were broken");
    if (p->held_at == p->held.len) {
        buf_clear(&p->held);
        p->held_at = 0;
    } else if (p->held_at > p->held.len / 2) {
        buf_drop_front(&p->held, p->held_at);
        p->held_at = 0;
    }
    return buf_append(&p->held, bytes, err);
}

static bool broken(struct reply_parser *p, struct error *err)
{
    char shown[160];
    p->dead = true;
    if (p->too_many)
        return error_set(err, ERROR_LIMIT, 0, "a reply of more than %zu elements", p->max_elements);
    return error_set(err, ERROR_CORRUPT, 0, "not a valid reply: %s",
                     escape_text(shown, sizeof(shown), str_from(p->reader->errstr)));
}

static bool give_piece(struct reply_parser *p, struct error *err)
{
    size_t left = p->held.len - p->held_at;
    size_t n = left < PIECE ? left : PIECE;
    if (p->bytes + n > p->max_bytes + PIECE) {
        p->dead = true;
        return error_set(err, ERROR_LIMIT, 0, "a reply of more than %zu bytes", p->max_bytes);
    }
    if (redisReaderFeed(p->reader, p->held.data + p->held_at, n) != REDIS_OK)
        return broken(p, err);
    p->held_at += n;
    p->bytes += n;
    return true;
}

bool reply_parser_next(struct reply_parser *p, const struct reply **out, struct error *err)
{
    *out = NULL;
    if (p->dead)
        return error_set(err, ERROR_CORRUPT, 0, "the replies before were broken");
    if (p->returned) {
        arena_clear(&p->arena);
        p->returned = false;
        p->elements = 0;
    }
    for (;;) {
        void *reply = NULL;
        if (redisReaderGetReply(p->reader, &reply) != REDIS_OK)
            return broken(p, err);
        if (reply != NULL) {
            p->returned = true;
            p->bytes = p->reader->len - p->reader->pos;
            *out = reply;
            return true;
        }
        if (p->held_at == p->held.len)
            return true;
        if (!give_piece(p, err))
            return false;
    }
}

/* ---- values ---------------------------------------------------------------------------------- */

static void copy_into(struct arena *a, struct reply *to, const struct reply *from)
{
    *to = *from;
    if (from->str.ptr != NULL)
        to->str = arena_str(a, from->str);
    if (from->count > 0)
        to->elements = arena_array(a, from->count, sizeof(struct reply));
    for (size_t i = 0; i < from->count; i++)
        copy_into(a, &to->elements[i], &from->elements[i]); /* at most 8 levels */
}

struct reply *reply_copy(struct arena *a, const struct reply *r)
{
    struct reply *copy = arena_alloc(a, sizeof(*copy));
    copy_into(a, copy, r);
    return copy;
}

static const char *type_word(enum reply_type type)
{
    static const char *const words[] = {
        [REPLY_NIL] = "nil",        [REPLY_STRING] = "a string",    [REPLY_STATUS] = "a status",
        [REPLY_ERROR] = "an error", [REPLY_INTEGER] = "an integer", [REPLY_ARRAY] = "an array",
    };
    return words[type];
}

static bool unexpected(const struct reply *r, const char *what, const char *wanted,
                       struct error *err)
{
    if (r->type == REPLY_ERROR)
        return reply_check(r, what, err);
    return error_set(err, ERROR_REPLY, 0, "%s: %s came where %s was expected", what,
                     type_word(r->type), wanted);
}

bool reply_want_array(const struct reply *r, const char *what, struct error *err)
{
    return r->type == REPLY_ARRAY || unexpected(r, what, "an array", err);
}

bool reply_want_string(const struct reply *r, const char *what, struct str *out, struct error *err)
{
    if (r->type != REPLY_STRING && r->type != REPLY_STATUS)
        return unexpected(r, what, "a string", err);
    *out = r->str;
    return true;
}

bool reply_want_i64(const struct reply *r, const char *what, int64_t *out, struct error *err)
{
    if (r->type == REPLY_INTEGER) {
        *out = r->integer;
        return true;
    }
    return (r->type == REPLY_STRING && str_to_i64(r->str, out)) ||
           unexpected(r, what, "an integer", err);
}

bool reply_want_ok(const struct reply *r, const char *what, struct error *err)
{
    return reply_is(r, "OK") || unexpected(r, what, "OK", err);
}

bool reply_is(const struct reply *r, const char *text)
{
    return (r->type == REPLY_STRING || r->type == REPLY_STATUS) && str_is(r->str, text);
}

const struct reply *reply_member(const struct reply *r, const char *name)
{
    if (r->type != REPLY_ARRAY)
        return NULL;
    for (size_t i = 0; i + 1 < r->count; i += 2)
        if (reply_is(&r->elements[i], name))
            return &r->elements[i + 1];
    return NULL;
}
