#include "core/value/value_build.h"

#include "core/redis/command.h"

/* How one type is written: arguments per element, and how to fetch them. */
struct form {
    const char *command;
    const char *length; /* the command that counts */
    size_t width;
};

static const struct form forms[RECORD_TYPES] = {
    [RECORD_STRING] = {"APPEND", "STRLEN", 1}, [RECORD_HASH] = {"HSET", "HLEN", 2},
    [RECORD_LIST] = {"RPUSH", "LLEN", 1},      [RECORD_SET] = {"SADD", "SCARD", 1},
    [RECORD_ZSET] = {"ZADD", "ZCARD", 2},
};

static void element(const struct record *r, size_t i, struct str arg[2])
{
    struct str first;
    struct str second;

    switch (record_head(r)->type) {
    case RECORD_HASH:
        record_pair(r, i, &arg[0], &arg[1]);
        return;
    case RECORD_ZSET: /* the record has member and score, ZADD wants the score first */
        record_pair(r, i, &first, &second);
        arg[0] = second;
        arg[1] = first;
        return;
    case RECORD_LIST:
    case RECORD_SET:
        arg[0] = record_item(r, i);
        return;
    case RECORD_STRING:
    case RECORD_STREAM:
    case RECORD_OPAQUE:
    case RECORD_TYPES:
        break;
    }
    arg[0] = record_string(r);
}

/* How many elements from `from` on go into one command. */
static size_t batch_size(const struct record *r, size_t from)
{
    size_t count = record_count(r);
    size_t bytes = 0;
    size_t n = 0;

    while (from + n < count && n < VALUE_BUILD_ITEMS && (n == 0 || bytes < VALUE_BUILD_BYTES)) {
        struct str arg[2] = {{0}, {0}};

        element(r, from + n, arg);
        bytes += arg[0].len + arg[1].len;
        n++;
    }
    return n;
}

static bool write_string(struct buf *out, struct str key, const struct record *r, size_t *commands,
                         struct error *err)
{
    const struct record_head *h = record_head(r);
    bool more = h->chunked && h->chunk_seq > 0;

    ++*commands;
    return command_append(out, COMMAND(more ? STR("APPEND") : STR("SET"), key, record_string(r)),
                          err);
}

bool value_build(struct buf *out, struct str key, const struct record *r, size_t *commands,
                 struct error *err)
{
    enum record_type type = record_head(r)->type;
    const struct form *f = &forms[type];
    size_t count = record_count(r);

    if (type == RECORD_STRING)
        return write_string(out, key, r, commands, err);
    if (f->command == NULL)
        return error_set(err, ERROR_INTERNAL, 0, "no commands for a %s",
                         type == RECORD_STREAM ? "stream" : "dump");
    for (size_t from = 0; from < count;) {
        size_t n = batch_size(r, from);

        if (!command_begin(out, 2 + n * f->width, err) || !command_arg_text(out, f->command, err) ||
            !command_arg(out, key, err))
            return false;
        for (size_t i = from; i < from + n; i++) {
            struct str arg[2] = {{0}, {0}};

            element(r, i, arg);
            for (size_t k = 0; k < f->width && k < COUNT_OF(arg); k++)
                if (!command_arg(out, arg[k], err))
                    return false;
        }
        from += n;
        ++*commands;
    }
    return true;
}

bool value_build_deadlines(struct buf *out, struct str key, const struct record *r,
                           int64_t shift_ms, size_t *commands, struct error *err)
{
    for (size_t i = 0; i < record_deadlines(r); i++) {
        struct str field;
        int64_t at;

        record_deadline(r, i, &field, &at);
        if (shift_ms > 0 && at > VALUE_FIELD_DEADLINE_MAX - shift_ms)
            at = VALUE_FIELD_DEADLINE_MAX;
        else
            at += shift_ms;
        if (at > VALUE_FIELD_DEADLINE_MAX)
            at = VALUE_FIELD_DEADLINE_MAX;
        if (!command_begin(out, 6, err) || !command_arg_text(out, "HPEXPIREAT", err) ||
            !command_arg(out, key, err) || !command_arg_i64(out, at, err) ||
            !command_arg_text(out, "FIELDS", err) || !command_arg_text(out, "1", err) ||
            !command_arg(out, field, err))
            return false;
        ++*commands;
    }
    return true;
}

bool value_build_length(struct buf *out, struct str key, enum record_type type, struct error *err)
{
    const char *name = type == RECORD_STREAM ? "XLEN" : forms[type].length;

    if (name == NULL)
        return error_set(err, ERROR_INTERNAL, 0, "no length of a dump");
    return command_append(out, COMMAND(str_from(name), key), err);
}
