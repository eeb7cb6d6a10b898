/*
 * console_private.h - what the files of the console's frame share: console.c (start, loop, end),
 * session.c (the watched environment), app.c (what screens call), header.c, commands.c, script.c.
 */
#ifndef VIEWS_CONSOLE_PRIVATE_H
#define VIEWS_CONSOLE_PRIVATE_H

#include "core/base/alloc.h"
#include "core/monitor/monitor.h"
#include "tui/loop.h"
#include "tui/term.h"
#include "views/app.h"
#include "views/connect.h"
#include "views/console.h"
#include "views/pump.h"

#define LAUNCHES_MAX 8

struct launch {
    struct spawn *spawn;
    int fd; /* watched in the loop, -1: none */
    bool show, started;
    char *what; /* "backup" */
    app_told told;
    void *owner; /* of told */
};

struct console {
    struct app app; /* first: a struct app * is a struct console * */
    struct loop *loop;
    struct term *term; /* NULL while a script drives */
    struct pace pace;
    struct theme theme;
    char *theme_dir; /* NULL: none found */
    char **themes;   /* names, for completion */
    size_t theme_count;
    struct watch *watch;
    int watch_fd;
    struct snapshot *held;        /* app.snapshot */
    struct watch_list *held_jobs; /* app.jobs */
    struct watch_list no_jobs;    /* while there is no state directory */

    struct connection *connection;
    struct monitor *monitor;
    int monitor_fd;        /* -1: not watched */
    struct identity asked; /* the one that was last judged */

    struct launch launches[LAUNCHES_MAX];
    char warning[400]; /* the second header line; "" */
    char leave_text[200];
    char **restart; /* argv to become after the terminal was given back; NULL: none */
    char *next_env; /* :ctx asked for it; taken up by the loop */
};

static inline struct console *console_of(const struct app *app)
{
    return mem_unconst(app);
}

/* ---- session.c ---- */
bool session_start(struct console *k, struct error *err);
void session_stop(struct console *k);
void session_tick(struct console *k); /* ages, arming, launches, the warning line */
void session_switch(struct console *k, const struct environment *env);

/* ---- header.c ---- */
void header_draw(const void *app, struct canvas *c, struct rect at, enum view_layout layout);
int header_rows(const void *app);

/* ---- commands.c ---- */
extern const struct action console_actions[];
/* "20m", "90s", "1h", "5" (minutes): at most 8 hours. */
bool command_parse_duration(struct str text, int64_t *ms, struct error *err) MUST_CHECK;

/* ---- app.c ---- */
void app_poll_launches(struct console *k);
void app_release_launches(struct console *k);

/* ---- console.c ---- */
/* Handle what is ready until `deadline`, and draw when it is time. */
void console_step(struct console *k, int64_t deadline);
bool console_set_theme(struct console *k, const char *name, struct error *err);

/* ---- script.c ---- */
/* Drive the console from a file of keys. The exit status. */
int script_run(struct console *k, const char *path, const char *size, const char *dump_dir,
               struct error *err);

#endif
