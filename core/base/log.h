/*
 * log.h - what happened, for later: lines "time level module text" to a file and a ring.
 *
 * The only mutable global of the program. Any thread. Text passes the escape function; secrets
 * never get here (struct secret cannot be formatted). Before log_open nothing is written to disk.
 */
#ifndef CORE_BASE_LOG_H
#define CORE_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

#define LOG_RING 512
#define LOG_LINE 300

struct log_line {
    uint64_t number; /* rises by one per line, from 1 */
    int64_t real_ms;
    enum log_level level;
    char text[LOG_LINE]; /* "module text", escaped */
};

/* path NULL: ring only. Appends, mode 0600. */
bool log_open(const char *path, enum log_level least, struct error *err) MUST_CHECK;
void log_close(void);
void log_write(enum log_level level, const char *module, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Copy up to max lines newer than `after`, oldest first; returns how many. */
size_t log_recent(uint64_t after, struct log_line *out, size_t max);

#endif
