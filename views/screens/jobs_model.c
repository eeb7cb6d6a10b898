#include "views/screens/jobs_model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/format.h"
#include "tui/gauge.h"
#include "views/screens/jobs_resume.h"

enum column {
    COLUMN_ID,
    COLUMN_KIND,
    COLUMN_STATE,
    COLUMN_ENV,
    COLUMN_PROGRESS,
    COLUMN_SHARE,
    COLUMN_RATE,
    COLUMN_LEFT,
    COLUMN_STARTED,
    COLUMN_LASTED,
    COLUMN_BY,
    COLUMN_TARGET,
    COLUMNS
};

static const struct table_column columns[COLUMNS] = {
    [COLUMN_ID] = {"JOB", 7, 0, 0, ALIGN_LEFT},
    [COLUMN_KIND] = {"KIND", 8, 0, 1, ALIGN_LEFT},
    [COLUMN_STATE] = {"STATE", 10, 0, 0, ALIGN_LEFT},
    [COLUMN_ENV] = {"ENV", 10, 0, 3, ALIGN_LEFT},
    [COLUMN_PROGRESS] = {"PROGRESS", 18, 1, 4, ALIGN_LEFT},
    [COLUMN_SHARE] = {"%", 6, 0, 1, ALIGN_RIGHT},
    [COLUMN_RATE] = {"RATE", 8, 0, 2, ALIGN_RIGHT},
    [COLUMN_LEFT] = {"LEFT", 8, 0, 2, ALIGN_RIGHT},
    [COLUMN_STARTED] = {"STARTED", 20, 0, 3, ALIGN_LEFT},
    [COLUMN_LASTED] = {"LASTED", 8, 0, 4, ALIGN_RIGHT},
    [COLUMN_BY] = {"BY", 10, 0, 5, ALIGN_LEFT},
    [COLUMN_TARGET] = {"TARGET", 20, 2, 6, ALIGN_LEFT},
};

enum role jobs_state_role(enum job_state state)
{
    static const enum role roles[JOB_STATES] = {
        [JOB_STARTING] = ROLE_INFO,   [JOB_RUNNING] = ROLE_INFO,  [JOB_PAUSED] = ROLE_WARN,
        [JOB_CANCELLING] = ROLE_WARN, [JOB_DONE] = ROLE_GOOD,     [JOB_FINDINGS] = ROLE_WARN,
        [JOB_FAILED] = ROLE_BAD,      [JOB_CANCELLED] = ROLE_DIM, [JOB_CRASHED] = ROLE_BAD,
    };
    return state < JOB_STATES ? roles[state] : ROLE_UNKNOWN;
}

static int64_t number_of(uint64_t n)
{
    return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

char *jobs_done_text(char *out, size_t size, const struct progress_bar *bar)
{
    char done[FORMAT_MAX];
    char total[FORMAT_MAX];
    (void)format_count_short(done, sizeof(done), number_of(bar->done));
    (void)format_count_short(total, sizeof(total), number_of(bar->total));
    (void)snprintf(out, size, "%s/%s", done, bar->total > 0 ? total : "?");
    return out;
}

char *jobs_share_text(char *out, size_t size, const struct progress_bar *bar)
{
    if (bar->total == 0) {
        (void)snprintf(out, size, "-");
        return out;
    }
    return format_percent(out, size, bar->done < bar->total ? bar->done : bar->total, bar->total);
}

char *jobs_rate_text(char *out, size_t size, const struct progress_bar *bar)
{
    char rate[FORMAT_MAX];
    (void)snprintf(out, size, bar->rate < 0 ? "-" : "%s/s",
                   format_count_short(rate, sizeof(rate), bar->rate));
    return out;
}

char *jobs_left_text(char *out, size_t size, const struct progress_bar *bar)
{
    return format_duration(out, size, bar->eta_ms > 0 ? bar->eta_ms : -1);
}

int64_t jobs_lasted_ms(const struct job_info *info, int64_t now_ms)
{
    int64_t end = job_state_is_live(info->state) ? now_ms : info->ended_ms;
    end = end > 0 ? end : info->updated_ms;
    return info->started_ms > 0 && end >= info->started_ms ? end - info->started_ms : -1;
}

/* ---- the table --------------------------------------------------------------------------------
 */

static const struct job_info *job_at(const void *model, size_t row)
{
    return ((const struct watch_list *)model)->jobs.items[row];
}

static size_t count(const void *model)
{
    return model != NULL ? ((const struct watch_list *)model)->jobs.count : 0;
}

static struct str id_of(const void *model, size_t row)
{
    return str_from(job_at(model, row)->id);
}

static void cell(const void *model, size_t row, size_t column, struct table_cell *out)
{
    const struct job_info *info = job_at(model, row);
    const struct progress_bar *bar = &info->progress.total;
    char *scratch = out->scratch;
    size_t size = sizeof(out->scratch);
    bool live = job_state_is_live(info->state);
    const char *text = "-";
    switch ((enum column)column) {
    case COLUMN_ID:
        text = info->id;
        break;
    case COLUMN_KIND:
        text = job_kind_name(info->kind);
        break;
    case COLUMN_STATE:
        text = job_state_name(info->state);
        out->role = jobs_state_role(info->state);
        break;
    case COLUMN_ENV:
        text = info->env;
        break;
    case COLUMN_PROGRESS:
        text = gauge_text(scratch, size, 18, bar->done, bar->total, true);
        break;
    case COLUMN_SHARE:
        text = jobs_share_text(scratch, size, bar);
        break;
    case COLUMN_RATE:
        text = live ? jobs_rate_text(scratch, size, bar) : "-";
        break;
    case COLUMN_LEFT:
        text = !live                                   ? "-"
               : info->progress.waiting.why[0] != '\0' ? "waits"
                                                       : jobs_left_text(scratch, size, bar);
        break;
    case COLUMN_STARTED:
        text = info->started_ms > 0 ? format_rfc3339(scratch, size, info->started_ms) : "-";
        break;
    case COLUMN_LASTED:
        text = format_duration(scratch, size, jobs_lasted_ms(info, clock_real_ms()));
        break;
    case COLUMN_BY:
        text = info->user;
        break;
    case COLUMN_TARGET:
        text = info->target;
        break;
    case COLUMNS:
        break;
    }
    out->text = str_from(text);
}

static int order_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare(const void *model, size_t a, size_t b, size_t column)
{
    const struct job_info *x = job_at(model, a);
    const struct job_info *y = job_at(model, b);
    struct table_cell left = {.role = ROLE_TEXT};
    struct table_cell right = {.role = ROLE_TEXT};
    switch ((enum column)column) {
    case COLUMN_STARTED:
        return order_numbers(x->started_ms, y->started_ms);
    case COLUMN_LASTED:
        return order_numbers(jobs_lasted_ms(x, 0), jobs_lasted_ms(y, 0));
    case COLUMN_RATE:
        return order_numbers(x->progress.total.rate, y->progress.total.rate);
    case COLUMN_LEFT:
        return order_numbers(x->progress.total.eta_ms, y->progress.total.eta_ms);
    case COLUMN_STATE:
        return order_numbers((int64_t)x->state, (int64_t)y->state);
    case COLUMN_ID:
    case COLUMN_KIND:
    case COLUMN_ENV:
    case COLUMN_PROGRESS:
    case COLUMN_SHARE:
    case COLUMN_BY:
    case COLUMN_TARGET:
    case COLUMNS:
        break;
    }
    cell(model, a, column, &left);
    cell(model, b, column, &right);
    return str_compare(left.text, right.text);
}

const struct table_ops jobs_table_ops = {
    .columns = columns,
    .columns_count = COLUMNS,
    .count = count,
    .cell = cell,
    .id = id_of,
    .compare = compare,
    .empty = "no jobs yet",
};

/* ---- lines ------------------------------------------------------------------------------------
 */

static void add(char *out, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void add(char *out, size_t size, const char *fmt, ...)
{
    size_t len = strlen(out);
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(out + len, size - len, fmt, args);
    va_end(args);
}

char *jobs_title_text(char *out, size_t size, const struct job_info *info)
{
    (void)snprintf(out, size, "%s %s", info->id, job_kind_name(info->kind));
    const struct {
        const char *word, *value;
    } parts[] = {
        {"", info->env}, {"", info->target}, {"by ", info->user}, {"reason ", info->reason}};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (parts[i].value[0] != '\0')
            add(out, size, "  %s%s", parts[i].word, parts[i].value);
    return out;
}

/* Backups and restores only, and not those that cannot. */
static void add_resume(char *out, size_t size, const struct job_info *info)
{
    if (jobs_cannot_resume(info, info->env) != NULL)
        return;
    add(out, size, "; :resume goes on, or rbconsole -e %s %s --resume %s", info->env,
        job_kind_name(info->kind), info->id);
}

char *jobs_waiting_text(char *out, size_t size, const struct job_info *info, int64_t now_ms)
{
    const struct progress_waiting *w = &info->progress.waiting;
    int64_t since = now_ms > w->since_ms ? (now_ms - w->since_ms) / 1000 : 0;
    int64_t left = w->until_ms > now_ms ? (w->until_ms - now_ms) / 1000 : 0;
    out[0] = '\0';
    if (!job_state_is_live(info->state) || w->why[0] == '\0')
        return out;
    add(out, size, "WAITS for %lld s, stops in %lld s%s: %s", (long long)since, (long long)left,
        info->kind == JOB_BACKUP || info->kind == JOB_RESTORE ? " (resumable)" : "", w->why);
    return out;
}

char *jobs_fate_text(char *out, size_t size, const struct job_info *info, int64_t now_ms)
{
    char lasted[FORMAT_MAX];
    (void)format_duration(lasted, sizeof(lasted), jobs_lasted_ms(info, now_ms));
    out[0] = '\0';
    switch (info->state) {
    case JOB_STARTING:
    case JOB_RUNNING:
    case JOB_PAUSED:
    case JOB_CANCELLING:
        add(out, size, "%s for %s as pid %lld on %s: losing SSH does not stop it",
            job_state_name(info->state), lasted, (long long)info->pid, info->host);
        break;
    case JOB_DONE:
        add(out, size, "done in %s", lasted);
        break;
    case JOB_FINDINGS:
        add(out, size, "ended in %s with %lld findings, %llu keys in failed.jsonl", lasted,
            (long long)info->findings, (unsigned long long)info->failed);
        break;
    case JOB_FAILED:
        add(out, size, "failed: %s", info->error_text);
        add_resume(out, size, info);
        break;
    case JOB_CANCELLED:
        add(out, size, "cancelled after %s", lasted);
        add_resume(out, size, info);
        break;
    case JOB_CRASHED:
        add(out, size, "crashed: the process ended without a result");
        add_resume(out, size, info);
        break;
    case JOB_STATES:
        break;
    }
    return out;
}

char *jobs_counters_text(char *out, size_t size, const struct job_info *info)
{
    char number[FORMAT_MAX];
    out[0] = '\0';
    if (info->failed > 0) {
        add(out, size, "failed keys %s  ",
            format_count(number, sizeof(number), number_of(info->failed)));
    }
    if (info->warnings > 0) {
        add(out, size, "warnings %s  ",
            format_count(number, sizeof(number), number_of(info->warnings)));
    }
    if (info->rate_limit > 0) {
        add(out, size, "limit %s/s  ",
            format_count(number, sizeof(number), number_of(info->rate_limit)));
    }
    for (size_t i = 0; i < info->progress.counter_count; i++) {
        add(out, size, "%s %s  ", info->progress.counters[i].name,
            format_count(number, sizeof(number), info->progress.counters[i].value));
    }
    return out;
}
