#include "core/jobs/watch.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/jobs/jobdir.h"
#include "core/jobs/journal.h"
#include "core/jobs/watch_scan.h"

#define LOOK_EVERY_MS 1000
#define LOOK_AT_MOST_MS 100
#define QUEUE_MAX 64

/* The reference count stands before the list, so that a list handed out is plain constant data. */
struct counted_list {
    _Atomic size_t refs;
    struct watch_list list;
};

struct order {
    char id[JOB_ID_MAX];
    enum control_order what;
    uint64_t value;
    char by[64];
    struct error why; /* of a failed one */
};

struct watch {
    pthread_t thread;
    int news_fd; /* readable for the owner */
    int wake_fd; /* readable for the thread */
    _Atomic bool stop;

    pthread_mutex_t lock; /* guards all below; never held during I/O on files */
    struct watch_list *latest;
    struct order orders[QUEUE_MAX], failures[QUEUE_MAX];
    size_t order_count, failure_count;
    char follow[JOB_ID_MAX];
    uint64_t follow_number; /* rises with every change of follow */
    struct watch_line lines[WATCH_LINES];
    uint64_t line_count; /* of this follow */

    struct scan scan; /* from here on: the thread alone */
    struct journal *journal;
    uint64_t following; /* the follow_number that the journal was opened for */
};

/* Lists are handed out as constant data; only the count in front of them changes. */
static struct counted_list *counted_of(const struct watch_list *list)
{
    uintptr_t at = (uintptr_t)list - offsetof(struct counted_list, list);
    return (struct counted_list *)at; /* NOLINT(performance-no-int-to-ptr) */
}

struct watch_list *watch_list_ref(const struct watch_list *list)
{
    struct counted_list *c = counted_of(list);
    (void)atomic_fetch_add(&c->refs, 1);
    return &c->list;
}

static struct watch_list *new_list(void)
{
    struct counted_list *c = mem_zero(1, sizeof(*c));
    atomic_init(&c->refs, 1);
    c->list.real_ms = clock_real_ms();
    return &c->list;
}

void watch_list_unref(struct watch_list *list)
{
    if (list != NULL && atomic_fetch_sub(&counted_of(list)->refs, 1) == 1) {
        job_list_release(&list->jobs);
        free(counted_of(list));
    }
}

/* ---- the thread -------------------------------------------------------------------------------
 */

static void publish(struct watch *w, const struct error *trouble)
{
    struct watch_list *list = new_list();
    scan_list(&w->scan, &list->jobs);
    list->trouble = *trouble;
    for (size_t i = 0; i < list->jobs.count; i++)
        list->live += job_state_is_live(list->jobs.items[i]->state) ? 1 : 0;
    (void)pthread_mutex_lock(&w->lock);
    struct watch_list *old = w->latest;
    list->jobs.generation = old->jobs.generation + 1;
    w->latest = list;
    (void)pthread_mutex_unlock(&w->lock);
    watch_list_unref(old);
    (void)eventfd_write(w->news_fd, 1);
}

static void look(struct watch *w, bool full, struct error *last_trouble)
{
    bool changed = false;
    struct error trouble = {0};
    if (!scan_run(&w->scan, full, &changed, &trouble))
        changed |= strcmp(trouble.text, last_trouble->text) != 0;
    else if (full && last_trouble->code != ERROR_NONE)
        changed = true;
    if (full || trouble.code != ERROR_NONE)
        *last_trouble = trouble;
    if (changed)
        publish(w, last_trouble);
}

static void send_orders(struct watch *w)
{
    struct order o;
    for (;;) {
        (void)pthread_mutex_lock(&w->lock);
        bool any = w->order_count > 0;
        if (any) {
            o = w->orders[0];
            memmove(w->orders, w->orders + 1, --w->order_count * sizeof(o));
        }
        (void)pthread_mutex_unlock(&w->lock);
        if (!any)
            return;
        o.why = (struct error){0};
        if (control_send(w->scan.state_dir, o.id, o.what, o.value, o.by, NULL, &o.why))
            continue;
        (void)pthread_mutex_lock(&w->lock);
        if (w->failure_count < QUEUE_MAX)
            w->failures[w->failure_count++] = o;
        (void)pthread_mutex_unlock(&w->lock);
        (void)eventfd_write(w->news_fd, 1);
    }
}

static void open_followed(struct watch *w, const char *id)
{
    struct error ignored = {0};
    journal_free(w->journal);
    w->journal = NULL;
    char *dir = jobdir_path(w->scan.state_dir, id);
    if (dir != NULL) {
        char *path = file_join(dir, "journal.jsonl");
        w->journal = journal_open(path, WATCH_LINES, &ignored);
        free(path);
        free(dir);
    }
}

static void keep_line(struct watch *w, const struct journal_line *line)
{
    (void)pthread_mutex_lock(&w->lock);
    if (w->follow_number == w->following) {
        struct watch_line *slot = &w->lines[w->line_count % WATCH_LINES];
        *slot = (struct watch_line){.number = ++w->line_count, .real_ms = line->real_ms};
        memcpy(slot->level, line->level, sizeof(slot->level));
        (void)str_copy(str_from(line->text), slot->text, sizeof(slot->text));
    }
    (void)pthread_mutex_unlock(&w->lock);
}

static void read_followed(struct watch *w)
{
    char id[JOB_ID_MAX];
    struct journal_line line;
    bool any = false;
    (void)pthread_mutex_lock(&w->lock);
    memcpy(id, w->follow, sizeof(id));
    uint64_t number = w->follow_number;
    (void)pthread_mutex_unlock(&w->lock);
    if (number != w->following) {
        w->following = number;
        open_followed(w, id);
    }
    while (w->journal != NULL && journal_next(w->journal, &line)) {
        keep_line(w, &line);
        journal_line_release(&line);
        any = true;
    }
    if (any)
        (void)eventfd_write(w->news_fd, 1);
}

static void *run(void *arg)
{
    struct watch *w = arg;
    struct error trouble = {0};
    int64_t full_at = 0;
    int64_t looked_at = 0;
    bool root = false;
    struct pollfd fds[2] = {{.fd = w->wake_fd, .events = POLLIN},
                            {.fd = w->scan.inotify_fd, .events = POLLIN}};
    while (!atomic_load(&w->stop)) {
        int64_t now = clock_mono_ms();
        bool full = root || now >= full_at;
        send_orders(w);
        look(w, full, &trouble);
        read_followed(w);
        if (full)
            full_at = now + LOOK_EVERY_MS;
        looked_at = clock_mono_ms();
        (void)poll(fds, 2, clock_left_ms(full_at));
        eventfd_t ignored = 0;
        (void)eventfd_read(w->wake_fd, &ignored);
        int64_t early = looked_at + LOOK_AT_MOST_MS - clock_mono_ms();
        if (early > 0 && (fds[0].revents & POLLIN) == 0)
            (void)poll(fds, 1, (int)early); /* a burst of writes is one look */
        (void)scan_drain(&w->scan, &root);
    }
    return NULL;
}

/* ---- the owner --------------------------------------------------------------------------------
 */

static void free_watch(struct watch *w)
{
    scan_release(&w->scan);
    journal_free(w->journal);
    watch_list_unref(w->latest);
    (void)pthread_mutex_destroy(&w->lock);
    if (w->news_fd >= 0)
        (void)close(w->news_fd);
    if (w->wake_fd >= 0)
        (void)close(w->wake_fd);
    free(w);
}

struct watch *watch_start(const char *state_dir, struct error *err)
{
    struct watch *w = mem_zero(1, sizeof(*w));
    sigset_t all;
    sigset_t before;
    (void)pthread_mutex_init(&w->lock, NULL);
    w->latest = new_list();
    w->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    scan_init(&w->scan, state_dir);
    int failed = w->news_fd < 0 || w->wake_fd < 0 ? errno : 0;
    if (failed == 0) {
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_BLOCK, &all, &before);
        failed = pthread_create(&w->thread, NULL, run, w);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    if (failed != 0) {
        (void)error_set_errno(err, ERROR_INTERNAL, failed, "watch the jobs");
        free_watch(w);
        return NULL;
    }
    return w;
}

void watch_free(struct watch *w)
{
    if (w == NULL)
        return;
    atomic_store(&w->stop, true);
    (void)eventfd_write(w->wake_fd, 1);
    (void)pthread_join(w->thread, NULL);
    free_watch(w);
}

int watch_fd(const struct watch *w)
{
    return w->news_fd;
}

struct watch_list *watch_latest(struct watch *w)
{
    eventfd_t ignored = 0;
    (void)eventfd_read(w->news_fd, &ignored);
    (void)pthread_mutex_lock(&w->lock);
    struct watch_list *list = w->latest;
    (void)atomic_fetch_add(&counted_of(list)->refs, 1);
    (void)pthread_mutex_unlock(&w->lock);
    return list;
}

void watch_send(struct watch *w, const char *id, enum control_order order, uint64_t value,
                const char *by)
{
    struct order o = {.what = order, .value = value};
    (void)str_copy(str_from(id), o.id, sizeof(o.id));
    (void)str_copy(str_from(by), o.by, sizeof(o.by));
    (void)pthread_mutex_lock(&w->lock);
    if (w->order_count < QUEUE_MAX) {
        w->orders[w->order_count++] = o;
    } else if (w->failure_count < QUEUE_MAX) {
        (void)error_set(&o.why, ERROR_LIMIT, 0, "too many orders are waiting");
        w->failures[w->failure_count++] = o;
    }
    (void)pthread_mutex_unlock(&w->lock);
    (void)eventfd_write(w->wake_fd, 1);
}

bool watch_failure(struct watch *w, char id[JOB_ID_MAX], struct error *why)
{
    (void)pthread_mutex_lock(&w->lock);
    bool any = w->failure_count > 0;
    if (any) {
        memcpy(id, w->failures[0].id, JOB_ID_MAX);
        *why = w->failures[0].why;
        memmove(w->failures, w->failures + 1, --w->failure_count * sizeof(w->failures[0]));
    }
    (void)pthread_mutex_unlock(&w->lock);
    return any;
}

void watch_follow(struct watch *w, const char *id)
{
    (void)pthread_mutex_lock(&w->lock);
    if (strcmp(w->follow, id != NULL ? id : "") != 0) {
        memset(w->follow, 0, sizeof(w->follow));
        (void)str_copy(str_from(id), w->follow, sizeof(w->follow));
        w->line_count = 0;
        w->follow_number++;
    }
    (void)pthread_mutex_unlock(&w->lock);
    (void)eventfd_write(w->wake_fd, 1);
}

size_t watch_lines(struct watch *w, const char *id, uint64_t after, struct watch_line *out,
                   size_t max)
{
    size_t given = 0;
    (void)pthread_mutex_lock(&w->lock);
    if (strcmp(w->follow, id) == 0) {
        uint64_t oldest = w->line_count > WATCH_LINES ? w->line_count - WATCH_LINES : 0;
        for (uint64_t n = after > oldest ? after : oldest; n < w->line_count && given < max; n++)
            out[given++] = w->lines[n % WATCH_LINES];
    }
    (void)pthread_mutex_unlock(&w->lock);
    return given;
}
