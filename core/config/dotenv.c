#include "core/config/dotenv.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/buf.h"
#include "core/base/escape.h"
#include "core/base/secret.h"

struct place {
    const char *name;
    int line;
};

static bool complain(const struct place *at, struct error *err, const char *what)
{
    return error_set(err, ERROR_CONFIG, 0, "%s:%d: %s", at->name, at->line, what);
}

static bool is_name(struct str s)
{
    if (s.len == 0 || isdigit((unsigned char)s.ptr[0]))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!isalnum((unsigned char)s.ptr[i]) && s.ptr[i] != '_')
            return false;
    return true;
}

/* What follows a closing quote: nothing, or a comment. */
static bool check_tail(struct str tail, const struct place *at, struct error *err)
{
    tail = str_trim(tail);
    if (tail.len > 0 && tail.ptr[0] != '#')
        return complain(at, err, "text after the closing quote");
    return true;
}

static char unescape(char c)
{
    return c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
}

static bool quoted(struct str raw, struct buf *out, const struct place *at, struct error *err)
{
    char quote = raw.ptr[0];
    size_t i = 1;
    for (; i < raw.len && raw.ptr[i] != quote; i++) {
        char c = raw.ptr[i];
        if (quote == '"' && c == '\\' && i + 1 < raw.len)
            c = unescape(raw.ptr[++i]);
        if (!buf_byte(out, c, err))
            return false;
    }
    if (i == raw.len)
        return complain(at, err, "a quote that is not closed");
    return check_tail(str_slice(raw, i + 1, raw.len), at, err);
}

static struct str without_comment(struct str raw)
{
    for (size_t i = 0; i < raw.len; i++)
        if (raw.ptr[i] == '#' && (i == 0 || isspace((unsigned char)raw.ptr[i - 1])))
            return str_trim(str_slice(raw, 0, i));
    return raw;
}

static bool add(struct dotenv *out, struct str name, struct str raw, const struct place *at,
                struct error *err)
{
    struct buf value;
    bool ok;
    buf_init(&value, DOTENV_SIZE_MAX);
    if (raw.len > 0 && (raw.ptr[0] == '"' || raw.ptr[0] == '\''))
        ok = quoted(raw, &value, at, err);
    else
        ok = buf_append(&value, without_comment(raw), err);
    if (ok) {
        struct dotenv_line line = {.line = at->line};
        line.name = mem_copy_str(name);
        line.value = mem_copy_str(buf_str(&value));
        ARRAY_PUSH(out->items, out->count, out->cap) = line;
    }
    secret_wipe(value.data, value.len);
    buf_release(&value);
    return ok;
}

static bool parse_line(struct str line, struct dotenv *out, const struct place *at,
                       struct error *err)
{
    line = str_trim(line);
    if (line.len == 0 || line.ptr[0] == '#')
        return true;
    if (str_starts(line, "export ") || str_starts(line, "export\t"))
        line = str_trim(str_slice(line, 7, line.len));
    size_t equals = str_find(line, '=');
    struct str name = str_trim(str_slice(line, 0, equals));
    if (equals == line.len || !is_name(name))
        return complain(at, err, "expected NAME=VALUE");
    return add(out, name, str_trim(str_slice(line, equals + 1, line.len)), at, err);
}

bool dotenv_parse(struct str text, const char *name, struct dotenv *out, struct error *err)
{
    struct place at = {name, 0};
    struct str rest = text;
    struct str line;
    memset(out, 0, sizeof(*out));
    if (str_starts(rest, "\xEF\xBB\xBF"))
        rest = str_slice(rest, 3, rest.len);
    if (str_find(rest, '\0') != rest.len)
        return error_set(err, ERROR_CONFIG, 0, "%s: not a text file", name);
    while (rest.len > 0 && str_split(&rest, '\n', &line)) {
        at.line++;
        if (!parse_line(line, out, &at, err)) {
            dotenv_release(out);
            return false;
        }
    }
    return true;
}

void dotenv_release(struct dotenv *d)
{
    for (size_t i = 0; i < d->count; i++) {
        free(d->items[i].name);
        secret_wipe(d->items[i].value, strlen(d->items[i].value));
        free(d->items[i].value);
    }
    free(d->items);
    memset(d, 0, sizeof(*d));
}

const char *dotenv_get(const struct dotenv *d, const char *name)
{
    for (size_t i = d->count; i > 0; i--)
        if (strcmp(d->items[i - 1].name, name) == 0)
            return d->items[i - 1].value;
    return NULL;
}
