#include "core/net/stream.h"

#include <errno.h>
#include <poll.h>

#include "core/base/clock.h"
#include "core/net/stream_tcp.h"
#include "core/net/stream_tls.h"

struct stream *stream_open(const struct stream_target *target)
{
    return target->tls != NULL ? stream_tls_open(target) : stream_tcp_open(&target->address);
}

enum stream_status stream_connect(struct stream *s, struct error *err)
{
    return s->ops->connect(s, err);
}

enum stream_status stream_read(struct stream *s, void *out, size_t size, size_t *got,
                               struct error *err)
{
    return s->ops->read(s, out, size, got, err);
}

enum stream_status stream_write(struct stream *s, const void *data, size_t size, size_t *put,
                                struct error *err)
{
    return s->ops->write(s, data, size, put, err);
}

int stream_fd(const struct stream *s)
{
    return s->ops->fd(s);
}

short stream_events(const struct stream *s, bool want_write)
{
    return s->ops->events(s, want_write);
}

int64_t stream_deadline(const struct stream *s)
{
    return s->ops->deadline(s);
}

void stream_close(struct stream *s)
{
    if (s != NULL)
        s->ops->close(s);
}

bool stream_wait(const struct stream *s, bool want_write, int64_t deadline)
{
    int64_t own = stream_deadline(s);
    bool own_first = own < deadline;
    struct pollfd p = {.fd = stream_fd(s), .events = stream_events(s, want_write)};
    for (;;) {
        int n = poll(&p, 1, clock_left_ms(own_first ? own : deadline));
        if (n > 0 || own_first)
            return true;
        if (n == 0)
            return false;
        if (errno != EINTR)
            return true; /* the next read or write says what is wrong */
    }
}
