#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "core/store/catalog_impl.h"

static bool settle(struct catalog_row *row, enum backup_state state, const char *reason)
{
    row->state = state;
    str_copy(str_from(reason), row->summary.reason, sizeof(row->summary.reason));
    return true;
}

static void clear_summary(struct catalog_row *row)
{
    row->summary = (struct backup_summary){
        .keys = -1, .bytes = -1, .with_ttl = -1, .unreadable = -1, .archive_bytes = -1};
}

static bool take_manifest(struct catalog *c, struct catalog_row *row, struct str head, bool whole)
{
    struct error why;
    pthread_mutex_lock(&c->lock);
    bool ok = backup_summary_parse(head, whole, &c->arena, &row->summary, &why);
    pthread_mutex_unlock(&c->lock);
    if (!ok) {
        clear_summary(row);
        return settle(row, BACKUP_CORRUPT, why.text);
    }
    if (row->summary.id[0] != '\0' && strcmp(row->summary.id, row->id.text) != 0)
        return settle(row, BACKUP_CORRUPT, "the manifest is another backup's");
    if (!row->has_archive && !row->has_directory)
        return settle(row, BACKUP_CORRUPT, "the archive is missing");
    if (row->has_archive && row->archive_bytes >= 0 &&
        row->archive_bytes <= row->summary.archive_bytes)
        return settle(row, BACKUP_CORRUPT, "the archive is shorter than its manifest says");
    if (row->summary.complete)
        return settle(row, BACKUP_COMPLETE, "");
    if (row->summary.reason[0] != '\0')
        row->state = BACKUP_INCOMPLETE;
    else
        settle(row, BACKUP_INCOMPLETE, "the manifest says that it is not complete");
    return true;
}

/* The summary comes first in a manifest; only of a very long one the first piece lacks totals. */
static bool read_head(struct catalog *c, struct catalog_row *row, const char *name, size_t max,
                      bool *enough, struct error *err)
{
    struct buf head;
    buf_init(&head, max);
    bool ok = store_read_head(c->store, name, max, &head, err);
    bool whole = head.len < max;
    *enough = ok;
    if (ok) {
        clear_summary(row);
        take_manifest(c, row, buf_str(&head), whole);
        *enough = whole || (row->state != BACKUP_CORRUPT && row->summary.has_totals);
    }
    buf_release(&head);
    return ok;
}

bool catalog_read_summary(struct catalog *c, struct catalog_row *row, struct error *err)
{
    char name[CATALOG_NAME_MAX];
    struct error why;
    bool enough = false;
    if (row->state != BACKUP_UNREAD && row->state != BACKUP_UNKNOWN)
        return true;
    clear_summary(row);
    if (catalog_manifest_name(row, name)[0] == '\0')
        return row->has_archive
                   ? settle(row, BACKUP_FOREIGN, "no manifest beside the archive")
                   : settle(row, BACKUP_CORRUPT, "only a later piece of the archive is there");
    bool ok = read_head(c, row, name, CATALOG_HEAD_FIRST, &enough, &why);
    if (ok && !enough)
        ok = read_head(c, row, name, CATALOG_HEAD_BYTES, &enough, &why);
    if (ok)
        return true;
    if (why.code == ERROR_NOT_FOUND)
        return settle(row, BACKUP_INCOMPLETE, "no manifest: the backup did not finish");
    settle(row, BACKUP_UNKNOWN, why.text);
    *err = why;
    return false;
}

/* Rows are dealt out one by one; each is written by one thread. */
struct crowd {
    struct catalog *catalog;
    struct catalog_row *const *rows;
    size_t count;
    _Atomic size_t next;
    pthread_mutex_t lock;
    /* guarded by lock */
    size_t unknown;
    struct error why; /* the first reason */
    bool cancelled;
};

static void *read_some(void *arg)
{
    struct crowd *crowd = arg;
    struct error err;
    size_t i;
    while ((i = atomic_fetch_add(&crowd->next, 1)) < crowd->count) {
        if (catalog_read_summary(crowd->catalog, crowd->rows[i], &err))
            continue;
        pthread_mutex_lock(&crowd->lock);
        if (crowd->unknown++ == 0)
            crowd->why = err;
        crowd->cancelled = crowd->cancelled || err.code == ERROR_CANCELLED;
        bool stop = crowd->cancelled;
        pthread_mutex_unlock(&crowd->lock);
        if (stop)
            break;
    }
    return NULL;
}

static size_t start_readers(struct crowd *crowd, pthread_t *threads)
{
    size_t want = crowd->count < CATALOG_READERS ? crowd->count : CATALOG_READERS;
    size_t started = 0;
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    /* One is this thread itself: without any other it still gets done. */
    while (started + 1 < want && pthread_create(&threads[started], NULL, read_some, crowd) == 0)
        started++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return started;
}

bool catalog_read_summaries(struct catalog *c, struct catalog_row *const *rows, size_t count,
                            size_t *unknown, struct error *why, struct error *err)
{
    struct crowd crowd = {.catalog = c, .rows = rows, .count = count};
    pthread_t threads[CATALOG_READERS];
    atomic_init(&crowd.next, 0);
    pthread_mutex_init(&crowd.lock, NULL);
    size_t started = start_readers(&crowd, threads);
    read_some(&crowd);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&crowd.lock);
    *unknown = crowd.unknown;
    if (why != NULL && crowd.unknown > 0)
        *why = crowd.why;
    if (crowd.cancelled)
        return error_set(err, ERROR_CANCELLED, 0, "cancelled");
    return true;
}
