#include "core/value/value_read.h"

#include "core/redis/command.h"
#include "core/value/stream_read.h"

static const struct {
    const char *before; /* words in front of the key */
    const char *behind;
    size_t argc;
} commands[RECORD_TYPES] = {
    [RECORD_STRING] = {"GET", "", 2},
    [RECORD_HASH] = {"HGETALL", "", 2},
    [RECORD_LIST] = {"LRANGE", "0 -1", 4},
    [RECORD_SET] = {"SMEMBERS", "", 2},
    [RECORD_ZSET] = {"ZRANGE", "0 -1 WITHSCORES", 5},
    [RECORD_STREAM] = {"XINFO STREAM", "FULL COUNT 0", 6},
    [RECORD_OPAQUE] = {"DUMP", "", 2},
};

static bool put_words(struct buf *out, const char *words, struct error *err)
{
    struct str rest = str_from(words);
    struct str word;

    while (rest.len > 0 && str_split(&rest, ' ', &word))
        if (!command_arg(out, word, err))
            return false;
    return true;
}

bool value_command(struct buf *out, enum record_type type, struct str key, struct error *err)
{
    return command_begin(out, commands[type].argc, err) &&
           put_words(out, commands[type].before, err) && command_arg(out, key, err) &&
           put_words(out, commands[type].behind, err);
}

bool value_is_hyperloglog(struct str value)
{
    const size_t header = 16;
    const size_t dense = header + (size_t)16384 * 6 / 8;

    if (value.len < header || !str_starts(value, "HYLL"))
        return false;
    if (value.ptr[4] == 0)
        return value.len == dense;
    return value.ptr[4] == 1;
}

uint32_t value_rdb_version(struct str payload)
{
    const unsigned char *end = (const unsigned char *)payload.ptr + payload.len;

    if (payload.len < 10)
        return 0;
    return (uint32_t)end[-10] | (uint32_t)end[-9] << 8;
}

/* ---- streams ----------------------------------------------------------------------------------
 */

static bool entries_are_text(const struct reply *entries)
{
    for (size_t i = 0; i < entries->count; i++) {
        const struct reply *e = &entries->elements[i];

        if (e->type != REPLY_ARRAY || e->count != 2 || e->elements[1].type != REPLY_ARRAY)
            continue;
        for (size_t f = 0; f < e->elements[1].count; f++)
            if (!str_is_text(e->elements[1].elements[f].str))
                return false;
    }
    return true;
}

static bool put_stream(struct record_writer *w, const struct reply *r, struct arena *scratch,
                       struct error *err)
{
    const struct reply *entries = reply_member(r, "entries");
    struct stream_state state;
    struct stream_group *groups;
    size_t count;

    if (entries == NULL || entries->type != REPLY_ARRAY)
        return error_set(err, ERROR_REPLY, 0, "the server's answer about a stream lacks entries");
    for (size_t i = 0; i < entries->count; i++) {
        struct stream_id id;
        struct str *fields;
        size_t n;

        if (!stream_read_entry(&entries->elements[i], scratch, &id, &fields, &n, err) ||
            !record_put_entry(w, id, fields, n, err))
            return false;
    }
    return stream_read_state(r, &state, err) && record_put_state(w, &state, err) &&
           stream_read_groups(reply_member(r, "groups"), scratch, &groups, &count, err) &&
           record_put_groups(w, groups, count, err);
}

/* ---- all types --------------------------------------------------------------------------------
 */

bool value_is_gone(enum record_type type, const struct reply *r)
{
    if (r->type == REPLY_NIL)
        return true;
    /* Fields of a hash may expire one by one and leave an empty shell. */
    return type != RECORD_STREAM && r->type == REPLY_ARRAY && r->count == 0;
}

static bool is_text(enum record_type type, const struct reply *r)
{
    size_t step = type == RECORD_ZSET ? 2 : 1; /* scores are no data */

    if (r->type == REPLY_STRING)
        return str_is_text(r->str);
    if (type == RECORD_STREAM) {
        const struct reply *entries = reply_member(r, "entries");

        return entries == NULL || entries->type != REPLY_ARRAY || entries_are_text(entries);
    }
    for (size_t i = 0; i < r->count; i += step)
        if (!str_is_text(r->elements[i].str))
            return false;
    return true;
}

static bool put_elements(struct record_writer *w, const struct reply *r, struct error *err)
{
    bool pairs = w->head.type == RECORD_HASH || w->head.type == RECORD_ZSET;
    const struct reply *e = r->elements;

    if (r->type != REPLY_ARRAY || (pairs && r->count % 2 != 0))
        return error_set(err, ERROR_REPLY, 0, "the server's answer is no list of elements");
    for (size_t i = 0; i < r->count; i += pairs ? 2 : 1) {
        if (e[i].type != REPLY_STRING || (pairs && e[i + 1].type != REPLY_STRING))
            return error_set(err, ERROR_REPLY, 0, "an element is not a string");
        if (!record_put_element(w, e[i].str, pairs ? e[i + 1].str : STR(""), err))
            return false;
    }
    return true;
}

static bool write_line(struct buf *out, struct record_head *head, const struct reply *r,
                       bool binary, struct arena *scratch, struct error *err)
{
    struct record_writer w;
    bool ok;

    if ((head->type == RECORD_STRING || head->type == RECORD_OPAQUE) && r->type != REPLY_STRING)
        return error_set(err, ERROR_REPLY, 0, "the server's answer is not a string");
    if (head->type == RECORD_STRING)
        head->hyperloglog = value_is_hyperloglog(r->str);
    if (head->type == RECORD_OPAQUE)
        head->rdb_version = value_rdb_version(r->str);
    if (!record_begin(&w, out, head, binary, err))
        return false;
    if (head->type == RECORD_STRING)
        ok = record_put_string(&w, r->str, err);
    else if (head->type == RECORD_OPAQUE)
        ok = record_put_dump(&w, r->str, err);
    else if (head->type == RECORD_STREAM)
        ok = put_stream(&w, r, scratch, err);
    else
        ok = put_elements(&w, r, err);
    return ok && record_end(&w, NULL, NULL, 0, err);
}

enum value_outcome value_write(struct buf *out, const struct record_head *head,
                               const struct reply *r, struct arena *scratch, struct error *err)
{
    struct record_head copy = *head;
    size_t start = out->len;
    bool binary;
    bool ok;

    if (value_is_gone(head->type, r))
        return VALUE_GONE;
    binary = !is_text(head->type, r);
    ok = write_line(out, &copy, r, binary, scratch, err);
    if (!ok && err->code == ERROR_LIMIT && !binary) { /* escapes may take more room than base64 */
        out->len = start;
        ok = write_line(out, &copy, r, true, scratch, err);
    }
    arena_clear(scratch);
    if (ok)
        return VALUE_WRITTEN;
    out->len = start;
    out->data[start] = '\0';
    return err->code == ERROR_LIMIT ? VALUE_TOO_LARGE : VALUE_BAD;
}
