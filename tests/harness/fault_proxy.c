#include "tests/harness/fault_proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINKS_MAX 64
#define WITHIN 4096
#define CHUNK ((size_t)16384)
#define DOUBLED 64

/* One connection: client <-> proxy <-> server, with the fault that it drew. */
struct link {
    int client;
    int server;
    enum fault_kind kind;
    size_t at;     /* reply byte at which the fault happens */
    size_t passed; /* reply bytes so far */
    int slow_ms;
    int delay_ms;
    uint64_t draw;
    struct fault_proxy *proxy;
};

struct fault_proxy {
    struct sockaddr_in to;
    int listener;
    uint16_t port;
    pthread_t thread;
    atomic_bool stopping;
    atomic_bool break_all;
    atomic_size_t accepted;
    atomic_size_t struck;
    atomic_size_t falsified;
    pthread_mutex_t lock; /* guards options */
    struct fault_options options;
    struct link links[LINKS_MAX]; /* the thread's own */
    size_t count;
};

static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void close_link(struct link *l, bool reset)
{
    struct linger hard = {.l_onoff = 1};
    if (reset)
        (void)setsockopt(l->client, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(l->client);
    close(l->server);
    l->client = -1;
}

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static bool send_slowly(const struct link *l, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!send_all(l->client, bytes + i, 1))
            return false;
        if (l->slow_ms > 0)
            (void)poll(NULL, 0, l->slow_ms);
    }
    return true;
}

/* Once is enough; a stalled connection stays so. */
static void strike(struct link *l)
{
    if (l->kind != FAULT_STALL || l->at != 0)
        atomic_fetch_add(&l->proxy->struck, 1);
    if (l->kind == FAULT_GARBAGE || l->kind == FAULT_DOUBLE)
        atomic_fetch_add(&l->proxy->falsified, 1);
    l->at = SIZE_MAX / 2;
}

/* Pass reply bytes on, with the fault in its place. False: the connection is over. */
static bool reply_bytes(struct link *l, char *bytes, size_t len)
{
    bool here = l->passed + len > l->at;
    size_t before = here && l->at > l->passed ? l->at - l->passed : 0;
    size_t twice = len - before;

    l->passed += len;
    if (l->kind == FAULT_SLOW)
        return send_slowly(l, bytes, len);
    if (!here || l->kind == FAULT_NONE)
        return send_all(l->client, bytes, len);
    strike(l);
    switch (l->kind) {
    case FAULT_GARBAGE:
        for (size_t i = before; i < len && i < before + 4; i++)
            bytes[i] = (char)draw(&l->draw);
        return send_all(l->client, bytes, len);
    case FAULT_DOUBLE:
        if (twice > DOUBLED)
            twice = 1 + (size_t)(draw(&l->draw) % DOUBLED);
        return send_all(l->client, bytes, before + twice) &&
               send_all(l->client, bytes + before, len - before);
    case FAULT_DELAY:
        if (!send_all(l->client, bytes, before))
            return false;
        (void)poll(NULL, 0, l->delay_ms);
        return send_all(l->client, bytes + before, len - before);
    case FAULT_STALL:
        l->at = 0;
        return send_all(l->client, bytes, before);
    default: /* CUT, RESET */
        (void)send_all(l->client, bytes, before);
        return false;
    }
}

static void move_replies(struct link *l)
{
    char bytes[CHUNK];
    ssize_t n = recv(l->server, bytes, sizeof(bytes), 0);
    if (n <= 0 || !reply_bytes(l, bytes, (size_t)n))
        close_link(l, l->kind == FAULT_RESET);
}

static void move_commands(struct link *l)
{
    char bytes[CHUNK];
    ssize_t n = recv(l->client, bytes, sizeof(bytes), 0);
    if (n <= 0 || !send_all(l->server, bytes, (size_t)n))
        close_link(l, false);
}

static void choose(struct fault_proxy *p, struct link *l)
{
    pthread_mutex_lock(&p->lock);
    struct fault_options o = p->options;
    pthread_mutex_unlock(&p->lock);
    l->draw = o.seed + atomic_load(&p->accepted) * 7919;
    l->kind = o.kind;
    if (o.kind == FAULT_ANY) {
        static const enum fault_kind any[] = {FAULT_CUT,   FAULT_RESET, FAULT_GARBAGE, FAULT_SLOW,
                                              FAULT_STALL, FAULT_DELAY, FAULT_DOUBLE,  FAULT_NONE};
        l->kind = any[draw(&l->draw) % (sizeof(any) / sizeof(*any))];
    }
    l->at = (size_t)(draw(&l->draw) % (o.within > 0 ? o.within : WITHIN));
    if (o.only != 0)
        l->at = o.at;
    if (o.only != 0 && o.only != atomic_load(&p->accepted))
        l->kind = FAULT_NONE;
    l->slow_ms = o.slow_ms;
    l->delay_ms = o.delay_ms;
    l->proxy = p;
}

static void accept_link(struct fault_proxy *p)
{
    int one = 1;
    int fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    atomic_fetch_add(&p->accepted, 1);
    struct link l = {.client = fd, .server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    choose(p, &l);
    bool ok = l.server >= 0 && l.kind != FAULT_DROP && p->count < LINKS_MAX &&
              connect(l.server, (struct sockaddr *)&p->to, sizeof(p->to)) == 0;
    if (!ok) {
        close_link(&l, false);
        return;
    }
    (void)setsockopt(l.client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)setsockopt(l.server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    p->links[p->count++] = l;
}

static void sweep(struct fault_proxy *p)
{
    size_t kept = 0;
    bool all = atomic_exchange(&p->break_all, false);
    for (size_t i = 0; i < p->count; i++) {
        if (p->links[i].client >= 0 && all)
            close_link(&p->links[i], false);
        if (p->links[i].client >= 0)
            p->links[kept++] = p->links[i];
    }
    p->count = kept;
}

static void *run(void *arg)
{
    struct fault_proxy *p = arg;
    while (!atomic_load(&p->stopping)) {
        struct pollfd fds[1 + 2 * LINKS_MAX] = {{.fd = p->listener, .events = POLLIN}};
        size_t count = p->count;
        for (size_t i = 0; i < count; i++) {
            fds[1 + 2 * i] = (struct pollfd){.fd = p->links[i].client, .events = POLLIN};
            fds[2 + 2 * i] = (struct pollfd){.fd = p->links[i].server, .events = POLLIN};
        }
        if (poll(fds, (nfds_t)(1 + 2 * count), 20) < 0)
            continue;
        for (size_t i = 0; i < count; i++) {
            if (fds[1 + 2 * i].revents != 0)
                move_commands(&p->links[i]);
            if (p->links[i].client >= 0 && fds[2 + 2 * i].revents != 0)
                move_replies(&p->links[i]);
        }
        if (fds[0].revents != 0)
            accept_link(p);
        sweep(p);
    }
    atomic_store(&p->break_all, true);
    sweep(p);
    return NULL;
}

struct fault_proxy *fault_proxy_start(const char *host, uint16_t port,
                                      const struct fault_options *options)
{
    struct fault_proxy *p = calloc(1, sizeof(*p));
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(a);
    if (p == NULL)
        abort();
    p->options = *options;
    p->to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    pthread_mutex_init(&p->lock, NULL);
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (inet_pton(AF_INET, host, &p->to.sin_addr) != 1 || p->listener < 0 ||
        bind(p->listener, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(p->listener, 64) != 0 ||
        getsockname(p->listener, (struct sockaddr *)&a, &len) != 0 ||
        pthread_create(&p->thread, NULL, run, p) != 0) {
        if (p->listener >= 0)
            close(p->listener);
        free(p);
        return NULL;
    }
    p->port = ntohs(a.sin_port);
    return p;
}

uint16_t fault_proxy_port(const struct fault_proxy *p)
{
    return p->port;
}

void fault_proxy_set(struct fault_proxy *p, const struct fault_options *options)
{
    pthread_mutex_lock(&p->lock);
    p->options = *options;
    pthread_mutex_unlock(&p->lock);
}

void fault_proxy_break_all(struct fault_proxy *p)
{
    atomic_store(&p->break_all, true);
}

size_t fault_proxy_connections(struct fault_proxy *p)
{
    return atomic_load(&p->accepted);
}

size_t fault_proxy_struck(struct fault_proxy *p)
{
    return atomic_load(&p->struck);
}

size_t fault_proxy_falsified(struct fault_proxy *p)
{
    return atomic_load(&p->falsified);
}

void fault_proxy_stop(struct fault_proxy *p)
{
    atomic_store(&p->stopping, true);
    pthread_join(p->thread, NULL);
    close(p->listener);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
