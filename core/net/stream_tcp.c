#include "core/net/stream_tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/net/resolve.h"

#define ATTEMPT_MS 2000 /* per address while others are left */
#define KEEP_IDLE_S 30
#define KEEP_INTERVAL_S 10
#define KEEP_COUNT 3

struct tcp {
    struct stream stream;
    struct address address;
    struct resolve *resolve; /* while the name is looked up */
    struct endpoints endpoints;
    size_t next; /* endpoint to try after this one */
    int fd;      /* -1 between attempts */
    int64_t attempt_deadline;
    bool resolved;
    bool connected;
    int last_errno; /* why the attempt before failed */
};

static struct tcp *tcp_of(struct stream *s)
{
    return (struct tcp *)s;
}

static const struct tcp *tcp_of_const(const struct stream *s)
{
    return (const struct tcp *)s;
}

static void set_options(int fd)
{
    static const struct {
        int level;
        int name;
        int value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT},
    };
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        /* Best effort: a connection without keep-alive still works, deadlines guard it. */
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
    }
}

static void drop_socket(struct tcp *t)
{
    if (t->fd >= 0) {
        close(t->fd);
        t->fd = -1;
    }
}

static bool lookup(struct tcp *t, struct error *err, enum stream_status *status)
{
    if (t->resolved)
        return true;
    if (t->resolve == NULL) {
        if (resolve_numeric(&t->address, &t->endpoints)) {
            t->resolved = true;
            return true;
        }
        t->resolve = resolve_start(&t->address);
    }
    if (!resolve_done(t->resolve)) {
        *status = STREAM_WAIT;
        return false;
    }
    t->resolved = resolve_take(t->resolve, &t->endpoints, err);
    resolve_free(t->resolve);
    t->resolve = NULL;
    *status = STREAM_FAILED;
    return t->resolved;
}

/* Start the attempt on endpoint t->next; false when that failed at once. */
static bool begin_attempt(struct tcp *t)
{
    const struct endpoint *e = &t->endpoints.items[t->next++];
    bool more = t->next < t->endpoints.count;
    t->attempt_deadline = more ? clock_after(ATTEMPT_MS) : CLOCK_NEVER;
    t->fd = socket(e->addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (t->fd < 0) {
        t->last_errno = errno;
        return false;
    }
    set_options(t->fd);
    if (connect(t->fd, (const struct sockaddr *)&e->addr, e->len) == 0 || errno == EINPROGRESS ||
        errno == EINTR)
        return true;
    t->last_errno = errno;
    drop_socket(t);
    return false;
}

/* A socket can connect to itself on a free local port (simultaneous open): that is no server. */
static bool connected_to_itself(int fd)
{
    struct sockaddr_storage own = {0};
    struct sockaddr_storage peer = {0};
    socklen_t own_len = sizeof(own);
    socklen_t peer_len = sizeof(peer);
    return getsockname(fd, (struct sockaddr *)&own, &own_len) == 0 &&
           getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 && own_len == peer_len &&
           memcmp(&own, &peer, own_len) == 0;
}

static enum stream_status check_attempt(struct tcp *t)
{
    struct pollfd p = {.fd = t->fd, .events = POLLOUT};
    int n = poll(&p, 1, 0);
    if (n == 0 || (n < 0 && errno == EINTR)) {
        if (clock_mono_ms() < t->attempt_deadline)
            return STREAM_WAIT;
        t->last_errno = ETIMEDOUT;
        drop_socket(t);
        return STREAM_FAILED;
    }
    int number = 0;
    socklen_t len = sizeof(number);
    if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &number, &len) != 0)
        number = errno;
    if (number == 0 && connected_to_itself(t->fd))
        number = ECONNREFUSED;
    if (number != 0) {
        t->last_errno = number;
        drop_socket(t);
        return STREAM_FAILED;
    }
    t->connected = true;
    return STREAM_OK;
}

static enum stream_status tcp_connect(struct stream *s, struct error *err)
{
    struct tcp *t = tcp_of(s);
    enum stream_status status = STREAM_OK;
    if (t->connected)
        return STREAM_OK;
    if (!lookup(t, err, &status))
        return status;
    for (;;) {
        if (t->fd >= 0) {
            status = check_attempt(t);
            if (status != STREAM_FAILED)
                return status;
        }
        if (t->next >= t->endpoints.count) {
            char name[ADDRESS_TEXT_MAX];
            (void)error_set_errno(err, ERROR_UNREACHABLE, t->last_errno, "cannot connect to %s",
                                  address_text(name, sizeof(name), &t->address));
            return STREAM_FAILED;
        }
        (void)begin_attempt(t);
    }
}

static bool would_block(int number)
{
    return number == EAGAIN || number == EINTR;
}

static enum stream_status broken(const struct tcp *t, int number, struct error *err)
{
    char name[ADDRESS_TEXT_MAX];
    (void)error_set_errno(err, ERROR_UNREACHABLE, number, "connection to %s",
                          address_text(name, sizeof(name), &t->address));
    return STREAM_FAILED;
}

static enum stream_status tcp_read(struct stream *s, void *out, size_t size, size_t *got,
                                   struct error *err)
{
    struct tcp *t = tcp_of(s);
    ssize_t n = recv(t->fd, out, size, 0);
    if (n > 0) {
        *got = (size_t)n;
        return STREAM_OK;
    }
    if (n == 0)
        return STREAM_CLOSED;
    return would_block(errno) ? STREAM_WAIT : broken(t, errno, err);
}

static enum stream_status tcp_write(struct stream *s, const void *data, size_t size, size_t *put,
                                    struct error *err)
{
    struct tcp *t = tcp_of(s);
    ssize_t n = send(t->fd, data, size, MSG_NOSIGNAL);
    if (n >= 0) {
        *put = (size_t)n;
        return n > 0 ? STREAM_OK : STREAM_WAIT;
    }
    return would_block(errno) ? STREAM_WAIT : broken(t, errno, err);
}

static int tcp_fd(const struct stream *s)
{
    const struct tcp *t = tcp_of_const(s);
    return t->resolve != NULL ? resolve_fd(t->resolve) : t->fd;
}

static short tcp_events(const struct stream *s, bool want_write)
{
    const struct tcp *t = tcp_of_const(s);
    if (t->resolve != NULL)
        return POLLIN;
    if (!t->connected)
        return POLLOUT;
    return want_write ? POLLIN | POLLOUT : POLLIN;
}

static int64_t tcp_deadline(const struct stream *s)
{
    const struct tcp *t = tcp_of_const(s);
    if (t->connected || t->resolve != NULL)
        return t->resolve != NULL && resolve_fd(t->resolve) < 0 ? clock_mono_ms() : CLOCK_NEVER;
    return t->fd < 0 ? clock_mono_ms() : t->attempt_deadline;
}

static void tcp_close(struct stream *s)
{
    struct tcp *t = tcp_of(s);
    resolve_free(t->resolve);
    drop_socket(t);
    free(t);
}

static const struct stream_ops tcp_ops = {
    .connect = tcp_connect,
    .read = tcp_read,
    .write = tcp_write,
    .fd = tcp_fd,
    .events = tcp_events,
    .deadline = tcp_deadline,
    .close = tcp_close,
};

struct stream *stream_tcp_open(const struct address *address)
{
    struct tcp *t = mem_zero(1, sizeof(*t));
    t->stream.ops = &tcp_ops;
    t->address = *address;
    t->fd = -1;
    t->last_errno = EADDRNOTAVAIL;
    return &t->stream;
}
