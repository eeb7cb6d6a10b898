#include "core/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/escape.h"
#include "core/base/format.h"

static struct {
    pthread_mutex_t lock; /* guards everything below */
    struct log_line ring[LOG_RING];
    uint64_t lines; /* written so far; line n sits in ring[n % LOG_RING] */
    enum log_level least;
    int fd; /* -1: ring only */
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .least = LOG_LEVEL_INFO, .fd = -1};

bool log_open(const char *path, enum log_level least, struct error *err)
{
    int fd = -1;

    if (path != NULL) {
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
        if (fd < 0)
            return error_set_errno(err, ERROR_STORAGE, errno, "open log file %s", path);
    }
    log_close();
    pthread_mutex_lock(&state.lock);
    state.fd = fd;
    state.least = least;
    pthread_mutex_unlock(&state.lock);
    return true;
}

void log_close(void)
{
    pthread_mutex_lock(&state.lock);
    if (state.fd >= 0)
        close(state.fd);
    state.fd = -1;
    pthread_mutex_unlock(&state.lock);
}

static void to_file(int fd, const struct log_line *line)
{
    static const char *const level[] = {"debug", "info", "warn", "error"};
    char when[FORMAT_MAX];
    char text[LOG_LINE + FORMAT_MAX + 16];
    int n = snprintf(text, sizeof(text), "%s %s %s\n",
                     format_rfc3339_ms(when, sizeof(when), line->real_ms), level[line->level],
                     line->text);

    if (n > 0 && write(fd, text, (size_t)n) < 0) {
        /* A full disk must not stop an operator who is looking at a failing cluster. */
    }
}

void log_write(enum log_level level, const char *module, const char *fmt, ...)
{
    char raw[LOG_LINE];
    struct log_line line = {.real_ms = clock_real_ms(), .level = level};
    size_t used;
    va_list ap;
    int fd = -1;

    va_start(ap, fmt);
    (void)vsnprintf(raw, sizeof(raw), fmt, ap);
    va_end(ap);
    (void)snprintf(line.text, sizeof(line.text), "%s ", module);
    used = strlen(line.text);
    escape_text(line.text + used, sizeof(line.text) - used, str_from(raw));

    pthread_mutex_lock(&state.lock);
    if (level >= state.least) {
        line.number = ++state.lines;
        state.ring[line.number % LOG_RING] = line;
        if (state.fd >= 0)
            fd = fcntl(state.fd, F_DUPFD_CLOEXEC, 0);
    }
    pthread_mutex_unlock(&state.lock);
    if (fd >= 0) { /* written outside the lock, so that a slow disk holds up one thread only */
        to_file(fd, &line);
        close(fd);
    }
}

size_t log_recent(uint64_t after, struct log_line *out, size_t max)
{
    size_t n = 0;
    uint64_t from;

    pthread_mutex_lock(&state.lock);
    from = state.lines > LOG_RING ? state.lines - LOG_RING : 0;
    if (after > from)
        from = after;
    if (state.lines > from && state.lines - from > max)
        from = state.lines - max;
    for (uint64_t i = from + 1; i <= state.lines; i++)
        out[n++] = state.ring[i % LOG_RING];
    pthread_mutex_unlock(&state.lock);
    return n;
}
