/*
 * resolve.h - names to socket addresses without ever blocking the caller.
 *
 * Numeric addresses are converted at once. Names are looked up by getaddrinfo in a thread of their
 * own (it cannot be interrupted); the caller polls resolve_fd and takes the result. A lookup that
 * nobody waits for any more is abandoned with resolve_free: its thread cleans up when it returns.
 * One thread uses a struct resolve.
 */
#ifndef CORE_NET_RESOLVE_H
#define CORE_NET_RESOLVE_H

#include <sys/socket.h>

#include "core/net/address.h"

#define RESOLVE_MAX 8 /* addresses kept per name */

struct endpoint {
    struct sockaddr_storage addr;
    socklen_t len;
};

struct endpoints {
    struct endpoint items[RESOLVE_MAX];
    size_t count;
};

/* true and one endpoint when the host is an IPv4 or IPv6 address. Never blocks. */
bool resolve_numeric(const struct address *a, struct endpoints *out);

struct resolve;

struct resolve *resolve_start(const struct address *a);
int resolve_fd(const struct resolve *r); /* readable when the lookup ended */
bool resolve_done(struct resolve *r);
/* After resolve_done: the addresses, or ERROR_UNREACHABLE ("cannot resolve name: …"). */
bool resolve_take(struct resolve *r, struct endpoints *out, struct error *err) MUST_CHECK;
void resolve_free(struct resolve *r); /* NULL is fine; at any time */

/* "127.0.0.1:7001" or "[::1]:7001" of a socket address. Returns out. */
char *endpoint_text(char *out, size_t size, const struct endpoint *e);

#endif
