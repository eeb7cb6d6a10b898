#include "core/redis/command.h"

#include <stdio.h>
#include <string.h>

#define HEADER_MAX 32 /* "$", 20 digits, CR LF */

/* "<mark><number>\r\n" into HEADER_MAX bytes, without printf: this runs for every argument. */
static size_t header(char *out, char mark, uint64_t number)
{
    size_t digits = 1;

    for (uint64_t n = number; n >= 10; n /= 10)
        digits++;
    out[0] = mark;
    for (size_t at = digits; at > 0; at--) {
        out[at] = (char)('0' + number % 10);
        number /= 10;
    }
    out[digits + 1] = '\r';
    out[digits + 2] = '\n';
    return digits + 3;
}

bool command_begin(struct buf *out, size_t argc, struct error *err)
{
    char text[HEADER_MAX];
    return buf_append(out, (struct str){text, header(text, '*', argc)}, err);
}

/* One reservation for the three pieces, then straight into the memory. */
bool command_arg(struct buf *out, struct str arg, struct error *err)
{
    char text[HEADER_MAX];
    size_t len = header(text, '$', arg.len);
    char *to;

    if (!buf_reserve(out, len + arg.len + 2, err))
        return false;
    to = out->data + out->len;
    memcpy(to, text, len);
    to += len;
    if (arg.len > 0)
        memcpy(to, arg.ptr, arg.len);
    to += arg.len;
    memcpy(to, "\r\n", 3); /* and the NUL that ends every buf */
    out->len = (size_t)(to + 2 - out->data);
    return true;
}

bool command_arg_text(struct buf *out, const char *arg, struct error *err)
{
    return command_arg(out, str_from(arg), err);
}

bool command_arg_i64(struct buf *out, int64_t arg, struct error *err)
{
    char text[HEADER_MAX];
    int len = snprintf(text, sizeof(text), "%lld", (long long)arg);
    return command_arg(out, (struct str){text, len > 0 ? (size_t)len : 0}, err);
}

bool command_arg_u64(struct buf *out, uint64_t arg, struct error *err)
{
    char text[HEADER_MAX];
    int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)arg);
    return command_arg(out, (struct str){text, len > 0 ? (size_t)len : 0}, err);
}

bool command_append(struct buf *out, struct command c, struct error *err)
{
    size_t before = out->len;
    bool ok = command_begin(out, c.argc, err);
    for (size_t i = 0; ok && i < c.argc; i++)
        ok = command_arg(out, c.argv[i], err);
    if (!ok) {
        out->len = before; /* half a command must never be sent */
        if (out->cap > 0)
            out->data[before] = '\0';
    }
    return ok;
}

bool command_words(struct buf *out, const char *words, struct error *err)
{
    struct str argv[32];
    size_t argc = 0;
    struct str rest = str_from(words);
    while (argc < COUNT_OF(argv) && str_split(&rest, ' ', &argv[argc]))
        argc++;
    if (rest.ptr != NULL) {
        return error_set(err, ERROR_INTERNAL, 0, "a command of more than %zu words",
                         COUNT_OF(argv));
    }
    return command_append(out, (struct command){argv, argc}, err);
}
