#include "core/net/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/alloc.h"

#define STACK_BYTES ((size_t)256 * 1024)

/* Held by the caller and by the lookup thread; the last one frees it. The thread writes `found` and
 * `status` before it sets `done`. */
struct resolve {
    struct address address;
    int fd; /* eventfd */
    atomic_int holders;
    atomic_bool done;
    struct endpoints found;
    int status; /* of getaddrinfo */
    int number; /* errno with EAI_SYSTEM */
};

static bool lookup(const struct address *a, int flags, struct endpoints *out, int *status,
                   int *number)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char port[8];
    (void)snprintf(port, sizeof(port), "%u", (unsigned)a->port);
    *status = getaddrinfo(a->host, port, &hints, &list);
    *number = errno;
    out->count = 0;
    if (*status != 0)
        return false;
    for (struct addrinfo *i = list; i != NULL && out->count < RESOLVE_MAX; i = i->ai_next) {
        struct endpoint *e = &out->items[out->count];
        if (i->ai_addrlen <= sizeof(e->addr)) {
            memcpy(&e->addr, i->ai_addr, i->ai_addrlen);
            e->len = i->ai_addrlen;
            out->count++;
        }
    }
    freeaddrinfo(list);
    return out->count > 0;
}

bool resolve_numeric(const struct address *a, struct endpoints *out)
{
    int status;
    int number;
    return lookup(a, AI_NUMERICHOST, out, &status, &number);
}

static void drop(struct resolve *r)
{
    if (atomic_fetch_sub(&r->holders, 1) == 1) {
        close(r->fd);
        free(r);
    }
}

static void *run(void *arg)
{
    struct resolve *r = arg;
    uint64_t one = 1;
    (void)lookup(&r->address, AI_ADDRCONFIG, &r->found, &r->status, &r->number);
    if (r->status == EAI_NONAME || r->status == EAI_ADDRFAMILY) {
        /* AI_ADDRCONFIG hides loopback names on a machine without another interface. */
        (void)lookup(&r->address, 0, &r->found, &r->status, &r->number);
    }
    atomic_store(&r->done, true);
    ssize_t wrote = write(r->fd, &one, sizeof(one));
    (void)wrote;
    drop(r);
    return NULL;
}

/* The thread must not take the program's signals. */
static bool spawn(struct resolve *r)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    if (pthread_attr_init(&attr) != 0)
        return false;
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int status = pthread_create(&thread, &attr, run, r);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    return status == 0;
}

struct resolve *resolve_start(const struct address *a)
{
    struct resolve *r = mem_zero(1, sizeof(*r));
    r->address = *a;
    r->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_init(&r->holders, 2);
    atomic_init(&r->done, false);
    if (r->fd < 0 || !spawn(r)) {
        r->status = EAI_AGAIN;
        atomic_store(&r->holders, 1);
        atomic_store(&r->done, true);
    }
    return r;
}

int resolve_fd(const struct resolve *r)
{
    return r->fd;
}

bool resolve_done(struct resolve *r)
{
    return atomic_load(&r->done);
}

bool resolve_take(struct resolve *r, struct endpoints *out, struct error *err)
{
    if (r->status == 0 && r->found.count > 0) {
        *out = r->found;
        return true;
    }
    if (r->status == EAI_SYSTEM) {
        return error_set_errno(err, ERROR_UNREACHABLE, r->number, "cannot resolve %s",
                               r->address.host);
    }
    return error_set(err, ERROR_UNREACHABLE, 0, "cannot resolve %s: %s", r->address.host,
                     r->status == 0 ? "no address" : gai_strerror(r->status));
}

void resolve_free(struct resolve *r)
{
    if (r != NULL)
        drop(r);
}

char *endpoint_text(char *out, size_t size, const struct endpoint *e)
{
    char host[INET6_ADDRSTRLEN] = "?";
    unsigned port = 0;
    bool v6 = e->addr.ss_family == AF_INET6;
    if (v6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, &e->addr, sizeof(in6));
        (void)inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof(host));
        port = ntohs(in6.sin6_port);
    } else {
        struct sockaddr_in in;
        memcpy(&in, &e->addr, sizeof(in));
        (void)inet_ntop(AF_INET, &in.sin_addr, host, sizeof(host));
        port = ntohs(in.sin_port);
    }
    (void)snprintf(out, size, "%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "", port);
    return out;
}
