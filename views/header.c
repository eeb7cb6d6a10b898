#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/format.h"
#include "views/console_private.h"

#define RIGHT_MAX 100

/* The line that never lies: where we are, what may be changed, how old the data is. */

static const char *flavour(const struct snapshot *s, char *out, size_t size)
{
    static const char *const modes[] = {[REDIS_MODE_AUTO] = "",
                                        [REDIS_MODE_CLUSTER] = "cluster ",
                                        [REDIS_MODE_SENTINEL] = "sentinel ",
                                        [REDIS_MODE_SINGLE] = "single "};

    if (s->version.len == 0) {
        (void)snprintf(out, size, "%s",
                       s->state == MONITOR_CONNECTING ? "connecting" : "no answer");
        return out;
    }
    (void)snprintf(out, size, "%s%.*s %.*s%s", modes[s->mode], (int)s->flavour.len,
                   s->flavour.len > 0 ? s->flavour.ptr : "", (int)s->version.len, s->version.ptr,
                   s->mixed_versions ? "+" : "");
    return out;
}

static const char *access_text(const struct app *app, bool wide, char *out, size_t size)
{
    int64_t left = (app->armed_until - app->now_mono) / 1000;
    bool forced = app->identity.match != IDENTITY_UNSEEN && app_write_blocked(app) != NULL;

    if (app->access == ACCESS_READ_ONLY || app->identity.match == IDENTITY_UNSEEN)
        (void)snprintf(out, size, "RO");
    else if (forced)
        (void)snprintf(out, size, "RO forced");
    else if (app->access == ACCESS_OPEN)
        (void)snprintf(out, size, "RW");
    else if (wide)
        (void)snprintf(out, size, "RW %" PRId64 ":%02" PRId64 " left", left / 60, left % 60);
    else
        (void)snprintf(out, size, "RW %" PRId64 "m", (left + 59) / 60);
    return out;
}

static const char *age_text(const struct app *app, char *out, size_t size)
{
    const struct snapshot *s = app->snapshot;
    int64_t age = s->data_age_ms < 0 ? -1 : s->data_age_ms + app->now_mono - s->taken_ms;

    if (age < 0)
        (void)snprintf(out, size, "no data");
    else if (age < 10000)
        (void)snprintf(out, size, "data %" PRId64 ".%" PRId64 "s", age / 1000, age / 100 % 10);
    else
        (void)snprintf(out, size, "DATA %02" PRId64 ":%02" PRId64 ":%02" PRId64 " OLD",
                       age / 3600000, age / 60000 % 60, age / 1000 % 60);
    return out;
}

static int part(struct canvas *c, struct rect *at, enum role role, const char *text)
{
    int used = canvas_print(c, *at, role, text);

    at->x += used;
    at->w -= used;
    return used;
}

static void draw_left(const struct app *app, struct canvas *c, struct rect at, bool wide)
{
    char text[120];
    char label[80];

    (void)part(c, &at, ROLE_HEADER, wide ? " rbconsole | " : " ");
    (void)part(c, &at, ROLE_HEADER, app->env != NULL ? app->env->name : "not configured");
    if (app->env != NULL &&
        (app_is_protected(app) || strcmp(app->env->label, app->env->name) != 0)) {
        (void)snprintf(label, sizeof(label), "*%.60s*",
                       strcmp(app->env->label, app->env->name) != 0 ? app->env->label
                                                                    : "PROTECTED");
        (void)part(c, &at, ROLE_HEADER, " ");
        (void)part(c, &at, ROLE_BADGE, label);
    }
    (void)part(c, &at, ROLE_HEADER, " | ");
    if (wide) {
        (void)part(c, &at, ROLE_HEADER, flavour(app->snapshot, text, sizeof(text)));
        (void)part(c, &at, ROLE_HEADER, " | ");
    }
    (void)access_text(app, wide, text, sizeof(text));
    (void)part(c, &at, app->access == ACCESS_ARMED ? ROLE_ARMED : ROLE_HEADER, text);
    if (ui_is_frozen(app->ui)) {
        (void)part(c, &at, ROLE_HEADER, " | ");
        (void)part(c, &at, ROLE_ARMED, "FROZEN");
    }
    if (app->snapshot->epoch > 0) {
        (void)snprintf(text, sizeof(text), wide ? " | epoch %" PRIu64 : " | ep %" PRIu64,
                       app->snapshot->epoch);
        (void)part(c, &at, ROLE_HEADER, text);
    }
}

static void right_text(const struct app *app, bool wide, char *out, size_t size)
{
    char age[40];
    char stamp[FORMAT_MAX];
    char date[8] = "";

    (void)format_rfc3339(stamp, sizeof(stamp), app->now_real);
    if (wide)
        (void)snprintf(date, sizeof(date), "%.5s ", stamp + 5);
    (void)snprintf(
        out, size, wide ? "%s | jobs %zu alerts %zu | %s%.8sZ " : "%s | J%zu A%zu | %s%.8sZ ",
        age_text(app, age, sizeof(age)), app->jobs->live, app->snapshot->alerts, date, stamp + 11);
}

int header_rows(const void *app)
{
    return console_of(app)->warning[0] != '\0' ? 2 : 1;
}

void header_draw(const void *app, struct canvas *c, struct rect at, enum view_layout layout)
{
    const struct console *k = console_of(app);
    struct rect line = rect_row(at, 0);
    char right[RIGHT_MAX];
    int width;

    canvas_fill(c, line, ROLE_HEADER);
    right_text(app, layout == LAYOUT_FULL, right, sizeof(right));
    width = text_width(str_from(right), true);
    if (line.w >= width + 20) {
        canvas_align(c, line, ROLE_HEADER, ALIGN_RIGHT, str_from(right));
        draw_left(app, c, (struct rect){line.x, line.y, line.w - width - 1, 1},
                  layout == LAYOUT_FULL);
    } else {
        draw_left(app, c, line, false);
    }
    if (at.h > 1 && k->warning[0] != '\0') {
        canvas_fill(c, rect_row(at, 1), ROLE_BAD);
        (void)canvas_print(c, rect_row(at, 1), ROLE_BAD, k->warning);
    }
}
