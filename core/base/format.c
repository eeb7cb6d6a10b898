#include "core/base/format.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char *put(char *out, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);

static char *put(char *out, size_t size, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(out, size, fmt, ap);
    va_end(ap);
    return out;
}

/* Scale by `step` until below it (less rounding); returns how many times. */
static size_t scale(double *value, double step, size_t most)
{
    size_t times = 0;

    while (*value >= step - 0.05 && times < most) {
        *value /= step;
        times++;
    }
    return times;
}

char *format_size(char *out, size_t size, int64_t bytes)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t times = scale(&value, 1024, COUNT_OF(unit) - 1);

    if (bytes < 0)
        return put(out, size, "-");
    if (times == 0)
        return put(out, size, "%lld B", (long long)bytes);
    return put(out, size, "%.1f %s", value, unit[times]);
}

/* "9", "999", "1.23M", "12.3M", "123M". */
static char *put_short(char *out, size_t size, int64_t n, double step, const char *units)
{
    double value = (double)n;
    size_t times = 0;

    if (n < 0)
        return put(out, size, "-");
    while (value >= (step > 1000 ? 1000 : step) - 0.5 && units[times] != '\0') {
        value /= step;
        times++;
    }
    if (times == 0)
        return put(out, size, "%lld", (long long)n);
    if (value < 9.995)
        return put(out, size, "%.2f%c", value, units[times - 1]);
    if (value < 99.95)
        return put(out, size, "%.1f%c", value, units[times - 1]);
    return put(out, size, "%.0f%c", value, units[times - 1]);
}

char *format_size_short(char *out, size_t size, int64_t bytes)
{
    return put_short(out, size, bytes, 1024, "KMGTPE");
}

char *format_count_short(char *out, size_t size, int64_t n)
{
    return put_short(out, size, n, 1000, "kMGTPE");
}

char *format_count(char *out, size_t size, int64_t n)
{
    char digits[FORMAT_MAX];
    char text[FORMAT_MAX];
    size_t len;
    size_t at = 0;

    if (n < 0)
        return put(out, size, "-");
    (void)snprintf(digits, sizeof(digits), "%lld", (long long)n);
    len = strlen(digits);
    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return put(out, size, "%s", text);
}

char *format_duration(char *out, size_t size, int64_t ms)
{
    long long s = ms / 1000;

    if (ms < 0)
        return put(out, size, "-");
    if (ms < 1000)
        return put(out, size, "%lld ms", (long long)ms);
    if (ms < 60000)
        return put(out, size, "%lld.%lld s", s, (long long)(ms % 1000 / 100));
    if (s < 3600)
        return put(out, size, "%lldm %02llds", s / 60, s % 60);
    if (s < 86400)
        return put(out, size, "%lldh %02lldm", s / 3600, s / 60 % 60);
    return put(out, size, "%lldd %02lldh", s / 86400, s / 3600 % 24);
}

char *format_percent(char *out, size_t size, uint64_t part, uint64_t whole)
{
    double share;

    if (whole == 0)
        return put(out, size, "-");
    if (part >= whole)
        return put(out, size, "100%%");
    share = 100.0 * (double)part / (double)whole;
    return put(out, size, "%.1f%%", share > 99.9 ? 99.9 : share);
}

struct parts {
    struct tm tm;
    int ms;
    bool known;
};

static struct parts split_time(int64_t real_ms)
{
    int64_t ms = real_ms % 1000 < 0 ? real_ms % 1000 + 1000 : real_ms % 1000;
    time_t seconds = (time_t)((real_ms - ms) / 1000);
    struct parts p = {.ms = (int)ms};

    p.known = gmtime_r(&seconds, &p.tm) != NULL && p.tm.tm_year <= 9999 - 1900;
    return p;
}

static char *put_date(char *out, size_t size, const struct tm *tm, const char *fraction)
{
    return put(out, size, "%04d-%02d-%02dT%02d:%02d:%02d%sZ", tm->tm_year + 1900, tm->tm_mon + 1,
               tm->tm_mday, tm->tm_hour, tm->tm_min, tm->tm_sec, fraction);
}

char *format_rfc3339(char *out, size_t size, int64_t real_ms)
{
    struct parts p = split_time(real_ms);

    return p.known ? put_date(out, size, &p.tm, "") : put(out, size, "-");
}

char *format_rfc3339_ms(char *out, size_t size, int64_t real_ms)
{
    struct parts p = split_time(real_ms);
    char fraction[FORMAT_MAX];

    if (!p.known)
        return put(out, size, "-");
    return put_date(out, size, &p.tm, put(fraction, sizeof(fraction), ".%03d", p.ms));
}

char *format_compact_utc(char *out, size_t size, int64_t real_ms)
{
    struct parts p = split_time(real_ms);

    if (!p.known)
        return put(out, size, "-");
    return put(out, size, "%04d%02d%02dT%02d%02d%02dZ", p.tm.tm_year + 1900, p.tm.tm_mon + 1,
               p.tm.tm_mday, p.tm.tm_hour, p.tm.tm_min, p.tm.tm_sec);
}

char *format_clock(char *out, size_t size, int64_t real_ms)
{
    struct parts p = split_time(real_ms);

    return put(out, size, "%02d:%02d:%02d", p.tm.tm_hour, p.tm.tm_min, p.tm.tm_sec);
}

char *format_clock_ms(char *out, size_t size, int64_t real_ms)
{
    struct parts p = split_time(real_ms);

    return put(out, size, "%02d:%02d:%02d.%03d", p.tm.tm_hour, p.tm.tm_min, p.tm.tm_sec, p.ms);
}

/* `digits` digits at *at, moving past them. */
static bool take_number(struct str text, size_t *at, size_t digits, int *out)
{
    uint32_t value;

    if (text.len - *at < digits || !str_to_u32(str_slice(text, *at, *at + digits), &value))
        return false;
    *at += digits;
    *out = (int)value;
    return true;
}

static void skip(struct str text, size_t *at, char byte)
{
    if (*at < text.len && text.ptr[*at] == byte)
        ++*at;
}

bool format_parse_utc(struct str text, int64_t *real_ms)
{
    struct tm tm = {0};
    size_t at = 0;
    int ms = 0;

    if (!take_number(text, &at, 4, &tm.tm_year))
        return false;
    skip(text, &at, '-');
    if (!take_number(text, &at, 2, &tm.tm_mon))
        return false;
    skip(text, &at, '-');
    if (!take_number(text, &at, 2, &tm.tm_mday) || at >= text.len || text.ptr[at++] != 'T')
        return false;
    if (!take_number(text, &at, 2, &tm.tm_hour))
        return false;
    skip(text, &at, ':');
    if (!take_number(text, &at, 2, &tm.tm_min))
        return false;
    skip(text, &at, ':');
    if (!take_number(text, &at, 2, &tm.tm_sec))
        return false;
    if (at < text.len && text.ptr[at] == '.') {
        at++;
        if (!take_number(text, &at, 3, &ms))
            return false;
    }
    if (at + 1 != text.len || text.ptr[at] != 'Z' || tm.tm_mon < 1 || tm.tm_mon > 12 ||
        tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *real_ms = (int64_t)timegm(&tm) * 1000 + ms;
    return true;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

char *format_double(char *out, size_t size, double value)
{
    char text[FORMAT_MAX];

    if (isinf(value))
        return put(out, size, value > 0 ? "inf" : "-inf");
    for (int digits = isnormal(value) ? 15 : 1; digits <= 17; digits++) { /* below: fewer do */
        (void)snprintf(text, sizeof(text), "%.*g", digits, value);
        if (bits_of(strtod(text, NULL)) == bits_of(value))
            break;
    }
    return put(out, size, "%s", text);
}
