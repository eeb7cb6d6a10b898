#include "tui/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/clock.h"

struct watched {
    int fd; /* -1: free */
    void (*readable)(void *owner);
    void *read_owner;
    void (*writable)(void *owner);
    void *write_owner;
};

struct timer {
    int64_t every_ms, next_ms;
    void (*tick)(void *owner);
    void *owner;
};

struct loop {
    struct watched *watched;
    size_t count, cap;
    struct timer *timers;
    size_t timer_count, timer_cap;
    struct pollfd *polls;
    size_t poll_cap;
    int wake_fd;
};

static void drain(void *owner)
{
    struct loop *l = owner;
    uint64_t count;

    while (read(l->wake_fd, &count, sizeof(count)) > 0)
        continue;
}

bool loop_new(struct loop **out, struct error *err)
{
    struct loop *l = mem_zero(1, sizeof(*l));

    l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (l->wake_fd < 0) {
        free(l);
        return error_set_errno(err, ERROR_INTERNAL, errno, "make an eventfd");
    }
    loop_watch(l, l->wake_fd, drain, l);
    *out = l;
    return true;
}

void loop_free(struct loop *l)
{
    if (l == NULL)
        return;
    (void)close(l->wake_fd);
    free(l->watched);
    free(l->timers);
    free(l->polls);
    free(l);
}

static struct watched *find(struct loop *l, int fd)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->watched[i].fd == fd)
            return &l->watched[i];
    return NULL;
}

static struct watched *find_or_add(struct loop *l, int fd)
{
    struct watched *w = find(l, fd);

    if (w == NULL)
        w = find(l, -1);
    if (w == NULL) {
        ARRAY_PUSH(l->watched, l->count, l->cap) = (struct watched){.fd = -1};
        w = &l->watched[l->count - 1];
    }
    w->fd = fd;
    return w;
}

void loop_watch(struct loop *l, int fd, void (*ready)(void *owner), void *owner)
{
    struct watched *w = find_or_add(l, fd);

    w->readable = ready;
    w->read_owner = owner;
}

void loop_watch_write(struct loop *l, int fd, void (*ready)(void *owner), void *owner)
{
    struct watched *w = find_or_add(l, fd);

    w->writable = ready;
    w->write_owner = owner;
}

void loop_unwatch(struct loop *l, int fd)
{
    struct watched *w = find(l, fd);

    if (w == NULL)
        return;
    w->readable = NULL;
    if (w->writable == NULL)
        w->fd = -1;
}

void loop_unwatch_write(struct loop *l, int fd)
{
    struct watched *w = find(l, fd);

    if (w == NULL)
        return;
    w->writable = NULL;
    if (w->readable == NULL)
        w->fd = -1;
}

void loop_every(struct loop *l, int64_t ms, void (*tick)(void *owner), void *owner)
{
    ARRAY_PUSH(l->timers, l->timer_count, l->timer_cap) = (struct timer){
        .every_ms = ms, .next_ms = clock_mono_ms() + ms, .tick = tick, .owner = owner};
}

void loop_wake(struct loop *l)
{
    static const uint64_t one = 1;
    ssize_t n = write(l->wake_fd, &one, sizeof(one));

    (void)n; /* full means that it is awake already */
}

static void fill_polls(struct loop *l)
{
    l->polls = array_reserve(l->polls, &l->poll_cap, l->count, sizeof(*l->polls));
    for (size_t i = 0; i < l->count; i++) {
        const struct watched *w = &l->watched[i];

        l->polls[i] = (struct pollfd){.fd = w->fd};
        l->polls[i].events =
            (short)((w->readable != NULL ? POLLIN : 0) | (w->writable != NULL ? POLLOUT : 0));
    }
}

/* A callback may change the table: look the descriptor up again, and never keep a pointer. */
static void dispatch(struct loop *l, size_t polled)
{
    static const short broken = POLLHUP | POLLERR | POLLNVAL;

    for (size_t i = 0; i < polled; i++) {
        struct pollfd p = l->polls[i];
        struct watched w = l->watched[i];

        if (p.fd < 0 || p.revents == 0 || w.fd != p.fd)
            continue;
        if ((p.revents & (POLLIN | broken)) != 0 && w.readable != NULL)
            w.readable(w.read_owner);
        w = l->watched[i];
        if ((p.revents & (POLLOUT | broken)) != 0 && w.fd == p.fd && w.writable != NULL)
            w.writable(w.write_owner);
    }
}

static void tick(struct loop *l)
{
    int64_t now = clock_mono_ms();

    for (size_t i = 0; i < l->timer_count; i++) {
        struct timer t = l->timers[i];

        if (t.next_ms > now)
            continue;
        l->timers[i].next_ms = now + t.every_ms; /* what was missed is not made up for */
        t.tick(t.owner);
    }
}

void loop_step(struct loop *l, int64_t deadline)
{
    size_t polled = l->count;

    for (size_t i = 0; i < l->timer_count; i++)
        if (l->timers[i].next_ms < deadline)
            deadline = l->timers[i].next_ms;
    fill_polls(l);
    if (poll(l->polls, (nfds_t)polled, clock_left_ms(deadline)) > 0)
        dispatch(l, polled);
    tick(l);
}

void pace_dirty(struct pace *p, bool urgent)
{
    p->dirty = true;
    p->urgent = p->urgent || urgent;
}

int64_t pace_next(const struct pace *p)
{
    if (!p->dirty)
        return CLOCK_NEVER;
    return p->urgent ? p->last_ms : p->last_ms + p->interval_ms;
}

void pace_drawn(struct pace *p, int64_t now_ms)
{
    p->dirty = p->urgent = false;
    p->last_ms = now_ms;
}
