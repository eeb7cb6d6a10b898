/*
 * backups.h - the backups screen from the inside: its state, shared by backups.c (life, actions),
 * backups_list.c (what is asked of S3 and disk) and backups_draw.c. UI thread.
 */
#ifndef VIEWS_SCREENS_BACKUPS_H
#define VIEWS_SCREENS_BACKUPS_H

#include "views/screens/backup_form.h"
#include "views/screens/backups_load.h"
#include "views/screens/backups_model.h"

/* One place: what it answered last. */
struct backups_shelf {
    struct backups_source *source;
    bool listed; /* at least once to the end */
    bool more;   /* pages are still to come */
    size_t left_out, ignored;
    int64_t listed_mono;
    struct error err; /* of the last listing; ERROR_NONE */
};

struct backups_state {
    struct backups_form forms; /* first */
    struct app *app;
    const struct environment *env; /* whose backups these are */
    struct backups_model model;
    struct table table;
    struct backups_shelf shelves[PLACES];
    struct watch_list *jobs; /* with a reference */
    unsigned refreshes;      /* r, F5 */
    uint64_t backups_seen;   /* tells when a backup job began or ended */
};

enum { BACKUPS_CHANNEL_PLACE = 1, BACKUPS_CHANNEL_REMOVE = 10 }; /* one for each place */

/* The row under the cursor; NULL: none. */
struct backups_row *backups_selected(const struct backups_state *s);

/* ---- backups_list.c ---- */
/* List both places again; what is shown stays until the answer is there. */
void backups_list_start(struct backups_state *s);
void backups_list_release(struct backups_state *s);
/* Ask for what is missing: the next page, the summaries of the rows in sight. */
void backups_list_go_on(struct backups_state *s);
/* Take in a new job list; lists again when a backup began or ended. */
void backups_list_jobs(struct backups_state *s);
bool backups_is_configured(const struct backups_state *s, int place);

/* ---- backups_draw.c ---- */
void backups_draw(const void *state, struct canvas *c, struct rect at, enum view_layout layout);

#endif
