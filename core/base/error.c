#include "core/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int status;
} codes[ERROR_CODES] = {
    [ERROR_NONE] = {"none", 0},           [ERROR_USAGE] = {"usage", 2},
    [ERROR_CONFIG] = {"config", 2},       [ERROR_UNREACHABLE] = {"unreachable", 3},
    [ERROR_TIMEOUT] = {"timeout", 3},     [ERROR_AUTH] = {"auth", 4},
    [ERROR_REFUSED] = {"refused", 4},     [ERROR_LOCKED] = {"locked", 4},
    [ERROR_CANCELLED] = {"cancelled", 5}, [ERROR_STORAGE] = {"storage", 6},
    [ERROR_REPLY] = {"reply", 1},         [ERROR_CONFLICT] = {"conflict", 1},
    [ERROR_CORRUPT] = {"corrupt", 1},     [ERROR_LIMIT] = {"limit", 1},
    [ERROR_NOT_FOUND] = {"not-found", 1}, [ERROR_UNSUPPORTED] = {"unsupported", 4},
    [ERROR_INTERNAL] = {"internal", 7},
};

static PRINTF_LIKE(2, 0) void set_text(struct error *err, const char *fmt, va_list ap)
{
    if (vsnprintf(err->text, sizeof(err->text), fmt, ap) < 0)
        err->text[0] = '\0';
}

bool error_set(struct error *err, enum error_code code, int detail, const char *fmt, ...)
{
    va_list ap;

    err->code = code;
    err->detail = detail;
    va_start(ap, fmt);
    set_text(err, fmt, ap);
    va_end(ap);
    return false;
}

bool error_wrap(struct error *err, const char *fmt, ...)
{
    char cause[sizeof(err->text)];
    va_list ap;
    size_t used;
    size_t take;

    memcpy(cause, err->text, sizeof(cause));
    va_start(ap, fmt);
    set_text(err, fmt, ap);
    va_end(ap);
    used = strlen(err->text);
    if (used + 3 > sizeof(err->text))
        return false; /* the context alone fills the text */
    err->text[used++] = ':';
    err->text[used++] = ' ';
    take = strlen(cause);
    if (take > sizeof(err->text) - used - 1)
        take = sizeof(err->text) - used - 1;
    memcpy(err->text + used, cause, take);
    err->text[used + take] = '\0';
    return false;
}

bool error_set_errno(struct error *err, enum error_code code, int number, const char *fmt, ...)
{
    struct error what = {0};
    char reason[128];
    va_list ap;

    va_start(ap, fmt);
    set_text(&what, fmt, ap);
    va_end(ap);
    /* The GNU form: the text may be in reason or in constant memory. */
    return error_set(err, code, number, "%s: %s", what.text,
                     strerror_r(number, reason, sizeof(reason)));
}

const char *error_code_name(enum error_code code)
{
    return (unsigned)code < ERROR_CODES ? codes[code].name : "internal";
}

int error_exit_status(enum error_code code)
{
    return (unsigned)code < ERROR_CODES ? codes[code].status : 7;
}
