#include "views/verbs/job_bar.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/escape.h"
#include "core/base/format.h"

#define BAR_COLUMNS 20

bool job_bar_wanted(const struct invocation *inv)
{
    return !inv->quiet && !inv->json && !option_given(inv, "job-fd") && isatty(STDERR_FILENO) == 1;
}

void job_bar_watch(void *ctx, enum job_state state, const struct progress *p)
{
    static const char blocks[BAR_COLUMNS + 1] = "####################";
    bool bytes = strcmp(p->unit, "bytes") == 0;
    const struct progress_bar *bar = &p->total;
    char done[FORMAT_MAX];
    char total[FORMAT_MAX] = "?";
    char rate[FORMAT_MAX];
    char left[FORMAT_MAX];
    char why[2 * PROGRESS_WHY];
    uint64_t filled = bar->total == 0 ? 0 : bar->done * BAR_COLUMNS / bar->total;

    (void)ctx;
    if (filled > BAR_COLUMNS)
        filled = BAR_COLUMNS;
    if (bytes) {
        (void)format_size(done, sizeof(done), (int64_t)bar->done);
        (void)format_size(rate, sizeof(rate), bar->rate);
        if (bar->total > 0)
            (void)format_size(total, sizeof(total), (int64_t)bar->total);
    } else {
        (void)format_count(done, sizeof(done), (int64_t)bar->done);
        (void)format_count_short(rate, sizeof(rate), bar->rate);
        if (bar->total > 0)
            (void)format_count(total, sizeof(total), (int64_t)bar->total);
    }
    (void)fprintf(stderr, "\r\033[K%s %s [%-*.*s] %s/%s%s%s, %s/s, left %s", job_state_name(state),
                  p->stage, BAR_COLUMNS, (int)filled, blocks, done, total, bytes ? "" : " ",
                  bytes ? "" : p->unit, rate, format_duration(left, sizeof(left), bar->eta_ms));
    if (p->waiting.why[0] != '\0')
        (void)fprintf(stderr, "; waits for %s: %s",
                      format_duration(left, sizeof(left), clock_real_ms() - p->waiting.since_ms),
                      escape_text(why, sizeof(why), str_from(p->waiting.why)));
    (void)fflush(stderr);
}
