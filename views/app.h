/*
 * app.h - what all screens of the console share: the environment, the newest data, read-only mode,
 * reads in the background, and starting jobs.
 *
 * UI thread only; nothing here waits. Screens get it as view_context.app. snapshot and jobs are
 * replaced before every view's update(): a screen that keeps a pointer into one takes a reference.
 */
#ifndef VIEWS_APP_H
#define VIEWS_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/config/config.h"
#include "core/config/identity.h"
#include "core/config/who.h"
#include "core/jobs/spawn.h"
#include "core/jobs/watch.h"
#include "core/monitor/snapshot.h"
#include "tui/ui.h"
#include "views/verbs/verb.h"

struct pump;
struct connection;

enum app_access {
    ACCESS_READ_ONLY, /* --read-only, or not armed yet */
    ACCESS_OPEN,      /* an unprotected environment: every change still asks */
    ACCESS_ARMED      /* :rw 20m REASON; ends by itself */
};

struct app {
    const struct invocation *inv;
    const struct config *config;
    const struct environment *env; /* NULL: nothing is configured */
    const char *state_dir;         /* NULL: none could be opened (state_error says why) */
    struct error state_error;
    struct who who;
    struct ui *ui;
    struct pump *pump;

    /* Never NULL while a view is open. Before the first answer the snapshot has no nodes and its
     * state is MONITOR_CONNECTING. */
    const struct snapshot *snapshot;
    const struct watch_list *jobs;
    struct error trouble; /* the monitor could not be started: wrong password file, bad CA …; shown
                             in full; code ERROR_NONE when there is none */

    struct identity_decision identity; /* match IDENTITY_UNSEEN until it is known */
    enum app_access access;
    int64_t armed_until; /* monotonic, with ACCESS_ARMED */
    char reason[200];    /* given to :rw */
    int64_t now_mono;    /* of this frame: ages on one screen agree with each other */
    int64_t now_real;
    bool utc;           /* T: times in UTC (true) or local */
    unsigned refreshes; /* rises with every r, F5: views that read elsewhere ask again */
};

/* ---- may it be changed? ---- */

/* NULL: yes. Else the reason, for greyed rows: "read-only: arm with :rw 20m REASON". */
const char *app_write_blocked(const struct app *app);
/* What a dialog asks for: the name to type (NULL: the button is enough) by the same rule as
 * --confirm. destroys: it cannot be put back. */
const char *app_typed_name(const struct app *app, bool destroys);
bool app_is_protected(const struct app *app);

/* ---- reads in the background ---- */

/* One question to a worker thread. work() runs there, may block, looks at *stale now and then, and
 * touches nothing but data. done() runs on the UI thread, unless a newer request of the same owner
 * and channel was made, or app_forget(owner) was called: then only release() runs. */
struct app_request {
    void (*work)(void *data, const _Atomic(bool) *stale);
    void (*done)(void *owner, void *data);
    void (*release)(void *data); /* always, last, on the UI thread; may be NULL */
    void *data;
    void *owner; /* the view's state */
    int channel; /* one view may have several kinds of question under way */
};
void app_ask(struct app *app, const struct app_request *request);
/* Call it in close(): answers on their way to this owner are dropped. */
void app_forget(struct app *app, void *owner);
/* True while the newest request of this owner and channel is under way. */
bool app_is_waiting(const struct app *app, const void *owner, int channel);

/* ---- jobs ---- */

/* Start `rbconsole <global options of this console> ARGS…` as its own process. args: verb and its
 * options, NULL-terminated. A toast names the job when it has its id, or shows the child's own
 * words when it could not start; with `show` the jobs screen opens on it. */
bool app_start_job(struct app *app, const char *const *args, bool show,
                   struct error *err) MUST_CHECK;
/* The same without toast or jobs screen: `told` hears the job's id, or NULL and why it could not
 * start; not after app_forget(owner). */
typedef void (*app_told)(void *owner, const char *id, const struct error *why);
bool app_start_told(struct app *app, const char *const *args, app_told told, void *owner,
                    struct error *err) MUST_CHECK;
/* The same command line for people to read, and for ui_confirm.command. Freed by the caller. */
char *app_command_text(const struct app *app, const char *const *args);
/* Pause, resume, rate, cancel: queued, never waits. */
void app_job_order(struct app *app, const char *id, enum control_order order, uint64_t value);
/* The watcher, for watch_follow and watch_lines. NULL without a state directory. */
struct watch *app_watch(struct app *app);

/* ---- the environment ---- */

/* Poll every node now (r, F5). */
void app_refresh(struct app *app);
/* Leave, and become this program again with these options (and --config, --state-dir as now). */
void app_restart(struct app *app, const char *const *args);
/* Options for connections made in a worker: the worker makes its own struct connection from these
 * (config and env are constant). */
struct config_scope app_scope(const struct app *app);

/* ---- leaving the screen with something ---- */

/* Put text on the clipboard (tmux buffer, OSC 52) and into a file; a toast says which. */
void app_copy(struct app *app, struct str text);
/* "21:03:12Z" or local or age, as T has it. Returns out. */
char *app_time(const struct app *app, char *out, size_t size, int64_t real_ms);

#endif
