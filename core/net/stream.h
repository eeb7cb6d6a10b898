/*
 * stream.h - a non-blocking byte stream: TCP or TLS over TCP, or a scripted one in tests.
 *
 * Life: opened by stream_tcp_open / stream_tls_open, then stream_connect again and again (whenever
 * poll says so, or stream_deadline passed) until it is STREAM_OK, then read and write. Nothing here
 * waits, except stream_wait, which is for jobs. After STREAM_FAILED or STREAM_CLOSED only
 * stream_close is allowed. One thread per stream.
 */
#ifndef CORE_NET_STREAM_H
#define CORE_NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/net/address.h"

enum stream_status {
    STREAM_OK,     /* done, or some bytes moved */
    STREAM_WAIT,   /* nothing now: poll for stream_events */
    STREAM_CLOSED, /* the other side closed the connection in order */
    STREAM_FAILED, /* err is set */
};

struct stream;

struct stream_ops {
    enum stream_status (*connect)(struct stream *s, struct error *err);
    enum stream_status (*read)(struct stream *s, void *out, size_t size, size_t *got,
                               struct error *err);
    enum stream_status (*write)(struct stream *s, const void *data, size_t size, size_t *put,
                                struct error *err);
    int (*fd)(const struct stream *s);
    short (*events)(const struct stream *s, bool want_write);
    int64_t (*deadline)(const struct stream *s);
    void (*close)(struct stream *s);
};

/* First member of every implementation. */
struct stream {
    const struct stream_ops *ops;
};

struct tls_context;

/* How to reach a server: everything is borrowed for the call only, but tls for the stream's life.
 */
struct stream_target {
    struct address address;
    struct tls_context *tls; /* NULL = plain TCP */
    const char *server_name; /* TLS: the name to verify and to send as SNI; NULL = the host */
};

/* Never fails: what goes wrong is said by stream_connect. */
struct stream *stream_open(const struct stream_target *target);

enum stream_status stream_connect(struct stream *s, struct error *err);
/* STREAM_OK: 1 to size bytes in *got. Call it until STREAM_WAIT: TLS may hold bytes that poll does
 * not show. */
enum stream_status stream_read(struct stream *s, void *out, size_t size, size_t *got,
                               struct error *err);
/* STREAM_OK: 1 to size bytes in *put. */
enum stream_status stream_write(struct stream *s, const void *data, size_t size, size_t *put,
                                struct error *err);
/* The descriptor may change until connected. -1 when there is none (wait for the deadline). */
int stream_fd(const struct stream *s);
/* POLLIN/POLLOUT to poll for, given whether the caller has bytes to write. */
short stream_events(const struct stream *s, bool want_write);
/* While connecting: call stream_connect at this time at the latest. CLOCK_NEVER afterwards. */
int64_t stream_deadline(const struct stream *s);
void stream_close(struct stream *s); /* frees; NULL is fine; never blocks */

/* Wait until the stream can go on or `deadline` passed; false after the deadline. Jobs only. */
bool stream_wait(const struct stream *s, bool want_write, int64_t deadline);

#endif
