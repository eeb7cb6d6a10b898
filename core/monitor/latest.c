#include "core/monitor/latest.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/alloc.h"

struct latest {
    pthread_mutex_t lock; /* guards value, the pointer, not what it points to */
    struct snapshot *value;
    int fd;
};

struct latest *latest_new(struct error *err)
{
    struct latest *l;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0) {
        (void)error_set_errno(err, ERROR_INTERNAL, errno, "eventfd");
        return NULL;
    }
    l = mem_zero(1, sizeof(*l));
    l->fd = fd;
    (void)pthread_mutex_init(&l->lock, NULL);
    return l;
}

void latest_free(struct latest *l)
{
    if (l == NULL)
        return;
    snapshot_unref(l->value);
    (void)pthread_mutex_destroy(&l->lock);
    (void)close(l->fd);
    free(l);
}

void latest_publish(struct latest *l, struct snapshot *fresh)
{
    static const uint64_t one = 1;
    struct snapshot *old;

    (void)pthread_mutex_lock(&l->lock);
    old = l->value;
    l->value = fresh;
    (void)pthread_mutex_unlock(&l->lock);
    snapshot_unref(old); /* outside the lock: freeing a large one takes time */
    /* Fails only when the counter is full: then the reader has its notice already. */
    if (write(l->fd, &one, sizeof(one)) < 0)
        return;
}

struct snapshot *latest_acquire(struct latest *l)
{
    struct snapshot *s;

    (void)pthread_mutex_lock(&l->lock);
    s = l->value == NULL ? NULL : snapshot_ref(l->value);
    (void)pthread_mutex_unlock(&l->lock);
    return s;
}

int latest_fd(const struct latest *l)
{
    return l->fd;
}

void latest_take_notice(struct latest *l)
{
    uint64_t count;

    if (read(l->fd, &count, sizeof(count)) < 0)
        return; /* nothing was new */
}
