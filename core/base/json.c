#include "core/base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/escape.h"
#include "core/base/file.h"

#define PRINT_MAX ((size_t)256 * 1024 * 1024)

/* Nesting by a scan over the text: jansson's own limit is 2048 levels deep. */
static bool is_shallow(struct str text)
{
    size_t depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (quoted && c == '\\') {
            i++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == '{' || c == '[')) {
            if (++depth > JSON_DEPTH_MAX)
                return false;
        } else if (!quoted && (c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

json_t *json_parse(struct str text, const char *name, struct error *err)
{
    json_error_t why;
    json_t *doc;

    if (!is_shallow(text)) {
        error_set(err, ERROR_CORRUPT, 0, "%s: nested deeper than %d levels", name, JSON_DEPTH_MAX);
        return NULL;
    }
    doc = json_loadb(text.ptr == NULL ? "" : text.ptr, text.len, JSON_REJECT_DUPLICATES, &why);
    if (doc == NULL) {
        char reason[JSON_ERROR_TEXT_LENGTH];

        error_set(err, ERROR_CORRUPT, why.line, "%s: line %d, column %d: %s", name, why.line,
                  why.column, escape_text(reason, sizeof(reason), str_from(why.text)));
    }
    return doc;
}

json_t *json_read_file(const char *path, size_t max, struct error *err)
{
    struct buf text;
    json_t *doc = NULL;

    buf_init(&text, max);
    if (file_read(path, &text, err))
        doc = json_parse(buf_str(&text), path, err);
    buf_release(&text);
    return doc;
}

bool json_write_file(const char *path, const json_t *doc, bool sync, struct error *err)
{
    struct buf text;
    bool ok;

    buf_init(&text, PRINT_MAX);
    ok = json_print(doc, true, &text, err) && (sync ? file_write_atomic(path, buf_str(&text), err)
                                                    : file_replace(path, buf_str(&text), err));
    buf_release(&text);
    return ok;
}

struct sink {
    struct buf *out;
    struct error *err;
    bool failed; /* err says why */
};

/* The bytes before the next control character that jansson leaves as it is: DEL, or C1 as UTF-8.
 * They occur only inside strings, where a terminal would obey them; *used: their own bytes. */
static size_t plain_bytes(struct str text, size_t *used)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        unsigned char next = i + 1 < text.len ? (unsigned char)text.ptr[i + 1] : 0;

        *used = c == 0x7f ? 1 : c == 0xc2 && next >= 0x80 && next < 0xa0 ? 2 : 0;
        if (*used > 0)
            return i;
    }
    *used = 0;
    return text.len;
}

/* jansson hands over whole characters. */
static int take(const char *bytes, size_t len, void *arg)
{
    struct sink *s = arg;
    struct str text = {bytes, len};

    while (text.len > 0 && !s->failed) {
        size_t used;
        size_t plain = plain_bytes(text, &used);
        char escaped[8] = "";

        if (used > 0)
            (void)snprintf(escaped, sizeof(escaped), "\\u%04X",
                           (unsigned char)text.ptr[plain + used - 1]);
        s->failed = !buf_append(s->out, str_slice(text, 0, plain), s->err) ||
                    !buf_append(s->out, str_from(escaped), s->err);
        text = str_slice(text, plain + used, text.len);
    }
    return s->failed ? -1 : 0;
}

bool json_print(const json_t *doc, bool pretty, struct buf *out, struct error *err)
{
    struct sink s = {out, err, false};
    size_t flags = JSON_ENCODE_ANY | (pretty ? JSON_INDENT(2) : JSON_COMPACT);

    if (json_dump_callback(doc, take, &s, flags) != 0)
        return s.failed ? false : error_set(err, ERROR_INTERNAL, 0, "cannot print JSON");
    return !pretty || buf_byte(out, '\n', err);
}

const char *json_text(const json_t *obj, const char *name, const char *fallback)
{
    const char *value = json_string_value(json_object_get(obj, name));

    return value == NULL ? fallback : value;
}

int64_t json_int(const json_t *obj, const char *name, int64_t fallback)
{
    const json_t *value = json_object_get(obj, name);

    return json_is_integer(value) ? (int64_t)json_integer_value(value) : fallback;
}

bool json_flag(const json_t *obj, const char *name, bool fallback)
{
    const json_t *value = json_object_get(obj, name);

    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

double json_number(const json_t *obj, const char *name, double fallback)
{
    const json_t *value = json_object_get(obj, name);

    return json_is_number(value) ? json_number_value(value) : fallback;
}

void json_put(json_t *obj, const char *name, json_t *value)
{
    if (value == NULL || json_object_set_new(obj, name, value) != 0)
        abort(); /* out of memory, or a document of ours built wrong */
}

void json_push(json_t *list, json_t *value)
{
    if (value == NULL || json_array_append_new(list, value) != 0)
        abort();
}

void json_put_text(json_t *obj, const char *name, const char *value)
{
    if (value == NULL)
        json_put(obj, name, json_null());
    else
        json_put_str(obj, name, str_from(value));
}

void json_put_str(json_t *obj, const char *name, struct str value)
{
    struct error err = {0};
    struct buf visible;

    if (str_is_text(value)) {
        json_put(obj, name, json_stringn(value.len == 0 ? "" : value.ptr, value.len));
        return;
    }
    buf_init(&visible, value.len * 4);
    if (!escape_append(&visible, value, &err))
        abort(); /* four bytes for each one always fit */
    json_put(obj, name, json_stringn(visible.data, visible.len));
    buf_release(&visible);
}

void json_put_int(json_t *obj, const char *name, int64_t value)
{
    json_put(obj, name, json_integer(value));
}

void json_put_count(json_t *obj, const char *name, uint64_t value)
{
    json_put_int(obj, name, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

void json_put_flag(json_t *obj, const char *name, bool value)
{
    json_put(obj, name, json_boolean(value));
}

void json_put_number(json_t *obj, const char *name, double value)
{
    json_put(obj, name, json_real(value));
}
