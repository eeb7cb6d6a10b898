#include "views/screens/jobs_detail.h"

#include <string.h>

#include "core/base/format.h"
#include "tui/gauge.h"
#include "views/screens/jobs_model.h"
#include "views/screens/jobs_result.h"

#define NAME_WIDTH 24
#define SHORT_WORD 8 /* a longer one says why nothing moves: it stands where the gauge was */
#define ROWS_MOST 12
#define FATE_ROWS 4
#define KEYS_NAMED 20 /* of a verification; as many as have room are seen */

/* One bar: name, gauge, share, done/total, rate, time left. What does not fit is left out. */
static void draw_bar(struct canvas *c, struct rect at, const char *name,
                     const struct progress_bar *bar, bool live)
{
    char done[FORMAT_MAX];
    char share[FORMAT_MAX];
    char rate[FORMAT_MAX];
    char left[FORMAT_MAX];
    struct rect rest = at;
    static const struct progress_bar unknown = {.rate = -1, .eta_ms = -1};
    int numbers = at.w >= 100 ? 48 : 26;
    (void)canvas_print(c, rect_take_left(&rest, NAME_WIDTH), ROLE_TEXT, name);
    int width = rest.w - numbers;
    bool says_why = live && strlen(bar->word) > SHORT_WORD;
    if (width > 10 && !says_why)
        gauge_draw(c, rect_take_left(&rest, width), ROLE_BAR, bar->done, bar->total);
    (void)jobs_share_text(share, sizeof(share), bar);
    (void)jobs_done_text(done, sizeof(done), bar);
    (void)jobs_rate_text(rate, sizeof(rate), live ? bar : &unknown);
    (void)jobs_left_text(left, sizeof(left), live ? bar : &unknown);
    if (says_why) {
        (void)canvas_format(c, rest, ROLE_WARN, " %6s %s", share, bar->word);
    } else if (at.w >= 100) {
        (void)canvas_format(c, rest, ROLE_TEXT, " %6s %13s %9s %9s %s", share, done, rate, left,
                            bar->word);
    } else {
        (void)canvas_format(c, rest, ROLE_TEXT, " %6s %9s %7s", share, rate, left);
    }
}

static void draw_rows(struct canvas *c, struct rect in, const struct job_info *info)
{
    const struct progress *p = &info->progress;
    bool live = job_state_is_live(info->state);
    struct rect total = rect_take_bottom(&in, 1);
    size_t shown = in.h > 0 ? (size_t)in.h : 0;
    for (size_t i = 0; i < p->row_count && i < shown; i++) {
        if (i + 1 == shown && p->row_count > shown) {
            (void)canvas_format(c, rect_row(in, (int)i), ROLE_DIM, "and %zu more",
                                p->row_count - i);
            break;
        }
        draw_bar(c, rect_row(in, (int)i), p->rows[i].name, &p->rows[i], live);
    }
    draw_bar(c, total, "TOTAL", &p->total, live);
}

struct result_lines {
    struct canvas *c; /* NULL: only count */
    struct rect at;
    int count;
};

static void draw_line(void *arg, enum role role, const char *text)
{
    struct result_lines *r = arg;
    if (r->c != NULL && r->count < r->at.h)
        (void)canvas_print(r->c, rect_row(r->at, r->count), role, text);
    r->count++;
}

static int result_rows(const struct job_info *info)
{
    struct result_lines lines = {.c = NULL};
    jobs_result_lines(info, KEYS_NAMED, draw_line, &lines);
    return lines.count;
}

/* The last row says that there is more. */
static void draw_result(struct canvas *c, struct rect in, const struct job_info *info)
{
    struct result_lines lines = {.c = c, .at = in};
    jobs_result_lines(info, KEYS_NAMED, draw_line, &lines);
    if (lines.count <= in.h || in.h < 1)
        return;
    struct rect last = rect_row(in, in.h - 1);
    canvas_fill(c, last, ROLE_TEXT);
    (void)canvas_format(c, last, ROLE_DIM, "%d more lines: Enter shows them",
                        lines.count - in.h + 1);
}

/* Why a job failed and how to go on is read in full. */
static int fate_rows(const char *text, int width)
{
    int rows = canvas_wrap(NULL, (struct rect){0, 0, width, FATE_ROWS}, ROLE_TEXT, str_from(text));
    return rows < 1 ? 1 : rows < FATE_ROWS ? rows : FATE_ROWS;
}

int jobs_detail_height(const struct job_info *info, int width, int most)
{
    char fate[JOBS_TEXT * 2];
    int result = result_rows(info);
    int rows = (int)(info->progress.row_count < ROWS_MOST ? info->progress.row_count : ROWS_MOST);
    int want = (result > 0 ? result : rows + 2) + 2 +
               fate_rows(jobs_fate_text(fate, sizeof(fate), info, 0), width - 2);
    if (job_state_is_live(info->state) && info->progress.waiting.why[0] != '\0')
        want++;
    return want < most ? want : most;
}

void jobs_detail_draw(struct canvas *c, struct rect at, const struct job_info *info, int64_t now_ms)
{
    char title[JOBS_TEXT];
    char line[JOBS_TEXT * 2];
    struct rect in = canvas_box(c, at, ROLE_BORDER, jobs_title_text(title, sizeof(title), info),
                                info->progress.stage[0] != '\0' ? info->progress.stage : NULL);
    (void)jobs_fate_text(line, sizeof(line), info, now_ms);
    (void)canvas_wrap(c, rect_take_top(&in, fate_rows(line, in.w)), jobs_state_role(info->state),
                      str_from(line));
    if (jobs_waiting_text(line, sizeof(line), info, now_ms)[0] != '\0')
        (void)canvas_print(c, rect_take_top(&in, 1), ROLE_WARN, line);
    if (result_rows(info) > 0) {
        draw_result(c, in, info);
        return;
    }
    if (in.h > 3) {
        (void)canvas_print(c, rect_take_top(&in, 1), ROLE_TEXT,
                           jobs_counters_text(line, sizeof(line), info));
    }
    draw_rows(c, in, info);
}
