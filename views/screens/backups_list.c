#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "views/screens/backups.h"

#define AGAIN_MS 60000 /* a list older than this is asked for again */
#define PAGE_GUESS 20  /* rows in sight before the first drawing */

bool backups_is_configured(const struct backups_state *s, int place)
{
    return backups_source_uri(s->shelves[place].source) != NULL;
}

static void page_came(void *owner, void *data)
{
    struct backups_state *s = owner;
    const struct backups_page *page = data;
    struct backups_shelf *shelf = &s->shelves[page->place];

    if (page->source != shelf->source)
        return;
    shelf->err = page->err;
    shelf->more = page->more;
    if (page->err.code == ERROR_NONE) {
        shelf->left_out = page->left_out;
        shelf->ignored = page->ignored;
        if (!shelf->listed || !page->more) {
            backups_model_take(&s->model, page->place, page->rows, page->count);
            backups_model_jobs(&s->model, s->jobs, s->env != NULL ? s->env->name : "");
            table_sync(&s->table, &s->model);
        }
        shelf->listed = shelf->listed || !page->more;
    }
    shelf->listed_mono = clock_mono_ms();
    backups_list_go_on(s);
    ui_touch(s->app->ui);
}

static void ask_page(struct backups_state *s, int place)
{
    backups_ask_page(s->app, s->shelves[place].source, s, BACKUPS_CHANNEL_PLACE + place, page_came);
}

static bool has_answer(const struct backups_heads *heads, const char *id)
{
    for (size_t i = 0; i < heads->count; i++)
        if (strcmp(heads->rows[i].id.text, id) == 0)
            return true;
    return false;
}

/* What nobody answered for is unknown, or it would be asked for for ever. */
static void settle_missing(struct backups_state *s, const struct backups_heads *heads)
{
    for (size_t i = 0; i < heads->wanted; i++) {
        struct catalog_row row = {.state = BACKUP_UNKNOWN};

        if (has_answer(heads, heads->ids[i]) || !backup_id_parse(str_from(heads->ids[i]), &row.id))
            continue;
        (void)snprintf(row.summary.reason, sizeof(row.summary.reason),
                       "it was not in the last listing");
        (void)backups_model_settle(&s->model, heads->place, &row);
    }
}

static void heads_came(void *owner, void *data)
{
    struct backups_state *s = owner;
    const struct backups_heads *heads = data;

    for (size_t i = 0; i < heads->count; i++)
        (void)backups_model_settle(&s->model, heads->place, &heads->rows[i]);
    settle_missing(s, heads);
    table_sync(&s->table, &s->model);
    backups_list_go_on(s);
    ui_touch(s->app->ui);
}

static void want(struct backups_heads *heads, const struct backups_row *r, int place)
{
    if (r->place != place || r->row.state != BACKUP_UNREAD || heads->wanted == BACKUPS_AT_ONCE)
        return;
    memcpy(heads->ids[heads->wanted++], r->row.id.text, sizeof(r->row.id.text));
}

/* The rows in sight, from the table as it was drawn last. */
static void ask_heads(struct backups_state *s, int place)
{
    struct backups_heads heads = {.wanted = 0};
    const struct table *t = &s->table;
    size_t page = t->seen->page > 0 ? (size_t)t->seen->page : PAGE_GUESS;

    for (size_t i = t->seen->top; i < t->shown && i < t->seen->top + page; i++)
        want(&heads, s->model.shown[t->order[i]], place);
    if (heads.wanted > 0)
        backups_ask_heads(s->app, s->shelves[place].source, &heads, s,
                          BACKUPS_CHANNEL_PLACE + place, heads_came);
}

static bool is_old(const struct backups_shelf *shelf)
{
    return !shelf->more && clock_mono_ms() - shelf->listed_mono > AGAIN_MS;
}

static void start(struct backups_state *s, int place)
{
    struct backups_shelf *shelf = &s->shelves[place];

    backups_source_unref(shelf->source);
    shelf->source = backups_source_new(s->app, place);
    shelf->more = backups_is_configured(s, place);
    shelf->listed_mono = clock_mono_ms();
    if (shelf->more)
        ask_page(s, place);
}

void backups_list_start(struct backups_state *s)
{
    for (int i = 0; i < PLACES; i++)
        start(s, i);
}

void backups_list_release(struct backups_state *s)
{
    for (int i = 0; i < PLACES; i++)
        backups_source_unref(s->shelves[i].source);
}

void backups_list_go_on(struct backups_state *s)
{
    for (int i = 0; i < PLACES; i++) {
        struct backups_shelf *shelf = &s->shelves[i];

        if (!backups_is_configured(s, i) || app_is_waiting(s->app, s, BACKUPS_CHANNEL_PLACE + i))
            continue;
        if (shelf->more)
            ask_page(s, i);
        else if (is_old(shelf))
            start(s, i);
        else
            ask_heads(s, i);
    }
}

/* A number that changes when a backup job begins or ends. */
static uint64_t backups_stamp(const struct watch_list *jobs)
{
    uint64_t stamp = 0;

    for (size_t i = 0; i < jobs->jobs.count; i++)
        if (jobs->jobs.items[i]->kind == JOB_BACKUP)
            stamp += job_state_is_live(jobs->jobs.items[i]->state) ? 1 : (uint64_t)1 << 32;
    return stamp;
}

void backups_list_jobs(struct backups_state *s)
{
    struct watch_list *old = s->jobs;
    uint64_t stamp = backups_stamp(s->app->jobs);

    if (old == s->app->jobs)
        return;
    s->jobs = watch_list_ref(s->app->jobs);
    watch_list_unref(old);
    backups_model_jobs(&s->model, s->jobs, s->env != NULL ? s->env->name : "");
    table_sync(&s->table, &s->model);
    if (stamp != s->backups_seen && old != NULL)
        backups_list_start(s);
    s->backups_seen = stamp;
}
