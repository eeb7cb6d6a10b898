#include <stdio.h>

#include "core/base/format.h"
#include "core/base/log.h"
#include "tui/pager.h"
#include "views/registry.h"

/* The console's own log: what it did and what went wrong, newest last. */

struct log_state {
    struct pager pager;
    uint64_t last; /* number of the newest line shown */
};

static bool open_log(void *state, const struct view_context *at UNUSED, struct error *err UNUSED)
{
    pager_init(&((struct log_state *)state)->pager, true);
    return true;
}

static void close_log(void *state)
{
    pager_release(&((struct log_state *)state)->pager);
}

static void update(void *state)
{
    static const enum role roles[] = {[LOG_LEVEL_DEBUG] = ROLE_DIM,
                                      [LOG_LEVEL_INFO] = ROLE_TEXT,
                                      [LOG_LEVEL_WARN] = ROLE_WARN,
                                      [LOG_LEVEL_ERROR] = ROLE_BAD};
    static const char *const words[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
    struct log_state *s = state;
    struct log_line lines[32];
    size_t n;

    while ((n = log_recent(s->last, lines, COUNT_OF(lines))) > 0)
        for (size_t i = 0; i < n; i++) {
            char stamp[FORMAT_MAX];
            char text[LOG_LINE + 80];

            (void)snprintf(text, sizeof(text), "%s %s %s",
                           format_clock_ms(stamp, sizeof(stamp), lines[i].real_ms),
                           words[lines[i].level], lines[i].text);
            pager_add(&s->pager, roles[lines[i].level], str_from(text));
            s->last = lines[i].number;
        }
}

static void draw(const void *state, struct canvas *c, struct rect at,
                 enum view_layout layout UNUSED)
{
    const struct log_state *s = state;
    struct rect in = canvas_box(c, at, ROLE_FOCUS, "Log of this console",
                                s->pager.follow ? "following" : "f follows");

    pager_draw(&s->pager, c, in, true);
}

static struct widget *focus(void *state)
{
    return &((struct log_state *)state)->pager.widget;
}

static bool back(void *state)
{
    return pager_back(&((struct log_state *)state)->pager);
}

const struct view_ops log_view = {
    .id = "log",
    .title = "Log",
    .help = "What this console did and what went wrong, newest last.",
    .state_size = sizeof(struct log_state),
    .open = open_log,
    .close = close_log,
    .update = update,
    .draw = draw,
    .focus = focus,
    .back = back,
};
