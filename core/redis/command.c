#include "core/redis/command.h"

#include <stdio.h>
#include <string.h>

#define HEADER_MAX 32 /* "$", 20 digits, CR LF */

/* "<mark><number>\r\n", without printf: this runs for every argument of every key. */
static size_t header(char out[HEADER_MAX], char mark, uint64_t number)
{
    char digits[20];
    size_t n = 0;
    size_t len = 0;
    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    out[len++] = mark;
    while (n > 0)
        out[len++] = digits[--n];
    out[len++] = '\r';
    out[len++] = '\n';
    return len;
}

bool command_begin(struct buf *out, size_t argc, struct error *err)
{
    char text[HEADER_MAX];
    return buf_append(out, (struct str){text, header(text, '*', argc)}, err);
}

bool command_arg(struct buf *out, struct str arg, struct error *err)
{
    char text[HEADER_MAX];
    size_t len = header(text, '$', arg.len);
    return buf_reserve(out, len + arg.len + 2, err) &&
           buf_append(out, (struct str){text, len}, err) && buf_append(out, arg, err) &&
           buf_append(out, STR("\r\n"), err);
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
