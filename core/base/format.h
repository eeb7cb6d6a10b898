/*
 * format.h - numbers and times as people and files write them. Pure; any thread.
 *
 * Each writes a terminated string into out, cut to size, and returns out. Unknown values
 * (negative where a size is expected) become "-".
 */
#ifndef CORE_BASE_FORMAT_H
#define CORE_BASE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/str.h"

#define FORMAT_MAX 40 /* enough for any of these */

char *format_size(char *out, size_t size, int64_t bytes);       /* "1.2 MiB", "512 B" */
char *format_size_short(char *out, size_t size, int64_t bytes); /* "1.2M", at most 5 columns */
char *format_count(char *out, size_t size, int64_t n);          /* "1,234,567" */
char *format_count_short(char *out, size_t size, int64_t n);    /* "1.23M", at most 5 columns */
char *format_duration(char *out, size_t size, int64_t ms); /* "850 ms" "12.3 s" "4m 05s" "2h 03m" */
char *format_percent(char *out, size_t size, uint64_t part, uint64_t whole); /* "12.3%" never 100
                                                                                before the end */
char *format_rfc3339(char *out, size_t size, int64_t real_ms);     /* 2025-08-18T06:06:35Z */
char *format_rfc3339_ms(char *out, size_t size, int64_t real_ms);  /* 2025-08-18T06:06:35.123Z */
char *format_compact_utc(char *out, size_t size, int64_t real_ms); /* 20250818T060635Z */
char *format_clock(char *out, size_t size, int64_t real_ms);       /* 06:06:35 */
char *format_clock_ms(char *out, size_t size, int64_t real_ms);    /* 06:06:35.123 */
/* Accepts the three UTC date forms above, milliseconds optional. */
bool format_parse_utc(struct str text, int64_t *real_ms);
/* The shortest text that reads back to the same double; "inf", "-inf". */
char *format_double(char *out, size_t size, double value);

#endif
