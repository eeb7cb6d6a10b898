#include "views/pump.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/array.h"

#define WORKERS 4
#define LEAVE_MS 300

struct letter {
    struct app_request request;
    _Atomic(bool) stale;
    struct letter *next;
};

struct pump {
    pthread_mutex_t lock; /* guards todo, done, busy, stopping */
    pthread_cond_t more;  /* todo grew, or stopping */
    pthread_cond_t less;  /* busy fell */
    struct letter *todo, **todo_end;
    struct letter *done, **done_end;
    size_t busy, threads;
    bool stopping;
    int fd;
    struct letter **waiting; /* UI thread only: every letter not yet answered */
    size_t waiting_count, waiting_cap;
};

static void append(struct letter ***end, struct letter *letter)
{
    letter->next = NULL;
    **end = letter;
    *end = &letter->next;
}

static struct letter *take(struct letter **head, struct letter ***end)
{
    struct letter *letter = *head;

    if (letter != NULL) {
        *head = letter->next;
        if (*head == NULL)
            *end = head;
    }
    return letter;
}

static void notify(const struct pump *p)
{
    static const uint64_t one = 1;
    ssize_t n = write(p->fd, &one, sizeof(one));

    (void)n; /* full: it is readable already */
}

static void *work(void *arg)
{
    struct pump *p = arg;
    struct letter *letter;

    (void)pthread_mutex_lock(&p->lock);
    for (;;) {
        while (p->todo == NULL && !p->stopping)
            (void)pthread_cond_wait(&p->more, &p->lock);
        if (p->stopping)
            break;
        letter = take(&p->todo, &p->todo_end);
        p->busy++;
        (void)pthread_mutex_unlock(&p->lock);
        if (!letter->stale)
            letter->request.work(letter->request.data, &letter->stale);
        (void)pthread_mutex_lock(&p->lock);
        append(&p->done_end, letter);
        p->busy--;
        (void)pthread_cond_signal(&p->less);
        notify(p);
    }
    p->threads--;
    (void)pthread_cond_signal(&p->less);
    (void)pthread_mutex_unlock(&p->lock);
    return NULL;
}

static bool start_threads(struct pump *p, struct error *err)
{
    sigset_t all, before;
    pthread_t thread;
    int failed = 0;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    for (size_t i = 0; i < WORKERS && failed == 0; i++) {
        (void)pthread_mutex_lock(&p->lock);
        failed = pthread_create(&thread, NULL, work, p);
        p->threads += failed == 0;
        (void)pthread_mutex_unlock(&p->lock);
        if (failed == 0)
            (void)pthread_detach(thread);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (p->threads > 0)
        return true;
    return error_set_errno(err, ERROR_INTERNAL, failed, "start a worker thread");
}

struct pump *pump_new(struct error *err)
{
    struct pump *p = mem_zero(1, sizeof(*p));

    p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->todo_end = &p->todo;
    p->done_end = &p->done;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->more, NULL);
    (void)pthread_cond_init(&p->less, NULL);
    if (p->fd < 0)
        (void)error_set_errno(err, ERROR_INTERNAL, errno, "make an eventfd");
    if (p->fd >= 0 && start_threads(p, err))
        return p;
    if (p->fd >= 0)
        (void)close(p->fd);
    free(p);
    return NULL;
}

int pump_fd(const struct pump *p)
{
    return p->fd;
}

static void forget_letter(struct pump *p, const struct letter *letter)
{
    for (size_t i = 0; i < p->waiting_count; i++)
        if (p->waiting[i] == letter) {
            p->waiting[i] = p->waiting[--p->waiting_count];
            return;
        }
}

static void answer(struct pump *p, struct letter *letter)
{
    forget_letter(p, letter);
    if (!letter->stale)
        letter->request.done(letter->request.owner, letter->request.data);
    if (letter->request.release != NULL)
        letter->request.release(letter->request.data);
    free(letter);
}

void pump_drain(struct pump *p)
{
    uint64_t count;
    struct letter *letter;

    while (read(p->fd, &count, sizeof(count)) > 0)
        continue;
    for (;;) {
        (void)pthread_mutex_lock(&p->lock);
        letter = take(&p->done, &p->done_end);
        (void)pthread_mutex_unlock(&p->lock);
        if (letter == NULL)
            return;
        answer(p, letter);
    }
}

void pump_ask(struct pump *p, const struct app_request *request)
{
    struct letter *letter = mem_zero(1, sizeof(*letter));

    for (size_t i = 0; i < p->waiting_count; i++)
        if (p->waiting[i]->request.owner == request->owner &&
            p->waiting[i]->request.channel == request->channel)
            p->waiting[i]->stale = true;
    letter->request = *request;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression) */
    ARRAY_PUSH(p->waiting, p->waiting_count, p->waiting_cap) = letter;
    (void)pthread_mutex_lock(&p->lock);
    append(&p->todo_end, letter);
    (void)pthread_cond_signal(&p->more);
    (void)pthread_mutex_unlock(&p->lock);
}

void pump_forget(struct pump *p, const void *owner)
{
    for (size_t i = 0; i < p->waiting_count; i++)
        if (p->waiting[i]->request.owner == owner)
            p->waiting[i]->stale = true;
}

bool pump_is_waiting(const struct pump *p, const void *owner, int channel)
{
    for (size_t i = 0; i < p->waiting_count; i++)
        if (p->waiting[i]->request.owner == owner && p->waiting[i]->request.channel == channel &&
            !p->waiting[i]->stale)
            return true;
    return false;
}

/* Wait a moment for the workers to end. False: one still hangs in a read. */
static bool stop_threads(struct pump *p)
{
    struct timespec until;
    bool ended;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += LEAVE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    (void)pthread_mutex_lock(&p->lock);
    p->stopping = true;
    (void)pthread_cond_broadcast(&p->more);
    while (p->threads > 0 && pthread_cond_timedwait(&p->less, &p->lock, &until) == 0)
        continue;
    ended = p->threads == 0;
    (void)pthread_mutex_unlock(&p->lock);
    return ended;
}

void pump_free(struct pump *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->waiting_count; i++)
        p->waiting[i]->stale = true;
    if (!stop_threads(p))
        return; /* a worker still uses it; the process is about to end */
    for (struct letter *l; (l = take(&p->todo, &p->todo_end)) != NULL;)
        answer(p, l);
    pump_drain(p);
    (void)close(p->fd);
    (void)pthread_mutex_destroy(&p->lock);
    (void)pthread_cond_destroy(&p->more);
    (void)pthread_cond_destroy(&p->less);
    free(p->waiting);
    free(p);
}
