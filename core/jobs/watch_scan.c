#include "core/jobs/watch_scan.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/file.h"
#include "core/jobs/jobdir.h"

#define ROOT_EVENTS (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR)
#define JOB_EVENTS (IN_MOVED_TO | IN_MODIFY | IN_CLOSE_WRITE | IN_ONLYDIR)

void scan_init(struct scan *s, const char *state_dir)
{
    *s = (struct scan){.root_wd = -1};
    s->state_dir = mem_copy_text(state_dir);
    s->root = jobdir_root(state_dir);
    s->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
}

static void drop_entry(struct scan *s, struct scan_entry *e)
{
    if (e->wd >= 0)
        (void)inotify_rm_watch(s->inotify_fd, e->wd);
    job_info_unref(e->info);
}

void scan_release(struct scan *s)
{
    for (size_t i = 0; i < s->count; i++)
        job_info_unref(s->entries[i].info);
    if (s->inotify_fd >= 0)
        (void)close(s->inotify_fd);
    free(s->entries);
    free(s->state_dir);
    free(s->root);
    *s = (struct scan){.inotify_fd = -1};
}

/* ---- one job ----------------------------------------------------------------------------------
 */

static struct file_stamp stamp_of(const char *dir, const char *name)
{
    struct stat st;
    struct file_stamp stamp = {0};
    char *path = file_join(dir, name);
    if (stat(path, &st) == 0) {
        stamp.inode = (uint64_t)st.st_ino;
        stamp.size = (int64_t)st.st_size;
        stamp.changed = st.st_mtim;
    }
    free(path);
    return stamp;
}

static bool take_stamp(struct file_stamp *old, struct file_stamp now)
{
    bool same = old->inode == now.inode && old->size == now.size &&
                old->changed.tv_sec == now.changed.tv_sec &&
                old->changed.tv_nsec == now.changed.tv_nsec;
    *old = now;
    return !same;
}

static void follow_life(struct scan *s, struct scan_entry *e, const char *dir)
{
    bool live = job_state_is_live(e->info->state);
    if (live && e->wd < 0 && s->inotify_fd >= 0) {
        e->wd = inotify_add_watch(s->inotify_fd, dir, JOB_EVENTS);
    } else if (!live && e->wd >= 0) {
        (void)inotify_rm_watch(s->inotify_fd, e->wd);
        e->wd = -1;
    }
}

/* The stamps are taken before the files are read: what changes in between shows next time. */
static bool refresh(struct scan *s, struct scan_entry *e)
{
    struct error ignored = {0};
    char *dir = file_join(s->root, e->id);
    bool live = e->info != NULL && job_state_is_live(e->info->state);
    bool stale = e->info == NULL;
    stale |= take_stamp(&e->job, stamp_of(dir, "job.json"));
    stale |= take_stamp(&e->result, stamp_of(dir, "result.json"));
    if (live || stale)
        stale |= take_stamp(&e->progress, stamp_of(dir, "progress.json"));
    stale = stale || (live && !jobdir_is_locked(dir));
    struct job_info *info = stale ? job_info_read(s->state_dir, e->id, &ignored) : NULL;
    if (info != NULL) {
        s->reads++;
        job_info_unref(e->info);
        e->info = info;
        follow_life(s, e, dir);
    }
    free(dir);
    return info != NULL;
}

/* ---- all of them ------------------------------------------------------------------------------
 */

static struct scan_entry *find(struct scan *s, const char *id)
{
    size_t low = 0;
    size_t high = s->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(s->entries[mid].id, id);
        if (order == 0)
            return &s->entries[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct scan_entry *)a)->id, ((const struct scan_entry *)b)->id);
}

static void add_new(struct scan *s, char **names, size_t count)
{
    size_t known = s->count;
    struct scan known_part = *s;
    for (size_t i = 0; i < count; i++) {
        enum job_kind kind = JOB_BACKUP;
        uint32_t number = 0;
        if (!job_id_parse(str_from(names[i]), &kind, &number))
            continue;
        known_part.entries = s->entries;
        known_part.count = known;
        struct scan_entry *e = find(&known_part, names[i]);
        if (e == NULL) {
            e = &ARRAY_PUSH(s->entries, s->count, s->cap);
            *e = (struct scan_entry){.wd = -1};
            (void)str_copy(str_from(names[i]), e->id, sizeof(e->id));
        }
        e->seen = true;
    }
}

/* Bring the entries in line with the names on disk; true when some came or went. */
static bool match_names(struct scan *s, char **names, size_t count)
{
    size_t before = s->count;
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++)
        s->entries[i].seen = false;
    add_new(s, names, count);
    bool changed = s->count != before;
    for (size_t i = 0; i < s->count; i++) {
        if (s->entries[i].seen) {
            s->entries[kept++] = s->entries[i];
        } else {
            drop_entry(s, &s->entries[i]);
            changed = true;
        }
    }
    s->count = kept;
    if (kept > 1)
        qsort(s->entries, kept, sizeof(*s->entries), by_id);
    return changed;
}

static bool look_for_jobs(struct scan *s, bool *changed, struct error *err)
{
    char **names = NULL;
    size_t count = 0;
    if (s->root_wd < 0 && s->inotify_fd >= 0)
        s->root_wd = inotify_add_watch(s->inotify_fd, s->root, ROOT_EVENTS);
    if (file_exists(s->root) && !file_list(s->root, &names, &count, err))
        return false;
    *changed |= match_names(s, names, count);
    file_list_free(names, count);
    return true;
}

bool scan_run(struct scan *s, bool full, bool *changed, struct error *err)
{
    if (full && !look_for_jobs(s, changed, err))
        return false;
    for (size_t i = 0; i < s->count; i++) {
        struct scan_entry *e = &s->entries[i];
        if (full || e->info == NULL || job_state_is_live(e->info->state))
            *changed |= refresh(s, e);
    }
    return true;
}

void scan_list(const struct scan *s, struct job_list *out)
{
    *out = (struct job_list){0};
    out->items = mem_zero(s->count + 1, sizeof(struct job_info *));
    for (size_t i = 0; i < s->count; i++)
        if (s->entries[i].info != NULL)
            out->items[out->count++] = job_info_ref(s->entries[i].info);
    job_list_sort(out->items, out->count);
}

bool scan_drain(struct scan *s, bool *root)
{
    _Alignas(struct inotify_event) char events[4096];
    bool any = false;
    ssize_t got = 0;
    *root = false;
    while (s->inotify_fd >= 0 && (got = read(s->inotify_fd, events, sizeof(events))) > 0) {
        for (char *at = events; at < events + got;) {
            const struct inotify_event *e = (const struct inotify_event *)(const void *)at;
            any = true;
            *root |= e->wd == s->root_wd || (e->mask & IN_Q_OVERFLOW) != 0;
            if (e->wd == s->root_wd && (e->mask & IN_IGNORED) != 0)
                s->root_wd = -1;
            at += sizeof(*e) + e->len;
        }
    }
    return any;
}
