#include <errno.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "tests/harness/screen_private.h"

bool screen_wait_until(struct screen *s, bool (*test)(struct screen *s, void *data), void *data,
                       int timeout_ms)
{
    int64_t deadline = clock_after(timeout_ms);

    for (;;) {
        if (test(s, data))
            return true;
        if (clock_left_ms(deadline) == 0)
            return false;
        if (!screen_read(s, 50) && s->hung_up)
            return test(s, data);
    }
}

static bool is_shown(struct screen *s, void *data)
{
    return screen_find(s, data, NULL, NULL);
}

static bool is_gone(struct screen *s, void *data)
{
    return !screen_find(s, data, NULL, NULL);
}

static bool is_matched(struct screen *s, void *data)
{
    for (int y = 0; y < s->h; y++) {
        char *row = screen_row(s, y);
        bool found = regexec(data, row, 0, NULL, 0) == 0;

        free(row);
        if (found)
            return true;
    }
    return false;
}

bool screen_wait(struct screen *s, const char *text, int timeout_ms)
{
    return screen_wait_until(s, is_shown, mem_unconst(text), timeout_ms);
}

bool screen_wait_gone(struct screen *s, const char *text, int timeout_ms)
{
    return screen_wait_until(s, is_gone, mem_unconst(text), timeout_ms);
}

bool screen_wait_match(struct screen *s, const char *pattern, int timeout_ms)
{
    regex_t compiled;
    bool found;

    if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        fail_msg("bad pattern: %s", pattern);
    found = screen_wait_until(s, is_matched, &compiled, timeout_ms);
    regfree(&compiled);
    return found;
}

void screen_expect(struct screen *s, const char *text, int timeout_ms)
{
    if (!screen_wait(s, text, timeout_ms))
        screen_fail(s, "\"%s\" did not appear within %d ms", text, timeout_ms);
}

void screen_expect_gone(struct screen *s, const char *text, int timeout_ms)
{
    if (!screen_wait_gone(s, text, timeout_ms))
        screen_fail(s, "\"%s\" did not go away within %d ms", text, timeout_ms);
}

void screen_expect_match(struct screen *s, const char *pattern, int timeout_ms)
{
    if (!screen_wait_match(s, pattern, timeout_ms))
        screen_fail(s, "nothing matched \"%s\" within %d ms", pattern, timeout_ms);
}

static bool reap(struct screen *s, int options)
{
    int status = 0;

    if (s->ended)
        return true;
    if (waitpid(s->pid, &status, WNOHANG | options) != s->pid)
        return false;
    s->status = status;
    s->ended = !WIFSTOPPED(status) && !WIFCONTINUED(status);
    return true;
}

static bool has_ended(struct screen *s, void *data)
{
    (void)data;
    return reap(s, 0) && s->ended;
}

bool screen_wait_exit(struct screen *s, int timeout_ms, int *status)
{
    int64_t deadline = clock_after(timeout_ms);

    while (!has_ended(s, NULL) && clock_left_ms(deadline) > 0)
        (void)screen_read(s, 20);
    while (screen_read(s, 50))
        continue; /* its last words */
    if (s->ended && status != NULL)
        *status = s->status;
    return s->ended;
}

bool screen_is_stopped(struct screen *s, int timeout_ms)
{
    int64_t deadline = clock_after(timeout_ms);

    while (clock_left_ms(deadline) > 0) {
        if (reap(s, WUNTRACED) && WIFSTOPPED(s->status))
            return true;
        (void)screen_read(s, 20);
    }
    return false;
}
