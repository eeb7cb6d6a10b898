#include "core/monitor/event_share.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/monitor/event_log.h"

#define BEAT_MS 1000
#define STUCK_MS 5000 /* no beat for so long: the writer is stopped */
#define WINDOW_MS                                                                              \
    5000             /* two sightings of one event are at most so far apart, and two intervals \
                      */
#define SLOW_MS 2000 /* a writer that asks less often than this gives way to a faster one */

struct event_share {
    char *path, *lock_path;
    int64_t interval_ms;
    int fd; /* of the lock file while we write; -1 */
    bool writes;
    bool alone; /* no lock to be had here: write as if nobody else did */
    int64_t try_ms, beat_ms;
    struct timespec beat; /* the writer's newest, and when we saw it change */
    int64_t beat_seen_ms;
    struct event_follow *follow;
    struct event_list mine;   /* ours, not in the log */
    struct event_list theirs; /* in the log, and not yet seen by us */
};

struct event_share *event_share_new(const char *path, int64_t interval_ms)
{
    struct event_share *s = mem_zero(1, sizeof(*s));

    s->path = mem_copy_text(path);
    s->lock_path = mem_format("%s.lock", path);
    s->interval_ms = interval_ms;
    s->fd = -1;
    s->follow = event_follow_new(path);
    return s;
}

static void lay_down(struct event_share *s)
{
    if (s->fd >= 0)
        (void)close(s->fd); /* and with it the lock */
    s->fd = -1;
    s->writes = false;
    s->alone = false;
}

void event_share_free(struct event_share *s)
{
    if (s == NULL)
        return;
    lay_down(s);
    event_follow_free(s->follow);
    event_list_release(&s->mine);
    event_list_release(&s->theirs);
    free(s->lock_path);
    free(s->path);
    free(s);
}

bool event_share_writes(const struct event_share *s)
{
    return s->writes;
}

/* ---- who writes ---- */

/* The file that we locked still stands at its path. */
static bool is_current(const struct event_share *s, int fd)
{
    struct stat ours;
    struct stat there;

    return fstat(fd, &ours) == 0 && stat(s->lock_path, &there) == 0 &&
           ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

static void note_interval(const struct event_share *s)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%lld\n", (long long)s->interval_ms);

    /* Only a hint for the others: without it they take us for a fast one. */
    if (ftruncate(s->fd, 0) != 0 || pwrite(s->fd, text, (size_t)len, 0) != len)
        return;
}

void event_share_set_interval(struct event_share *s, int64_t interval_ms)
{
    if (s->interval_ms == interval_ms)
        return;
    s->interval_ms = interval_ms;
    if (s->fd >= 0)
        note_interval(s);
}

static void take_pen(struct event_share *s, int fd)
{
    s->fd = fd;
    s->writes = true;
    s->beat_ms = 0;
    note_interval(s);
}

static int64_t interval_in(int fd)
{
    char text[32] = "";
    int64_t value;
    ssize_t got = pread(fd, text, sizeof(text) - 1, 0);

    if (got <= 0 || !str_to_i64(str_trim((struct str){text, (size_t)got}), &value))
        return 0;
    return value;
}

/* Is the holder stopped, or so slow that we should do it? */
static bool gives_way(struct event_share *s, int fd, int64_t now)
{
    struct stat st;
    int64_t interval = interval_in(fd);

    if (interval > SLOW_MS && s->interval_ms * 2 <= interval)
        return true;
    if (fstat(fd, &st) != 0)
        return false;
    if (s->beat_seen_ms == 0 || st.st_mtim.tv_sec != s->beat.tv_sec ||
        st.st_mtim.tv_nsec != s->beat.tv_nsec) {
        s->beat = st.st_mtim;
        s->beat_seen_ms = now;
    }
    return now - s->beat_seen_ms >= STUCK_MS;
}

/* Put another, locked file in the place of one whose lock we cannot get. */
static void seize(struct event_share *s)
{
    char *fresh = mem_format("%s.%ld", s->lock_path, (long)getpid());
    int fd = open(fresh, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ours = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && rename(fresh, s->lock_path) == 0 &&
                is_current(s, fd);

    if (ours) {
        take_pen(s, fd);
    } else if (fd >= 0) {
        (void)unlink(fresh);
        (void)close(fd);
    } else if (errno == EEXIST) {
        (void)unlink(fresh); /* left by a process that died with our number */
    }
    s->beat_seen_ms = 0;
    free(fresh);
}

static bool make_parent(const char *path)
{
    size_t slash = str_find_last(str_from(path), '/');
    struct error ignored;
    char *dir;
    bool ok;

    if (path[slash] == '\0' || slash == 0)
        return true;
    dir = mem_format("%.*s", (int)slash, path);
    ok = file_make_dirs(dir, &ignored);
    free(dir);
    return ok;
}

static void try_pen(struct event_share *s, int64_t now)
{
    int fd = -1;

    if (make_parent(s->lock_path))
        fd = open(s->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        s->alone = s->writes = true;
        return;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        if (is_current(s, fd))
            take_pen(s, fd);
        else
            (void)close(fd);
        return;
    }
    if (gives_way(s, fd, now))
        seize(s);
    (void)close(fd);
}

static void choose_role(struct event_share *s, int64_t now)
{
    if (s->alone || (s->writes && !is_current(s, s->fd)))
        lay_down(s);
    if (!s->writes && now >= s->try_ms) {
        s->try_ms = now + EVENT_SHARE_MS;
        try_pen(s, now);
    }
    if (s->fd >= 0 && now >= s->beat_ms) {
        s->beat_ms = now + BEAT_MS;
        (void)futimens(s->fd, NULL); /* when it fails another one takes over: no harm */
    }
}

/* ---- which events are the same ---- */

/* Two sightings of one thing differ in time, observer and counts, not in what happened to whom. */
static bool is_same(const struct event_share *s, const struct event *a, const struct event *b)
{
    int64_t apart = a->at_ms > b->at_ms ? a->at_ms - b->at_ms : b->at_ms - a->at_ms;

    if (a->kind != b->kind || apart > WINDOW_MS + 2 * s->interval_ms)
        return false;
    if (a->kind == EVENT_SENTINEL && strcmp(a->text, b->text) != 0)
        return false;
    return (a->level == b->level || a->kind == EVENT_FAILOVER) && strcmp(a->node, b->node) == 0 &&
           strcmp(a->other, b->other) == 0;
}

static void remove_at(struct event_list *list, size_t at)
{
    memmove(&list->items[at], &list->items[at + 1], (list->count - at - 1) * sizeof(*list->items));
    list->count--;
}

/* True when `list` held the same event: it is taken out. */
static bool cross_out(const struct event_share *s, struct event_list *list, const struct event *e)
{
    for (size_t i = 0; i < list->count; i++) {
        if (is_same(s, &list->items[i], e)) {
            remove_at(list, i);
            return true;
        }
    }
    return false;
}

static void forget_old(const struct event_share *s, struct event_list *list)
{
    int64_t oldest = clock_real_ms() - (int64_t)STUCK_MS * 2 - WINDOW_MS - 2 * s->interval_ms;

    while (list->count > 0 && list->items[0].at_ms < oldest)
        remove_at(list, 0);
}

static void put(struct event_list *list, const struct event *e)
{
    ARRAY_PUSH(list->items, list->count, list->cap) = *e;
}

/* ---- a step ---- */

static bool read_theirs(struct event_share *s, struct event_list *shown, struct error *err)
{
    struct event_list fresh = {0};
    bool ok = event_follow_next(s->follow, &fresh, err);

    for (size_t i = 0; i < fresh.count; i++) {
        if (!cross_out(s, &s->mine, &fresh.items[i]))
            put(&s->theirs, &fresh.items[i]);
        put(shown, &fresh.items[i]);
    }
    event_list_release(&fresh);
    return ok;
}

static bool write_mine(struct event_share *s, struct event_list *shown, struct error *err)
{
    struct event_list skipped = {0};
    bool ok;

    if (s->mine.count == 0)
        return true;
    ok = event_log_append(s->path, s->mine.items, s->mine.count, err);
    for (size_t i = 0; i < s->mine.count; i++)
        put(shown, &s->mine.items[i]);
    s->mine.count = 0;
    /* What we wrote ourselves is no news from others. */
    ok = ok && event_follow_next(s->follow, &skipped, err);
    event_list_release(&skipped);
    return ok;
}

/* A node that does not answer us may answer the writer: what only we can see is stored too. */
static bool write_private(struct event_share *s, struct error *err)
{
    int64_t ripe = clock_real_ms() - WINDOW_MS - 2 * s->interval_ms;
    bool ok = true;

    for (size_t i = s->mine.count; i > 0 && ok; i--) {
        const struct event e = s->mine.items[i - 1];

        if ((e.kind != EVENT_SILENT && e.kind != EVENT_ANSWERS) || e.at_ms > ripe)
            continue;
        remove_at(&s->mine, i - 1);
        ok = event_log_append(s->path, &e, 1, err); /* and read back with the next step */
    }
    return ok;
}

bool event_share_step(struct event_share *s, struct event_list *own, struct event_list *shown,
                      struct error *err)
{
    bool ok;

    choose_role(s, clock_mono_ms());
    ok = read_theirs(s, shown, err); /* after the choice: nobody writes any more but us */
    for (size_t i = 0; i < own->count; i++)
        if (!cross_out(s, &s->theirs, &own->items[i]))
            put(&s->mine, &own->items[i]);
    own->count = 0;
    if (s->writes ? !write_mine(s, shown, err) : !write_private(s, err))
        ok = false;
    forget_old(s, &s->mine);
    forget_old(s, &s->theirs);
    return ok;
}
