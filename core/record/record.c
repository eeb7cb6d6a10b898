#include "core/record/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/base64.h"
#include "core/base/format.h"

#define ONES 0x0101010101010101u
#define HIGHS 0x8080808080808080u

/* Stream members in the order of the format. */
enum section {
    SECTION_NONE,
    SECTION_ENTRIES, /* inside "entries":[ */
    SECTION_STATE,   /* last_id and counters are written */
    SECTION_GROUPS,  /* groups are written */
};

/* ---- bytes ------------------------------------------------------------------------------------
 */

static size_t plain_run(const char *p, size_t len)
{
    size_t i = 0;

    for (; len - i >= 8; i += 8) {
        uint64_t w;
        uint64_t quote;
        uint64_t slash;

        memcpy(&w, p + i, sizeof(w));
        quote = w ^ (ONES * '"');
        slash = w ^ (ONES * '\\');
        if (((((quote - ONES) & ~quote) | ((slash - ONES) & ~slash) | ((w - ONES * 0x20) & ~w)) &
             HIGHS) != 0)
            break;
    }
    while (i < len && (unsigned char)p[i] >= 0x20 && p[i] != '"' && p[i] != '\\')
        i++;
    return i;
}

static size_t escape(char *out, char c)
{
    static const char digits[] = "0123456789abcdef";
    static const char from[] = "\"\\\b\f\n\r\t";
    static const char into[] = "\"\\bfnrt";
    const char *hit = memchr(from, c, sizeof(from) - 1);

    out[0] = '\\';
    if (hit != NULL) {
        out[1] = into[hit - from];
        return 2;
    }
    out[1] = 'u';
    out[2] = out[3] = '0';
    out[4] = digits[(unsigned char)c >> 4];
    out[5] = digits[(unsigned char)c & 15];
    return 6;
}

/* "text" with its quotes; s is valid UTF-8. */
static bool put_text(struct buf *out, struct str s, struct error *err)
{
    if (!buf_reserve(out, s.len + 2, err))
        return false;
    out->data[out->len++] = '"';
    while (s.len > 0) {
        size_t run = plain_run(s.ptr, s.len);

        if (run > 0)
            memcpy(out->data + out->len, s.ptr, run);
        out->len += run;
        s = (struct str){s.ptr + run, s.len - run};
        if (s.len == 0)
            break;
        if (!buf_reserve(out, s.len + 7, err))
            return false;
        out->len += escape(out->data + out->len, *s.ptr);
        s = (struct str){s.ptr + 1, s.len - 1};
    }
    out->data[out->len++] = '"';
    out->data[out->len] = '\0';
    return true;
}

static bool put_base64(struct buf *out, struct str s, struct error *err)
{
    return buf_byte(out, '"', err) && base64_encode(out, s, err) && buf_byte(out, '"', err);
}

static bool check_element(struct str s, struct error *err)
{
    return s.len <= RECORD_ELEMENT_MAX ||
           error_set(err, ERROR_LIMIT, 0, "an element of %zu bytes is larger than %zu", s.len,
                     RECORD_ELEMENT_MAX);
}

static bool put_data(struct record_writer *w, struct str s, struct error *err)
{
    if (!check_element(s, err))
        return false;
    return w->binary ? put_base64(w->out, s, err) : put_text(w->out, s, err);
}

/* A name that chooses for itself. */
static bool put_name(struct buf *out, struct str s, struct error *err)
{
    if (!check_element(s, err))
        return false;
    if (str_is_text(s))
        return put_text(out, s, err);
    return buf_text(out, "{\"b64\":", err) && put_base64(out, s, err) && buf_byte(out, '}', err);
}

static bool put_u64(struct buf *out, uint64_t value, struct error *err)
{
    char digits[24];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return buf_append(out, (struct str){digits + at, sizeof(digits) - at}, err);
}

static bool put_i64(struct buf *out, int64_t value, struct error *err)
{
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    return (value >= 0 || buf_byte(out, '-', err)) && put_u64(out, size, err);
}

static bool put_id(struct buf *out, struct stream_id id, struct error *err)
{
    return buf_byte(out, '"', err) && put_u64(out, id.ms, err) && buf_byte(out, '-', err) &&
           put_u64(out, id.seq, err) && buf_byte(out, '"', err);
}

/* ,"name":  */
static bool put_member(struct buf *out, const char *name, struct error *err)
{
    return buf_text(out, ",\"", err) && buf_text(out, name, err) && buf_text(out, "\":", err);
}

/* ---- the line ---------------------------------------------------------------------------------
 */

bool record_all_text(const struct str *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!str_is_text(items[i]))
            return false;
    return true;
}

bool record_put_key(struct buf *out, struct str key, struct error *err)
{
    if (!check_element(key, err))
        return false;
    if (str_is_text(key))
        return buf_text(out, "{\"key\":", err) && put_text(out, key, err);
    return buf_text(out, "{\"key_b64\":", err) && put_base64(out, key, err);
}

bool record_begin(struct record_writer *w, struct buf *out, const struct record_head *head,
                  bool binary, struct error *err)
{
    static const char *const open[RECORD_TYPES] = {
        [RECORD_STRING] = "", [RECORD_HASH] = "{",   [RECORD_LIST] = "[",  [RECORD_SET] = "[",
        [RECORD_ZSET] = "[",  [RECORD_STREAM] = "{", [RECORD_OPAQUE] = "",
    };
    const char *value = binary ? "value_b64" : "value";

    *w = (struct record_writer){
        .out = out, .head = *head, .start = out->len, .binary = binary, .section = SECTION_NONE};
    if (!str_is_text(head->type_name))
        return error_set(err, ERROR_CORRUPT, 0, "the server named a type that is no text");
    if (!record_put_key(out, head->key, err) || !put_member(out, "type", err) ||
        !put_text(out, head->type_name, err) || !put_member(out, "ttl_millis", err))
        return false;
    if (head->ttl_millis == RECORD_NO_TIME ? !buf_text(out, "null", err)
                                           : !put_i64(out, head->ttl_millis, err))
        return false;
    if (head->type == RECORD_OPAQUE)
        value = "dump_b64";
    return put_member(out, value, err) && buf_text(out, open[head->type], err);
}

static bool put_comma(struct record_writer *w, struct error *err)
{
    return w->count++ == 0 || buf_byte(w->out, ',', err);
}

bool record_put_string(struct record_writer *w, struct str value, struct error *err)
{
    w->count = value.len;
    return put_data(w, value, err);
}

bool record_put_item(struct record_writer *w, struct str item, struct error *err)
{
    return put_comma(w, err) && put_data(w, item, err);
}

bool record_put_field(struct record_writer *w, struct str field, struct str value,
                      struct error *err)
{
    return put_comma(w, err) && put_data(w, field, err) && buf_byte(w->out, ':', err) &&
           put_data(w, value, err);
}

/* Short whole numbers are already in their shortest form. */
static bool is_short_integer(struct str s)
{
    size_t i = s.len > 0 && s.ptr[0] == '-' ? 1 : 0;

    if (i == s.len || s.len > 15 || (s.ptr[i] == '0' && s.len > 1))
        return false;
    while (i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9')
        i++;
    return i == s.len;
}

bool record_put_member(struct record_writer *w, struct str member, struct str score,
                       struct error *err)
{
    char shortest[FORMAT_MAX];
    double number;

    if (!is_short_integer(score)) {
        if (!str_to_double(score, &number))
            return error_set(err, ERROR_CORRUPT, 0, "the server sent a score that is no number");
        score = str_from(format_double(shortest, sizeof(shortest), number));
    }
    return put_comma(w, err) && buf_byte(w->out, '[', err) && put_data(w, member, err) &&
           buf_text(w->out, ",\"", err) && buf_append(w->out, score, err) &&
           buf_text(w->out, "\"]", err);
}

bool record_put_element(struct record_writer *w, struct str first, struct str second,
                        struct error *err)
{
    if (w->head.type == RECORD_HASH)
        return record_put_field(w, first, second, err);
    if (w->head.type == RECORD_ZSET)
        return record_put_member(w, first, second, err);
    return record_put_item(w, first, err);
}

bool record_put_dump(struct record_writer *w, struct str payload, struct error *err)
{
    return check_element(payload, err) && put_base64(w->out, payload, err);
}

/* ---- streams ----------------------------------------------------------------------------------
 */

/* The next member of the stream's object: closes the one before. */
static bool begin_section(struct record_writer *w, enum section next, const char *name,
                          struct error *err)
{
    if (w->section == SECTION_ENTRIES && !buf_byte(w->out, ']', err))
        return false;
    if (w->section != SECTION_NONE && !buf_byte(w->out, ',', err))
        return false;
    w->section = (int)next;
    return buf_byte(w->out, '"', err) && buf_text(w->out, name, err) &&
           buf_text(w->out, "\":", err);
}

bool record_put_entry(struct record_writer *w, struct stream_id id, const struct str *fields,
                      size_t count, struct error *err)
{
    if (w->section != SECTION_ENTRIES &&
        (!begin_section(w, SECTION_ENTRIES, "entries", err) || !buf_byte(w->out, '[', err)))
        return false;
    if (!put_comma(w, err) || !buf_byte(w->out, '[', err) || !put_id(w->out, id, err) ||
        !buf_text(w->out, ",[", err))
        return false;
    for (size_t i = 0; i < count; i++)
        if ((i > 0 && !buf_byte(w->out, ',', err)) || !put_data(w, fields[i], err))
            return false;
    return buf_text(w->out, "]]", err);
}

bool record_put_state(struct record_writer *w, const struct stream_state *state, struct error *err)
{
    if (w->section == SECTION_NONE && !w->head.chunked && /* an empty stream says so */
        (!begin_section(w, SECTION_ENTRIES, "entries", err) || !buf_byte(w->out, '[', err)))
        return false;
    if (!begin_section(w, SECTION_STATE, "last_id", err) || !put_id(w->out, state->last_id, err))
        return false;
    if (!state->has_counters)
        return true;
    return put_member(w->out, "entries_added", err) && buf_byte(w->out, '"', err) &&
           put_u64(w->out, state->entries_added, err) && buf_byte(w->out, '"', err) &&
           put_member(w->out, "max_deleted_id", err) && put_id(w->out, state->max_deleted, err);
}

static bool put_pending(struct buf *out, const struct stream_group *g,
                        const struct stream_pending *p, struct error *err)
{
    if (!buf_byte(out, '[', err) || !put_id(out, p->id, err) || !buf_byte(out, ',', err))
        return false;
    if (p->consumer == STREAM_UNOWNED ? !buf_text(out, "null", err)
                                      : !put_name(out, g->consumers[p->consumer], err))
        return false;
    return buf_byte(out, ',', err) && put_i64(out, p->delivered_ms, err) &&
           buf_byte(out, ',', err) && put_u64(out, p->deliveries, err) && buf_byte(out, ']', err);
}

static bool put_group(struct buf *out, const struct stream_group *g, struct error *err)
{
    if (!buf_text(out, "{\"name\":", err) || !put_name(out, g->name, err) ||
        !put_member(out, "last_delivered_id", err) || !put_id(out, g->last_delivered, err))
        return false;
    if (g->has_entries_read && (!put_member(out, "entries_read", err) || !buf_byte(out, '"', err) ||
                                !put_u64(out, g->entries_read, err) || !buf_byte(out, '"', err)))
        return false;
    if (!put_member(out, "consumers", err) || !buf_byte(out, '[', err))
        return false;
    for (size_t i = 0; i < g->consumer_count; i++)
        if (!buf_text(out, i > 0 ? ",{\"name\":" : "{\"name\":", err) ||
            !put_name(out, g->consumers[i], err) || !buf_byte(out, '}', err))
            return false;
    if (!buf_byte(out, ']', err) || !put_member(out, "pending", err) || !buf_byte(out, '[', err))
        return false;
    for (size_t i = 0; i < g->pending_count; i++)
        if ((i > 0 && !buf_byte(out, ',', err)) || !put_pending(out, g, &g->pending[i], err))
            return false;
    return buf_text(out, "]}", err);
}

bool record_put_groups(struct record_writer *w, const struct stream_group *groups, size_t count,
                       struct error *err)
{
    if (!begin_section(w, SECTION_GROUPS, "groups", err) || !buf_byte(w->out, '[', err))
        return false;
    for (size_t i = 0; i < count; i++)
        if ((i > 0 && !buf_byte(w->out, ',', err)) || !put_group(w->out, &groups[i], err))
            return false;
    return buf_byte(w->out, ']', err);
}

/* ---- the end ----------------------------------------------------------------------------------
 */

static bool put_deadlines(struct record_writer *w, const struct str *fields,
                          const int64_t *deadlines, size_t count, struct error *err)
{
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        if (deadlines[i] == RECORD_NO_TIME)
            continue;
        if (any ? !buf_byte(w->out, ',', err)
                : !put_member(w->out, "field_expire_at_millis", err) || !buf_byte(w->out, '{', err))
            return false;
        any = true;
        if (!put_data(w, fields[i], err) || !buf_byte(w->out, ':', err) ||
            !put_i64(w->out, deadlines[i], err))
            return false;
    }
    return !any || buf_byte(w->out, '}', err);
}

static bool put_chunk(struct buf *out, const struct record_head *h, struct error *err)
{
    if (!put_member(out, "chunk", err) || !buf_text(out, "{\"seq\":", err) ||
        !put_u64(out, h->chunk_seq, err) ||
        !buf_text(out, h->chunk_last ? ",\"last\":true" : ",\"last\":false", err))
        return false;
    if (h->chunk_last && (!put_member(out, "count", err) || !put_u64(out, h->chunk_count, err)))
        return false;
    return buf_byte(out, '}', err);
}

static bool close_value(struct record_writer *w, struct error *err)
{
    static const char *const close[RECORD_TYPES] = {
        [RECORD_STRING] = "", [RECORD_HASH] = "}",   [RECORD_LIST] = "]",  [RECORD_SET] = "]",
        [RECORD_ZSET] = "]",  [RECORD_STREAM] = "}", [RECORD_OPAQUE] = "",
    };

    if (w->section == SECTION_ENTRIES && !buf_byte(w->out, ']', err))
        return false;
    return buf_text(w->out, close[w->head.type], err);
}

bool record_end(struct record_writer *w, const struct str *fields, const int64_t *deadlines,
                size_t count, struct error *err)
{
    const struct record_head *h = &w->head;
    struct buf *out = w->out;

    if (!close_value(w, err))
        return false;
    if (h->expire_at_millis != RECORD_NO_TIME &&
        (!put_member(out, "expire_at_millis", err) || !put_i64(out, h->expire_at_millis, err)))
        return false;
    if (h->slot != SLOT_NONE && (!put_member(out, "slot", err) || !put_u64(out, h->slot, err)))
        return false;
    if (h->db != 0 && (!put_member(out, "db", err) || !put_u64(out, h->db, err)))
        return false;
    if (h->hyperloglog && !buf_text(out, ",\"subtype\":\"hyperloglog\"", err))
        return false;
    if (deadlines != NULL && !put_deadlines(w, fields, deadlines, count, err))
        return false;
    if (h->fuzzy && !buf_text(out, ",\"consistency\":\"fuzzy\"", err))
        return false;
    if (h->chunked && !put_chunk(out, h, err))
        return false;
    if (h->rdb_version != 0 &&
        (!put_member(out, "rdb_version", err) || !put_u64(out, h->rdb_version, err)))
        return false;
    if (!buf_text(out, "}\n", err))
        return false;
    return out->len - w->start - 1 <= RECORD_LINE_MAX ||
           error_set(err, ERROR_LIMIT, 0, "the record of a key would be a line of %zu bytes",
                     out->len - w->start - 1);
}
