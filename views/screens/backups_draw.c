#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/format.h"
#include "views/screens/backups.h"

#define LABEL 7 /* columns of "local  " */
#define DETAIL_ROWS 6
#define TABLE_ROWS_LEAST 6

/* ---- the lines about the places ---- */

static enum role shelf_text(const struct backups_state *s, int place, char *out, size_t size)
{
    const struct backups_shelf *shelf = &s->shelves[place];
    const char *uri = backups_source_uri(shelf->source);
    size_t n = backups_model_count(&s->model, place);
    int64_t lasted = s->app->now_mono - shelf->listed_mono;
    char age[FORMAT_MAX];
    size_t len;

    if (uri == NULL) {
        (void)snprintf(out, size, "not configured: set storage.s3_uri in config.json, or S3_URI");
        return ROLE_DIM;
    }
    if (shelf->err.code != ERROR_NONE) {
        (void)snprintf(out, size, "%s: %s", error_code_name(shelf->err.code), shelf->err.text);
        return ROLE_BAD;
    }
    (void)snprintf(out, size, "%s  %zu backup%s%s", uri, n, n == 1 ? "" : "s",
                   shelf->listed || !shelf->more ? "" : " so far, listing");
    len = strlen(out);
    if (shelf->listed && lasted >= 1000)
        (void)snprintf(out + len, size - len, ", listed %s ago",
                       format_duration(age, sizeof(age), lasted / 1000 * 1000));
    else if (shelf->listed)
        (void)snprintf(out + len, size - len, ", listed just now");
    len = strlen(out);
    if (shelf->left_out > 0)
        (void)snprintf(out + len, size - len, ", %zu older ones are not shown", shelf->left_out);
    len = strlen(out);
    if (shelf->ignored > 0)
        (void)snprintf(out + len, size - len, ", %zu other names", shelf->ignored);
    return s->model.only >= 0 && s->model.only != place ? ROLE_DIM : ROLE_TEXT;
}

/* An error may take two rows: it is said in full where that is possible. */
static void draw_shelf(const struct backups_state *s, int place, struct canvas *c, struct rect *at)
{
    char text[700];
    enum role role = shelf_text(s, place, text, sizeof(text));
    struct rect area = {0, 0, at->w - LABEL - 1, 2};
    int rows = role == ROLE_BAD ? canvas_wrap(NULL, area, role, str_from(text)) : 1;
    struct rect lines = rect_take_top(at, rows > 1 ? 2 : 1);

    (void)canvas_format(c, (struct rect){lines.x + 1, lines.y, LABEL, 1}, ROLE_TITLE, "%s",
                        backups_place_name(place));
    lines.x += LABEL + 1;
    lines.w -= LABEL + 1;
    if (role == ROLE_BAD)
        (void)canvas_wrap(c, lines, role, str_from(text));
    else
        (void)canvas_print(c, lines, role, text);
}

/* ---- the pane below ---- */

static void draw_detail(const struct backups_state *s, const struct backups_row *r,
                        struct canvas *c, struct rect at)
{
    char text[BACKUPS_TEXT * 2];
    char *uri = backups_row_uri(s->app, r);
    size_t size = sizeof(text);
    struct rect in = canvas_box(c, at, ROLE_BORDER, r->row.id.text, "Enter shows all of it");

    in.x++;
    in.w--;
    (void)canvas_print(c, rect_row(in, 0), backups_state_role(r),
                       backups_state_line(text, size, r, s->app->now_real));
    (void)canvas_print(c, rect_row(in, 1), ROLE_TEXT, backups_keys_line(text, size, r));
    (void)canvas_print(c, rect_row(in, 2), r->verified_role == ROLE_DIM ? ROLE_DIM : ROLE_TEXT,
                       backups_verify_line(text, size, r));
    (void)canvas_print(c, rect_row(in, 3), ROLE_TEXT, backups_time_line(text, size, r));
    (void)canvas_print(c, rect_row(in, 4), ROLE_TEXT, backups_about_line(text, size, r));
    (void)canvas_format(c, rect_row(in, 5), ROLE_DIM, "where     %s", uri);
    free(uri);
}

/* Does an empty table mean that there is nothing? Not while a place was not heard. */
static const char *unheard(const struct backups_state *s)
{
    const char *why = NULL;

    for (int i = 0; i < PLACES; i++) {
        if (!backups_is_configured(s, i) || (s->model.only >= 0 && s->model.only != i))
            continue;
        if (s->shelves[i].err.code != ERROR_NONE)
            return "nothing to show: a place could not be asked, see above; r asks again";
        if (!s->shelves[i].listed)
            why = "listing ...";
    }
    return why;
}

static void draw_table(const struct backups_state *s, struct canvas *c, struct rect at)
{
    static const char *const titles[] = {"Backups in S3", "Backups on disk"};
    char status[200];
    char note[260];
    bool busy = false;
    struct rect in;

    for (int i = 0; i < PLACES; i++)
        busy = busy || (backups_is_configured(s, i) && s->shelves[i].more);
    (void)snprintf(note, sizeof(note), "%s%s", table_status(&s->table, status, sizeof(status)),
                   busy ? "  more to come" : "");
    in = canvas_box(c, at, ROLE_FOCUS, s->model.only < 0 ? "Backups" : titles[s->model.only], note);
    table_draw(&s->table, c, in, true);
    if (s->model.shown_count == 0 && unheard(s) != NULL && in.h > 1) {
        canvas_fill(c, rect_row(in, 1), ROLE_TEXT);
        (void)canvas_format(c, rect_row(in, 1), ROLE_DIM, "  %s", unheard(s));
    }
}

void backups_draw(const void *state, struct canvas *c, struct rect at, enum view_layout layout)
{
    const struct backups_state *s = state;
    const struct backups_row *r = backups_selected(s);
    int rows = layout == LAYOUT_FULL ? DETAIL_ROWS : 3;

    if (layout == LAYOUT_STRIP) {
        for (int i = 0; i < PLACES; i++)
            if (s->shelves[i].err.code != ERROR_NONE && at.h > 3)
                draw_shelf(s, i, c, &at);
        table_draw(&s->table, c, at, true);
        return;
    }
    for (int i = 0; i < PLACES; i++)
        draw_shelf(s, i, c, &at);
    if (r != NULL && at.h >= rows + 2 + TABLE_ROWS_LEAST)
        draw_detail(s, r, c, rect_take_bottom(&at, rows + 2));
    draw_table(s, c, at);
}
