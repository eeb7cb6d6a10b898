#include "views/verbs/jobs_print.h"

#include <stdio.h>

#include "core/base/clock.h"
#include "core/base/escape.h"
#include "core/base/format.h"
#include "core/base/json.h"

#define SHOWN 400

void jobs_print_json(json_t *doc, bool pretty)
{
    struct buf out;
    struct error err = {0};
    buf_init(&out, (size_t)64 << 20);
    if (json_print(doc, pretty, &out, &err)) {
        (void)fwrite(out.data, 1, out.len, stdout);
        (void)fputs(pretty ? "" : "\n", stdout);
    }
    (void)fflush(stdout);
    buf_release(&out);
    json_decref(doc);
}

static int64_t duration_of(const struct job_info *info)
{
    if (info->started_ms == 0)
        return -1;
    if (job_state_is_live(info->state))
        return clock_real_ms() - info->started_ms;
    int64_t end = info->ended_ms > 0 ? info->ended_ms : info->updated_ms;
    return end >= info->started_ms ? end - info->started_ms : -1;
}

/* "12.3%", "done", or "-" when the total is not known. */
static const char *share_of(const struct progress_bar *bar, char *out, size_t size)
{
    if (bar->total == 0)
        return "-";
    return format_percent(out, size, bar->done, bar->total);
}

static void print_row(const struct job_info *info)
{
    char started[FORMAT_MAX];
    char lasted[FORMAT_MAX];
    char share[FORMAT_MAX];
    char env[SHOWN];
    char target[SHOWN];
    (void)printf(
        "%-7s  %-8s  %-10s  %-10s  %-20s  %9s  %6s  %s\n", info->id, job_kind_name(info->kind),
        job_state_name(info->state), escape_text(env, sizeof(env), str_from(info->env)),
        info->started_ms > 0 ? format_rfc3339(started, sizeof(started), info->started_ms) : "-",
        format_duration(lasted, sizeof(lasted), duration_of(info)),
        share_of(&info->progress.total, share, sizeof(share)),
        escape_text(target, sizeof(target), str_from(info->target)));
}

void jobs_print_list(const struct job_list *list, size_t limit)
{
    if (list->count == 0) {
        (void)printf("no jobs yet\n");
        return;
    }
    (void)printf("%-7s  %-8s  %-10s  %-10s  %-20s  %9s  %6s  %s\n", "ID", "KIND", "STATE", "ENV",
                 "STARTED", "LASTED", "DONE", "TARGET");
    for (size_t i = 0; i < list->count && i < limit; i++)
        print_row(list->items[i]);
    if (list->count > limit)
        (void)printf("and %zu older ones (--limit)\n", list->count - limit);
}

json_t *jobs_list_json(const struct job_list *list, size_t limit)
{
    json_t *jobs = json_array();
    for (size_t i = 0; i < list->count && i < limit; i++)
        json_push(jobs, job_info_to_json(list->items[i], false));
    json_t *doc = json_object();
    json_put_int(doc, "count", (int64_t)list->count);
    json_put(doc, "jobs", jobs);
    return doc;
}

void jobs_print_list_json(const struct job_list *list, size_t limit)
{
    jobs_print_json(jobs_list_json(list, limit), true);
}

static void print_bar(const struct progress_bar *bar, const char *unit)
{
    char done[FORMAT_MAX];
    char total[FORMAT_MAX];
    char share[FORMAT_MAX];
    char word[FORMAT_MAX];
    (void)printf("%s %s", unit, format_count(done, sizeof(done), (int64_t)bar->done));
    if (bar->total > 0) {
        (void)printf(" of %s (%s)", format_count(total, sizeof(total), (int64_t)bar->total),
                     share_of(bar, share, sizeof(share)));
    }
    if (bar->rate > 0)
        (void)printf("  %s/s", format_count(done, sizeof(done), bar->rate));
    if (bar->eta_ms > 0)
        (void)printf("  %s left", format_duration(total, sizeof(total), bar->eta_ms));
    if (bar->word[0] != '\0')
        (void)printf("  %s", escape_text(word, sizeof(word), str_from(bar->word)));
}

void jobs_print_progress(const struct job_info *info)
{
    char stage[FORMAT_MAX * 2];
    char unit[FORMAT_MAX];
    (void)printf("%s", job_state_name(info->state));
    if (info->progress.stage[0] != '\0')
        (void)printf("  %s", escape_text(stage, sizeof(stage), str_from(info->progress.stage)));
    (void)printf("  ");
    print_bar(&info->progress.total,
              escape_text(unit, sizeof(unit), str_from(info->progress.unit)));
}

static void print_field(const char *name, const char *value)
{
    char shown[SHOWN * 2];
    if (value != NULL && value[0] != '\0')
        (void)printf("%-10s %s\n", name, escape_text(shown, sizeof(shown), str_from(value)));
}

static void print_time(const char *name, int64_t real_ms)
{
    char text[FORMAT_MAX];
    if (real_ms > 0)
        print_field(name, format_rfc3339(text, sizeof(text), real_ms));
}

static void print_rows(const struct progress *p)
{
    char name[SHOWN];
    char unit[FORMAT_MAX];
    (void)escape_text(unit, sizeof(unit), str_from(p->unit));
    for (size_t i = 0; i < p->row_count; i++) {
        (void)printf("  %-28s ", escape_text(name, sizeof(name), str_from(p->rows[i].name)));
        print_bar(&p->rows[i], unit);
        (void)printf("\n");
    }
    for (size_t i = 0; i < p->counter_count; i++) {
        char value[FORMAT_MAX];
        (void)printf("  %-28s %s\n", escape_text(name, sizeof(name), str_from(p->counters[i].name)),
                     format_count(value, sizeof(value), p->counters[i].value));
    }
}

void jobs_print_one(const struct job_info *info)
{
    char number[FORMAT_MAX];
    (void)printf("%s %s: ", info->id, job_kind_name(info->kind));
    jobs_print_progress(info);
    (void)printf("\n");
    print_field("env", info->env);
    print_field("target", info->target);
    print_field("reason", info->reason);
    print_field("by", info->user);
    print_field("sudo from", info->sudo_user);
    print_field("ssh", info->ssh);
    print_field("host", info->host);
    (void)printf("%-10s %lld\n", "pid", (long long)info->pid);
    print_time("started", info->started_ms);
    print_time("ended", info->ended_ms);
    print_field("lasted", format_duration(number, sizeof(number), duration_of(info)));
    if (info->runs > 1) {
        (void)printf("%-10s %u, first at ", "runs", (unsigned)info->runs);
        (void)printf("%s\n", format_rfc3339(number, sizeof(number), info->first_ms));
    }
    if (info->failed > 0) {
        (void)printf("%-10s %llu keys, named in failed.jsonl\n", "failed",
                     (unsigned long long)info->failed);
    }
    if (info->warnings > 0)
        (void)printf("%-10s %llu\n", "warnings", (unsigned long long)info->warnings);
    print_field("error", info->error_text);
    if (info->progress.waiting.why[0] != '\0') {
        print_field("waits for", info->progress.waiting.why);
        print_time("waiting", info->progress.waiting.since_ms);
        print_time("gives up", info->progress.waiting.until_ms);
    }
    print_rows(&info->progress);
}

void jobs_print_line(const struct journal_line *line)
{
    char time[FORMAT_MAX];
    char level[FORMAT_MAX];
    (void)printf("%s  %-5s  %s\n",
                 line->real_ms > 0 ? format_clock_ms(time, sizeof(time), line->real_ms) : "-",
                 escape_text(level, sizeof(level), str_from(line->level)), line->text);
}
